#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

/// For the tests of whatever reads bytes that came from a network: cut anywhere, ended anywhere, or never meant well.
namespace pgmemo::testing_support {

/// A copy in a heap block of exactly its size: AddressSanitizer sees a read of even one byte beyond it.
class Exact {
public:
    explicit Exact(std::string_view bytes)
        : size_(bytes.size())
        , bytes_(new char[bytes.size()])
    {
        if (!bytes.empty())
            std::memcpy(bytes_.get(), bytes.data(), bytes.size());
    }
    std::string_view view() const noexcept { return {bytes_.get(), size_}; }
    operator std::string_view() const noexcept { return view(); }

    /// Whether `part` borrows from here. An empty one may come from anywhere.
    bool lends(std::string_view part) const noexcept
    {
        return part.empty() || (part.data() >= bytes_.get() && part.data() + part.size() <= bytes_.get() + size_);
    }

private:
    std::size_t size_;
    std::unique_ptr<char[]> bytes_;
};

using Pieces = std::vector<std::string_view>;

/// `check(pieces)` with `sent` cut in two at every place, and cut into single bytes.
template <class Check>
void at_every_cut(std::string_view sent, Check check)
{
    for (std::size_t cut = 0; cut <= sent.size(); ++cut) {
        SCOPED_TRACE("cut at " + std::to_string(cut) + " of " + std::to_string(sent.size()));
        const Pieces pieces{sent.substr(0, cut), sent.substr(cut)};
        check(pieces);
        if (testing::Test::HasFatalFailure())
            return;
    }
    SCOPED_TRACE("one byte at a time");
    Pieces bytes;
    for (std::size_t i = 0; i < sent.size(); ++i)
        bytes.push_back(sent.substr(i, 1));
    check(bytes);
}

/// `check(prefix)` with every beginning of `whole` that is not all of it.
template <class Check>
void at_every_truncation(std::string_view whole, Check check)
{
    for (std::size_t size = 0; size < whole.size(); ++size) {
        SCOPED_TRACE("the first " + std::to_string(size) + " of " + std::to_string(whole.size()) + " bytes");
        const Exact prefix{whole.substr(0, size)};
        check(prefix);
    }
}

/// Bytes of no meaning, the same in every run. Zeros and small numbers are frequent, as they are in real messages: they
/// end strings and make lengths that nearly fit.
class Noise {
public:
    explicit Noise(std::uint32_t seed)
        : engine_(seed)
    {
    }

    std::size_t below(std::size_t end) { return engine_() % end; }
    char byte()
    {
        switch (below(4)) {
        case 0:
            return '\0';
        case 1:
            return static_cast<char>(below(8));
        case 2:
            return static_cast<char>('A' + below(26));
        default:
            return static_cast<char>(below(256));
        }
    }
    std::string bytes(std::size_t size)
    {
        std::string made(size, '\0');
        for (char& c : made)
            c = byte();
        return made;
    }
    /// `good` with a few bytes changed, removed, repeated or put in.
    std::string damaged(std::string good)
    {
        for (std::size_t n = 1 + below(3); n > 0 && !good.empty(); --n) {
            const std::size_t at = below(good.size());
            switch (below(4)) {
            case 0:
                good[at] = byte();
                break;
            case 1:
                good.erase(at, 1 + below(4));
                break;
            case 2:
                good.insert(at, bytes(1 + below(4)));
                break;
            default:
                good.insert(at, good.substr(at, 1 + below(8)));
                break;
            }
        }
        return good;
    }

private:
    std::mt19937 engine_;
};

} // namespace pgmemo::testing_support
