#pragma once

#include "proxy/loop.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/system/error_code.hpp>

#include <string>
#include <vector>

namespace pgmemo::proxy {

/// Finds the addresses of host names, in a thread of its own: getaddrinfo blocks.
///
/// Threads:  safe. Shutdown: stop() before the loops of those that asked go; whoever waits then is not answered.
class Resolver {
public:
    struct Found {
        boost::system::error_code error;
        std::vector<asio::ip::tcp::endpoint> endpoints; ///< in getaddrinfo's order
    };

    /// An address needs no thread. Called by coroutines of the executor's thread.
    Task<Found> resolve(std::string host, std::string service, Executor);
    void stop()
    {
        thread_.stop();
        thread_.join();
    }

private:
    asio::thread_pool thread_{1};
};

} // namespace pgmemo::proxy
