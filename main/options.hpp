#pragma once

#include "config/config.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pgmemo {

/// Source: docs/operations.md, "Exit codes".
enum class Exit : int { done = 0, bad_configuration = 1, bad_usage = 2, cannot_listen = 3 };

/// What the command line asks for.
struct Options {
    enum class Action : std::uint8_t { run, check, explain, nothing };
    Action action = Action::nothing;
    Exit exit = Exit::done; ///< with `nothing`: help was shown, or the usage was bad

    std::string config_file;
    config::Overrides flags;
    int threads = 0; ///< 0: not given

    /// `pgmemo explain`: what would become of these texts, and in which session.
    struct Explain {
        std::vector<std::string> sql; ///< `-`: the lines of standard input, each a text
        std::string database;         ///< empty: the one that the upstream names
        std::string user;             ///< empty: the one that the upstream names
        std::vector<std::pair<std::string, std::string>> settings;
        bool as_json = false;
    } explain;

    /// The file, with the flags over it.
    config::Loaded load() const;
};

Options parse_command_line(int argc, char** argv);

} // namespace pgmemo
