#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

/// What every target is made of. A target defines `LLVMFuzzerTestOneInput`; what it finds wrong it ends with `held`.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace pgmemo::fuzz {

/// An invariant. Not assert(): it holds in every build.
inline void held(bool condition, const char* invariant)
{
    if (condition)
        return;
    std::fprintf(stderr, "broken: %s\n", invariant);
    std::abort();
}

/// A copy in a heap block of exactly its size, so that a read of one byte beyond it is seen, and a part of it told.
class Input {
public:
    explicit Input(std::string_view bytes)
        : size_(bytes.size())
        , bytes_(new char[bytes.size()])
    {
        if (size_ > 0)
            std::memcpy(bytes_.get(), bytes.data(), size_);
    }
    std::string_view view() const noexcept { return {bytes_.get(), size_}; }
    /// A decoder hands out nothing but parts of what it was given.
    void lends(std::string_view part) const
    {
        held(part.empty() || (part.data() >= bytes_.get() && part.data() + part.size() <= bytes_.get() + size_),
             "what a decoder hands out is a part of its input");
    }

private:
    std::size_t size_;
    std::unique_ptr<char[]> bytes_;
};

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) noexcept
{
    return {reinterpret_cast<const char*>(data), size};
}

/// Takes decisions off the front of an input; all of them are 0 when it is used up.
class Choices {
public:
    explicit Choices(std::string_view bytes)
        : left_(bytes)
    {
    }
    bool empty() const noexcept { return left_.empty(); }
    std::size_t below(std::size_t end) noexcept { return byte() % end; }
    std::uint8_t byte() noexcept { return static_cast<std::uint8_t>(bytes(1).empty() ? 0 : last_.front()); }
    std::string_view bytes(std::size_t size) noexcept
    {
        last_ = left_.substr(0, size);
        left_.remove_prefix(last_.size());
        return last_;
    }

private:
    std::string_view left_;
    std::string_view last_;
};

} // namespace pgmemo::fuzz
