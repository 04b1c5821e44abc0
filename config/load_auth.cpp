#include "config/load_auth.hpp"

#include "config/units.hpp"

#include <fmt/format.h>

#include <array>
#include <set>
#include <utility>

namespace pgmemo::config {
namespace {

constexpr auto kLeastRecheck = std::chrono::milliseconds{100}; // each is a query

using Type = HbaEntry::Type;
constexpr std::array<std::pair<std::string_view, Type>, 4> kTypes{
    {{"local", Type::local}, {"host", Type::host}, {"hostssl", Type::hostssl}, {"hostnossl", Type::hostnossl}}};
constexpr std::array<std::pair<std::string_view, HbaMethod>, 6> kMethods{{{"trust", HbaMethod::trust},
                                                                          {"peer", HbaMethod::peer},
                                                                          {"scram-sha-256", HbaMethod::scram_sha_256},
                                                                          {"md5", HbaMethod::md5},
                                                                          {"cert", HbaMethod::cert},
                                                                          {"reject", HbaMethod::reject}}};

template <class Table>
auto value_of(const Table& table, std::string_view name)
{
    for (const auto& [key, value] : table) {
        if (key == name)
            return value;
    }
    return table.front().second;
}

void read_addresses(Reader& reader, const Field& field, HbaEntry& entry)
{
    for (const auto& item : reader.items(field)) {
        const auto text = reader.word(item);
        if (!text)
            continue;
        if (*text == "all") {
            entry.addresses = {Cidr{*parse_ip("0.0.0.0"), 0}, Cidr{*parse_ip("::"), 0}};
            return;
        }
        if (const auto range = parse_cidr(*text))
            entry.addresses.push_back(*range);
        else
            reader.fail(item, fmt::format("{} is not a range of addresses; write 10.0.0.0/8, ::1/128 or all, with no "
                                          "bits set behind the prefix",
                                          quoted(*text)));
    }
}

void read_map(Reader& reader, const Field& field, HbaEntry& entry)
{
    if (!field.node.IsMap())
        return reader.fail(field, "expected a mapping of outer names to roles");
    for (const auto& item : field.node) {
        if (!item.first.IsScalar() || item.first.Scalar().empty()) {
            reader.fail(field, "a name must be a word");
            continue;
        }
        const Field roles{field.name, place_of(item.second.Mark()), item.second};
        entry.map[item.first.Scalar()] = reader.words(roles);
    }
}

HbaEntry read_entry(Reader& reader, const Field& field)
{
    HbaEntry entry;
    const auto section = reader.section(field, {"type", "database", "user", "address", "method", "map"});
    const auto at = [&](std::string_view key) -> const Field* {
        const auto found = section.find(key);
        return found != section.end() ? &found->second : nullptr;
    };
    if (const auto* type = at("type")) {
        if (const auto name = reader.choice(*type, {"local", "host", "hostssl", "hostnossl"}))
            entry.type = value_of(kTypes, *name);
    } else if (field.node.IsMap()) {
        reader.fail(field, "has no type; local, host, hostssl or hostnossl");
    }
    if (const auto* database = at("database"))
        entry.databases = reader.words(*database);
    if (const auto* user = at("user"))
        entry.users = reader.words(*user);
    if (const auto* address = at("address")) {
        if (entry.type == Type::local)
            reader.fail(*address, "a Unix socket has no address");
        read_addresses(reader, *address, entry);
    }
    if (const auto* method = at("method")) {
        if (const auto name = reader.choice(*method, {"trust", "peer", "scram-sha-256", "md5", "cert", "reject"}))
            entry.method = value_of(kMethods, *name);
        if (entry.method == HbaMethod::peer && entry.type != Type::local)
            reader.fail(*method, "peer is for Unix sockets: type local");
        if (entry.method == HbaMethod::cert && entry.type != Type::hostssl)
            reader.fail(*method, "cert takes TLS: type hostssl");
    } else if (field.node.IsMap()) {
        reader.fail(field, "has no method; trust, peer, scram-sha-256, md5, cert or reject");
    }
    if (const auto* map = at("map")) {
        if (entry.method != HbaMethod::peer && entry.method != HbaMethod::cert)
            reader.fail(*map, "only peer and cert tell a name that could be mapped");
        read_map(reader, *map, entry);
    }
    return entry;
}

void read_hba(Reader& reader, const Field& field, Auth& auth)
{
    if (!field.node.IsSequence())
        return reader.fail(field, "expected a list of entries");
    auth.hba.clear(); // an empty list admits nobody, as an empty pg_hba.conf does
    std::size_t number = 0;
    for (const auto& item : field.node) {
        const Place place = item.IsNull() ? field.place : place_of(item.Mark());
        const Field entry{fmt::format("auth.hba {}", ++number), place, item, ": "};
        if (item.IsNull())
            reader.fail(entry, "says nothing");
        else
            auth.hba.push_back(read_entry(reader, entry));
    }
}

void read_query(Reader& reader, const Field& field, Auth& auth)
{
    const auto text = reader.word(field);
    if (!text)
        return;
    auth.query = true;
    if (*text == "off" || *text == "false" || *text == "no")
        auth.query = false;
    else if (text->find("$1") != std::string::npos)
        auth.query_sql = *text;
    else if (*text != "on" && *text != "true" && *text != "yes")
        reader.fail(field, "neither on, nor off, nor a query that asks for $1, the name of the user");
}

} // namespace

Auth read_auth(Reader& reader, const Field& field, const std::function<std::string(std::string)>& in_folder)
{
    Auth auth;
    HbaEntry local;
    local.type = Type::local;
    auth.hba = {local, HbaEntry{}};
    if (field.node.IsScalar()) {
        if (const auto mode = reader.choice(field, {"relay", "scram"}))
            auth.terminate = auth.query = *mode == "scram";
        return auth;
    }
    const auto section = reader.section(field, {"method", "users", "query", "salt_secret", "recheck", "hba"});
    const auto at = [&](std::string_view key) -> const Field* {
        const auto found = section.find(key);
        return found != section.end() ? &found->second : nullptr;
    };
    auth.terminate = true;
    if (const auto* method = at("method")) {
        auth.terminate = reader.choice(*method, {"relay", "scram"}).value_or("scram") == "scram";
        if (!auth.terminate && section.size() > 1)
            reader.fail(*method, "with relay PostgreSQL decides who comes in; the other keys of auth are for scram");
    } else if (field.node.IsMap()) {
        reader.fail(field, "has no method; relay or scram");
    }
    if (const auto* users = at("users"))
        auth.users = in_folder(reader.word(*users).value_or(""));
    auth.query = auth.terminate && auth.users.empty(); // somebody must know who may come
    if (const auto* query = at("query")) {
        read_query(reader, *query, auth);
        if (!auth.query && auth.users.empty())
            reader.fail(*query, "off, and there is no users file: nobody could log in");
    }
    if (const auto* secret = at("salt_secret"))
        auth.salt_secret = in_folder(reader.word(*secret).value_or(""));
    if (const auto* recheck = at("recheck")) {
        const auto time = reader.word(*recheck);
        const auto value = time ? parse_duration(*time) : std::nullopt;
        if (value && *value >= kLeastRecheck && *value <= std::chrono::hours{24})
            auth.recheck = *value;
        else if (time)
            reader.fail(*recheck, fmt::format("{} is not a duration from 100ms to 1d", quoted(*time)));
    }
    if (const auto* hba = at("hba"))
        read_hba(reader, *hba, auth);
    return auth;
}

} // namespace pgmemo::config
