#pragma once

#include "proxy/remote_client.hpp"

#include <memory>
#include <mutex>
#include <utility>

namespace pgmemo::proxy {

/// What flights of a client know of it. They may end anywhere, in any thread, even after the client is gone.
class RemoteClient::Releases final : public cache::Announcer, public std::enable_shared_from_this<Releases> {
public:
    explicit Releases(RemoteClient& client)
        : client_(&client)
    {
    }

    void hold(const cache::Words& words) override
    {
        if (client_ != nullptr)
            client_->hold(words);
    }

    void release(cache::Words words) noexcept override
    {
        const std::lock_guard lock{mutex_};
        if (client_ == nullptr)
            return;
        client_->loop_.post(Callback{[self = shared_from_this(), all = std::move(words)](bool) {
            if (self->client_ != nullptr) // which only its own thread takes away
                self->client_->release(all);
        }});
    }

    void close() noexcept
    {
        const std::lock_guard lock{mutex_};
        client_ = nullptr;
    }

private:
    std::mutex mutex_;
    RemoteClient* client_;
};

} // namespace pgmemo::proxy
