#include "main/options.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <utility>

namespace pgmemo {
namespace {

constexpr const char* kAbout = R"(pgmemo: a caching proxy in front of PostgreSQL

Point it at PostgreSQL and your application at it: SELECTs that may be cached are answered from memory, everything
else reaches PostgreSQL as it is, and a write drops what it made stale before its author hears that it succeeded.)";

constexpr const char* kExamples = R"(
Examples:
  pgmemo --upstream postgresql://app@db.internal:5432/app
  pgmemo --config /etc/pgmemo.yaml
  pgmemo check /etc/pgmemo.yaml

Exit codes: 0 done, 1 a bad configuration, 2 bad usage, 3 could not listen.)";

// As a single-quoted scalar of YAML.
std::string quoted(const std::string& text)
{
    std::string out = "'";
    for (const char c : text)
        out += c == '\'' ? std::string{"''"} : std::string{c};
    return out + "'";
}

config::Problem flag_problem(std::string flag, std::string text)
{
    return {std::move(flag), 0, 0, std::move(text)};
}

} // namespace

Options parse_command_line(int argc, char** argv)
{
    Options options;
    CLI::App app{kAbout, "pgmemo"};
    app.footer(kExamples);
    app.set_version_flag("-V,--version", "pgmemo " PGMEMO_VERSION);
    app.set_help_flag("-h,--help", "show this help and exit");
    app.add_option("-c,--config", options.config_file, "YAML configuration file; SIGHUP reads it anew")->type_name("FILE");
    app.add_option("-u,--upstream", options.upstream, "PostgreSQL to stand in front of, as a libpq URI")->type_name("URI");
    app.add_option("-l,--listen", options.listen, "host:port or /path/of/a/socket (default 127.0.0.1:6432); repeatable")
        ->type_name("ADDR");
    app.add_option("-m,--metrics", options.metrics, "where /metrics and the dashboard are, or `off` (default 127.0.0.1:9632)")
        ->type_name("ADDR");
    app.add_option("-t,--threads", options.threads, "I/O threads (default: the cores that it may run on)")
        ->type_name("N")
        ->check(CLI::Range(1, 1024));
    app.add_option("--log-level", options.log_level, "trace, debug, info, warn or error (default info)")
        ->type_name("LEVEL")
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}));
    auto* check = app.add_subcommand("check", "validate a configuration file and exit: 0, or 1 with every error");
    std::string checked;
    check->add_option("FILE", checked, "the configuration file")->required();
    app.require_subcommand(0, 1);

    try {
        app.parse(argc, argv);
        if (check->parsed()) {
            options.action = Options::Action::check;
            options.config_file = checked;
        } else if (options.config_file.empty() && options.upstream.empty()) {
            throw CLI::RequiredError("one of --config FILE and --upstream URI");
        } else {
            options.action = Options::Action::run;
        }
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        options.exit = code == 0 ? Exit::done : Exit::bad_usage;
    }
    return options;
}

config::Loaded Options::load() const
{
    auto loaded = config_file.empty() ? config::load_text("upstream: " + quoted(upstream), "--upstream")
                                      : config::load_file(config_file);
    if (!loaded.config)
        return loaded;
    config::Config config = *loaded.config;
    if (!upstream.empty())
        config.upstream = upstream;
    if (threads > 0)
        config.threads = static_cast<unsigned>(threads);
    if (!log_level.empty())
        config.log.level = log_level;
    if (!listen.empty())
        config.listen.clear();
    for (const auto& text : listen) {
        if (const auto address = config::parse_address(text))
            config.listen.push_back(*address);
        else
            loaded.problems.push_back(
                flag_problem("--listen", fmt::format("\"{}\" is neither host:port nor the path of a socket", text)));
    }
    if (metrics == "off") {
        config.metrics.reset();
    } else if (!metrics.empty()) {
        config.metrics = config::parse_address(metrics);
        if (!config.metrics)
            loaded.problems.push_back(flag_problem("--metrics", fmt::format("\"{}\" is neither host:port nor `off`", metrics)));
    }
    loaded.config = loaded.problems.empty() ? std::make_shared<const config::Config>(std::move(config)) : nullptr;
    return loaded;
}

} // namespace pgmemo
