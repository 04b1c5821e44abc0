#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace pgmemo::proxy {

/// A completion handler: called once, with whether what it waited for has come, or dropped. Moves only. A suspended
/// coroutine fits in without an allocation.
class Callback {
public:
    Callback() noexcept = default;
    template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Callback>) explicit Callback(F&& function)
    {
        using Function = std::remove_cvref_t<F>;
        if constexpr (sizeof(Function) <= sizeof(storage_) && alignof(Function) <= alignof(std::max_align_t) &&
                      std::is_nothrow_move_constructible_v<Function>) {
            ::new (static_cast<void*>(storage_)) Function(std::forward<F>(function));
            operations_ = &kOperations<Function>;
        } else {
            ::new (static_cast<void*>(storage_)) Far<Function>{std::make_unique<Function>(std::forward<F>(function))};
            operations_ = &kOperations<Far<Function>>;
        }
    }
    Callback(Callback&& other) noexcept
        : operations_(std::exchange(other.operations_, nullptr))
    {
        if (operations_)
            operations_->move(storage_, other.storage_);
    }
    Callback& operator=(Callback&& other) noexcept
    {
        if (this != &other) {
            drop();
            operations_ = std::exchange(other.operations_, nullptr);
            if (operations_)
                operations_->move(storage_, other.storage_);
        }
        return *this;
    }
    Callback(const Callback&) = delete;
    Callback& operator=(const Callback&) = delete;
    ~Callback() { drop(); }

    explicit operator bool() const noexcept { return operations_ != nullptr; }

    /// Empty from before the call on: the function may put another in this one's place.
    void operator()(bool ready) { std::exchange(operations_, nullptr)->call(storage_, ready); }

private:
    struct Operations {
        void (*call)(void*, bool);
        void (*move)(void* to, void* from);
        void (*destroy)(void*);
    };
    template <class Function>
    struct Far {
        std::unique_ptr<Function> function;
        void operator()(bool ready) { (*function)(ready); }
    };
    template <class Function>
    static constexpr Operations kOperations{[](void* from, bool ready) {
                                                auto* const at = static_cast<Function*>(from);
                                                Function function{std::move(*at)};
                                                at->~Function();
                                                std::move(function)(ready);
                                            },
                                            [](void* to, void* from) {
                                                auto* const at = static_cast<Function*>(from);
                                                ::new (to) Function(std::move(*at));
                                                at->~Function();
                                            },
                                            [](void* what) { static_cast<Function*>(what)->~Function(); }};

    void drop() noexcept
    {
        if (operations_)
            std::exchange(operations_, nullptr)->destroy(storage_);
    }

    const Operations* operations_ = nullptr;
    alignas(std::max_align_t) std::byte storage_[16];
};

} // namespace pgmemo::proxy
