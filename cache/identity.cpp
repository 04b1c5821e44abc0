#include "cache/identity.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <mutex>

namespace pgmemo::cache {

namespace {

/// What an identity costs beside its text: itself, shared_ptr's block, the table's slot at its emptiest, malloc's
/// headers.
constexpr std::size_t kOverhead =
    sizeof(Identity) + 96 + 4 * (sizeof(std::string_view) + sizeof(std::weak_ptr<int>)) + 48;

std::size_t cost_of(const std::string& text) noexcept
{
    return text.capacity() + kOverhead;
}

} // namespace

struct IdentityTable::State {
    explicit State(std::size_t max)
        : max_bytes(max)
    {
    }

    /// The view is of the identity's own text, so a slot goes, at the latest, with its identity.
    using Table = boost::unordered_flat_map<std::string_view, std::weak_ptr<const Identity>>;

    const std::size_t max_bytes;
    mutable std::mutex mutex;
    std::size_t bytes = 0;
    std::uint64_t last_id = 0;
    Table table;

    void forget(const Identity& identity) noexcept
    {
        const std::lock_guard lock{mutex};
        bytes -= cost_of(identity.text);
        // Its slot may be another's by now: one of the same text, interned after the last reference to this one went.
        if (const auto found = table.find(identity.text);
            found != table.end() && found->first.data() == identity.text.data())
            table.erase(found);
    }
};

namespace {

/// An identity and the table that it leaves when its last reference goes.
struct Held {
    explicit Held(std::string_view text)
        : identity{std::string{text}, 0}
    {
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held()
    {
        if (leave)
            leave(*this);
    }

    Identity identity;
    std::shared_ptr<void> table;
    void (*leave)(Held&) noexcept = nullptr; ///< null until it is interned
};

} // namespace

IdentityTable::IdentityTable(std::size_t max_bytes)
    : state_(std::make_shared<State>(max_bytes))
{
}
IdentityTable::~IdentityTable() = default;

std::shared_ptr<const Identity> IdentityTable::intern(std::string_view text)
{
    State& state = *state_;
    std::shared_ptr<Held> held; // outlives the lock: whatever happens below, nothing is destroyed under it
    const std::lock_guard lock{state.mutex};
    if (const auto found = state.table.find(text); found != state.table.end()) {
        if (auto identity = found->second.lock())
            return identity;
        state.table.erase(found); // on its way out: forget() waits for our lock
    }
    if (state.bytes + text.size() + kOverhead > state.max_bytes)
        return nullptr;
    held = std::make_shared<Held>(text);
    std::shared_ptr<const Identity> identity{held, &held->identity};
    state.table.try_emplace(std::string_view{held->identity.text}, identity);
    state.bytes += cost_of(held->identity.text);
    held->identity.id = ++state.last_id;
    held->table = state_;
    held->leave = [](Held& last) noexcept { static_cast<State*>(last.table.get())->forget(last.identity); };
    return identity;
}

std::size_t IdentityTable::size() const
{
    const std::lock_guard lock{state_->mutex};
    return state_->table.size();
}

std::size_t IdentityTable::bytes() const
{
    const std::lock_guard lock{state_->mutex};
    return state_->bytes;
}

} // namespace pgmemo::cache
