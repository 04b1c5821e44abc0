#include "proxy/auth/authority.hpp"

#include "proxy/auth/users_file.hpp"
#include "proxy/own_connection.hpp"

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace pgmemo::proxy::auth {
namespace {

using namespace std::chrono_literals;
using Clock = Grant::Clock;

constexpr std::size_t kSecretBytes = 32;

constexpr const char* kAuthid =
    "SELECT rolcanlogin, COALESCE(rolvaliduntil OPERATOR(pg_catalog.<) pg_catalog.now(), false), rolpassword "
    "FROM pg_catalog.pg_authid WHERE rolname OPERATOR(pg_catalog.=) $1::pg_catalog.name";
constexpr const char* kRoles =
    "SELECT rolcanlogin, COALESCE(rolvaliduntil OPERATOR(pg_catalog.<) pg_catalog.now(), false) "
    "FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) $1::pg_catalog.name";

/// Whether a server that speaks UTF-8 takes it as a name; what it does not take is nobody's.
bool is_name(std::string_view text) noexcept
{
    if (text.empty() || text.size() > kMostNameBytes)
        return false;
    for (std::size_t i = 0; i < text.size();) {
        const auto c = static_cast<unsigned char>(text[i]);
        const std::size_t more = c < 0x80                 ? 0
                                 : c >= 0xc2 && c <= 0xdf ? 1
                                 : (c & 0xf0) == 0xe0     ? 2
                                 : c >= 0xf0 && c <= 0xf4 ? 3
                                                          : 4;
        if (c == 0 || more == 4 || i + more >= text.size())
            return false;
        const auto at = [&](std::size_t k) { return static_cast<unsigned char>(text[i + k]); };
        for (std::size_t k = 1; k <= more; ++k) {
            if ((at(k) & 0xc0) != 0x80)
                return false;
        }
        if ((c == 0xe0 && at(1) < 0xa0) || (c == 0xed && at(1) > 0x9f) || (c == 0xf0 && at(1) < 0x90) ||
            (c == 0xf4 && at(1) > 0x8f))
            return false;
        i += more + 1;
    }
    return true;
}

struct Standing {
    bool exists = false;
    bool can_login = false;
    bool expired = false;
    std::optional<std::string> secret;
};

/// The secret in a file, which is made when it is not there.
std::string read_salt_secret(const std::string& path)
{
    if (path.empty())
        return random_bytes(kSecretBytes);
    struct Close {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };
    const auto fail = [&path] {
        throw std::invalid_argument(fmt::format("auth.salt_secret: {}: {}", path, std::strerror(errno)));
    };
    std::unique_ptr<std::FILE, Close> file{std::fopen(path.c_str(), "re")};
    if (!file && errno == ENOENT) {
        const auto mask = ::umask(0077);
        file.reset(std::fopen(path.c_str(), "wxe"));
        ::umask(mask);
        auto secret = encode_base64(random_bytes(kSecretBytes));
        if (!file || std::fwrite(secret.data(), 1, secret.size(), file.get()) != secret.size() ||
            std::fflush(file.get()) != 0)
            fail();
        return secret;
    }
    if (!file)
        fail();
    std::string secret(4096, '\0');
    secret.resize(std::fread(secret.data(), 1, secret.size(), file.get()));
    if (secret.size() < 16)
        throw std::invalid_argument(fmt::format("auth.salt_secret: {} holds less than 16 bytes", path));
    return secret;
}

} // namespace

Digest fingerprint(const Secret& secret)
{
    std::string text = std::to_string(secret.index());
    if (const auto* scram = std::get_if<ScramVerifier>(&secret))
        text += fmt::format("{} {}{}{}{}", scram->iterations, scram->salt.size(), scram->salt, view(scram->stored_key),
                            view(scram->server_key));
    else if (const auto* hash = std::get_if<Md5Hash>(&secret))
        text += hash->text;
    else
        text += std::get<Plaintext>(secret).password;
    const auto digest = sha256(text);
    wipe(text);
    return digest;
}

struct Authority::State {
    /// One question under way. Given back to the executor of who asked, to be freed there.
    struct Asked {
        Asked(std::string name, Executor e)
            : user(std::move(name))
            , executor(e)
            , answered(e)
        {
        }
        std::string user;
        Executor executor;
        Event answered;
        std::optional<Finding> finding;
    };

    State(const UpstreamTarget& t, const ConfigInForce& c)
        : target(t)
        , config(c)
        , salts(read_salt_secret(c.get()->auth.salt_secret))
    {
        if (const auto auth = config.get()->auth; auth.terminate && !auth.users.empty())
            load_users(auth.users);
    }

    void run();
    std::deque<std::shared_ptr<Asked>> next_questions(Clock::time_point until);
    void answer(std::deque<std::shared_ptr<Asked>>&);
    void check_grants();
    bool is_still_good(const Grant&, const config::Auth&);
    Finding find(const std::string& user, const config::Auth&);
    Standing ask(const std::string& user, const config::Auth&, bool for_secret);
    void load_users(const std::string& path);
    void refresh_users(const std::string& path);

    const UpstreamTarget& target;
    const ConfigInForce& config;
    const Salts salts;
    DerivedKeys derived;

    std::mutex mutex;
    std::condition_variable woken;
    std::deque<std::shared_ptr<Asked>> questions;
    std::vector<std::weak_ptr<Grant>> grants;
    std::atomic<bool> stopping{false};
    std::atomic<std::uint64_t> failures{0};
    std::thread thread;

    // The thread's own, once it runs.
    using FileState = std::tuple<std::string, dev_t, ino_t, off_t, std::int64_t, long>;
    std::optional<OwnConnection> connection;
    bool complained = false;
    Users users;
    FileState users_state;
};

Authority::Authority(const UpstreamTarget& target, const ConfigInForce& config)
    : state_(std::make_unique<State>(target, config))
{
}

Authority::~Authority()
{
    stop();
}

void Authority::start()
{
    state_->thread = std::thread([this] { state_->run(); });
}

void Authority::stop() noexcept
{
    {
        const std::lock_guard lock{state_->mutex};
        state_->stopping = true;
        state_->questions.clear();
        state_->woken.notify_one();
    }
    if (state_->thread.joinable())
        state_->thread.join();
}

const Salts& Authority::salts() const noexcept
{
    return state_->salts;
}
DerivedKeys& Authority::derived() noexcept
{
    return state_->derived;
}
std::uint64_t Authority::failures() const noexcept
{
    return state_->failures.load();
}

Task<Finding> Authority::find(std::string user, Executor executor)
{
    auto asked = std::make_shared<State::Asked>(std::move(user), executor);
    {
        const std::lock_guard lock{state_->mutex};
        if (!state_->stopping) {
            state_->questions.push_back(asked);
            state_->woken.notify_one();
        }
    }
    while (!asked->finding) {
        co_await asked->answered.wait();
    }
    co_return std::move(*asked->finding);
}

std::shared_ptr<Grant> Authority::grant(config::Origin origin, const std::optional<Secret>& secret,
                                        Clock::time_point asked_at)
{
    std::optional<Digest> hash;
    if (secret)
        hash = fingerprint(*secret);
    auto made = std::make_shared<Grant>(std::move(origin), hash, asked_at + state_->config.get()->auth.recheck);
    const std::lock_guard lock{state_->mutex};
    state_->grants.push_back(made);
    state_->woken.notify_one();
    return made;
}

// ---------------------------------------------------------------------------------------------- the thread

void Authority::State::run()
{
    auto check_at = Clock::now();
    while (!stopping) {
        // Twice in the time that a check is good for: so that one in good time prolongs it before it ends.
        auto asked = next_questions(check_at);
        answer(asked);
        if (Clock::now() >= check_at) {
            check_grants();
            check_at = Clock::now() + config.get()->auth.recheck / 2;
        }
    }
}

std::deque<std::shared_ptr<Authority::State::Asked>> Authority::State::next_questions(Clock::time_point until)
{
    std::unique_lock lock{mutex};
    // A reload may have made the time shorter: looked at once a second.
    woken.wait(lock, [this] { return !questions.empty() || !grants.empty() || stopping; });
    woken.wait_until(lock, std::min(until, Clock::now() + 1s), [this] { return !questions.empty() || stopping; });
    return std::exchange(questions, {});
}

void Authority::State::answer(std::deque<std::shared_ptr<Asked>>& asked)
{
    std::map<std::string, Finding> found; // when everybody comes at once, it is the same few users
    while (!asked.empty() && !stopping) {
        auto one = std::move(asked.front());
        asked.pop_front();
        auto at = found.find(one->user);
        if (at == found.end())
            at = found.emplace(one->user, find(one->user, config.get()->auth)).first;
        auto executor = one->executor;
        asio::post(executor, [one = std::move(one), finding = at->second]() mutable {
            one->finding = std::move(finding);
            one->answered.notify();
        });
    }
}

Finding Authority::State::find(const std::string& user, const config::Auth& auth)
{
    Finding finding;
    finding.why_none = "there is no such user";
    if (user.size() > kMostNameBytes)
        return finding;
    if (!auth.users.empty()) {
        refresh_users(auth.users);
        if (const auto known = users.find(user); known != users.end()) {
            finding.secret = known->second;
            finding.why_none.clear();
            return finding;
        }
    }
    if (!auth.query || !is_name(user))
        return finding;
    try {
        const auto standing = ask(user, auth, true);
        if (!standing.exists)
            return finding;
        if (!standing.can_login)
            finding.why_none = "the role may not log in";
        else if (standing.expired)
            finding.why_none = "its password is no longer valid (VALID UNTIL)";
        else if (!standing.secret)
            finding.why_none = "the role has no password";
        else if (auto secret = parse_secret(*standing.secret))
            finding.secret = std::move(secret);
        else
            finding.why_none = "its password is no verifier that pgmemo can read";
    } catch (const OwnConnectionError&) {
        finding.unavailable = true;
    }
    return finding;
}

/// Throws OwnConnectionError, after it was counted and said.
Standing Authority::State::ask(const std::string& user, const config::Auth& auth, bool for_secret)
{
    for (bool again = true;; again = false) {
        const bool is_fresh = !connection;
        try {
            if (!connection) {
                const auto database = target.own_database();
                connection.emplace(target, database.empty() ? "postgres" : database, stopping);
            }
            const bool own_sql = for_secret && !auth.query_sql.empty();
            const auto roles = connection->query(for_secret && !own_sql ? kAuthid : kRoles, {user});
            Standing standing;
            if (PQntuples(roles.get()) == 1) {
                const auto row = OwnConnection::row(roles, 0);
                standing = {true, row[0] == "t", row[1] == "t", std::nullopt};
                if (row.size() > 2 && row[2])
                    standing.secret = std::string{*row[2]};
            }
            if (own_sql && standing.exists) {
                const auto result = connection->query(auth.query_sql, {user});
                if (PQntuples(result.get()) == 1 && PQnfields(result.get()) >= 1) {
                    const auto row = OwnConnection::row(result, 0);
                    if (row.back())
                        standing.secret = std::string{*row.back()};
                }
            }
            if (std::exchange(complained, false))
                spdlog::info("authentication: PostgreSQL can be asked for users again");
            return standing;
        } catch (const OwnConnectionError& error) {
            connection.reset();
            if (!is_fresh && again && !stopping)
                continue; // it may have been dead for long, and nobody had noticed
            failures.fetch_add(1);
            if (!stopping && !std::exchange(complained, true))
                spdlog::error("authentication: PostgreSQL cannot be asked for users with pgmemo's own credentials; who "
                              "is not in the users file cannot log in: {}",
                              error.what());
            throw;
        }
    }
}

// ---------------------------------------------------------------------------------------------- the grants

void Authority::State::check_grants()
{
    const auto in_force = config.get();
    std::vector<std::shared_ptr<Grant>> live;
    {
        const std::lock_guard lock{mutex};
        std::erase_if(grants, [](const std::weak_ptr<Grant>& grant) { return grant.expired(); });
        for (const auto& grant : grants) {
            if (auto one = grant.lock())
                live.push_back(std::move(one));
        }
    }
    std::sort(live.begin(), live.end(),
              [](const auto& a, const auto& b) { return a->origin().user < b->origin().user; });
    std::deque<std::shared_ptr<Asked>> asked;
    const std::string* user = nullptr;
    std::optional<Standing> standing;
    Finding finding;
    auto asked_at = Clock::now();
    for (const auto& grant : live) {
        if (stopping)
            return;
        const auto& auth = in_force->auth;
        if (!user || *user != grant->origin().user) {
            {
                const std::lock_guard lock{mutex};
                asked = std::exchange(questions, {});
            }
            answer(asked); // who waits at the door comes first
            user = &grant->origin().user;
            asked_at = Clock::now();
            standing.reset();
            finding = {};
            try {
                standing = is_name(*user) ? ask(*user, auth, false) : Standing{};
                if (grant->secret())
                    finding = find(*user, auth);
            } catch (const OwnConnectionError&) {
                finding.unavailable = true;
            }
        }
        if (grant->secret() && !finding.secret && !finding.unavailable && finding.why_none.empty())
            finding = find(*user, auth); // the first of this user had no need of it
        if (!standing || finding.unavailable)
            continue; // it lasts as long as it was said to
        const auto* const entry = auth.find(grant->origin());
        std::string_view why;
        if (auth.terminate && (!entry || entry->method == config::HbaMethod::reject))
            why = "the list of who may come from where does not let it in any more";
        else if (!standing->exists || !standing->can_login)
            why = "the role is gone, or may not log in";
        else if (grant->secret() && standing->expired)
            why = "its password is no longer valid (VALID UNTIL)";
        else if (grant->secret() && (!finding.secret || fingerprint(*finding.secret) != *grant->secret()))
            why = "its password was changed or taken away";
        if (why.empty()) {
            grant->prolong(asked_at + auth.recheck);
        } else if (grant->holds(Clock::now())) {
            grant->end();
            spdlog::warn("authentication: user {} on {} could not log in now as it did: {}; what it asks goes to "
                         "PostgreSQL, none of it is answered from the cache",
                         *user, grant->origin().database, why);
        }
    }
}

// ---------------------------------------------------------------------------------------------- the file

void Authority::State::load_users(const std::string& path)
{
    struct stat info {};
    const bool exists = ::stat(path.c_str(), &info) == 0;
    const FileState now{path, info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
    if (exists && now == users_state)
        return;
    users_state = now; // also of one that is bad: it is complained of once
    users = read_users(path);
    if ((info.st_mode & S_IROTH) != 0)
        spdlog::warn("authentication: everybody on this machine can read {}", path);
}

void Authority::State::refresh_users(const std::string& path)
{
    const auto before = users_state;
    try {
        load_users(path);
        if (users_state != before)
            spdlog::info("authentication: {} read, {} users", path, users.size());
    } catch (const std::invalid_argument& error) {
        if (users_state != before)
            spdlog::error("authentication: {}; the users stay as they were", error.what());
    }
}

} // namespace pgmemo::proxy::auth
