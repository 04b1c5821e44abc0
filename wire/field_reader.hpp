#pragma once

#include "wire/error.hpp"
#include "wire/integers.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pgmemo::wire {

/// Takes fields off the front of a message body. Once a field does not fit, everything after it is zero or empty and
/// `ok()` is false: decoders read all fields and ask once.
class FieldReader {
public:
    explicit FieldReader(std::string_view body) noexcept
        : left_(body)
    {
    }

    char byte() noexcept { return take(1).empty() ? '\0' : last_.front(); }
    std::uint16_t u16() noexcept { return take(2).empty() ? std::uint16_t{0} : read_u16(last_.data()); }
    std::uint32_t u32() noexcept { return take(4).empty() ? 0 : read_u32(last_.data()); }

    /// Up to its terminating NUL, which is taken too.
    std::string_view string() noexcept
    {
        const auto nul = left_.find('\0');
        if (nul == std::string_view::npos) {
            fail();
            return {};
        }
        const auto text = left_.substr(0, nul);
        left_.remove_prefix(nul + 1);
        return text;
    }

    std::string_view bytes(std::size_t size) noexcept { return size == 0 ? std::string_view{} : take(size); }
    std::string_view left() const noexcept { return left_; }
    bool ok() const noexcept { return ok_; }
    bool at_end() const noexcept { return ok_ && left_.empty(); }

private:
    std::string_view take(std::size_t size) noexcept
    {
        if (left_.size() < size) {
            fail();
            return last_ = {};
        }
        last_ = left_.substr(0, size);
        left_.remove_prefix(size);
        return last_;
    }
    void fail() noexcept
    {
        ok_ = false;
        left_ = {};
    }

    std::string_view left_;
    std::string_view last_;
    bool ok_ = true;
};

} // namespace pgmemo::wire
