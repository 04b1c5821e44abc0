#include "cache/state.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace pgmemo::cache {

namespace {

constexpr std::size_t kLeastPiece = 512;
constexpr std::size_t kLargestPiece = 16u << 10; // a size that malloc's heap has holes for
constexpr std::size_t kPieceOverhead = 32;       // malloc's, and the piece's place in the list

} // namespace

Fill::Fill(Fill&& other) noexcept
    : cache_(std::exchange(other.cache_, nullptr))
    , identity_(std::move(other.identity_))
    , body_(std::move(other.body_))
    , stamp_(std::move(other.stamp_))
    , pieces_(std::move(other.pieces_))
    , size_(std::exchange(other.size_, 0))
    , reserved_(std::exchange(other.reserved_, 0))
    , max_bytes_(other.max_bytes_)
    , ttl_(other.ttl_)
    , began_(other.began_)
{
}

Fill& Fill::operator=(Fill&& other) noexcept
{
    if (this != &other) {
        close();
        cache_ = std::exchange(other.cache_, nullptr);
        identity_ = std::move(other.identity_);
        body_ = std::move(other.body_);
        stamp_ = std::move(other.stamp_);
        pieces_ = std::move(other.pieces_);
        size_ = std::exchange(other.size_, 0);
        reserved_ = std::exchange(other.reserved_, 0);
        max_bytes_ = other.max_bytes_;
        ttl_ = other.ttl_;
        began_ = other.began_;
    }
    return *this;
}

Fill::~Fill()
{
    close();
}

void Fill::close() noexcept
{
    if (cache_ == nullptr)
        return;
    std::vector<Piece>{}.swap(pieces_);
    std::string{}.swap(body_);
    stamp_ = Stamp{};
    identity_.reset();
    size_ = 0;
    cache_->state_->fills.give_back(std::exchange(reserved_, 0));
    cache_ = nullptr;
}

void Fill::depend_on(const Stamp& more)
{
    if (cache_ == nullptr)
        return;
    const std::size_t bytes = more.words().size_bytes();
    if (!more.is_quiet() || !cache_->state_->fills.reserve(bytes)) {
        close();
        return;
    }
    reserved_ += bytes;
    stamp_.add(more);
}

bool Fill::append(std::string_view bytes)
{
    if (cache_ == nullptr)
        return false;
    if (bytes.size() > max_bytes_ - size_) {
        close();
        return false;
    }
    while (!bytes.empty()) {
        if ((pieces_.empty() || pieces_.back().size == pieces_.back().capacity) && !add_piece(bytes.size())) {
            close();
            return false;
        }
        Piece& piece = pieces_.back();
        const std::size_t part = std::min(bytes.size(), piece.capacity - piece.size);
        std::memcpy(piece.bytes.get() + piece.size, bytes.data(), part);
        piece.size += part;
        size_ += part;
        bytes.remove_prefix(part);
    }
    return true;
}

/// As much again as is there already, so that few pieces make a large reply; never more than may still come.
bool Fill::add_piece(std::size_t at_least)
{
    std::size_t capacity = std::clamp(std::max(size_, at_least), kLeastPiece, kLargestPiece);
    capacity = std::min(capacity, max_bytes_ - size_);
    if (!cache_->state_->fills.reserve(capacity + kPieceOverhead))
        return false;
    reserved_ += capacity + kPieceOverhead;
    try {
        pieces_.push_back({std::make_unique_for_overwrite<char[]>(capacity), capacity, 0});
    } catch (const std::bad_alloc&) {
        return false; // what was reserved goes back with the rest
    }
    return true;
}

} // namespace pgmemo::cache
