#include "observe/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <mutex>
#include <sstream>
#include <utility>

#ifndef PGMEMO_VERSION
#define PGMEMO_VERSION "unknown"
#endif

namespace pgmemo::observe {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<ClientMetric::Label>;

/// Exported bounds: whole octaves from 8 µs to 8.4 s, each the exact edge of a fine bucket.
constexpr std::size_t kFirstOctave = 3;
constexpr std::size_t kLastOctave = 23;

ClientMetric counter(Labels labels, double value)
{
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.counter.value = value;
    return metric;
}

ClientMetric gauge(Labels labels, double value)
{
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = value;
    return metric;
}

struct FoldedLatency {
    std::array<std::uint64_t, Latency::kBuckets> counts{};
    double sum_seconds = 0;

    void add(const Latency& latency)
    {
        const auto more = latency.read();
        for (std::size_t i = 0; i < counts.size(); ++i)
            counts[i] += more[i];
        sum_seconds += latency.sum_seconds();
    }

    ClientMetric export_as(Labels labels) const
    {
        ClientMetric metric;
        metric.label = std::move(labels);
        std::uint64_t below = 0;
        std::size_t bucket = 0;
        for (std::size_t octave = kFirstOctave; octave <= kLastOctave; ++octave) {
            for (; bucket <= 4 * octave; ++bucket) // the bucket that ends at 2^octave µs
                below += counts[bucket];
            metric.histogram.bucket.push_back({below, Latency::upper_bound_seconds(4 * octave)});
        }
        for (; bucket < counts.size(); ++bucket)
            below += counts[bucket];
        metric.histogram.sample_count = below;
        metric.histogram.sample_sum = sum_seconds;
        return metric;
    }
};

} // namespace

struct Metrics::State {
    /// On lines of its own: what one thread writes, no other thread's writes may slow.
    struct alignas(64) Padded {
        explicit Padded(std::size_t reasons)
            : metrics(reasons)
        {
        }
        ThreadMetrics metrics;
    };

    std::vector<std::string> reasons;
    double started = 0;
    bool has_remote = false;
    mutable std::mutex mutex; // guards the two lists, not what the threads count
    std::vector<std::unique_ptr<Padded>> threads;
    std::vector<Gauge> gauges;

    template <class Read>
    double sum(Read read) const
    {
        std::uint64_t total = 0;
        for (const auto& thread : threads)
            total += read(thread->metrics);
        return static_cast<double>(total);
    }
    double sum(Count ThreadMetrics::*count) const
    {
        return sum([count](const ThreadMetrics& thread) { return (thread.*count).read(); });
    }

    MetricFamily total(std::string name, std::string help, Count ThreadMetrics::*count) const
    {
        return {std::move(name), std::move(help), MetricType::Counter, {counter({}, sum(count))}};
    }
    MetricFamily queries() const
    {
        MetricFamily family{"pgmemo_queries_total",
                            "Statements by decision; a bypass with the reason why it was not answered from the cache.",
                            MetricType::Counter,
                            {counter({{"decision", "hit"}}, sum(&ThreadMetrics::hits)),
                             counter({{"decision", "miss"}}, sum(&ThreadMetrics::misses))}};
        for (std::size_t reason = 0; reason < reasons.size(); ++reason) {
            const double count = sum([reason](const ThreadMetrics& thread) { return thread.bypasses[reason].read(); });
            const bool is_a_reason = !reasons[reason].empty() && reasons[reason] != "none";
            if (is_a_reason || count > 0)
                family.metric.push_back(counter({{"decision", "bypass"}, {"reason", reasons[reason]}}, count));
        }
        return family;
    }
    MetricFamily fills() const
    {
        return {"pgmemo_fills_total",
                "Misses by what became of their reply.",
                MetricType::Counter,
                {counter({{"outcome", "stored"}}, sum(&ThreadMetrics::fills_stored)),
                 counter({{"outcome", "moved"}}, sum(&ThreadMetrics::fills_moved)),
                 counter({{"outcome", "too_large"}}, sum(&ThreadMetrics::fills_too_large)),
                 counter({{"outcome", "unstorable"}}, sum(&ThreadMetrics::fills_unstorable))}};
    }
    MetricFamily invalidations() const
    {
        // Two counters are not read in one instant: the difference must not go below 0.
        const double databases = sum(&ThreadMetrics::database_invalidations);
        const double all = std::max(sum(&ThreadMetrics::invalidations), databases);
        return {"pgmemo_invalidations_total",
                "Version words moved by writes.",
                MetricType::Counter,
                {counter({{"scope", "relation"}}, all - databases), counter({{"scope", "database"}}, databases)}};
    }
    MetricFamily bytes() const
    {
        const auto cell = [this](const char* side, const char* direction, Count ThreadMetrics::*count) {
            return counter({{"side", side}, {"direction", direction}}, sum(count));
        };
        return {"pgmemo_bytes_total",
                "Bytes received (in) and sent (out), on the clients' side and on PostgreSQL's.",
                MetricType::Counter,
                {cell("client", "in", &ThreadMetrics::client_bytes_in),
                 cell("client", "out", &ThreadMetrics::client_bytes_out),
                 cell("upstream", "in", &ThreadMetrics::upstream_bytes_in),
                 cell("upstream", "out", &ThreadMetrics::upstream_bytes_out)}};
    }
    /// What there is to say of the store that other pgmemos share.
    void add_remote(std::vector<MetricFamily>& families) const
    {
        families.push_back(
            {"pgmemo_remote_lookups_total",
             "Questions to the store: an entry was found (hit) or not (miss) or was none (refused), or an "
             "entry in memory was held against the present (check).",
             MetricType::Counter,
             {counter({{"outcome", "hit"}}, sum(&ThreadMetrics::remote_hits)),
              counter({{"outcome", "miss"}}, sum(&ThreadMetrics::remote_misses)),
              counter({{"outcome", "refused"}}, sum(&ThreadMetrics::remote_refused)),
              counter({{"outcome", "check"}}, sum(&ThreadMetrics::remote_checks))}});
        families.push_back({"pgmemo_remote_stores_total",
                            "Entries sent to the store, by whether it took them.",
                            MetricType::Counter,
                            {counter({{"outcome", "stored"}}, sum(&ThreadMetrics::remote_stored)),
                             counter({{"outcome", "failed"}}, sum(&ThreadMetrics::remote_not_stored))}});
        families.push_back({"pgmemo_remote_bytes_total",
                            "Bytes received from the store (in) and sent to it (out).",
                            MetricType::Counter,
                            {counter({{"direction", "in"}}, sum(&ThreadMetrics::remote_bytes_in)),
                             counter({{"direction", "out"}}, sum(&ThreadMetrics::remote_bytes_out))}});
        families.push_back(total("pgmemo_remote_connects_total", "Connections to the store that were made.",
                                 &ThreadMetrics::remote_connects));
        families.push_back(total("pgmemo_remote_failures_total",
                                 "Connections to the store that were lost, or could not be made.",
                                 &ThreadMetrics::remote_failures));
        families.push_back(total("pgmemo_remote_timeouts_total",
                                 "Of them, those given up because the store had not answered in time "
                                 "(cache.remote_timeout).",
                                 &ThreadMetrics::remote_timeouts));
        families.push_back(total("pgmemo_remote_unannounced_writes_total",
                                 "Writes of which the others could not be told before they were sent.",
                                 &ThreadMetrics::remote_unannounced));
        families.push_back(total("pgmemo_remote_words_lost_total",
                                 "Version words that the store did not have, or no longer.",
                                 &ThreadMetrics::remote_words_lost));
        families.push_back(total("pgmemo_remote_owners_lost_total",
                                 "Connections of others that were found dead with commits in flight.",
                                 &ThreadMetrics::remote_owners_lost));
        FoldedLatency trips;
        for (const auto& thread : threads)
            trips.add(thread->metrics.remote_latency);
        families.push_back({"pgmemo_remote_duration_seconds",
                            "Round trips to the store.",
                            MetricType::Histogram,
                            {trips.export_as({})}});
    }
    MetricFamily durations() const
    {
        FoldedLatency hits;
        FoldedLatency misses;
        for (const auto& thread : threads) {
            hits.add(thread->metrics.hit_latency);
            misses.add(thread->metrics.miss_latency);
        }
        return {"pgmemo_query_duration_seconds",
                "From a request's last byte read to its reply handed to the kernel, for cacheable statements.",
                MetricType::Histogram,
                {hits.export_as({{"decision", "hit"}}), misses.export_as({{"decision", "miss"}})}};
    }
};

Metrics::Metrics(std::vector<std::string> reason_names)
    : state_(std::make_unique<State>())
{
    using Seconds = std::chrono::duration<double>;
    state_->reasons = std::move(reason_names);
    state_->started = std::chrono::duration_cast<Seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Metrics::~Metrics() = default;

ThreadMetrics& Metrics::thread()
{
    const std::lock_guard lock{state_->mutex};
    state_->threads.push_back(std::make_unique<State::Padded>(state_->reasons.size()));
    return state_->threads.back()->metrics;
}

void Metrics::add_gauge(Gauge gauge)
{
    const std::lock_guard lock{state_->mutex};
    state_->gauges.push_back(std::move(gauge));
}

void Metrics::has_remote() noexcept
{
    state_->has_remote = true;
}

std::string Metrics::expose() const
{
    const State& state = *state_;
    const std::lock_guard lock{state.mutex};
    std::vector<MetricFamily> families{
        state.queries(),
        state.fills(),
        state.invalidations(),
        state.total("pgmemo_settings_probes_total", "Questions to PostgreSQL about a session's settings.",
                    &ThreadMetrics::probes),
        state.total("pgmemo_prepared_anew_total",
                    "Prepared statements that were prepared anew for their clients, since their columns had changed.",
                    &ThreadMetrics::prepared_anew),
        state.total("pgmemo_clients_accepted_total", "Client connections accepted.", &ThreadMetrics::clients_accepted),
        state.total("pgmemo_clients_refused_total", "Client connections refused.", &ThreadMetrics::clients_refused),
        state.total("pgmemo_upstream_failures_total",
                    "Upstream connections that could not be made, or were lost while in use.",
                    &ThreadMetrics::upstream_failures),
        state.total("pgmemo_cancels_total", "Cancel requests passed on.", &ThreadMetrics::cancels),
        state.total("pgmemo_blind_sessions_total",
                    "Sessions that are relayed without being understood, and so never served from the cache.",
                    &ThreadMetrics::blind_sessions),
        state.bytes(),
        state.durations(),
        {"pgmemo_build_info",
         "1, with the version as a label.",
         MetricType::Gauge,
         {gauge({{"version", PGMEMO_VERSION}}, 1)}},
        {"process_start_time_seconds",
         "When the process started, in seconds since 1970.",
         MetricType::Gauge,
         {gauge({}, state.started)}},
    };
    if (state.has_remote)
        state.add_remote(families);
    for (const Gauge& each : state.gauges) {
        const double value = each.read();
        families.push_back({each.name,
                            each.help,
                            each.is_counter ? MetricType::Counter : MetricType::Gauge,
                            {each.is_counter ? counter({}, value) : gauge({}, value)}});
    }
    std::ostringstream out;
    prometheus::TextSerializer{}.Serialize(out, families);
    return out.str();
}

} // namespace pgmemo::observe
