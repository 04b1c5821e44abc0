#include "observe/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <sstream>
#include <thread>

namespace pgmemo::observe {
namespace {

/// The exposition read back: a sample's name and labels, as written, to its value.
struct Exposition {
    std::map<std::string, double> samples;
    std::map<std::string, std::string> types;
    std::set<std::string> helps;

    explicit Exposition(const std::string& text)
    {
        std::istringstream lines{text};
        for (std::string line; std::getline(lines, line);) {
            std::istringstream words{line};
            std::string first;
            std::string second;
            std::string name;
            if (line.starts_with("# TYPE ")) {
                words >> first >> second >> name;
                EXPECT_TRUE(types.emplace(name, line.substr(line.rfind(' ') + 1)).second) << "twice: " << name;
            } else if (line.starts_with("# HELP ")) {
                words >> first >> second >> name;
                helps.insert(name);
            } else if (!line.empty()) {
                const auto space = line.rfind(' ');
                EXPECT_TRUE(samples.emplace(line.substr(0, space), std::stod(line.substr(space + 1))).second)
                    << "twice: " << line;
            }
        }
    }

    double operator[](const std::string& sample) const
    {
        const auto found = samples.find(sample);
        if (found == samples.end()) {
            ADD_FAILURE() << "no sample " << sample;
            return -1;
        }
        return found->second;
    }
};

TEST(Metrics, OfAllThreadsAreAddedUp)
{
    Metrics metrics{{"none", "write", "clock"}};
    auto& one = metrics.thread();
    auto& two = metrics.thread();
    one.hits.add(3);
    two.hits.add(4);
    one.misses.add();
    two.bypasses[1].add(5);
    one.fills_stored.add(2);
    one.fills_unstorable.add(1);
    one.invalidations.add(10);
    one.database_invalidations.add(4);
    two.client_bytes_in.add(100);
    two.upstream_bytes_out.add(200);
    one.probes.add(6);
    one.prepared_anew.add(13);
    one.clients_accepted.add(7);
    one.clients_refused.add(8);
    one.upstream_failures.add(9);
    one.cancels.add(11);
    one.blind_sessions.add(12);

    const Exposition read{metrics.expose()};
    EXPECT_EQ(read["pgmemo_queries_total{decision=\"hit\"}"], 7);
    EXPECT_EQ(read["pgmemo_queries_total{decision=\"miss\"}"], 1);
    EXPECT_EQ(read["pgmemo_queries_total{decision=\"bypass\",reason=\"write\"}"], 5);
    EXPECT_EQ(read["pgmemo_queries_total{decision=\"bypass\",reason=\"clock\"}"], 0);
    EXPECT_FALSE(read.samples.contains("pgmemo_queries_total{decision=\"bypass\",reason=\"none\"}"));
    EXPECT_EQ(read["pgmemo_fills_total{outcome=\"stored\"}"], 2);
    EXPECT_EQ(read["pgmemo_fills_total{outcome=\"moved\"}"], 0);
    EXPECT_EQ(read["pgmemo_fills_total{outcome=\"too_large\"}"], 0);
    EXPECT_EQ(read["pgmemo_fills_total{outcome=\"unstorable\"}"], 1);
    EXPECT_EQ(read["pgmemo_invalidations_total{scope=\"relation\"}"], 6);
    EXPECT_EQ(read["pgmemo_invalidations_total{scope=\"database\"}"], 4);
    EXPECT_EQ(read["pgmemo_bytes_total{side=\"client\",direction=\"in\"}"], 100);
    EXPECT_EQ(read["pgmemo_bytes_total{side=\"client\",direction=\"out\"}"], 0);
    EXPECT_EQ(read["pgmemo_bytes_total{side=\"upstream\",direction=\"out\"}"], 200);
    EXPECT_EQ(read["pgmemo_settings_probes_total"], 6);
    EXPECT_EQ(read["pgmemo_prepared_anew_total"], 13);
    EXPECT_EQ(read["pgmemo_clients_accepted_total"], 7);
    EXPECT_EQ(read["pgmemo_clients_refused_total"], 8);
    EXPECT_EQ(read["pgmemo_upstream_failures_total"], 9);
    EXPECT_EQ(read["pgmemo_cancels_total"], 11);
    EXPECT_EQ(read["pgmemo_blind_sessions_total"], 12);
    EXPECT_GT(read["process_start_time_seconds"], 1.7e9);
}

TEST(Metrics, EachHasAHelpAndTheRightType)
{
    Metrics metrics{{"none"}};
    metrics.add_gauge({"pgmemo_cache_entries", "Entries held.", false, [] { return 42.0; }});
    metrics.add_gauge({"pgmemo_cache_evictions_total", "Entries evicted.", true, [] { return 43.0; }});
    const Exposition read{metrics.expose()};
    EXPECT_EQ(read["pgmemo_cache_entries"], 42);
    EXPECT_EQ(read["pgmemo_cache_evictions_total"], 43);
    for (const auto& [name, type] : read.types) {
        EXPECT_TRUE(read.helps.contains(name)) << name;
        if (name.ends_with("_total"))
            EXPECT_EQ(type, "counter") << name;
        else if (name == "pgmemo_query_duration_seconds")
            EXPECT_EQ(type, "histogram");
        else
            EXPECT_EQ(type, "gauge") << name;
    }
    EXPECT_EQ(read["pgmemo_build_info{version=\"" PGMEMO_VERSION "\"}"], 1);
}

TEST(Metrics, DurationsAreFoldedWithoutLosingOne)
{
    Metrics metrics{{"none"}};
    auto& one = metrics.thread();
    auto& two = metrics.thread();
    using std::chrono::microseconds;
    one.hit_latency.record(microseconds{3});
    two.hit_latency.record(microseconds{8});
    one.hit_latency.record(microseconds{8} + std::chrono::nanoseconds{1});
    one.hit_latency.record(std::chrono::seconds{100});

    std::map<double, double> buckets;
    const Exposition read{metrics.expose()};
    const std::string prefix = "pgmemo_query_duration_seconds_bucket{decision=\"hit\",le=\"";
    for (const auto& [sample, value] : read.samples) {
        if (sample.starts_with(prefix))
            buckets[std::stod(sample.substr(prefix.size()))] = value;
    }
    EXPECT_EQ(buckets.size(), 22u);
    EXPECT_NEAR(buckets.begin()->first, 8e-6, 1e-12);
    EXPECT_EQ(buckets.begin()->second, 2);
    EXPECT_EQ(std::next(buckets.begin())->second, 3);
    EXPECT_TRUE(std::isinf(buckets.rbegin()->first));
    EXPECT_EQ(buckets.rbegin()->second, 4);
    EXPECT_NEAR(std::next(buckets.rbegin())->first, 8.388608, 1e-9);
    EXPECT_EQ(std::next(buckets.rbegin())->second, 3);
    EXPECT_EQ(read["pgmemo_query_duration_seconds_count{decision=\"hit\"}"], 4);
    EXPECT_NEAR(read["pgmemo_query_duration_seconds_sum{decision=\"hit\"}"], 100.000019, 1e-6);
    EXPECT_EQ(read["pgmemo_query_duration_seconds_count{decision=\"miss\"}"], 0);
}

TEST(Metrics, CanBeReadWhileTheyAreCounted)
{
    Metrics metrics{{"none", "write"}};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&metrics] {
            auto& mine = metrics.thread();
            for (int i = 0; i < 20'000; ++i) {
                mine.hits.add();
                mine.bypasses[1].add();
                mine.invalidations.add();
                mine.database_invalidations.add();
                mine.hit_latency.record(std::chrono::microseconds{i});
            }
        });
    }
    for (int i = 0; i < 20; ++i)
        metrics.expose();
    for (auto& thread : threads)
        thread.join();
    const Exposition read{metrics.expose()};
    EXPECT_EQ(read["pgmemo_queries_total{decision=\"hit\"}"], 60'000);
    EXPECT_EQ(read["pgmemo_query_duration_seconds_count{decision=\"hit\"}"], 60'000);
}

} // namespace
} // namespace pgmemo::observe
