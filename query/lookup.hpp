#pragma once

#include "query/analyzer.hpp"
#include "query/catalog_impl.hpp"
#include "query/facts.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace pgmemo::query {

/// Finds what names may stand for, as PostgreSQL does, in one catalog and one scope.
///
/// Without a scope an unqualified name stands for whatever has that name in any schema, and `is_certain` is false. In
/// the body of a function that sets its own search_path it stands for whatever has that name in any of those schemas:
/// which of them the function's owner may use is not known.
class Lookup {
public:
    Lookup(const Catalog::Impl& catalog, const NameScope* scope);

    bool has_scope() const noexcept { return scope_ != nullptr; }
    /// Whether of two things of one name the one whose schema has the lower rank is meant.
    bool is_certain() const noexcept { return scope_ != nullptr && is_exact_; }
    std::size_t rank(std::string_view schema) const noexcept;

    /// What names stand for inside a function that is called here.
    Lookup inside(const Function&) const;
    /// Tells scopes apart: whether a body was looked at in this one already.
    std::string id() const;

    struct Relations {
        std::vector<const Relation*> found; ///< when certain at most one
        bool may_be_temporary = false;      ///< the name may stand for a temporary relation of the session
        bool is_certain = true;
    };
    Relations relations(const Name&) const;

    /// Everything of that name that may be called with so many arguments; all of that name when none can.
    std::vector<const Function*> functions(const Name&, int arguments) const;
    std::vector<const Operator*> operators(const Name&) const;

    struct Types {
        const Type* found = nullptr;
        bool may_be_temporary = false;
        bool may_be_user = false; ///< a user's type has that name, and may be what is meant
    };
    Types types(const Name&) const;

    /// Whether an object of that schema is seen without qualification. Functions and operators: pg_temp never is.
    bool sees(std::string_view schema) const noexcept;

private:
    Lookup(const Catalog::Impl& catalog, std::shared_ptr<const NameScope> scope, bool is_exact);

    const Catalog::Impl& catalog_;
    std::shared_ptr<const NameScope> owned_;
    const NameScope* scope_;
    bool is_exact_ = true;
    bool has_temporary_ = false;
};

bool is_temporary_schema(std::string_view schema) noexcept;

/// The schemas of a search_path as it stands in pg_proc.proconfig; nullopt when it holds "$user" or is not understood.
std::optional<std::vector<std::string>> read_search_path(std::string_view);

} // namespace pgmemo::query
