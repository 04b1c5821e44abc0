#include "cache/remote/tier.hpp"

#include "cache/entry_layout.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace pgmemo::cache {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr std::size_t kMostDead = 10'000; // remembered
constexpr milliseconds kClockDifference{1'000};

std::uint64_t random_number()
{
    std::uint64_t number = 0;
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number) != 1)
        throw std::runtime_error("OpenSSL has no random numbers");
    return number;
}

std::string hex(std::string_view bytes)
{
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        text += kDigits[static_cast<unsigned char>(c) >> 4U];
        text += kDigits[static_cast<unsigned char>(c) & 0xfU];
    }
    return text;
}

milliseconds wall_clock()
{
    return duration_cast<milliseconds>(RemoteEntry::WallClock::now().time_since_epoch());
}

/// What a caller of seal_entry() puts on top of the reply, at most; a bound for what is read.
constexpr std::size_t kMostAround = 4u << 20;

} // namespace

RemoteTier::RemoteTier(Cache& cache, const Options& options)
    : cache_(cache)
    , seal_(options.secret + '\0' + options.space)
    , lease_(options.lease)
    , compress_from_(options.compress_from)
    , max_entry_bytes_(options.max_entry_bytes)
    , process_(random_number() % (kNobody - 1) + 1)
    , words_(cache.versions(), {"pgmemo1:" + options.space + ':', options.database_name, options.on_catalog_moved})
{
    if (cache.versions().slot_count() != Versions::kSharedSlots)
        throw std::logic_error("a cache that shares has as many slots as others");
    cache.versions().cluster(); // in every stamp from now on
    set_fleet(options.fleet);
}

void RemoteTier::set_fleet(std::string_view what)
{
    const auto sum = Seal{"fleet"}({what});
    auto text = hex({sum.data(), sum.size()});
    const std::lock_guard lock{mutex_};
    if (text == fleet_)
        return;
    fleet_ = std::move(text);
    fleet_changes_.fetch_add(1);
}

std::string RemoteTier::fleet() const
{
    const std::lock_guard lock{mutex_};
    return fleet_;
}

std::uint64_t RemoteTier::slot_seed(std::string_view space, std::string_view secret)
{
    const auto sum = Seal{secret}({"slots", space});
    std::uint64_t seed = 0;
    for (std::size_t i = 0; i < sizeof seed; ++i)
        seed = seed << 8U | static_cast<unsigned char>(sum[i]);
    return seed;
}

std::string RemoteTier::name_of_owner(Owner owner) const
{
    return prefix() + "o:" + hex(word_bytes(owner));
}

std::string RemoteTier::name_of_slot(std::size_t index) const
{
    return prefix() + "s:" + std::to_string(index);
}

Owner RemoteTier::new_owner() noexcept
{
    const auto number = last_owner_.fetch_add(1) + 1;
    return process_ << kOwnerBits | (number & ((std::uint64_t{1} << kOwnerBits) - 1));
}

Owner RemoteTier::new_nobody()
{
    return kNobody << kOwnerBits | (random_number() & ((std::uint64_t{1} << kOwnerBits) - 1));
}

std::uint64_t RemoteTier::new_version()
{
    return random_number();
}

bool RemoteTier::is_ignored(Owner owner)
{
    if (is_own(owner))
        return true;
    const std::lock_guard lock{mutex_};
    return dead_.count(owner) > 0;
}

void RemoteTier::declare_dead(Owner owner)
{
    const std::lock_guard lock{mutex_};
    if (dead_.size() >= kMostDead)
        dead_.clear(); // found dead once more, if they still stand anywhere
    dead_.insert(owner);
}

bool RemoteTier::note_missing(Owner owner, bool is_missing)
{
    const std::lock_guard lock{mutex_};
    if (is_missing)
        missing_.insert(owner);
    else
        missing_.erase(owner);
    const bool is_first = !missing_.empty() && !is_anybody_missing_.exchange(true);
    if (is_first)
        cache_.clear(); // what is stored from now on is not kept for longer than a lease
    else if (missing_.empty())
        is_anybody_missing_ = false;
    return is_first;
}

void RemoteTier::keep_missing(const std::vector<Owner>& members)
{
    const std::lock_guard lock{mutex_};
    std::erase_if(missing_, [&members](Owner owner) {
        return std::find(members.begin(), members.end(), owner) == members.end();
    });
    if (missing_.empty())
        is_anybody_missing_ = false;
}

std::size_t RemoteTier::missing() const
{
    const std::lock_guard lock{mutex_};
    return missing_.size();
}

std::optional<std::uint64_t> RemoteTier::see(Word& word, std::optional<std::string_view> bytes, Sighting& sighting)
{
    const auto value = bytes ? WordValue::read(*bytes) : std::nullopt;
    if (!value) {
        words_.forget(word);
        sighting.lost.push_back(&word);
        return std::nullopt;
    }
    bool in_flight = false;
    for (std::size_t i = 0; i < value->owners(); ++i) {
        const auto owner = value->owner(i);
        if (is_own(owner))
            continue;
        if (is_ignored(owner)) {
            sighting.haunted.emplace_back(&word, owner);
            continue;
        }
        in_flight = true;
        sighting.strangers.push_back(owner);
    }
    words_.observe(word, value->version(), in_flight);
    return in_flight ? std::nullopt : std::optional{value->version()};
}

std::string RemoteTier::name_of_entry(const Key& key) const
{
    // Its parts cannot run into one another: the length of the first is a part.
    const auto size = std::to_string(key.identity->text.size());
    const auto sum = seal_({"entry", size, ":", key.identity->text, key.body});
    return prefix() + "e:" + hex({sum.data(), sum.size()});
}

std::optional<RemoteTier::Sealed> RemoteTier::seal(const Entry& entry, Clock::time_point read_at, Clock::time_point now)
{
    RemoteEntry sealed;
    if (entry.stamp().size() > kMaxSealedWords)
        return std::nullopt;
    for (const auto& [word, version] : entry.stamp()) {
        const auto remote = words_.version(*word);
        if (!remote)
            return std::nullopt;
        sealed.stamp.emplace_back(std::string_view{words_.name(*word)}.substr(prefix().size()), *remote);
    }
    // A word moves here before another version of it is noted: unmoved, those above are what it was stamped under.
    if (!is_current(entry))
        return std::nullopt;
    const auto wall = wall_clock();
    sealed.read_at = wall - duration_cast<milliseconds>(now - read_at);
    const auto left = entry.time_left(now);
    if (left && left->count() <= 0)
        return std::nullopt;
    if (left)
        sealed.expires = wall + *left;
    sealed.identity = entry.identity()->text;
    sealed.body = entry.body();
    sealed.reply = entry.reply();
    constexpr milliseconds kMonth = std::chrono::hours{24 * 30}; // what is never asked for again goes some time
    return Sealed{name_of_entry({entry.identity_ref(), entry.body()}), seal_entry(seal_, sealed, compress_from_),
                  left.value_or(kMonth)};
}

EntryRef RemoteTier::admit(const Key& key, const Lookup& lookup, std::size_t max_bytes, std::optional<milliseconds> ttl,
                           Clock::time_point now, bool& refused)
{
    std::string room;
    const auto entry = open_entry(seal_, lookup.value, room, max_entry_bytes_ + kMostAround);
    refused = !entry || entry->identity != key.identity->text || entry->body != key.body;
    if (refused || entry->reply.size() > max_bytes)
        return nullptr;
    const auto wall = wall_clock();
    const auto age = std::max(wall - entry->read_at, milliseconds{0});
    if (entry->read_at > wall + kClockDifference)
        return nullptr; // somebody's clock is wrong
    std::optional<milliseconds> left;
    if (ttl)
        left = *ttl - age;
    if (entry->expires.count() != 0)
        left = std::min(left.value_or(milliseconds::max()), entry->expires - wall);
    if (left && left->count() <= 0)
        return nullptr;

    std::unordered_map<std::string_view, std::size_t> seen;
    for (std::size_t i = 0; i < lookup.words.size(); ++i)
        seen.emplace(std::string_view{words_.name(*lookup.words[i])}.substr(prefix().size()), i);
    Words stamped;
    for (const auto& [name, version] : entry->stamp) {
        const auto found = seen.find(name);
        if (found == seen.end())
            return nullptr; // by another footprint: there is no telling whether it is current
        if (lookup.versions[found->second] != version)
            return nullptr;
        stamped.push_back(lookup.words[found->second]);
    }
    const Stamp stamp{stamped};
    for (std::size_t i = 0; i < stamped.size(); ++i)
        if (words_.version(*stamped[i]) != entry->stamp[i].second)
            return nullptr;
    if (!stamp.is_quiet() || !stamp.is_current())
        return nullptr;
    auto fill = cache_.begin_fill(key, stamp, max_bytes, left);
    if (!fill.append(entry->reply))
        return nullptr;
    Filled filled;
    cache_.finish_fill(std::move(fill), now, &filled);
    return filled.entry;
}

} // namespace pgmemo::cache
