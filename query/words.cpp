#include "query/words.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace pgmemo::query {
namespace {

bool is_letter(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Whether any run of ASCII letters in `text` is one of `words`, which are lower case.
template <std::size_t N>
bool has_word(std::string_view text, const std::array<std::string_view, N>& words)
{
    for (std::size_t at = 0; at < text.size();) {
        if (!is_letter(text[at])) {
            ++at;
            continue;
        }
        std::size_t end = at;
        while (end < text.size() && is_letter(text[end]))
            ++end;
        const auto run = text.substr(at, end - at);
        for (const auto word : words)
            if (std::equal(run.begin(), run.end(), word.begin(), word.end(),
                           [](char a, char b) { return lower(a) == b; }))
                return true;
        at = end;
    }
    return false;
}

constexpr std::array<std::string_view, 4> kClock{"now", "today", "tomorrow", "yesterday"};

constexpr std::array<std::string_view, 25> kDdl{
    "create",  "alter",   "drop",    "grant",    "revoke",  "execute", "truncate", "comment", "security",
    "refresh", "reindex", "cluster", "reassign", "import",  "call",    "do",       "load",    "vacuum",
    "analyze", "dblink",  "xml",     "conf",     "prepare", "reload",  "system",
};

} // namespace

bool mentions_clock(std::string_view text)
{
    if (text.size() < 3)
        return false;
    if (has_word(text, kClock))
        return true;
    if (text.find_first_of("\\\"") == std::string_view::npos)
        return false;
    std::string bare{text};
    std::erase_if(bare, [](char c) { return c == '\\' || c == '"'; });
    return has_word(bare, kClock);
}

std::string lower_setting(std::string_view name)
{
    std::string result{name};
    std::transform(result.begin(), result.end(), result.begin(), lower);
    return result;
}

bool names_transaction_setting(std::string_view name) noexcept
{
    constexpr std::string_view kPrefix = "transaction";
    return name.size() >= kPrefix.size() &&
           std::equal(kPrefix.begin(), kPrefix.end(), name.begin(), [](char a, char b) { return a == lower(b); });
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) noexcept
{
    std::array<bool, 256> begins{}; // one of the words
    for (const auto word : words) {
        begins[static_cast<unsigned char>(word.front())] = true;
        begins[static_cast<unsigned char>(word.front() - 'a' + 'A')] = true;
    }
    for (; !text.empty(); text.remove_prefix(1)) {
        if (!begins[static_cast<unsigned char>(text.front())])
            continue;
        for (const auto word : words)
            if (text.size() >= word.size() &&
                std::equal(word.begin(), word.end(), text.begin(), [](char a, char b) { return a == lower(b); }))
                return true;
    }
    return false;
}

bool mentions_ddl(std::string_view text)
{
    return has_word(text, kDdl);
}

} // namespace pgmemo::query
