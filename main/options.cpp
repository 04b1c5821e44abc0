#include "main/options.hpp"

#include <CLI/CLI.hpp>

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

} // namespace

Options parse_command_line(int argc, char** argv)
{
    Options options;
    auto& flags = options.flags;
    CLI::App app{kAbout, "pgmemo"};
    app.footer(kExamples);
    app.set_version_flag("-V,--version", "pgmemo " PGMEMO_VERSION);
    app.set_help_flag("-h,--help", "show this help and exit");
    app.add_option("-c,--config", options.config_file, "YAML configuration file; SIGHUP reads it anew")
        ->type_name("FILE");
    app.add_option("-u,--upstream", flags.upstream, "PostgreSQL to stand in front of, as a libpq URI")
        ->type_name("URI");
    app.add_option("-l,--listen", flags.listen, "host:port or /path/of/a/socket (default 127.0.0.1:6432); repeatable")
        ->type_name("ADDR");
    app.add_option("-m,--metrics", flags.metrics,
                   "where /metrics and the dashboard are, or `off` (default 127.0.0.1:9632)")
        ->type_name("ADDR");
    app.add_option("--memory", flags.memory, "bound on the cache's memory (default 256MiB)")->type_name("SIZE");
    app.add_option("--ttl", flags.ttl, "how long an entry may be served (default 60s; `none` for no end)")
        ->type_name("TIME");
    app.add_option("-t,--threads", options.threads, "I/O threads (default: the cores that it may run on)")
        ->type_name("N")
        ->check(CLI::Range(1, 1024));
    app.add_option("--log-level", flags.log_level, "trace, debug, info, warn or error (default info)")
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
        } else if (options.config_file.empty() && !flags.upstream) {
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
    auto loaded = config_file.empty() ? config::load_flags(flags) : config::load_file(config_file, flags);
    if (loaded.config && threads > 0) {
        auto config = *loaded.config;
        config.threads = static_cast<unsigned>(threads);
        loaded.config = std::make_shared<const config::Config>(std::move(config));
    }
    return loaded;
}

} // namespace pgmemo
