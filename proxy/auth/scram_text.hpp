#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

namespace pgmemo::proxy::auth {

inline constexpr std::string_view kScram = "SCRAM-SHA-256";
inline constexpr std::string_view kScramPlus = "SCRAM-SHA-256-PLUS";
inline constexpr std::string_view kEndPoint = "tls-server-end-point";

/// Takes `name=value` pairs, parted by commas, off the front of a SCRAM message.
/// Source: RFC 5802 section 7.
class AttributeReader {
public:
    explicit AttributeReader(std::string_view message) noexcept
        : left_(message)
    {
    }

    /// The value of the next attribute, which must be `name`.
    std::optional<std::string_view> take(char name) noexcept
    {
        if (at_end_ || left_.size() < 2 || left_[0] != name || left_[1] != '=')
            return std::nullopt;
        const auto comma = left_.find(',');
        const auto value = left_.substr(2, comma == std::string_view::npos ? comma : comma - 2);
        at_end_ = comma == std::string_view::npos;
        left_.remove_prefix(at_end_ ? left_.size() : comma + 1);
        return value;
    }
    bool at_end() const noexcept { return at_end_; }
    bool next_is(char name) const noexcept { return !left_.empty() && left_.front() == name; }

private:
    std::string_view left_;
    bool at_end_ = false;
};

/// Characters that a nonce may have: printable ASCII without the comma.
inline bool is_nonce(std::string_view text) noexcept
{
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x21 && c <= 0x7e && c != ','; });
}

} // namespace pgmemo::proxy::auth
