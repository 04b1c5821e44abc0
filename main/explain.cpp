#include "main/explain.hpp"

#include "main/explain_text.hpp"
#include "main/pgmemo.hpp"

#include "proxy/catalog_reader.hpp"
#include "proxy/own_connection.hpp"
#include "proxy/upstream_target.hpp"
#include "query/analyzer.hpp"
#include "query/session_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace pgmemo {
namespace {

using proxy::OwnConnection;

const std::atomic<bool> kNeverStop{false};

std::string quoted(std::string_view text, char mark)
{
    std::string all{mark};
    for (const char c : text) {
        all += c;
        if (c == mark)
            all += c;
    }
    return all + mark;
}

/// The same under any standard_conforming_strings.
std::string literal(std::string_view text)
{
    std::string doubled;
    for (const char c : text) {
        doubled += c;
        if (c == '\\')
            doubled += c;
    }
    return " E" + quoted(doubled, '\'');
}

std::string only_row(const OwnConnection::Result& result, std::size_t column)
{
    const auto row = OwnConnection::row(result, 0);
    if (column >= row.size())
        throw proxy::OwnConnectionError("an answer without the expected columns");
    return std::string{row[column].value_or(std::string_view{})};
}

void set(OwnConnection& session, std::string_view name, std::string_view value)
{
    session.query(fmt::format("SELECT pg_catalog.set_config({},{}, false)", literal(name), literal(value)));
}

/// What ALTER ROLE … SET and ALTER DATABASE … SET give to a role that logs in, later ones over earlier ones. Those of
/// the role that is logged in now are told apart, as they are in force here and cannot be taken back. Gives what is
/// amiss, for the user to know.
std::vector<std::string> take_settings_of_role(OwnConnection& session, const std::string& role)
{
    const auto result = session.query(fmt::format(
        "SELECT CASE WHEN s.setrole OPERATOR(pg_catalog.=) t.oid THEN 't' ELSE 'f' END, pg_catalog.unnest(s.setconfig) "
        "FROM pg_catalog.pg_db_role_setting s, pg_catalog.pg_roles t, pg_catalog.pg_roles own, "
        "pg_catalog.pg_database d WHERE t.rolname OPERATOR(pg_catalog.=) {}::pg_catalog.name "
        "AND own.rolname OPERATOR(pg_catalog.=) session_user "
        "AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() "
        "AND (s.setrole OPERATOR(pg_catalog.=) t.oid OR s.setrole OPERATOR(pg_catalog.=) own.oid) "
        "AND (s.setdatabase OPERATOR(pg_catalog.=) 0::pg_catalog.oid OR s.setdatabase OPERATOR(pg_catalog.=) d.oid) "
        "ORDER BY s.setdatabase",
        literal(role)));
    std::map<std::string, std::string> its;
    std::map<std::string, std::string> own;
    for (int i = 0; i < PQntuples(result.get()); ++i) {
        const auto row = OwnConnection::row(result, i);
        const auto setting = row.at(1).value_or(std::string_view{});
        const auto equals = std::min(setting.find('='), setting.size() - 1);
        auto& of = row.at(0) == "t" ? its : own;
        of[std::string{setting.substr(0, equals)}] = setting.substr(equals + 1);
    }
    const auto is_neutral = [](const std::string& name) {
        const auto neutral = query::neutral_settings();
        return std::find(neutral.begin(), neutral.end(), name) != neutral.end();
    };
    std::vector<std::string> amiss;
    for (const auto& [name, value] : its) {
        if (is_neutral(name))
            continue;
        try {
            set(session, name, value);
        } catch (const proxy::OwnConnectionError& error) {
            amiss.push_back(fmt::format("the setting {} of role {} is left out: {}", name, role, error.what()));
        }
    }
    for (const auto& [name, value] : own)
        if (!its.contains(name) && !is_neutral(name))
            amiss.push_back(
                fmt::format("the setting {} is that of the upstream's own role, not of {}: use --set", name, role));
    return amiss;
}

void become(OwnConnection& session, const std::string& role)
{
    if (only_row(session.query("SELECT session_user"), 0) == role)
        return;
    const auto amiss = take_settings_of_role(session, role);
    try {
        session.query("SET SESSION AUTHORIZATION " + quoted(role, '"'));
    } catch (const proxy::OwnConnectionError&) { // that takes a superuser; to be a member is enough for this
        session.query("SET ROLE " + quoted(role, '"'));
    }
    for (const auto& line : amiss)
        std::fprintf(stderr, "pgmemo: %s\n", line.c_str());
}

/// What the answers to one question after another make up.
struct Upstream {
    std::shared_ptr<const query::Catalog> catalog;
    std::shared_ptr<const query::NameScope> scope;
    Asked asked;
    std::string user;
    bool is_utf8 = false;
    query::Dialect dialect;
};

Upstream ask_upstream(const Options::Explain& wanted, const config::Config& config)
{
    const proxy::UpstreamTarget target{config.upstream};
    const auto name = wanted.database.empty() ? target.own_database() : wanted.database;
    const auto attempt = [&target, &name](std::string_view what, auto&& action) {
        try {
            return action();
        } catch (const proxy::OwnConnectionError& error) {
            throw std::runtime_error(fmt::format("upstream {}{}: {}: {}", target.text(),
                                                 name.empty() ? std::string{} : ", database " + name, what,
                                                 error.what()));
        }
    };
    Upstream upstream;
    attempt("its catalog cannot be read", [&] {
        OwnConnection connection{target, name, kNeverStop};
        const auto oid =
            only_row(connection.query("SELECT oid FROM pg_database WHERE datname = current_database()"), 0);
        upstream.catalog = proxy::read_catalog(connection, static_cast<query::Oid>(std::stoul(oid)), config);
    });
    auto session = attempt("no session can be had", [&] {
        return OwnConnection{target, name, kNeverStop, proxy::OwnUse::session};
    });
    if (!wanted.user.empty())
        attempt(fmt::format("--user {} is not allowed", wanted.user), [&] { become(session, wanted.user); });
    for (const auto& setting : wanted.settings)
        attempt(fmt::format("--set {} is not allowed", setting.first),
                [&] { set(session, setting.first, setting.second); });

    attempt("the session's settings cannot be read", [&] {
        const auto dialect = session.query("SELECT pg_catalog.current_setting('client_encoding'), "
                                           "pg_catalog.current_setting('standard_conforming_strings')");
        const auto encoding = only_row(dialect, 0);
        upstream.is_utf8 = encoding == "UTF8";
        upstream.dialect = {only_row(dialect, 1) == "on", query::is_ascii_safe(encoding)};

        const auto result = session.query(query::settings_query(upstream.catalog->settings()));
        const auto row = OwnConnection::row(result, 0);
        auto facts = query::read_settings_row(row);
        if (!facts)
            throw proxy::OwnConnectionError("the answer is not understood");
        upstream.asked.session = query::put_in_words(row);
        upstream.asked.schemas = facts->schemas;
        auto scope = std::make_shared<query::NameScope>();
        scope->id = 1;
        scope->schemas = std::move(facts->schemas);
        upstream.scope = std::move(scope);
    });
    upstream.user = wanted.user.empty() ? upstream.asked.session.session_user : wanted.user;
    return upstream;
}

/// What an Exchange does with a statement that it has not seen: proxy/exchange_client.cpp, begin_fill.
Decided decide(const query::Statement& statement, const config::Config& config, const Upstream& upstream,
               std::string_view sql)
{
    Decided decided{statement.reason};
    if (!statement.is_cacheable())
        return decided;
    if (!config.cache.enabled)
        return {query::Reason::disabled};
    const auto verdict = config.policy_for(statement.read_names, upstream.user, upstream.asked.session.database, sql);
    decided.policy = verdict.policy;
    decided.rule = verdict.rule;
    if (!verdict.policy->enabled)
        decided.reason = verdict.rule != nullptr ? query::Reason::rule : query::Reason::no_rule;
    return decided;
}

std::vector<std::string> texts(const std::vector<std::string>& words)
{
    std::vector<std::string> all;
    for (const auto& word : words) {
        if (word != "-") {
            all.push_back(word);
            continue;
        }
        for (std::string line; std::getline(std::cin, line);)
            if (line.find_first_not_of(" \t\r") != std::string::npos)
                all.push_back(line);
    }
    return all;
}

} // namespace

Exit explain(const Options& options)
{
    const auto loaded = options.load();
    if (!loaded.config) {
        report(loaded.problems);
        return Exit::bad_configuration;
    }
    const auto& config = *loaded.config;
    const auto all = texts(options.explain.sql);
    if (all.empty()) {
        std::fprintf(stderr, "pgmemo: no SQL on standard input\n");
        return Exit::bad_usage;
    }
    const auto upstream = ask_upstream(options.explain, config);
    const query::Analyzer analyzer{0};
    std::string out = options.explain.as_json ? std::string{} : session_as_text(upstream.asked);
    for (const auto& sql : all) {
        auto dialect = upstream.dialect;
        const bool is_ascii =
            std::all_of(sql.begin(), sql.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
        dialect.ascii_safe_encoding = dialect.ascii_safe_encoding && (upstream.is_utf8 || is_ascii);
        const auto explanation = analyzer.explain(sql, upstream.catalog, upstream.scope, dialect);
        const auto decided = decide(*explanation.statement, config, upstream, sql);
        out += options.explain.as_json ? as_json(sql, explanation, decided, upstream.asked) + '\n'
                                       : '\n' + as_text(sql, explanation, decided);
    }
    const bool is_written = std::fwrite(out.data(), 1, out.size(), stdout) == out.size() && std::fflush(stdout) == 0;
    if (!is_written)
        throw std::runtime_error("standard output cannot be written");
    return Exit::done;
}

} // namespace pgmemo
