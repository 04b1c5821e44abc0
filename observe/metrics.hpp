#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::observe {

/// A counter that one thread adds to and others read: no locked instruction.
class Count {
public:
    void add(std::uint64_t n = 1) noexcept
    {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    std::uint64_t read() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

/// Latencies in log-linear buckets (four to an octave, from 1 µs to 67 s). One writer, any readers.
///
/// Bucket 0 holds all up to 1 µs, the last one all above 67.1 s; a bucket includes its upper bound, as Prometheus' `le`
/// does.
class Latency {
public:
    static constexpr std::size_t kOctaves = 26;
    static constexpr std::size_t kBuckets = 1 + 4 * kOctaves + 1;
    static std::size_t bucket_of(std::chrono::nanoseconds) noexcept;
    void record(std::chrono::nanoseconds) noexcept;
    std::array<std::uint64_t, kBuckets> read() const noexcept;
    double sum_seconds() const noexcept;
    static double upper_bound_seconds(std::size_t bucket) noexcept; ///< infinity for the last one

private:
    std::array<Count, kBuckets> buckets_;
    Count sum_ns_;
};

/// What one I/O thread counts. Written by that thread only.
struct ThreadMetrics {
    explicit ThreadMetrics(std::size_t reasons)
        : bypasses(reasons)
    {
    }

    Count hits;
    Count misses;                ///< cacheable, not in the cache; forwarded
    std::vector<Count> bypasses; ///< by reason code
    Count fills_stored;
    Count fills_moved; ///< dropped: a version moved, or a commit was in flight
    Count fills_too_large;
    Count fills_unstorable;       ///< the reply was an error or held something that belongs to its client alone
    Count invalidations;          ///< version words moved by writes
    Count database_invalidations; ///< of these, a database's own word
    Count probes;                 ///< questions to the server about a session's settings
    Count prepared_anew;          ///< statements, since their columns had changed
    Count clients_accepted;
    Count clients_refused;
    Count upstream_failures;
    Count cancels;
    Count blind_sessions;
    Count client_bytes_in, client_bytes_out, upstream_bytes_in, upstream_bytes_out;
    Count remote_hits;        ///< answered with what another pgmemo has stored, or this one before its start
    Count remote_misses;      ///< asked for in the store, which did not have it
    Count remote_checks;      ///< of entries in memory, whether they are still current for all
    Count remote_refused;     ///< entries in the store that were not what was asked for
    Count remote_stored;      ///< entries put into the store
    Count remote_not_stored;  ///< the store would not have them
    Count remote_unannounced; ///< writes of which the others could not be told at once
    Count remote_connects;
    Count remote_failures; ///< connections to the store that were lost, or not had
    Count remote_timeouts; ///< of them, because it did not answer in time
    Count remote_words_lost;
    Count remote_owners_lost;
    Count remote_bytes_in, remote_bytes_out;
    Latency remote_latency; ///< of round trips to the store
    Latency hit_latency;    ///< from the request's last byte read to the reply handed to the kernel
    Latency miss_latency;   ///< the same for cacheable statements that went upstream
};

/// A figure that is read when somebody asks.
struct Gauge {
    std::string name; ///< as exported, e.g. `pgmemo_cache_entries`
    std::string help;
    bool is_counter = false;
    std::function<double()> read; ///< called from the admin thread
};

/// All metrics of the process. `thread()` once for every I/O thread; `add_gauge` while starting up; `expose()` from the
/// admin thread.
class Metrics {
public:
    /// `reason_names`: the label values of bypasses, by index.
    explicit Metrics(std::vector<std::string> reason_names);
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    ThreadMetrics& thread(); ///< a new one; lives as long as this
    void add_gauge(Gauge);

    void has_remote() noexcept; ///< there is a store: its families are exported too. While starting up.
    std::string expose() const; ///< Prometheus text format 0.0.4

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace pgmemo::observe
