#pragma once

#include "cache/entry.hpp"

#include <boost/asio/buffer.hpp>

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgmemo::proxy {

/// What is to be written to one socket next, in order: ranges of a reader's buffer, bytes of our own, stored replies.
/// Nothing is copied but our own bytes; a stored reply is kept alive by reference.
class Gather {
public:
    /// Borrowed until written; ranges that touch become one.
    void borrow(std::string_view bytes)
    {
        if (bytes.empty())
            return;
        if (!parts_.empty() && static_cast<const char*>(parts_.back().data()) + parts_.back().size() == bytes.data())
            parts_.back() = {parts_.back().data(), parts_.back().size() + bytes.size()};
        else
            parts_.emplace_back(bytes.data(), bytes.size());
        size_ += bytes.size();
    }
    void own(std::string bytes)
    {
        if (bytes.empty())
            return;
        const auto& kept = own_.emplace_back(std::move(bytes));
        parts_.emplace_back(kept.data(), kept.size());
        size_ += kept.size();
    }
    void entry(cache::EntryRef entry)
    {
        const auto reply = cache::reply_of(*entry);
        this->entry(std::move(entry), reply);
    }
    /// `part` of its reply.
    void entry(cache::EntryRef entry, std::string_view part)
    {
        entries_.push_back(std::move(entry));
        borrow(part);
    }

    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }
    const std::vector<boost::asio::const_buffer>& parts() const noexcept { return parts_; }

    void consume(std::size_t written) noexcept
    {
        size_ -= written;
        std::size_t done = 0;
        while (done < parts_.size() && written >= parts_[done].size())
            written -= parts_[done++].size();
        parts_.erase(parts_.begin(), parts_.begin() + static_cast<std::ptrdiff_t>(done));
        if (size_ == 0) {
            parts_.clear();
            own_.clear();
            entries_.clear();
        } else if (written > 0) {
            parts_.front() += written;
        }
    }
    void clear() noexcept
    {
        size_ = 0;
        parts_.clear();
        own_.clear();
        entries_.clear();
    }

private:
    std::vector<boost::asio::const_buffer> parts_;
    std::list<std::string> own_; // a deque would hold memory while it is empty
    std::vector<cache::EntryRef> entries_;
    std::size_t size_ = 0;
};

} // namespace pgmemo::proxy
