#pragma once

#include "query/catalog.hpp"
#include "query/statement.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::query {

struct Explanation; // query/explanation.hpp

/// The schemas in which a session's unqualified names are looked up, in order, as the server itself reports them
/// (`current_schemas(true)`): `"$user"` is resolved, schemas that do not exist or may not be used are gone, the
/// implicit `pg_catalog` is at its place.
struct NameScope {
    std::uint64_t id = 0; ///< equal ids, equal schemas; never reused in this process
    std::vector<std::string> schemas;
};

/// What has to hold for a text to mean what our parser reads in it.
struct Dialect {
    bool standard_conforming_strings = true;
    bool ascii_safe_encoding = true; ///< no byte below 0x80 is a part of a longer character (see `is_ascii_safe`)
    bool is_readable() const noexcept { return standard_conforming_strings && ascii_safe_encoding; }
    bool operator==(const Dialect&) const = default;
};

/// Whether a client_encoding, as PostgreSQL reports it, keeps ASCII bytes to ASCII characters: false for SJIS, BIG5,
/// GBK, UHC, GB18030, JOHAB, SHIFT_JIS_2004 and for any name not known.
bool is_ascii_safe(std::string_view client_encoding) noexcept;

/// SQL text → `Statement`, remembered by text.
///
/// Use:     one for the process. `analyse` may be called from the I/O threads: it parses at most
///          `kMaxParsedBytes`, never throws on any input, and never recurses deeper than its limit.
/// Threads: safe. The parser keeps a thread-local arena, so call it from long-lived threads only.
/// Memory:  statements remembered are bounded by `memo_bytes`.
class Analyzer {
public:
    static constexpr std::size_t kMaxParsedBytes = 64 * 1024;

    explicit Analyzer(std::size_t memo_bytes);
    ~Analyzer();
    Analyzer(const Analyzer&) = delete;
    Analyzer& operator=(const Analyzer&) = delete;

    /// `sql` without its terminating NUL. Never null.
    ///
    /// Without a catalog nothing is cacheable (`catalog_unknown`) and every write of a table is `writes_unknown`; what
    /// does not need the catalog (transaction control, SET …) is still known. Without a scope nothing is cacheable
    /// (`session_unknown`), and a write of an unqualified name is a write of all relations with that name (beyond 16
    /// of them `writes_unknown`). In a dialect that is not readable the statement is all that a text can be.
    std::shared_ptr<const Statement> analyse(std::string_view sql, const std::shared_ptr<const Catalog>& catalog,
                                             const std::shared_ptr<const NameScope>& scope, Dialect dialect);

    /// The same statement, with how it came about. By the same steps, but never remembered: it costs more memory.
    Explanation explain(std::string_view sql, const std::shared_ptr<const Catalog>& catalog,
                        const std::shared_ptr<const NameScope>& scope, Dialect dialect) const;

    std::size_t memo_bytes_used() const noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace pgmemo::query
