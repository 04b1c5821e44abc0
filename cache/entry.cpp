#include "cache/entry_layout.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <sys/mman.h>
#include <utility>

namespace pgmemo::cache {

namespace {

constexpr std::size_t kMallocHeader = 8;
constexpr std::size_t kMallocGrain = 16;
constexpr std::size_t kPage = 4096;

/// From here on an entry has pages of its own, which go back to the kernel with it. malloc takes such sizes from its
/// heap once it has seen one freed, and holes of all sizes then made the process half as large again as the bound.
constexpr std::size_t kMappedFrom = 32u << 10;

constexpr std::size_t round_up(std::size_t bytes, std::size_t grain) noexcept
{
    return (bytes + grain - 1) / grain * grain;
}

std::size_t allocation_size(std::size_t stamp_words, std::size_t body_bytes, std::size_t reply_bytes) noexcept
{
    return sizeof(Entry) + stamp_words * sizeof(Entry::Pair) + body_bytes + reply_bytes;
}

void* allocate(std::size_t bytes)
{
    if (bytes < kMappedFrom)
        return ::operator new(bytes);
    void* const pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        throw std::bad_alloc{};
    return pages;
}

void deallocate(void* room, std::size_t bytes) noexcept
{
    if (bytes < kMappedFrom)
        ::operator delete(room);
    else
        ::munmap(room, bytes);
}

} // namespace

std::size_t Entry::charge_for(std::size_t stamp_words, std::size_t body_bytes, std::size_t reply_bytes) noexcept
{
    const std::size_t bytes = allocation_size(stamp_words, body_bytes, reply_bytes);
    if (bytes >= kMappedFrom)
        return round_up(bytes, kPage);
    return round_up(bytes + kMallocHeader, kMallocGrain) + kMallocGrain; // a chunk may be a grain larger than asked for
}

Entry* Entry::make(Account& account, std::size_t charge, std::shared_ptr<const Identity> identity, std::uint64_t hash,
                   std::string_view body, std::span<const Pair> stamp, std::size_t reply_bytes, std::int64_t expires)
{
    void* const room = allocate(allocation_size(stamp.size(), body.size(), reply_bytes));
    auto* entry = new (room) Entry;
    entry->stamp_words_ = static_cast<std::uint32_t>(stamp.size());
    entry->body_bytes_ = static_cast<std::uint32_t>(body.size());
    entry->reply_bytes_ = static_cast<std::uint32_t>(reply_bytes);
    entry->hash_ = hash;
    entry->expires_ = expires;
    entry->charge_ = charge;
    entry->account_ = &account;
    entry->identity_ = std::move(identity);
    std::uninitialized_copy(stamp.begin(), stamp.end(), reinterpret_cast<Pair*>(entry + 1));
    std::copy(body.begin(), body.end(), const_cast<char*>(entry->tail()));
    return entry;
}

void Entry::let_go() const noexcept
{
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) != 1)
        return;
    Account& account = *account_;
    const std::size_t charge = charge_;
    const std::size_t bytes = allocation_size(stamp_words_, body_bytes_, reply_bytes_);
    auto* self = const_cast<Entry*>(this);
    self->~Entry();
    deallocate(self, bytes);
    account.give_back(charge);
}

void intrusive_ptr_add_ref(const Entry* entry) noexcept
{
    entry->hold();
}

void intrusive_ptr_release(const Entry* entry) noexcept
{
    entry->let_go();
}

std::string_view reply_of(const Entry& entry) noexcept
{
    return entry.reply();
}

std::span<const std::pair<Word*, std::uint64_t>> stamp_of(const Entry& entry) noexcept
{
    return entry.stamp();
}

bool is_current(const Entry& entry) noexcept
{
    const auto stamp = entry.stamp();
    return std::all_of(stamp.begin(), stamp.end(), [](const auto& pair) { return pair.first->load() == pair.second; });
}

} // namespace pgmemo::cache
