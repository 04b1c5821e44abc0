#include "proxy/cancel_registry.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <stdexcept>
#include <utility>

namespace pgmemo::proxy {
namespace {

void randomise(void* to, std::size_t size)
{
    if (RAND_bytes(static_cast<unsigned char*>(to), static_cast<int>(size)) != 1)
        throw std::runtime_error("no random bytes for a cancel key");
}

} // namespace

std::shared_ptr<CancelRegistry::Slot> CancelRegistry::add(Target target, std::size_t secret_size)
{
    auto slot = std::make_shared<Slot>();
    slot->target = std::move(target);
    slot->secret.resize(secret_size);
    randomise(slot->secret.data(), slot->secret.size());
    const std::lock_guard lock{mutex_};
    do {
        randomise(&slot->pid, sizeof slot->pid);
        slot->pid &= 0x7fffffff;
    } while (slot->pid == 0 || by_pid_.contains(slot->pid));
    by_pid_.emplace(slot->pid, slot);
    return slot;
}

void CancelRegistry::remove(const Slot& slot) noexcept
{
    const std::lock_guard lock{mutex_};
    by_pid_.erase(slot.pid);
}

std::optional<CancelRegistry::Target> CancelRegistry::find(std::uint32_t pid, std::string_view secret) const
{
    const std::lock_guard lock{mutex_};
    const auto found = by_pid_.find(pid);
    if (found == by_pid_.end())
        return std::nullopt;
    const Slot& slot = *found->second;
    if (slot.secret.size() != secret.size() || CRYPTO_memcmp(slot.secret.data(), secret.data(), secret.size()) != 0)
        return std::nullopt;
    if (!slot.cancellable.load(std::memory_order_acquire))
        return std::nullopt;
    return slot.target;
}

} // namespace pgmemo::proxy
