#include "proxy/conninfo.hpp"

#include <algorithm>
#include <cctype>

namespace pgmemo::proxy {
namespace {

bool is_blank(char c) noexcept
{
    return std::isspace(static_cast<unsigned char>(c)) != 0;
}

std::optional<std::string> take_from_uri(std::string& uri, std::string_view keyword)
{
    const auto query = uri.find('?');
    if (query == std::string::npos)
        return std::nullopt;
    for (std::size_t begin = query + 1; begin <= uri.size();) {
        const auto end = std::min(uri.find('&', begin), uri.size());
        const std::string_view parameter{uri.data() + begin, end - begin};
        if (parameter.size() > keyword.size() && parameter.starts_with(keyword) && parameter[keyword.size()] == '=') {
            std::string value{parameter.substr(keyword.size() + 1)};
            // With the mark that stands behind it, or, at the end, the one before.
            end < uri.size() ? uri.erase(begin, end + 1 - begin) : uri.erase(begin - 1);
            return value;
        }
        begin = end + 1;
    }
    return std::nullopt;
}

std::optional<std::string> take_from_words(std::string& words, std::string_view keyword)
{
    std::size_t at = 0;
    const auto skip_blanks = [&] {
        while (at < words.size() && is_blank(words[at]))
            ++at;
    };
    for (;;) {
        skip_blanks();
        const auto begin = at;
        while (at < words.size() && words[at] != '=' && !is_blank(words[at]))
            ++at;
        const std::string name = words.substr(begin, at - begin);
        skip_blanks();
        if (at >= words.size() || words[at] != '=')
            return std::nullopt;
        ++at;
        skip_blanks();
        std::string value;
        const bool quoted = at < words.size() && words[at] == '\'';
        at += quoted ? 1 : 0;
        while (at < words.size() && (quoted ? words[at] != '\'' : !is_blank(words[at]))) {
            if (words[at] == '\\' && at + 1 < words.size())
                ++at;
            value += words[at++];
        }
        at += quoted && at < words.size() ? 1 : 0;
        if (name == keyword) {
            words.erase(begin, at - begin);
            return value;
        }
    }
}

} // namespace

std::optional<std::string> take_keyword(std::string& conninfo, std::string_view keyword)
{
    const bool is_uri = conninfo.starts_with("postgresql://") || conninfo.starts_with("postgres://");
    return is_uri ? take_from_uri(conninfo, keyword) : take_from_words(conninfo, keyword);
}

} // namespace pgmemo::proxy
