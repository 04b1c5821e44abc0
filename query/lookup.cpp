#include "query/lookup.hpp"

#include <algorithm>

namespace pgmemo::query {

bool is_temporary_schema(std::string_view schema) noexcept
{
    return schema.starts_with("pg_temp") || schema.starts_with("pg_toast_temp");
}

Lookup::Lookup(const Catalog::Impl& catalog, const NameScope* scope)
    : catalog_(catalog)
    , scope_(scope)
{
    if (scope_ != nullptr)
        has_temporary_ = std::any_of(scope_->schemas.begin(), scope_->schemas.end(), is_temporary_schema);
}

bool Lookup::sees(std::string_view schema) const noexcept
{
    if (scope_ == nullptr || schema == "pg_catalog")
        return true;
    return std::find(scope_->schemas.begin(), scope_->schemas.end(), schema) != scope_->schemas.end();
}

Lookup::Relations Lookup::relations(const Name& name) const
{
    Relations result;
    const auto* named = Catalog::Impl::find(catalog_.relations, name.name);
    if (!name.schema.empty()) {
        result.may_be_temporary = is_temporary_schema(name.schema);
        if (named != nullptr)
            for (const auto& relation : *named)
                if (relation.schema == name.schema)
                    result.found.push_back(&relation);
        return result;
    }
    if (scope_ == nullptr) {
        result.is_certain = false;
        result.may_be_temporary = true;
        if (named != nullptr)
            for (const auto& relation : *named)
                result.found.push_back(&relation);
        return result;
    }
    result.may_be_temporary = has_temporary_;
    if (named == nullptr)
        return result;
    for (const auto& schema : scope_->schemas)
        for (const auto& relation : *named)
            if (relation.schema == schema) {
                result.found.push_back(&relation);
                return result;
            }
    return result;
}

std::vector<const Function*> Lookup::functions(const Name& name, int arguments) const
{
    std::vector<const Function*> named;
    if (const auto* all = Catalog::Impl::find(catalog_.functions, name.name))
        for (const auto& function : *all)
            if (name.schema.empty() ? sees(function.schema) : function.schema == name.schema)
                named.push_back(&function);
    std::vector<const Function*> callable;
    std::copy_if(named.begin(), named.end(), std::back_inserter(callable),
                 [&](const Function* f) { return f->takes(arguments); });
    return callable.empty() ? named : callable;
}

std::vector<const Operator*> Lookup::operators(const Name& name) const
{
    std::vector<const Operator*> result;
    if (const auto* all = Catalog::Impl::find(catalog_.operators, name.name))
        for (const auto& op : *all)
            if (name.schema.empty() ? sees(op.schema) : op.schema == name.schema)
                result.push_back(&op);
    return result;
}

Lookup::Types Lookup::types(const Name& name) const
{
    Types result;
    const auto* named = Catalog::Impl::find(catalog_.types, name.name);
    if (!name.schema.empty()) {
        result.may_be_temporary = is_temporary_schema(name.schema);
        if (named != nullptr)
            for (const auto& type : *named)
                if (type.schema == name.schema) {
                    result.found = &type;
                    result.may_be_user = type.is_user;
                }
        return result;
    }
    if (scope_ == nullptr) {
        if (named != nullptr)
            for (const auto& type : *named) {
                if (!type.is_user || result.found == nullptr)
                    result.found = &type;
                result.may_be_user = result.may_be_user || type.is_user;
            }
        return result;
    }
    result.may_be_temporary = has_temporary_;
    if (named == nullptr)
        return result;
    for (const auto& schema : scope_->schemas)
        for (const auto& type : *named)
            if (type.schema == schema) {
                result.found = &type;
                result.may_be_user = type.is_user;
                return result;
            }
    return result;
}

} // namespace pgmemo::query
