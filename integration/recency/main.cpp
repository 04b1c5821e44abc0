// Is a read ever older than it may be? Readers and writers on a few keys, each operation with the interval of real
// time it took; afterwards every read is held against what was acknowledged before it began (history.hpp).
//
//   recency CONNINFO... [--seconds S] [--readers N] [--writers N] [--keys N] [--seed N] [--lost 1]
//
// With several ways to the database its clients are spread over them. With --lost a connection may be lost, and is made
// anew; all other errors are errors.
//
// Exit codes: 0 nothing found, 1 violations (the first ten are printed), 2 bad usage or a lost connection.

#include "integration/recency/history.hpp"

#include <libpq-fe.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace pgmemo::recency {
namespace {

struct Options {
    std::vector<std::string> conninfos;
    bool may_be_lost = false;
    double seconds = 8;
    int readers = 4;
    int writers = 2;
    int keys = 4;
    unsigned seed = 1;
};

Time now()
{
    return std::chrono::steady_clock::now();
}

struct Lost : std::runtime_error {
    using std::runtime_error::runtime_error;
};

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

/// One libpq connection; any error is an exception, since none is expected.
class Connection {
public:
    explicit Connection(const std::string& conninfo)
        : handle_(PQconnectdb(conninfo.c_str()), &PQfinish)
    {
        if (PQstatus(handle_.get()) != CONNECTION_OK)
            throw Lost(PQerrorMessage(handle_.get()));
    }

    Result run(const std::string& sql) { return checked(sql, PQexec(handle_.get(), sql.c_str())); }

    Result run_extended(const std::string& sql)
    {
        return checked(sql, PQexecParams(handle_.get(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0));
    }

private:
    Result checked(const std::string& sql, PGresult* result) const
    {
        Result held{result, &PQclear};
        const auto status = PQresultStatus(result);
        if (PQstatus(handle_.get()) != CONNECTION_OK)
            throw Lost(sql + ": " + PQerrorMessage(handle_.get()));
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
            throw std::runtime_error(sql + ": " + PQerrorMessage(handle_.get()));
        return held;
    }

    std::unique_ptr<PGconn, decltype(&PQfinish)> handle_;
};

std::int64_t number(const Result& result, int row, int column)
{
    return std::strtoll(PQgetvalue(result.get(), row, column), nullptr, 10);
}

/// A key's turn: whoever holds `mutex` may write it, and takes the next value for each try.
struct Key {
    std::mutex mutex;
    std::int64_t last = 0;
};

struct Shared {
    Options options;
    std::vector<Key> keys;
    std::atomic<bool> stop{false};
    std::atomic<bool> failed{false};
};

/// What one thread does and writes down.
class Actor {
public:
    Actor(Shared& shared, unsigned number)
        : shared_(shared)
        , conninfo_(shared.options.conninfos[number % shared.options.conninfos.size()])
        , connection_(conninfo_)
        , random_(shared.options.seed * 7919 + number)
    {
    }

    void read_until_stopped()
    {
        until_stopped([this] { read_something(); });
    }

    void write_until_stopped()
    {
        until_stopped([this] { write_or_read(); });
    }

    History history;

private:
    template <class Act>
    void until_stopped(Act act)
    {
        while (!shared_.stop) {
            try {
                if (is_lost_)
                    connection_ = Connection{conninfo_};
                is_lost_ = false;
                act();
            } catch (const Lost&) {
                if (!shared_.options.may_be_lost)
                    throw;
                is_lost_ = true;
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
            }
        }
    }

    void read_something()
    {
        if (chance(8)) {
            connection_.run("BEGIN");
            read(any_key());
            read(any_key());
            connection_.run(chance(2) ? "COMMIT" : "ROLLBACK");
        } else if (chance(16)) {
            read_slowly(any_key());
        } else if (chance(8)) {
            read_all();
        } else {
            read(any_key());
        }
    }

    void write_or_read()
    {
        const int key = any_key();
        std::unique_lock turn{shared_.keys[static_cast<std::size_t>(key)].mutex, std::try_to_lock};
        if (!turn) {
            read(key);
            return;
        }
        write(key);
        turn.unlock();
        read(key); // its own write, once acknowledged
        std::this_thread::sleep_for(std::chrono::microseconds(pick(3000)));
    }

    int pick(int n) { return std::uniform_int_distribution<int>{0, n - 1}(random_); }
    bool chance(int one_in) { return pick(one_in) == 0; }
    int any_key() { return pick(shared_.options.keys); }

    static std::string select(int key) { return "SELECT v FROM recency WHERE k = " + std::to_string(key); }

    void read(int key)
    {
        const auto start = now();
        const auto result = chance(2) ? connection_.run(select(key)) : connection_.run_extended(select(key));
        history.reads.push_back({key, number(result, 0, 0), start, now()});
    }

    // Takes its snapshot early and answers late: the fill that must not outlive a commit in between.
    void read_slowly(int key)
    {
        const auto start = now();
        const auto result = connection_.run("SELECT r.v, count(*) FROM recency r, recency_padding p WHERE r.k = " +
                                            std::to_string(key) + " GROUP BY r.v");
        history.reads.push_back({key, number(result, 0, 0), start, now()});
    }

    void read_all()
    {
        const auto start = now();
        const auto result = connection_.run("SELECT k, v FROM recency ORDER BY k");
        const auto end = now();
        for (int row = 0; row < PQntuples(result.get()); ++row)
            history.reads.push_back({static_cast<int>(number(result, row, 0)), number(result, row, 1), start, end});
    }

    void update(int key, std::int64_t value)
    {
        // A write whose connection was lost may still be under way: it does not undo a later one.
        const auto text = std::to_string(value);
        const auto sql = "UPDATE recency SET v = " + text + " WHERE k = " + std::to_string(key) + " AND v < " + text;
        if (chance(2))
            connection_.run(sql);
        else
            connection_.run_extended(sql);
    }

    void write(int key)
    {
        Write write;
        write.key = key;
        write.value = ++shared_.keys[static_cast<std::size_t>(key)].last;
        try {
            try_to_write(write);
        } catch (const Lost&) {
            if (write.outcome == Outcome::committed)
                write.outcome = Outcome::unknown;
            write.acknowledged = now();
            history.writes.push_back(write);
            throw;
        }
        write.acknowledged = now();
        history.writes.push_back(write);
    }

    void try_to_write(Write& write)
    {
        const int key = write.key;
        if (chance(2)) {
            write.outcome = Outcome::committed;
            write.commit_sent = now();
            update(key, write.value);
        } else {
            connection_.run("BEGIN");
            update(key, write.value);
            if (number(connection_.run(select(key)), 0, 0) != write.value)
                history.complaints.push_back("key " + std::to_string(key) +
                                             ": a transaction did not see its own write of " +
                                             std::to_string(write.value));
            std::this_thread::sleep_for(std::chrono::microseconds(chance(4) ? pick(20000) : pick(500)));
            if (chance(3)) {
                connection_.run("ROLLBACK");
            } else {
                write.outcome = Outcome::committed;
                write.commit_sent = now();
                connection_.run("COMMIT");
            }
        }
    }

    Shared& shared_;
    const std::string conninfo_;
    Connection connection_;
    bool is_lost_ = false;
    std::minstd_rand random_;
};

void prepare(const Options& options)
{
    Connection connection{options.conninfos.front()};
    connection.run("SET client_min_messages = error");
    connection.run("DROP TABLE IF EXISTS recency, recency_padding");
    connection.run("CREATE TABLE recency (k int PRIMARY KEY, v bigint NOT NULL)");
    connection.run("CREATE TABLE recency_padding (n int)");
    connection.run("INSERT INTO recency SELECT n, 0 FROM generate_series(0, " + std::to_string(options.keys - 1) +
                   ") n");
    connection.run("INSERT INTO recency_padding SELECT generate_series(1, 20000)");
}

int run(const Options& options)
{
    prepare(options);
    Shared shared;
    shared.options = options;
    shared.keys = std::vector<Key>(static_cast<std::size_t>(options.keys));

    std::vector<std::unique_ptr<Actor>> actors;
    std::vector<std::thread> threads;
    const auto origin = now();
    for (int i = 0; i < options.readers + options.writers; ++i)
        actors.push_back(std::make_unique<Actor>(shared, static_cast<unsigned>(i)));
    for (int i = 0; i < options.readers + options.writers; ++i)
        threads.emplace_back([&shared, actor = actors[static_cast<std::size_t>(i)].get(), reads = i < options.readers] {
            try {
                reads ? actor->read_until_stopped() : actor->write_until_stopped();
            } catch (const std::exception& error) {
                std::fprintf(stderr, "recency: %s\n", error.what());
                shared.failed = true;
                shared.stop = true;
            }
        });
    const auto end = origin + std::chrono::duration<double>(options.seconds);
    while (!shared.stop && now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    shared.stop = true;
    for (auto& thread : threads)
        thread.join();
    if (shared.failed)
        return 2;

    History history;
    for (auto& actor : actors) {
        std::move(actor->history.reads.begin(), actor->history.reads.end(), std::back_inserter(history.reads));
        std::move(actor->history.writes.begin(), actor->history.writes.end(), std::back_inserter(history.writes));
        std::move(actor->history.complaints.begin(), actor->history.complaints.end(),
                  std::back_inserter(history.complaints));
    }
    std::size_t committed = 0;
    std::size_t unknown = 0;
    for (const auto& write : history.writes) {
        committed += write.outcome == Outcome::committed ? 1 : 0;
        unknown += write.outcome == Outcome::unknown ? 1 : 0;
    }
    std::size_t found = 0;
    for (const auto& text : violations(history, origin, 10, found))
        std::printf("violation: %s\n", text.c_str());
    std::printf("recency: %zu reads, %zu writes committed, %zu rolled back, %zu unknown, %zu violations\n",
                history.reads.size(), committed, history.writes.size() - committed - unknown, unknown, found);
    return found == 0 ? 0 : 1;
}

bool parse(int count, char** words, Options& options)
{
    int first = 1;
    for (; first < count && words[first][0] != '-'; ++first)
        options.conninfos.emplace_back(words[first]);
    for (int i = first; i + 1 < count; i += 2) {
        const std::string name = words[i];
        const double value = std::atof(words[i + 1]);
        if (name == "--seconds")
            options.seconds = value;
        else if (name == "--readers")
            options.readers = static_cast<int>(value);
        else if (name == "--writers")
            options.writers = static_cast<int>(value);
        else if (name == "--keys")
            options.keys = static_cast<int>(value);
        else if (name == "--seed")
            options.seed = static_cast<unsigned>(value);
        else if (name == "--lost")
            options.may_be_lost = value != 0;
        else
            return false;
    }
    return !options.conninfos.empty() && (count - first) % 2 == 0 && options.seconds > 0 && options.readers >= 1 &&
           options.writers >= 0 && options.keys >= 1;
}

} // namespace
} // namespace pgmemo::recency

int main(int count, char** words)
{
    pgmemo::recency::Options options;
    if (!pgmemo::recency::parse(count, words, options)) {
        std::fprintf(stderr,
                     "usage: recency CONNINFO... [--seconds S] [--readers N] [--writers N] [--keys N] [--seed N] "
                     "[--lost 1]\n");
        return 2;
    }
    try {
        return pgmemo::recency::run(options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "recency: %s\n", error.what());
        return 2;
    }
}
