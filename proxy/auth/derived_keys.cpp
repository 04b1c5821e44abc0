#include "proxy/auth/derived_keys.hpp"

#include <fmt/format.h>

namespace pgmemo::proxy::auth {
namespace {

constexpr std::size_t kSaltBytes = 16; // as PostgreSQL's SCRAM_DEFAULT_SALT_LEN

} // namespace

ScramKeys DerivedKeys::of(std::string_view password, std::string_view salt, std::uint32_t iterations)
{
    auto made_of = fmt::format("{} {} {}{}", iterations, salt.size(), salt, password);
    const auto key = sha256(made_of);
    wipe(made_of);
    {
        const std::lock_guard lock{mutex_};
        if (const auto found = kept_.find(key); found != kept_.end())
            return found->second;
    }
    auto keys = derive_keys(password, salt, iterations); // without the lock: it takes milliseconds
    const std::lock_guard lock{mutex_};
    if (kept_.size() >= kMost)
        kept_.erase(kept_.begin()); // any: the keys are hashes
    kept_.emplace(key, keys);
    return keys;
}

std::string Salts::of(std::string_view user) const
{
    return std::string{view(hmac_sha256(secret_, fmt::format("salt {}", user))).substr(0, kSaltBytes)};
}

ScramVerifier Salts::mock(std::string_view user) const
{
    return {kDefaultIterations, of(user), hmac_sha256(secret_, fmt::format("stored {}", user)),
            hmac_sha256(secret_, fmt::format("server {}", user))};
}

} // namespace pgmemo::proxy::auth
