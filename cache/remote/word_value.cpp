#include "cache/remote/word_value.hpp"

namespace pgmemo::cache {

std::optional<WordValue> WordValue::read(std::string_view bytes) noexcept
{
    if (bytes.size() < 8 || bytes.size() % 8 != 0 || bytes.size() / 8 - 1 > kMaxOwners)
        return std::nullopt;
    return WordValue{bytes};
}

std::uint64_t WordValue::at(std::size_t index) const noexcept
{
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < 8; ++i)
        number = number << 8U | static_cast<unsigned char>(bytes_[index * 8 + i]);
    return number;
}

std::string word_bytes(std::uint64_t number)
{
    std::string bytes(8, '\0');
    for (std::size_t i = 8; i-- > 0; number >>= 8U)
        bytes[i] = static_cast<char>(number & 0xffU);
    return bytes;
}

} // namespace pgmemo::cache
