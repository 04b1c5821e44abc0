#pragma once

#include "query/builtins.hpp"
#include "query/catalog_impl.hpp"

#include <string>
#include <string_view>

namespace pgmemo::query {

// What the values of a type may be: questions that a proof asks of the catalog. Pure; a type that is not known, or is
// made of others without end, may be all that is asked for.

/// `unknown` for a user's type, but for enums, and domains and arrays of what is known.
TypeKind kind_of(const Catalog::Impl&, Oid, int depth = 0);

/// A user's type of which `Proof::type_by_oid` tells all that runs when its values are made, shown, cast and compared.
bool is_simple_user_type(const Type&) noexcept;

bool is_time(TypeKind) noexcept;

/// Whether a value of that type may hold a date or time: text that is made one would be read.
bool holds_time(const Catalog::Impl&, Oid, int depth = 0);

/// Whether a value of that type is, or is made of, values of the built-in one; of a type that is not known, `unknown`.
bool is_made_of(const Catalog::Impl&, Oid, std::string_view builtin, bool unknown, int depth = 0);

/// Whether a value of that type may hold text, which a date type may read as a clock. Source: pg_type.dat.
bool may_be_text(const Catalog::Impl&, Oid);

/// Whether a type written in PL/pgSQL's DECLARE may be a date or time, or hold one: a text given to it would be read.
bool may_be_time(const std::string& written);

} // namespace pgmemo::query
