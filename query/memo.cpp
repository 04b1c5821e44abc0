#include "query/memo.hpp"

// Header-only: libpg_query exports XXH* symbols of its own.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace pgmemo::query {
namespace {

constexpr std::size_t kEntryOverhead = 160; ///< map node, turn, control block

std::uint64_t hash_of(std::string_view sql, MemoView view) noexcept
{
    const auto seed = view.catalog * 0x9E3779B97F4A7C15ULL ^ view.scope;
    return XXH3_64bits_withSeed(sql.data(), sql.size(), seed);
}

std::size_t bytes_of(std::string_view sql, const Statement& statement) noexcept
{
    std::size_t bytes = kEntryOverhead + sql.size() + sizeof(Statement) + statement.tag.size();
    const auto of_confinement = [](const Confinement& confined) {
        std::size_t size = sizeof(Confinement);
        for (const auto& bound : confined.values)
            size += sizeof(Bound) + bound.value.capacity();
        return size;
    };
    for (const auto& read : statement.reads)
        bytes += sizeof(ReadAccess) + of_confinement(read.confined);
    for (const auto& write : statement.writes) {
        bytes += sizeof(WriteAccess) + write.wide.size() * sizeof(int);
        for (const auto& confined : write.slots)
            bytes += of_confinement(confined);
    }
    for (const auto* names : {&statement.read_names, &statement.settings})
        for (const auto& name : *names)
            bytes += sizeof(std::string) + name.size();
    bytes += statement.why.size();
    return bytes;
}

} // namespace

Memo::Memo(std::size_t max_bytes)
    : max_shard_bytes_(max_bytes / kShards)
{
}

std::shared_ptr<const Statement> Memo::find(std::string_view sql, MemoView view) noexcept
{
    const auto hash = hash_of(sql, view);
    auto& shard = shard_of(hash);
    const std::lock_guard lock{shard.mutex};
    const auto found = shard.entries.find(hash);
    if (found == shard.entries.end() || found->second.view != view || found->second.sql != sql)
        return nullptr;
    found->second.is_used = true;
    return found->second.statement;
}

void Memo::remember(std::string_view sql, MemoView view, const std::shared_ptr<const Statement>& statement)
{
    const auto bytes = bytes_of(sql, *statement);
    if (bytes > max_shard_bytes_ / 4)
        return;
    const auto hash = hash_of(sql, view);
    Entry entry{std::string{sql}, view, statement, 0, bytes, false};
    auto& shard = shard_of(hash);
    const std::lock_guard lock{shard.mutex};
    if (const auto found = shard.entries.find(hash); found != shard.entries.end()) {
        shard.bytes -= found->second.bytes;
        shard.entries.erase(found); // its turn is found to be stale when it comes
    }
    make_room(shard, max_shard_bytes_ - bytes);
    entry.number = ++shard.last_number;
    shard.turns.push_back({hash, entry.number});
    shard.entries.emplace(hash, std::move(entry));
    shard.bytes += bytes;
}

void Memo::make_room(Shard& shard, std::size_t max_bytes)
{
    while (shard.bytes > max_bytes && !shard.turns.empty()) {
        const auto turn = shard.turns.front();
        shard.turns.pop_front();
        const auto found = shard.entries.find(turn.hash);
        if (found == shard.entries.end() || found->second.number != turn.number)
            continue;
        if (found->second.is_used) {
            found->second.is_used = false;
            shard.turns.push_back(turn);
            continue;
        }
        shard.bytes -= found->second.bytes;
        shard.entries.erase(found);
    }
}

std::size_t Memo::bytes_used() const noexcept
{
    std::size_t bytes = 0;
    for (const auto& shard : shards_) {
        const std::lock_guard lock{shard.mutex};
        bytes += shard.bytes;
    }
    return bytes;
}

} // namespace pgmemo::query
