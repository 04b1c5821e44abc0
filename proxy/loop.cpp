#include "proxy/loop.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace pgmemo::proxy {
namespace {

constexpr std::uint32_t kAlways = EPOLLIN | EPOLLRDHUP | EPOLLET;

thread_local const Loop* own_loop = nullptr;

[[noreturn]] void fail(const char* what)
{
    throw std::system_error{errno, std::system_category(), what};
}

} // namespace

void Executor::post(Callback callback) const
{
    loop_->post(std::move(callback));
}

// ------------------------------------------------------------------------------------------------------------- Loop

Loop::Loop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC))
    , wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
{
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.ptr = this;
    if (epoll_ < 0 || wake_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0)
        fail("an event loop");
}

Loop::~Loop()
{
    drop_all();
    ::close(wake_);
    ::close(epoll_);
}

bool Loop::is_own_thread() const noexcept
{
    return own_loop == this;
}

void Loop::run()
{
    own_loop = this;
    now_ = Clock::now();
    while (!stopping_.load(std::memory_order_relaxed)) {
        const int count = ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), patience());
        if (count < 0 && errno != EINTR)
            fail("epoll_wait");
        now_ = Clock::now();
        dispatch(count);
        run_due();
        run_posted();
    }
    own_loop = nullptr;
}

void Loop::stop() noexcept
{
    stopping_ = true;
    ::eventfd_write(wake_, 1);
}

void Loop::post(Callback callback)
{
    if (is_own_thread()) {
        ready_.push_back(std::move(callback));
        return;
    }
    {
        const std::lock_guard lock{mutex_};
        posted_.push_back(std::move(callback));
        if (std::exchange(is_woken_, true))
            return;
    }
    ::eventfd_write(wake_, 1);
}

/// How long epoll may wait, in its milliseconds.
int Loop::patience() const
{
    using std::chrono::milliseconds;
    if (!ready_.empty())
        return 0;
    if (timers_.empty())
        return -1;
    const auto left = std::chrono::ceil<milliseconds>(timers_.begin()->first - now_);
    return static_cast<int>(std::clamp(left, milliseconds{0}, milliseconds{60'000}).count());
}

void Loop::dispatch(int count)
{
    event_count_ = count;
    for (event_ = 0; event_ < event_count_; ++event_) {
        const auto& event = events_[static_cast<std::size_t>(event_)];
        if (event.data.ptr == this) {
            const std::lock_guard lock{mutex_};
            std::move(posted_.begin(), posted_.end(), std::back_inserter(ready_));
            posted_.clear();
            is_woken_ = false; // edge-triggered: the next write is an event again, without a read
        } else if (event.data.ptr) {
            static_cast<Watch*>(event.data.ptr)->on_events(event.events);
        }
    }
    event_count_ = 0;
}

void Loop::run_due()
{
    while (!timers_.empty() && timers_.begin()->first <= now_) {
        auto timer = timers_.extract(timers_.begin());
        timer.mapped()(true);
    }
}

/// What was posted up to now; what that posts is for the next turn, so that descriptors have theirs.
void Loop::run_posted()
{
    if (ready_.empty())
        return;
    auto batch = std::exchange(ready_, {});
    for (auto& callback : batch)
        callback(true);
    if (ready_.empty()) { // its memory is of use again
        batch.clear();
        ready_ = std::move(batch);
    }
}

/// Asio unwinds a coroutine that is dropped by way of its executor: what is dropped may post what is to be dropped.
void Loop::drop_all()
{
    own_loop = this;
    for (;;) {
        std::vector<Callback> batch = std::exchange(ready_, {});
        {
            const std::lock_guard lock{mutex_};
            std::move(posted_.begin(), posted_.end(), std::back_inserter(batch));
            posted_.clear();
        }
        if (!waiting_.empty()) {
            for (auto& item : waiting_.front().take())
                batch.push_back(std::move(item.callback));
        }
        if (!timers_.empty())
            batch.push_back(std::move(timers_.extract(timers_.begin()).mapped()));
        if (batch.empty())
            break;
    }
    own_loop = nullptr;
}

Task<bool> Loop::sleep(Clock::duration duration)
{
    return asio::async_initiate<decltype(kAwait), void(bool)>(
        [this, duration](auto handler) {
            auto slot = asio::get_associated_cancellation_slot(handler);
            const auto at = timers_.emplace(Clock::now() + duration, Callback{std::move(handler)});
            if (slot.is_connected())
                slot.assign([this, at](asio::cancellation_type) {
                    auto timer = timers_.extract(at);
                    post(Callback{[callback = std::move(timer.mapped())](bool) mutable { callback(false); }});
                });
        },
        kAwait);
}

// ---------------------------------------------------------------------------------------------------------- Waiting

Waiting::~Waiting()
{
    take();
}

void Waiting::add(Item item)
{
    items_.push_back(std::move(item));
    if (!is_linked())
        loop_.waiting_.push_back(*this);
}

std::vector<Waiting::Item> Waiting::take() noexcept
{
    if (is_linked())
        loop_.waiting_.erase(loop_.waiting_.iterator_to(*this));
    for (auto& item : items_) { // nobody may come back here to cancel it: this may be gone by then
        if (item.slot.is_connected())
            item.slot.clear();
    }
    return std::exchange(items_, {});
}

void Waiting::cancel(std::uint32_t number)
{
    const auto at =
        std::find_if(items_.begin(), items_.end(), [number](const Item& item) { return item.number == number; });
    if (at == items_.end())
        return; // woken already
    loop_.post(Callback{[callback = std::move(at->callback)](bool) mutable { callback(false); }});
    items_.erase(at);
    if (items_.empty())
        loop_.waiting_.erase(loop_.waiting_.iterator_to(*this));
}

void Waiting::wake(bool ready)
{
    for (auto& item : take())
        loop_.post(Callback{[callback = std::move(item.callback), ready](bool) mutable { callback(ready); }});
}

void Waiting::wake_now(bool ready)
{
    if (items_.size() == 1) { // the usual case, without giving the memory back
        auto callback = std::move(items_.front().callback);
        items_.clear();
        loop_.waiting_.erase(loop_.waiting_.iterator_to(*this));
        callback(ready);
        return;
    }
    for (auto& item : take())
        item.callback(ready);
}

// ------------------------------------------------------------------------------------------------------------ Watch

Watch::Watch(Loop& loop, int descriptor)
    : loop_(loop)
    , descriptor_(descriptor)
    , readers_(loop)
    , writers_(loop)
{
    epoll_event event{};
    event.events = kAlways;
    event.data.ptr = this;
    if (::epoll_ctl(loop_.epoll_, EPOLL_CTL_ADD, descriptor_, &event) != 0)
        fail("epoll_ctl");
}

Watch::~Watch()
{
    ::epoll_ctl(loop_.epoll_, EPOLL_CTL_DEL, descriptor_, nullptr);
    for (int i = loop_.event_ + 1; i < loop_.event_count_; ++i) { // told of already, in this turn
        auto& event = loop_.events_[static_cast<std::size_t>(i)];
        if (event.data.ptr == this)
            event.data.ptr = nullptr;
    }
}

Task<bool> Watch::readable(Look look)
{
    look_ = look;
    if (may_read_) { // in its turn: others have descriptors, too
        return asio::async_initiate<decltype(kAwait), void(bool)>(
            [this](auto handler) { loop_.post(Callback{std::move(handler)}); }, kAwait);
    }
    return readers_.wait();
}

Task<bool> Watch::writable()
{
    set_writing(true);
    return writers_.wait();
}

void Watch::give_up()
{
    readers_.wake(false);
    writers_.wake(false);
}

void Watch::set_writing(bool watches)
{
    if (watches == watches_writing_)
        return;
    watches_writing_ = watches;
    epoll_event event{};
    event.events = kAlways | (watches ? EPOLLOUT : 0U);
    event.data.ptr = this;
    ::epoll_ctl(loop_.epoll_, EPOLL_CTL_MOD, descriptor_, &event); // tells at once if it is so already
}

/// Nothing of this object is touched once a reader was woken: it may be gone then.
void Watch::on_events(std::uint32_t events)
{
    constexpr std::uint32_t gone = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    if (watches_writing_ && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
        if (writers_.size() == 0)
            set_writing(false); // a Unix socket tells of every byte that its peer takes
        else
            writers_.wake(true);
    }
    if ((events & (EPOLLIN | gone)) == 0)
        return;
    may_read_ = true;
    hung_up_ |= (events & gone) != 0;
    if (readers_.size() == 0)
        return;
    if (look_.function && readers_.size() == 1 && look_.function(look_.self) && !may_read_)
        return;
    readers_.wake_now(true);
}

} // namespace pgmemo::proxy
