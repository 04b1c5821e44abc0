#include "admin/routes.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <stdexcept>

namespace pgmemo::admin {
namespace {

const Views kReady{[] { return std::string("pgmemo_up 1\n"); }, []() -> std::optional<std::string> { return {}; }};

struct Route {
    std::string name;
    std::string target;
    unsigned status;
    std::string body; ///< its beginning
    friend std::ostream& operator<<(std::ostream& out, const Route& row) { return out << row.target; }
};

class Routes : public testing::TestWithParam<Route> {};

TEST_P(Routes, LeadWhereTheySay)
{
    const auto said = answer(GetParam().target, kReady);
    EXPECT_EQ(said.status, GetParam().status);
    EXPECT_TRUE(said.body.starts_with(GetParam().body)) << said.body;
}

INSTANTIATE_TEST_SUITE_P(
    Targets, Routes,
    testing::Values(Route{"Metrics", "/metrics", 200, "pgmemo_up 1\n"},
                    Route{"MetricsWithAQuery", "/metrics?name=x", 200, "pgmemo_up 1\n"},
                    Route{"Health", "/healthz", 200, "ok\n"}, Route{"Ready", "/readyz", 200, "ready\n"},
                    Route{"Dashboard", "/", 200, "<!doctype html>"},
                    Route{"DashboardWithAQuery", "/?", 200, "<!doctype html>"},
                    Route{"Elsewhere", "/metricsx", 404, "Not found"}, Route{"Below", "/metrics/", 404, "Not found"},
                    Route{"Upwards", "/../etc/passwd", 404, "Not found"},
                    Route{"InCapitals", "/Metrics", 404, "Not found"}, Route{"AllOptions", "*", 404, "Not found"},
                    Route{"Nothing", "", 404, "Not found"}),
    [](const auto& row) { return row.param.name; });

TEST(Routes, SayTheirContentType)
{
    EXPECT_EQ(answer("/metrics", kReady).content_type, "text/plain; version=0.0.4");
    EXPECT_EQ(answer("/", kReady).content_type, "text/html; charset=utf-8");
    EXPECT_EQ(answer("/healthz", kReady).content_type, "text/plain; charset=utf-8");
}

TEST(Routes, SayWhyItIsNotReady)
{
    auto views = kReady;
    views.not_ready = [] { return std::optional<std::string>("PostgreSQL cannot be reached."); };
    EXPECT_EQ(answer("/readyz", views).status, 503u);
    EXPECT_EQ(answer("/readyz", views).body, "PostgreSQL cannot be reached.\n");
    EXPECT_EQ(answer("/healthz", views).status, 200u) << "alive all the same: a restart would not help";
}

TEST(Routes, AnswerWhenAViewThrows)
{
    auto views = kReady;
    views.metrics = []() -> std::string { throw std::runtime_error("out of luck"); };
    EXPECT_EQ(answer("/metrics", views).status, 500u);
    EXPECT_EQ(answer("/metrics", views).body, "out of luck\n");
}

} // namespace
} // namespace pgmemo::admin
