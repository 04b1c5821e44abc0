#pragma once

#include "proxy/auth/secret.hpp"

#include <map>
#include <string>
#include <string_view>

namespace pgmemo::proxy::auth {

using Users = std::map<std::string, Secret, std::less<>>;

/// Reads a file of users, a line each, as PgBouncer's userlist.txt has it: `"name" "secret"`, with a quote in either
/// written twice; `;` or `#` begins a line of comment. A secret is a SCRAM verifier, an md5 hash or a password.
/// Throws std::invalid_argument with one sentence that names the file and the line, and never a secret.
Users parse_users(std::string_view text, const std::string& path);
Users read_users(const std::string& path);

} // namespace pgmemo::proxy::auth
