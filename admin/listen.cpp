#include "admin/listen.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/system/system_error.hpp>

#include <cstring>
#include <filesystem>
#include <string>
#include <unistd.h>

namespace pgmemo::admin {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using local = asio::local::stream_protocol;
using boost::system::error_code;
using Endpoint = Acceptor::endpoint_type;

error_code try_to_listen(Acceptor& acceptor, const Endpoint& endpoint)
{
    error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error && endpoint.protocol().family() != AF_UNIX)
        acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error)
        acceptor.bind(endpoint, error);
    if (!error)
        acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
        error_code ignored;
        acceptor.close(ignored);
    }
    return error;
}

bool is_dead_socket(asio::io_context& io, const local::endpoint& endpoint)
{
    error_code error;
    if (!std::filesystem::is_socket(endpoint.path(), error))
        return false; // connecting to a file is refused too
    local::socket socket{io};
    socket.connect(endpoint, error);
    return error == asio::error::connection_refused;
}

error_code listen_on_path(asio::io_context& io, Acceptor& acceptor, const std::string& path)
{
    if (path.size() >= sizeof(sockaddr_un::sun_path))
        return asio::error::name_too_long;
    const local::endpoint endpoint{path};
    auto error = try_to_listen(acceptor, endpoint);
    if (error == asio::error::address_in_use && is_dead_socket(io, endpoint)) {
        ::unlink(path.c_str());
        error = try_to_listen(acceptor, endpoint);
    }
    return error;
}

error_code listen_on_host(asio::io_context& io, Acceptor& acceptor, const config::Address& address)
{
    error_code error;
    tcp::resolver resolver{io};
    const auto found = resolver.resolve(address.host, std::to_string(address.port),
                                        tcp::resolver::passive | tcp::resolver::numeric_service, error);
    for (const auto& entry : found) {
        error = try_to_listen(acceptor, entry.endpoint());
        // A name may have addresses of a family that this machine does not speak. Any other failure is the operator's
        // to know.
        if (error != asio::error::address_family_not_supported && error.value() != EADDRNOTAVAIL)
            break;
    }
    return error;
}

} // namespace

Acceptor listen(asio::io_context& io, const config::Address& address)
{
    Acceptor acceptor{io};
    const auto error =
        address.is_unix() ? listen_on_path(io, acceptor, address.path) : listen_on_host(io, acceptor, address);
    if (error)
        throw boost::system::system_error(error, "cannot listen on " + address.text());
    return acceptor;
}

std::uint16_t bound_port(const Acceptor& acceptor)
{
    const auto bound = acceptor.local_endpoint();
    if (bound.protocol().family() == AF_UNIX)
        return 0;
    tcp::endpoint endpoint;
    std::memcpy(endpoint.data(), bound.data(), bound.size());
    endpoint.resize(bound.size());
    return endpoint.port();
}

} // namespace pgmemo::admin
