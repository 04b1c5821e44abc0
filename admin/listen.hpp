#pragma once

#include "config/config.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdint>

namespace pgmemo::admin {

/// Of TCP or of a Unix socket: what is served does not depend on it.
using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;

/// Listens on the first address that the host has on this machine, or on the path, where the socket of a process that
/// ended without removing it is replaced. Throws boost::system::system_error, naming the address, when it cannot.
Acceptor listen(boost::asio::io_context& io, const config::Address& address);

/// The TCP port that is bound; 0 for a Unix socket.
std::uint16_t bound_port(const Acceptor& acceptor);

} // namespace pgmemo::admin
