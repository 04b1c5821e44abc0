#include "query/lookup.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pgmemo::query {

bool is_temporary_schema(std::string_view schema) noexcept
{
    return schema.starts_with("pg_temp") || schema.starts_with("pg_toast_temp");
}

std::optional<std::vector<std::string>> read_search_path(std::string_view text)
{
    std::vector<std::string> schemas;
    std::size_t at = 0;
    const auto skip_blanks = [&] {
        while (at < text.size() && text[at] == ' ')
            ++at;
    };
    for (skip_blanks(); at < text.size(); skip_blanks()) {
        std::string name;
        if (text[at] == '"') {
            for (++at;; ++at) {
                if (at >= text.size())
                    return std::nullopt;
                if (text[at] == '"' && (at + 1 >= text.size() || text[++at] != '"'))
                    break;
                name.push_back(text[at]);
            }
            if (at < text.size() && text[at] == '"')
                ++at;
        } else {
            while (at < text.size() && text[at] != ',' && text[at] != ' ')
                name.push_back(text[at++]);
        }
        skip_blanks();
        if (name == "$user" || (at < text.size() && text[at] != ','))
            return std::nullopt;
        if (!name.empty())
            schemas.push_back(std::move(name));
        if (at < text.size())
            ++at;
    }
    return schemas;
}

Lookup::Lookup(const Catalog::Impl& catalog, const NameScope* scope)
    : catalog_(catalog)
    , scope_(scope)
{
    if (scope_ != nullptr)
        has_temporary_ = std::any_of(scope_->schemas.begin(), scope_->schemas.end(), is_temporary_schema);
}

Lookup::Lookup(const Catalog::Impl& catalog, std::shared_ptr<const NameScope> scope, bool is_exact)
    : Lookup(catalog, scope.get())
{
    owned_ = std::move(scope);
    is_exact_ = is_exact;
}

Lookup Lookup::inside(const Function& function) const
{
    constexpr std::string_view kSetting = "search_path=";
    for (const auto& setting : function.settings) {
        if (!setting.starts_with(kSetting))
            continue;
        auto schemas = read_search_path(std::string_view{setting}.substr(kSetting.size()));
        if (!schemas || scope_ == nullptr)
            return {catalog_, nullptr, false};
        auto scope = std::make_shared<NameScope>();
        scope->schemas = {"pg_catalog"};
        for (auto& schema : *schemas)
            if (!is_temporary_schema(schema))
                scope->schemas.push_back(std::move(schema));
        std::copy_if(scope_->schemas.begin(), scope_->schemas.end(), std::back_inserter(scope->schemas),
                     is_temporary_schema);
        return {catalog_, std::move(scope), false};
    }
    if (function.is_security_definer)
        return {catalog_, nullptr, false}; // "$user" and what may be used are its owner's
    return *this;
}

std::string Lookup::id() const
{
    if (scope_ == nullptr)
        return "*";
    std::string id = is_exact_ ? "=" : "~";
    for (const auto& schema : scope_->schemas)
        id.append(schema).push_back('\0');
    return id;
}

bool Lookup::sees(std::string_view schema) const noexcept
{
    if (scope_ == nullptr || schema == "pg_catalog")
        return true;
    return std::find(scope_->schemas.begin(), scope_->schemas.end(), schema) != scope_->schemas.end();
}

std::size_t Lookup::rank(std::string_view schema) const noexcept
{
    if (scope_ == nullptr)
        return 0;
    const auto& schemas = scope_->schemas;
    return static_cast<std::size_t>(std::find(schemas.begin(), schemas.end(), schema) - schemas.begin());
}

Lookup::Relations Lookup::relations(const Name& name) const
{
    Relations result;
    const auto* named = Catalog::Impl::named(catalog_.relations_by_name, name.name);
    const auto add_if = [&](const auto& wanted) {
        if (named != nullptr)
            for (const auto index : *named)
                if (const auto& relation = catalog_.relations[index]; wanted(relation.schema))
                    result.found.push_back(&relation);
    };
    if (!name.schema.empty()) {
        result.may_be_temporary = is_temporary_schema(name.schema);
        add_if([&](const std::string& schema) { return schema == name.schema; });
        return result;
    }
    if (scope_ == nullptr || !is_exact_) {
        result.is_certain = false;
        result.may_be_temporary = scope_ == nullptr || has_temporary_;
        add_if([&](const std::string& schema) { return sees(schema); });
        return result;
    }
    result.may_be_temporary = has_temporary_;
    for (const auto& first : scope_->schemas) {
        add_if([&](const std::string& schema) { return schema == first; });
        if (!result.found.empty())
            break;
    }
    return result;
}

std::vector<const Function*> Lookup::functions(const Name& name, int arguments) const
{
    std::vector<const Function*> named;
    if (const auto* all = Catalog::Impl::named(catalog_.functions_by_name, name.name))
        for (const auto index : *all)
            if (const auto& function = catalog_.functions[index];
                name.schema.empty() ? sees(function.schema) : function.schema == name.schema)
                named.push_back(&function);
    std::vector<const Function*> callable;
    std::copy_if(named.begin(), named.end(), std::back_inserter(callable),
                 [&](const Function* f) { return f->takes(arguments); });
    return callable.empty() ? named : callable;
}

std::vector<const Operator*> Lookup::operators(const Name& name) const
{
    std::vector<const Operator*> result;
    if (const auto* all = Catalog::Impl::named(catalog_.operators_by_name, name.name))
        for (const auto index : *all)
            if (const auto& op = catalog_.operators[index];
                name.schema.empty() ? sees(op.schema) : op.schema == name.schema)
                result.push_back(&op);
    return result;
}

Lookup::Types Lookup::types(const Name& name) const
{
    Types result;
    const auto* named = Catalog::Impl::named(catalog_.types_by_name, name.name);
    const auto each = [&](const auto& use) {
        if (named != nullptr)
            for (const auto index : *named)
                use(catalog_.types[index]);
    };
    if (!name.schema.empty()) {
        result.may_be_temporary = is_temporary_schema(name.schema);
        each([&](const Type& type) {
            if (type.schema == name.schema) {
                result.found = &type;
                result.may_be_user = type.is_user;
            }
        });
        return result;
    }
    result.may_be_temporary = has_temporary_;
    if (scope_ == nullptr || !is_exact_) {
        each([&](const Type& type) {
            if (!sees(type.schema))
                return;
            if (!type.is_user || result.found == nullptr)
                result.found = &type;
            result.may_be_user = result.may_be_user || type.is_user;
        });
        return result;
    }
    for (const auto& schema : scope_->schemas) {
        each([&](const Type& type) {
            if (type.schema == schema) {
                result.found = &type;
                result.may_be_user = type.is_user;
            }
        });
        if (result.found != nullptr)
            break;
    }
    return result;
}

} // namespace pgmemo::query
