// Each station of a query by itself. The figures are for comparing two builds on one machine; what CI holds to are the
// instructions of whole requests (bench/instructions.py).

#include "cache/cache.hpp"
#include "proxy/exchange.hpp"
#include "proxy/footprint.hpp"
#include "query/analyzer.hpp"
#include "tests/proxy/talk.hpp"
#include "tests/query/test_catalog.hpp"
#include "wire/frame_reader.hpp"
#include "wire/frontend.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace pgmemo;
namespace say = proxy::say;

namespace {

constexpr std::string_view kRead = "SELECT abalance FROM accounts WHERE aid = $1";

std::string bind_message(std::string_view value)
{
    return wire::message('B', say::text("") + say::text("s") + wire::u16(0) + wire::u16(1) +
                                  wire::u32(static_cast<std::uint32_t>(value.size())) + std::string{value} +
                                  wire::u16(0));
}

std::string group(std::string_view value)
{
    return bind_message(value) + say::describe('P', "") + say::execute() + say::sync();
}

/// A batch of 64 messages, cut.
void framing(benchmark::State& state)
{
    std::string batch;
    for (int i = 0; i < 16; ++i)
        batch += group("4711");
    wire::FrameReader reader{proxy::Exchange::kMaxHeld, wire::FrameReader::From::client};
    for (auto _ : state) {
        const auto room = reader.room(batch.size());
        std::copy(batch.begin(), batch.end(), room.begin());
        reader.commit(batch.size());
        for (auto frame = reader.next(); frame && *frame; frame = reader.next())
            benchmark::DoNotOptimize(frame);
        reader.give_back();
    }
    state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(framing);

void decoding_a_bind(benchmark::State& state)
{
    const auto message = bind_message("4711");
    const auto body = std::string_view{message}.substr(5);
    for (auto _ : state) {
        auto bind = wire::decode_bind(body);
        benchmark::DoNotOptimize(bind);
        auto values = wire::decode_bind_values(body);
        benchmark::DoNotOptimize(values);
    }
}
BENCHMARK(decoding_a_bind);

/// Entries of point SELECTs, each stamped with three words.
struct Store {
    explicit Store(std::size_t entries)
        : count(entries)
        , cache({.memory_bytes = (64u << 20) + entries * 400, .max_entry_bytes = 1u << 20})
    {
        auto& versions = cache.versions();
        for (std::size_t i = 0; i < count; ++i) {
            cache::Words words{&versions.database(5), &versions.wide(5, 1, 1),
                               &versions.slot(5, 1, 1, std::to_string(i))};
            std::sort(words.begin(), words.end());
            words.erase(std::unique(words.begin(), words.end()), words.end());
            auto fill = cache.begin_fill({identity, key(i)}, cache::Stamp{words}, 1u << 20, std::nullopt);
            fill.append(say::one_row("1"));
            cache.finish_fill(std::move(fill), now);
        }
    }
    std::string_view key(std::size_t number)
    {
        text.replace(text.size() - 8, 8, std::to_string(10'000'000 + number));
        return text;
    }
    std::size_t count;
    cache::Clock::time_point now = cache::Clock::now();
    cache::Cache cache;
    std::shared_ptr<const cache::Identity> identity = cache.identities().intern("database=shop role=app");
    std::string text = "E" + std::string{kRead} + "........";
};

Store& store()
{
    static Store one{10'000};
    return one;
}

/// Hash, table, comparison of the key, validation of the stamp, a reference taken and given back.
void looking_up(benchmark::State& state)
{
    auto& shared = store();
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < shared.count; ++i)
        keys.push_back("E" + std::string{kRead} + std::to_string(10'000'000 + i));
    std::size_t at = static_cast<std::size_t>(state.thread_index()) * 7919;
    for (auto _ : state) {
        at = (at + 1) % keys.size();
        auto entry = shared.cache.find({shared.identity, keys[at]}, shared.now);
        benchmark::DoNotOptimize(entry);
    }
}
BENCHMARK(looking_up)->Threads(1)->Threads(2)->UseRealTime();

/// The same among more entries than the processor's caches hold, in no order.
void looking_up_among(benchmark::State& state)
{
    Store large{static_cast<std::size_t>(state.range(0))};
    std::uint64_t at = 1;
    for (auto _ : state) {
        at = at * 6364136223846793005u + 1442695040888963407u; // Knuth's
        auto entry = large.cache.find({large.identity, large.key((at >> 33) % large.count)}, large.now);
        if (!entry)
            state.SkipWithError("it was evicted");
        benchmark::DoNotOptimize(entry);
    }
}
BENCHMARK(looking_up_among)->Arg(10'000)->Arg(100'000)->Arg(1'000'000)->Arg(10'000'000);

void validating_a_stamp(benchmark::State& state)
{
    auto& shared = store();
    const auto entry = shared.cache.find({shared.identity, shared.key(0)}, shared.now);
    for (auto _ : state)
        benchmark::DoNotOptimize(cache::is_current(*entry));
}
BENCHMARK(validating_a_stamp);

/// Of a text that was never seen: lexer, grammar, resolution, proof, footprint.
void analysing_a_new_text(benchmark::State& state)
{
    const auto catalog = query::testing::test_catalog();
    const auto scope = query::testing::test_scope();
    query::Analyzer analyzer{1u << 20};
    std::uint64_t number = 0;
    for (auto _ : state) {
        auto statement = analyzer.analyse(
            "SELECT abalance AS a" + std::to_string(++number) + " FROM accounts WHERE aid = 7", catalog, scope, {});
        benchmark::DoNotOptimize(statement);
    }
}
BENCHMARK(analysing_a_new_text);

/// Of a text in which only a number is new.
void analysing_a_text_of_a_known_shape(benchmark::State& state)
{
    const auto catalog = query::testing::test_catalog();
    const auto scope = query::testing::test_scope();
    query::Analyzer analyzer{1u << 20};
    std::uint64_t number = 0;
    for (auto _ : state) {
        auto statement = analyzer.analyse("SELECT abalance FROM accounts WHERE aid = " + std::to_string(++number),
                                          catalog, scope, {});
        benchmark::DoNotOptimize(statement);
    }
}
BENCHMARK(analysing_a_text_of_a_known_shape);

void finding_a_known_text(benchmark::State& state)
{
    const auto catalog = query::testing::test_catalog();
    const auto scope = query::testing::test_scope();
    query::Analyzer analyzer{1u << 20};
    for (auto _ : state)
        benchmark::DoNotOptimize(analyzer.analyse(kRead, catalog, scope, {}));
}
BENCHMARK(finding_a_known_text);

/// The words of a read with its parameter's value.
void binding_a_footprint(benchmark::State& state)
{
    const auto statement = query::testing::analysed("SELECT abalance FROM accounts WHERE aid = 4711");
    cache::Versions versions;
    for (auto _ : state) {
        cache::Words words;
        cache::Words fresh;
        for (const auto& read : statement->reads)
            proxy::add_read_words(read, nullptr, 5, versions, words, fresh);
        benchmark::DoNotOptimize(words);
    }
}
BENCHMARK(binding_a_footprint);

/// What a session decides of a hit, without sockets.
class Session {
public:
    Session()
    {
        app.login();
        app.description = say::parameters({23}) + say::columns("value");
        app.fills("SELECT name FROM users WHERE id = 1");
        const auto rows = say::row({"1"}) + say::complete("SELECT 1");
        app.does_group(say::parse("s", kRead), say::parse_complete());
        app.does_group(bind_message("7") + say::describe('P', "") + say::execute(),
                       say::bind_complete() + say::columns("value") + rows);
    }
    proxy::World world;
    proxy::Talk app{world};
};

void deciding_a_hit(benchmark::State& state, const std::string& request)
{
    Session session;
    if (session.app->hit(request, session.world.now).size == 0)
        state.SkipWithError("it does not hit");
    for (auto _ : state)
        benchmark::DoNotOptimize(session.app->hit(request, session.world.now));
}
BENCHMARK_CAPTURE(deciding_a_hit, simple, say::query("SELECT name FROM users WHERE id = 1"));
BENCHMARK_CAPTURE(deciding_a_hit, prepared, group("7"));

} // namespace

BENCHMARK_MAIN();
