#pragma once

#include "proxy/gather.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <optional>

namespace pgmemo::proxy {

namespace asio = boost::asio;

using Executor = asio::io_context::executor_type;
/// TCP or Unix, by what it was opened with. The executor's own type, not the erased one: it is cheaper on every
/// operation.
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;
template <class T>
using Task = asio::awaitable<T, Executor>;

inline constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable_t<Executor>{});

/// Something that coroutines of one thread wait for. notify() wakes all that wait; each looks itself whether what it
/// waits for has come. No timer is made before somebody waits.
class Event {
public:
    explicit Event(Executor executor)
        : executor_(std::move(executor))
    {
    }

    Task<void> wait()
    {
        if (!timer_)
            timer_.emplace(executor_);
        timer_->expires_at(Timer::time_point::max());
        co_await timer_->async_wait(kNoThrow);
    }
    void notify()
    {
        if (timer_)
            timer_->cancel();
    }

private:
    using Timer =
        asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
    Executor executor_;
    std::optional<Timer> timer_;
};

/// For `||`: ends what takes longer.
inline Task<void> timeout(Executor executor, std::chrono::steady_clock::duration after)
{
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor> timer{
        executor, after};
    co_await timer.async_wait(kNoThrow);
}

/// Writes as much as the kernel takes without waiting. False: the connection is gone.
inline bool write_some(Socket& socket, Gather& gather)
{
    while (!gather.empty()) {
        boost::system::error_code error;
        const auto written = socket.write_some(gather.parts(), error);
        gather.consume(written);
        if (error == asio::error::would_block || error == asio::error::try_again)
            return true;
        if (error)
            return false;
    }
    return true;
}

} // namespace pgmemo::proxy
