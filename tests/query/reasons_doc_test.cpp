#include "query/reason.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace pgmemo::query {
namespace {

const std::string kFile = PROJECT_SOURCE_DIR "/docs/reasons.md";

std::string page()
{
    std::ostringstream out;
    out << "# Reasons\n\n"
           "Why a statement was not answered from the cache, and its reply not stored. Counted in\n"
           "`pgmemo_queries_total{decision=\"bypass\",reason=\"…\"}`. A code never changes its meaning.\n\n"
           "This page is made from the table in `query/reason.cpp`; `PGMEMO_WRITE_DOCS=1 ./dev test unit` writes it "
           "anew.\n\n"
           "| code | meaning |\n| --- | --- |\n";
    for (const auto& reason : reasons()) {
        if (&reason != &reasons().front())
            out << "| `" << reason.name << "` | " << reason.meaning << " |\n";
    }
    return out.str();
}

TEST(Reasons, AreAllOnTheirPage)
{
    if (std::getenv("PGMEMO_WRITE_DOCS"))
        std::ofstream{kFile} << page();
    std::ifstream file{kFile};
    std::ostringstream found;
    found << file.rdbuf();
    EXPECT_EQ(found.str(), page());
}

} // namespace
} // namespace pgmemo::query
