#pragma once

#include "query/facts.hpp"
#include "query/statement.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace pgmemo::query {

struct Function;
enum class Language : char;

/// What the body of a function in SQL or PL/pgSQL says: the statements in it, before any name is resolved.
struct Body {
    bool is_understood = false; ///< false: it may do anything
    std::vector<StatementFacts> statements;

    bool replaces_row = false;                 ///< of a row trigger: any column may differ
    std::vector<std::string> assigned_columns; ///< of a row trigger: those that may, unless it replaces the row
    std::vector<std::string> variable_types;   ///< of PL/pgSQL, as they are written
};

/// Reads a body as it stands: of a `CREATE FUNCTION`, or a DO block.
Body read_body(Language, const std::string& source);

/// What some function of a database may do: said of code that is run without its name being known.
struct AnyCode {
    bool writes = false;
    bool changes_session = false;
    bool changes_catalog = false;
};

/// The bodies of one catalog's functions, each read when it is first asked for. Threads: safe.
class Bodies {
public:
    std::shared_ptr<const Body> of(const Function&) const;
    /// Of all functions together; found out once.
    AnyCode any_code(const std::vector<Function>& functions) const;

private:
    mutable std::mutex mutex_;
    mutable std::unordered_map<Oid, std::shared_ptr<const Body>> by_oid_;
    mutable std::optional<AnyCode> any_code_;
};

} // namespace pgmemo::query
