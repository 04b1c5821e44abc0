#include "main/explain.hpp"
#include "main/options.hpp"
#include "main/pgmemo.hpp"

#include "proxy/server.hpp"

#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <exception>

int main(int argc, char** argv)
{
    using namespace pgmemo;
    const auto options = parse_command_line(argc, argv);
    if (options.action == Options::Action::nothing)
        return static_cast<int>(options.exit);

    std::signal(SIGPIPE, SIG_IGN); // NOLINT: a peer that is gone is an error value, not a signal
    try {
        switch (options.action) {
        case Options::Action::check:
            return static_cast<int>(check(options));
        case Options::Action::explain:
            return static_cast<int>(explain(options));
        case Options::Action::run:
        case Options::Action::nothing:
            break;
        }
        return static_cast<int>(run(options));
    } catch (const proxy::CannotListen& error) {
        std::fprintf(stderr, "pgmemo: %s\n", error.what());
        return static_cast<int>(Exit::cannot_listen);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "pgmemo: %s\n", error.what());
        return static_cast<int>(Exit::bad_configuration);
    }
}
