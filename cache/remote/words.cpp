#include "cache/remote/words.hpp"

#include <utility>

namespace pgmemo::cache {
namespace {

/// A database's name as a part of a key: Memcached's keys have neither spaces nor control characters, and end at 250
/// bytes; a name has at most 63.
std::string escaped(std::string_view name)
{
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        const bool is_plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                              (byte >= 'A' && byte <= 'Z') || byte == '_' || byte == '-' || byte == '.';
        if (is_plain) {
            out += c;
        } else {
            out += '%';
            out += kDigits[byte >> 4U];
            out += kDigits[byte & 0xfU];
        }
    }
    return out;
}

} // namespace

RemoteWords::RemoteWords(Versions& versions, Options options)
    : versions_(versions)
    , options_(std::move(options))
{
}

RemoteWords::Shard& RemoteWords::shard_of(const Word& word) noexcept
{
    return shards_[(reinterpret_cast<std::uintptr_t>(&word) * 0x9e3779b97f4a7c15u) >> 60];
}

RemoteWords::Seen& RemoteWords::seen(Shard& shard, Word& word)
{
    const auto [found, is_new] = shard.seen.try_emplace(&word);
    if (is_new) {
        try {
            found->second.name = make_name(word);
        } catch (...) {
            shard.seen.erase(found);
            throw;
        }
    }
    return found->second;
}

std::string RemoteWords::make_name(const Word& word) const
{
    const auto scope = versions_.scope_of(word);
    const auto& prefix = options_.prefix;
    if (scope.kind == WordScope::Kind::slot)
        return prefix + "s:" + std::to_string(scope.slot);
    if (scope.kind == WordScope::Kind::cluster)
        return prefix + "w:cluster";
    const auto database = escaped(options_.database_name(scope.database));
    const auto relation = std::to_string(scope.relation);
    const auto column = std::to_string(scope.column);
    switch (scope.kind) {
    case WordScope::Kind::database:
        return prefix + "w:d:" + database;
    case WordScope::Kind::catalog:
        return prefix + "w:c:" + database;
    case WordScope::Kind::relation:
        return prefix + "w:r:" + relation + ':' + database;
    case WordScope::Kind::wide:
        return prefix + "w:w:" + relation + ':' + column + ':' + database;
    default:
        return prefix + "w:f:" + relation + ':' + column + ':' + database;
    }
}

const std::string& RemoteWords::name(Word& word)
{
    auto& shard = shard_of(word);
    const std::lock_guard lock{shard.mutex};
    return seen(shard, word).name;
}

void RemoteWords::observe(Word& word, std::uint64_t version, bool in_flight)
{
    auto& shard = shard_of(word);
    const std::lock_guard lock{shard.mutex};
    auto& last = seen(shard, word);
    if (last.is_known && last.version == version) {
        // Under one version flights only end: each begin gives it another.
        if (last.holds_flight && !in_flight) {
            last.holds_flight = false;
            word.end();
        }
        return;
    }
    if (last.holds_flight)
        word.move();
    else
        word.begin(); // nothing is stamped between the two versions
    const auto scope = versions_.scope_of(word);
    if (last.is_known && (scope.kind == WordScope::Kind::catalog || scope.kind == WordScope::Kind::cluster))
        options_.on_catalog_moved(scope.database);
    last.version = version;
    last.is_known = true;
    last.holds_flight = in_flight;
    if (!in_flight)
        word.end();
}

void RemoteWords::adopt(Word& word, std::uint64_t version)
{
    auto& shard = shard_of(word);
    const std::lock_guard lock{shard.mutex};
    auto& last = seen(shard, word);
    last.version = version;
    last.is_known = true;
    if (!std::exchange(last.holds_flight, true))
        word.begin();
}

void RemoteWords::forget(Word& word)
{
    auto& shard = shard_of(word);
    const std::lock_guard lock{shard.mutex};
    auto& last = seen(shard, word);
    if (std::exchange(last.is_known, false))
        word.move();
    if (std::exchange(last.holds_flight, false))
        word.end();
}

std::optional<std::uint64_t> RemoteWords::version(Word& word)
{
    auto& shard = shard_of(word);
    const std::lock_guard lock{shard.mutex};
    const auto found = shard.seen.find(&word);
    if (found == shard.seen.end() || !found->second.is_known)
        return std::nullopt;
    return found->second.version;
}

bool RemoteWords::knows(std::span<Word* const> words)
{
    for (Word* word : words)
        if (!version(*word))
            return false;
    return true;
}

std::size_t RemoteWords::size() const
{
    std::size_t sum = 0;
    for (const auto& shard : shards_) {
        const std::lock_guard lock{shard.mutex};
        sum += shard.seen.size();
    }
    return sum;
}

} // namespace pgmemo::cache
