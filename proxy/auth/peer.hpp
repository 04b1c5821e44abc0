#pragma once

#include <string>

namespace pgmemo::proxy::auth {

/// The name of the system's user at the other end of a Unix socket; empty when it cannot be told.
std::string peer_name(int socket);

} // namespace pgmemo::proxy::auth
