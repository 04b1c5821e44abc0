#include "wire/frame_reader.hpp"

#include "wire/integers.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace pgmemo::wire {
namespace {

constexpr std::size_t kHeader = 5; // type byte and length word

// Buffers of the usual size, kept for the next connection of this thread that has something to read.
constexpr std::size_t kUsualSize = 32 * 1024;
constexpr std::size_t kKept = 16;
thread_local std::vector<std::vector<char>> spare;

std::vector<char> take_buffer(std::size_t size)
{
    if (size <= kUsualSize && !spare.empty()) {
        auto buffer = std::move(spare.back());
        spare.pop_back();
        return buffer;
    }
    return std::vector<char>(std::max(size, kUsualSize));
}

void keep_buffer(std::vector<char>&& buffer)
{
    if (buffer.size() == kUsualSize && spare.size() < kKept)
        spare.push_back(std::move(buffer));
}

} // namespace

std::size_t FrameReader::longest(char type) const noexcept
{
    if (from_ == From::server)
        return kMaxMessage;
    switch (type) {
    case 'C': // Close
    case 'D': // Describe
    case 'E': // Execute
    case 'H': // Flush
    case 'S': // Sync
    case 'X': // Terminate
    case 'c': // CopyDone
    case 'f': // CopyFail
        return kMaxSmallMessage;
    default:
        return kMaxMessage;
    }
}

std::span<char> FrameReader::room(std::size_t at_least)
{
    if (const std::size_t unread = end_ - begin_; rest_ == 0 && unread >= kHeader) {
        const std::size_t size = std::size_t{1} + read_u32(buffer_.data() + begin_ + 1);
        if (size <= max_held_ && size > unread)
            at_least = std::max(at_least, size - unread);
    }
    if (buffer_.size() - end_ < at_least) {
        const std::size_t unread = end_ - begin_;
        if (buffer_.size() >= unread + at_least) {
            std::memmove(buffer_.data(), buffer_.data() + begin_, unread);
        } else {
            auto larger = take_buffer(unread + at_least);
            if (unread > 0)
                std::memcpy(larger.data(), buffer_.data() + begin_, unread);
            keep_buffer(std::exchange(buffer_, std::move(larger)));
        }
        begin_ = 0;
        end_ = unread;
    }
    return {buffer_.data() + end_, buffer_.size() - end_};
}

Result<std::optional<Frame>> FrameReader::next() noexcept
{
    const std::size_t unread = end_ - begin_;
    const char* at = buffer_.data() + begin_;
    if (rest_ > 0) {
        if (unread == 0)
            return std::optional<Frame>{};
        const std::size_t size = std::min(unread, rest_);
        rest_ -= size;
        begin_ += size;
        return std::optional<Frame>{Frame{rest_type_, false, {at, size}, {at, size}, rest_}};
    }
    if (unread < kHeader)
        return std::optional<Frame>{};
    const std::size_t length = read_u32(at + 1);
    if (length < 4 || length > longest(*at))
        return Errc::bad_length;
    const std::size_t size = length + 1;
    if (size > unread && size <= max_held_)
        return std::optional<Frame>{};
    const std::size_t here = std::min(size, unread);
    rest_ = size - here;
    rest_type_ = *at;
    begin_ += here;
    return std::optional<Frame>{Frame{*at, true, {at, here}, {at + kHeader, here - kHeader}, rest_}};
}

void FrameReader::give_back() noexcept
{
    if (begin_ != end_)
        return;
    begin_ = end_ = 0;
    if (buffer_.empty())
        return;
    keep_buffer(std::exchange(buffer_, {}));
}

} // namespace pgmemo::wire
