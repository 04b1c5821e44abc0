#include "query/catalog_impl.hpp"

namespace pgmemo::query {

Catalog::Catalog(std::unique_ptr<const Impl> impl)
    : impl_(std::move(impl))
{
}
Catalog::~Catalog() = default;

Oid Catalog::database() const noexcept
{
    return impl_->database;
}

std::uint64_t Catalog::id() const noexcept
{
    return impl_->id;
}

const std::vector<std::string>& Catalog::settings() const noexcept
{
    return impl_->settings;
}
std::size_t Catalog::relation_count() const noexcept
{
    return impl_->relation_count;
}

} // namespace pgmemo::query
