#include "proxy/database.hpp"

#include <utility>

namespace pgmemo::proxy {

Database::Database(std::uint32_t number, std::string name, cache::Versions& versions, std::function<void()> wake_keeper,
                   OnDropped on_dropped)
    : number_(number)
    , name_(std::move(name))
    , word_(versions.database(number))
    , wake_keeper_(std::move(wake_keeper))
    , on_dropped_(std::move(on_dropped))
{
}

std::shared_ptr<const query::Catalog> Database::catalog() const
{
    const std::lock_guard lock{mutex_};
    return catalog_id() != 0 ? catalog_ : nullptr;
}

void Database::catalog_changed() noexcept
{
    wanted_.fetch_add(1, std::memory_order_acq_rel);
    wake_keeper_();
}

void Database::catalog_doubted() noexcept
{
    doubts_.fetch_add(1, std::memory_order_acq_rel);
    wake_keeper_();
}

void Database::publish(std::shared_ptr<const query::Catalog> catalog, std::uint64_t wanted_when_read)
{
    const std::lock_guard lock{mutex_};
    loaded_.store(0, std::memory_order_release);
    catalog_id_.store(catalog->id(), std::memory_order_release);
    catalog_ = std::move(catalog);
    loaded_.store(wanted_when_read, std::memory_order_release);
}

void Database::drop_all()
{
    word_.move();
    on_dropped_(*this);
}

void Database::forget()
{
    const std::lock_guard lock{mutex_};
    loaded_.store(0, std::memory_order_release);
    catalog_id_.store(0, std::memory_order_release);
    catalog_ = nullptr;
}

Database& Databases::get(std::string_view name)
{
    // A longer name means the same database: the server cuts it. Source: NAMEDATALEN, ProcessStartupPacket.
    constexpr std::size_t kMaxName = 63;
    name = name.substr(0, kMaxName);
    const std::lock_guard lock{mutex_};
    auto found = by_name_.find(name);
    if (found == by_name_.end()) {
        const auto number = static_cast<std::uint32_t>(by_name_.size() + 1);
        auto database = std::make_unique<Database>(number, std::string{name}, versions_, wake_keeper_, on_dropped_);
        by_number_.push_back(database.get());
        found = by_name_.emplace(std::string{name}, std::move(database)).first;
    }
    return *found->second;
}

Database& Databases::by_number(std::uint32_t number)
{
    const std::lock_guard lock{mutex_};
    return *by_number_.at(number - 1);
}

std::vector<Database*> Databases::all() const
{
    const std::lock_guard lock{mutex_};
    std::vector<Database*> databases;
    for (const auto& [name, database] : by_name_)
        databases.push_back(database.get());
    return databases;
}

void Databases::catalogs_changed() noexcept
{
    for (auto* database : all())
        database->catalog_changed();
}

void Databases::catalogs_doubted() noexcept
{
    for (auto* database : all())
        database->catalog_doubted();
}

} // namespace pgmemo::proxy
