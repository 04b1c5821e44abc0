#pragma once

#include <string>
#include <string_view>

namespace pgmemo::proxy::auth {

/// A password as SCRAM hashes it: prepared by SASLprep where it can be, else its bytes as they are (no UTF-8, or with
/// characters that are prohibited or that Unicode 3.2 does not know), as PostgreSQL does.
/// Source: RFC 4013; pg_saslprep() in saslprep.c.
std::string prepared_password(std::string_view password);

} // namespace pgmemo::proxy::auth
