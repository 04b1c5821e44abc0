#include "cache/remote/sealed.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace pgmemo::cache {
namespace {

constexpr std::string_view kMagic = "pgm1";
constexpr char kCompressed = 1;
constexpr std::size_t kSumAt = 5;
constexpr std::size_t kSizeAt = kSumAt + 16;
constexpr std::size_t kRestAt = kSizeAt + 4;
constexpr int kLevel = 1; // the way to the store costs more than what a higher one saves

void append_number(std::string& out, std::uint64_t number, int bytes)
{
    for (int i = bytes - 1; i >= 0; --i)
        out += static_cast<char>(number >> (8 * i) & 0xffU);
}

/// Reads as long as there is something; then says so, and reads nothing.
class Reader {
public:
    explicit Reader(std::string_view bytes) noexcept
        : left_(bytes)
    {
    }
    std::string_view take(std::uint64_t size) noexcept
    {
        if (size > left_.size()) {
            ok_ = false;
            left_ = {};
            return {};
        }
        const auto taken = left_.substr(0, static_cast<std::size_t>(size));
        left_.remove_prefix(taken.size());
        return taken;
    }
    std::uint64_t number(std::size_t bytes) noexcept
    {
        std::uint64_t value = 0;
        for (const char c : take(bytes))
            value = value << 8U | static_cast<unsigned char>(c);
        return value;
    }
    bool ok() const noexcept { return ok_; }
    std::string_view left() const noexcept { return left_; }

private:
    std::string_view left_;
    bool ok_ = true;
};

struct FreeMac {
    void operator()(EVP_MAC* mac) const noexcept { EVP_MAC_free(mac); }
    void operator()(EVP_MAC_CTX* context) const noexcept { EVP_MAC_CTX_free(context); }
};

EVP_MAC& siphash()
{
    static const std::unique_ptr<EVP_MAC, FreeMac> mac{EVP_MAC_fetch(nullptr, "SIPHASH", nullptr)};
    if (!mac)
        throw std::runtime_error("OpenSSL has no SipHash");
    return *mac;
}

/// Without OpenSSL's own context for each sum: one a thread, made anew by its key.
EVP_MAC_CTX& context()
{
    thread_local const std::unique_ptr<EVP_MAC_CTX, FreeMac> own{EVP_MAC_CTX_new(&siphash())};
    if (!own)
        throw std::bad_alloc{};
    return *own;
}

} // namespace

Seal::Seal(std::string_view secret)
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (EVP_Digest(secret.data(), secret.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("OpenSSL has no SHA-256");
    std::copy_n(digest.begin(), key_.size(), key_.begin());
}

Seal::Sum Seal::operator()(std::initializer_list<std::string_view> parts) const
{
    auto& mac = context();
    std::size_t size = sizeof(Sum);
    const std::array<OSSL_PARAM, 2> params{OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                           OSSL_PARAM_construct_end()};
    bool ok = EVP_MAC_init(&mac, key_.data(), key_.size(), params.data()) == 1;
    for (const auto part : parts) {
        const auto* const bytes = reinterpret_cast<const unsigned char*>(part.data());
        ok = ok && (part.empty() || EVP_MAC_update(&mac, bytes, part.size()) == 1);
    }
    Sum sum{};
    std::size_t made = 0;
    ok = ok && EVP_MAC_final(&mac, reinterpret_cast<unsigned char*>(sum.data()), &made, sum.size()) == 1;
    if (!ok || made != sum.size())
        throw std::runtime_error("OpenSSL cannot make a SipHash");
    return sum;
}

std::string seal_entry(const Seal& seal, const RemoteEntry& entry, std::size_t compress_from)
{
    std::string rest;
    rest.reserve(64 + entry.stamp.size() * 48 + entry.identity.size() + entry.body.size() + entry.reply.size());
    append_number(rest, static_cast<std::uint64_t>(entry.read_at.count()), 8);
    append_number(rest, static_cast<std::uint64_t>(entry.expires.count()), 8);
    append_number(rest, entry.stamp.size(), 4);
    for (const auto& [name, version] : entry.stamp) {
        append_number(rest, name.size(), 2);
        rest += name;
        append_number(rest, version, 8);
    }
    append_number(rest, entry.identity.size(), 4);
    append_number(rest, entry.body.size(), 4);
    rest.append(entry.identity).append(entry.body).append(entry.reply);

    std::string out{kMagic};
    out += '\0';
    out.append(sizeof(Seal::Sum), '\0');
    append_number(out, rest.size(), 4);
    if (rest.size() >= compress_from) {
        std::string packed(ZSTD_compressBound(rest.size()), '\0');
        const auto size = ZSTD_compress(packed.data(), packed.size(), rest.data(), rest.size(), kLevel);
        if (ZSTD_isError(size) == 0 && size < rest.size()) {
            packed.resize(size);
            rest = std::move(packed);
            out[kMagic.size()] = kCompressed;
        }
    }
    out += rest;
    const std::string_view all{out};
    const auto sum = seal({all.substr(0, kSumAt), all.substr(kSizeAt)});
    std::copy(sum.begin(), sum.end(), out.begin() + kSumAt);
    return out;
}

std::optional<RemoteEntry> open_entry(const Seal& seal, std::string_view bytes, std::string& room, std::size_t most)
{
    if (bytes.size() < kRestAt || !bytes.starts_with(kMagic))
        return std::nullopt;
    const auto sum = seal({bytes.substr(0, kSumAt), bytes.substr(kSizeAt)});
    if (CRYPTO_memcmp(sum.data(), bytes.data() + kSumAt, sum.size()) != 0)
        return std::nullopt;
    const char flags = bytes[kMagic.size()];
    const auto size = Reader{bytes.substr(kSizeAt, 4)}.number(4);
    auto rest = bytes.substr(kRestAt);
    if (size > most || (flags & ~kCompressed) != 0)
        return std::nullopt;
    if (flags == kCompressed) {
        room.resize(static_cast<std::size_t>(size));
        if (ZSTD_decompress(room.data(), room.size(), rest.data(), rest.size()) != size)
            return std::nullopt;
        rest = room;
    } else if (rest.size() != size) {
        return std::nullopt;
    }

    Reader reader{rest};
    RemoteEntry entry;
    entry.read_at = std::chrono::milliseconds{static_cast<std::int64_t>(reader.number(8))};
    entry.expires = std::chrono::milliseconds{static_cast<std::int64_t>(reader.number(8))};
    const auto words = reader.number(4);
    if (words > kMaxSealedWords)
        return std::nullopt;
    entry.stamp.reserve(static_cast<std::size_t>(words));
    for (std::uint64_t i = 0; i < words && reader.ok(); ++i) {
        const auto name = reader.take(reader.number(2));
        entry.stamp.emplace_back(name, reader.number(8));
    }
    const auto identity = reader.number(4);
    const auto body = reader.number(4);
    entry.identity = reader.take(identity);
    entry.body = reader.take(body);
    if (!reader.ok() || entry.stamp.empty())
        return std::nullopt;
    entry.reply = reader.left();
    return entry;
}

} // namespace pgmemo::cache
