#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace pgmemo::cache {

/// Who asks: database, roles and every setting that can change a result. Sessions with the same text hold the same
/// object, so the key compares one pointer and still compares the whole.
struct Identity {
    std::string text;
    std::uint64_t id = 0; ///< never reused in this process
};

/// Interns identities by their whole text. An identity lives as long as somebody holds it. Threads: safe.
class IdentityTable {
public:
    /// `max_bytes` bounds the texts held; beyond it `intern` yields null and the session is not served from the cache.
    explicit IdentityTable(std::size_t max_bytes);
    ~IdentityTable();
    std::shared_ptr<const Identity> intern(std::string_view text);
    std::size_t size() const;
    std::size_t bytes() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

} // namespace pgmemo::cache
