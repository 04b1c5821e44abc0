#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace pgmemo::proxy {

struct FreeContext {
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeContext>;

/// A context with what holds on both legs: no renegotiation, no compression, no resumption (as PostgreSQL), no question
/// for a passphrase. `passphrase` opens an encrypted key; it must outlive the loading of the key. Throws
/// std::invalid_argument.
TlsContext make_tls_context(const SSL_METHOD* method, const std::string* passphrase = nullptr);

/// The context that new connections get. Replaced whole by a reload; connections that are up keep what they began with.
/// Threads: safe.
class TlsInForce {
public:
    using Context = std::shared_ptr<SSL_CTX>;

    /// Null: no TLS.
    explicit TlsInForce(Context context = nullptr)
        : context_(std::move(context))
    {
    }
    Context get() const
    {
        const std::lock_guard lock{mutex_};
        return context_;
    }
    void set(Context context)
    {
        const std::lock_guard lock{mutex_};
        context_ = std::move(context);
    }

private:
    mutable std::mutex mutex_;
    Context context_;
};

/// A certificate (with its chain) and its private key. Throws std::invalid_argument with one sentence: a file that
/// cannot be read, a key of another certificate, one that others may read.
void use_certificate(SSL_CTX& context, const std::string& certificate, const std::string& key);

/// 0 for an empty text. Throws std::invalid_argument for what is no version: TLSv1, TLSv1.1, TLSv1.2, TLSv1.3.
int tls_version(const std::string& text);

} // namespace pgmemo::proxy
