#include "proxy/auth/peer.hpp"

#include <pwd.h>
#include <sys/socket.h>

#include <array>

namespace pgmemo::proxy::auth {

std::string peer_name(int socket)
{
    ucred who{};
    socklen_t size = sizeof who;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || size != sizeof who)
        return {};
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, 16 * 1024> room{};
    if (::getpwuid_r(who.uid, &entry, room.data(), room.size(), &found) != 0 || !found)
        return {};
    return found->pw_name;
}

} // namespace pgmemo::proxy::auth
