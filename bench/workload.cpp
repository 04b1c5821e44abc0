#include "bench/workload.hpp"

#include "wire/backend.hpp"
#include "wire/frontend.hpp"
#include "wire/integers.hpp"

#include <charconv>

namespace pgmemo::bench {
namespace {

constexpr std::string_view kPlaceholder = "$1";

void append_u16(std::string& out, std::size_t value)
{
    out += static_cast<char>(value >> 8U & 0xffU);
    out += static_cast<char>(value & 0xffU);
}

/// Behind the names in a Bind: formats, values, result formats; all in text.
std::string values_of(bool has_key, std::string_view key)
{
    std::string rest;
    append_u16(rest, 0);
    append_u16(rest, has_key ? 1 : 0);
    if (has_key) {
        append_u16(rest, 0);
        append_u16(rest, key.size());
        rest += key;
    }
    append_u16(rest, 0);
    return rest;
}

} // namespace

Workload::Workload(const WorkloadOptions& options, std::uint64_t seed)
    : options_(options)
    , random_(seed)
    , keys_(options.distribution, options.keys)
{
    const auto take = [this](const std::vector<std::string>& texts, std::vector<Text>& into, char kind) {
        for (const auto& sql : texts) {
            const auto name = kind + std::to_string(into.size());
            const bool is_prepared = options_.mode == Mode::prepared;
            into.push_back({sql, sql.find(kPlaceholder) != std::string::npos, is_prepared ? name : ""});
            if (is_prepared)
                wire::append_parse(preparation_, name, sql + std::string(3, '\0'));
        }
    };
    take(options.reads, reads_, 'r');
    take(options.writes, writes_, 'w');
    if (!preparation_.empty())
        wire::append_sync(preparation_);
}

void Workload::append_request(std::string& out)
{
    const bool writes =
        !writes_.empty() && (reads_.empty() || std::uniform_real_distribution{}(random_) < options_.write_share);
    const auto& texts = writes ? writes_ : reads_;
    const auto& text = texts.size() == 1 ? texts.front() : texts[random_() % texts.size()];
    key_.resize(24);
    const auto end =
        std::to_chars(key_.data(), key_.data() + key_.size(), keys_.next(random_) + options_.first_key - 1).ptr;
    key_.resize(static_cast<std::size_t>(end - key_.data()));
    if (options_.mode == Mode::simple) {
        sql_.clear();
        for (std::string_view left = text.sql;;) {
            const auto at = left.find(kPlaceholder);
            sql_ += left.substr(0, at);
            if (at == std::string_view::npos)
                break;
            sql_ += key_;
            left.remove_prefix(at + kPlaceholder.size());
        }
        wire::append_query(out, sql_);
        return;
    }
    if (options_.mode == Mode::extended)
        wire::append_parse(out, "", text.sql + std::string(3, '\0'));
    wire::append_bind(out, "", text.name, values_of(text.has_key, key_));
    wire::append_message(out, 'D', std::string_view{"P\0", 2});
    wire::append_execute(out, "");
    wire::append_sync(out);
}

} // namespace pgmemo::bench
