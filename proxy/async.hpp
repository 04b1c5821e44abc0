#pragma once

#include "proxy/loop.hpp"

#include <chrono>

namespace pgmemo::proxy {

/// Something that coroutines of one thread wait for. notify() wakes all that wait; each looks itself whether what it
/// waits for has come.
class Event {
public:
    explicit Event(Executor executor)
        : waiting_(executor.loop())
    {
    }

    Task<bool> wait() { return waiting_.wait(); }
    void notify() { waiting_.wake(true); }

private:
    Waiting waiting_;
};

/// For `||`: ends what takes longer.
inline Task<bool> timeout(Executor executor, std::chrono::steady_clock::duration after)
{
    return executor.loop().sleep(after);
}

} // namespace pgmemo::proxy
