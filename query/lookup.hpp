#pragma once

#include "query/analyzer.hpp"
#include "query/catalog_impl.hpp"
#include "query/facts.hpp"

#include <string_view>
#include <vector>

namespace pgmemo::query {

/// Finds what names may stand for, as PostgreSQL does, in one catalog and one scope.
///
/// Without a scope an unqualified name stands for whatever has that name in any schema, and `is_certain` is false.
class Lookup {
public:
    Lookup(const Catalog::Impl& catalog, const NameScope* scope);

    bool has_scope() const noexcept { return scope_ != nullptr; }

    struct Relations {
        std::vector<const Relation*> found; ///< with a scope at most one
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
    const Catalog::Impl& catalog_;
    const NameScope* scope_;
    bool has_temporary_ = false;
};

bool is_temporary_schema(std::string_view schema) noexcept;

} // namespace pgmemo::query
