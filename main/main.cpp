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
        return static_cast<int>(options.action == Options::Action::check ? check(options) : run(options));
    } catch (const proxy::CannotListen& error) {
        std::fprintf(stderr, "pgmemo: %s\n", error.what());
        return static_cast<int>(Exit::cannot_listen);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "pgmemo: %s\n", error.what());
        return static_cast<int>(Exit::bad_configuration);
    }
}
