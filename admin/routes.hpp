#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace pgmemo::admin {

/// What the endpoint shows; called from its own thread.
struct Views {
    std::function<std::string()> metrics;                  ///< Prometheus text
    std::function<std::optional<std::string>()> not_ready; ///< nullopt: ready; else one sentence why not
};

struct Answer {
    unsigned status = 200;
    std::string_view content_type = "text/plain; charset=utf-8"; ///< of static storage
    std::string body;
};

/// What stands at `target`, the request's, its query part included. A view that throws answers 500.
Answer answer(std::string_view target, const Views& views);

} // namespace pgmemo::admin
