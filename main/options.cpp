#include "main/options.hpp"

#include <CLI/CLI.hpp>

#include <utility>

namespace pgmemo {
namespace {

constexpr const char* kAbout = R"(pgmemo: a caching proxy in front of PostgreSQL

Point it at PostgreSQL and your application at it: SELECTs that may be cached are answered from memory, everything
else reaches PostgreSQL as it is, and a write drops what it made stale before its author hears that it succeeded.)";

constexpr const char* kAboutExplain = "say what would become of a statement, and why";

constexpr const char* kExplainExamples = R"(
Asks the upstream, with the configuration's own credentials, for its catalog; runs no SQL that it is given.

Examples:
  pgmemo explain --config /etc/pgmemo.yaml "SELECT name FROM users WHERE id = 1"
  pgmemo explain --config /etc/pgmemo.yaml --user bob --set search_path=app,public "UPDATE orders SET paid = true"
  pgmemo explain --upstream postgresql://app@db.internal/app --format json - < statements.sql

Exit codes: 0 done, whatever the decision is; 1 a bad configuration, or an upstream that cannot be asked; 2 bad usage.)";

constexpr const char* kExamples = R"(
Examples:
  pgmemo --upstream postgresql://app@db.internal:5432/app
  pgmemo --config /etc/pgmemo.yaml
  pgmemo check /etc/pgmemo.yaml
  pgmemo explain --config /etc/pgmemo.yaml "SELECT name FROM users WHERE id = 1"

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
    auto* explain = app.add_subcommand("explain", kAboutExplain);
    explain->footer(kExplainExamples);
    std::vector<std::string> settings;
    std::string format = "text";
    explain
        ->add_option("SQL", options.explain.sql,
                     "a text as a client sends it; - for one on each line of standard input")
        ->required();
    explain->add_option("-c,--config", options.config_file, "YAML configuration file")->type_name("FILE");
    explain->add_option("-u,--upstream", flags.upstream, "PostgreSQL, as a libpq URI")->type_name("URI");
    explain->add_option("-d,--database", options.explain.database, "ask in this one (default: the upstream's)")
        ->type_name("NAME");
    explain->add_option("-U,--user", options.explain.user, "ask as this role (default: the upstream's)")
        ->type_name("ROLE");
    explain->add_option("-s,--set", settings, "ask with this setting, as `search_path=app,public`; repeatable")
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false)
        ->check([](const std::string& text) {
            const auto equals = text.find('=');
            return equals == std::string::npos || equals == 0 ? "not NAME=VALUE: " + text : std::string{};
        });
    explain->add_option("-f,--format", format, "text, or json: one object on a line for each SQL (default text)")
        ->type_name("FORMAT")
        ->check(CLI::IsMember({"text", "json"}));
    app.require_subcommand(0, 1);

    try {
        app.parse(argc, argv);
        if (check->parsed()) {
            options.action = Options::Action::check;
            options.config_file = checked;
        } else if (explain->parsed()) {
            if (options.config_file.empty() && !flags.upstream)
                throw CLI::RequiredError("one of --config FILE and --upstream URI");
            options.action = Options::Action::explain;
            options.explain.as_json = format == "json";
            for (const auto& text : settings) {
                const auto equals = text.find('=');
                options.explain.settings.emplace_back(text.substr(0, equals), text.substr(equals + 1));
            }
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
