#pragma once

#include "query/statement.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace pgmemo::query {

/// What decides how a text is understood, besides itself.
struct MemoView {
    std::uint64_t catalog = 0;
    std::uint64_t scope = 0;
    bool operator==(const MemoView&) const = default;
};

/// Statements by text, bounded in bytes. The oldest goes first, unless it was asked for since (second chance).
///
/// Threads: safe; a mutex for each of `kShards`, held for one look-up.
class Memo {
public:
    explicit Memo(std::size_t max_bytes);

    std::shared_ptr<const Statement> find(std::string_view sql, MemoView) noexcept;
    void remember(std::string_view sql, MemoView, const std::shared_ptr<const Statement>&);
    std::size_t bytes_used() const noexcept;

private:
    static constexpr std::size_t kShards = 16;

    struct Entry {
        std::string sql;
        MemoView view;
        std::shared_ptr<const Statement> statement;
        std::uint64_t number = 0; ///< tells this entry from an earlier one under the same hash
        std::size_t bytes = 0;
        bool is_used = false;
    };
    struct Turn {
        std::uint64_t hash = 0;
        std::uint64_t number = 0;
    };
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<std::uint64_t, Entry> entries;
        std::deque<Turn> turns;
        std::uint64_t last_number = 0;
        std::size_t bytes = 0;
    };

    Shard& shard_of(std::uint64_t hash) noexcept { return shards_[hash >> 60U]; }
    static void make_room(Shard&, std::size_t max_bytes);

    std::size_t max_shard_bytes_;
    std::array<Shard, kShards> shards_;
};

} // namespace pgmemo::query
