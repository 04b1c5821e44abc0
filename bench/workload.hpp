#pragma once

#include "bench/keys.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::bench {

enum class Mode : std::uint8_t { simple, extended, prepared };

struct WorkloadOptions {
    Mode mode = Mode::prepared;
    std::vector<std::string> reads;  ///< texts with $1 for the key, or without
    std::vector<std::string> writes; ///< the same
    double write_share = 0;          ///< 0 to 1
    std::string distribution = "uniform";
    std::uint64_t keys = 1;
    std::uint64_t first_key = 1;
};

/// What one connection asks, one request after the other. In the simple protocol $1 is replaced by the key; otherwise
/// it is a parameter, in text. A request ends with Sync, as pgbench's do.
class Workload {
public:
    Workload(const WorkloadOptions&, std::uint64_t seed);

    /// What is said once, before the first request: Parse of every statement. Empty unless prepared.
    const std::string& preparation() const noexcept { return preparation_; }
    void append_request(std::string& out);

private:
    struct Text {
        std::string sql;
        bool has_key;
        std::string name;
    };
    const WorkloadOptions& options_;
    std::vector<Text> reads_, writes_;
    std::string preparation_;
    std::mt19937_64 random_;
    Keys keys_;
    std::string key_, sql_;
};

} // namespace pgmemo::bench
