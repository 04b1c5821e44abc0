#include "admin/routes.hpp"

#include "admin/dashboard.hpp"

#include <exception>

namespace pgmemo::admin {
namespace {

Answer route(std::string_view path, const Views& views)
{
    if (path == "/metrics")
        return {200, "text/plain; version=0.0.4", views.metrics()};
    if (path == "/healthz")
        return {.body = "ok\n"};
    if (path == "/readyz") {
        const auto reason = views.not_ready();
        return reason ? Answer{.status = 503, .body = *reason + '\n'} : Answer{.body = "ready\n"};
    }
    if (path == "/")
        return {200, "text/html; charset=utf-8", std::string(dashboard())};
    return {.status = 404, .body = "Not found. There are /, /metrics, /healthz and /readyz.\n"};
}

} // namespace

Answer answer(std::string_view target, const Views& views)
{
    try {
        return route(target.substr(0, target.find('?')), views);
    } catch (const std::exception& error) {
        return {.status = 500, .body = std::string(error.what()) + '\n'};
    }
}

} // namespace pgmemo::admin
