#include "proxy/auth/users_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>

namespace pgmemo::proxy::auth {
namespace {

constexpr std::size_t kMaxFileBytes = 64u << 20;

void skip_blanks(std::string_view& line) noexcept
{
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t' || line.front() == '\r'))
        line.remove_prefix(1);
}

/// A text in quotes, in which a quote stands for itself when it is written twice.
std::optional<std::string> take_quoted(std::string_view& line)
{
    if (!line.starts_with('"'))
        return std::nullopt;
    std::string text;
    for (std::size_t i = 1; i < line.size(); ++i) {
        if (line[i] != '"') {
            text += line[i];
        } else if (i + 1 < line.size() && line[i + 1] == '"') {
            text += '"';
            ++i;
        } else {
            line.remove_prefix(i + 1);
            return text;
        }
    }
    return std::nullopt;
}

} // namespace

Users parse_users(std::string_view text, const std::string& path)
{
    Users users;
    std::size_t number = 0;
    const auto fail = [&](std::string_view what) {
        throw std::invalid_argument(fmt::format("{}:{}: {}", path, number, what));
    };
    while (!text.empty()) {
        ++number;
        const auto end = text.find('\n');
        auto line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        skip_blanks(line);
        if (line.empty() || line.front() == ';' || line.front() == '#')
            continue;
        if (line.find('\0') != std::string_view::npos)
            fail("a zero byte");
        auto name = take_quoted(line);
        skip_blanks(line);
        auto secret = name ? take_quoted(line) : std::nullopt;
        skip_blanks(line);
        if (!name || !secret || name->empty() || !line.empty())
            fail("expected \"name\" \"secret\", both in quotes");
        if (secret->empty())
            fail("an empty password lets nobody in; remove the line");
        auto parsed = parse_secret(*secret);
        if (!parsed)
            fail("it begins as a SCRAM verifier, but is none");
        if (!users.emplace(std::move(*name), std::move(*parsed)).second)
            fail("this user was there before");
    }
    return users;
}

Users read_users(const std::string& path)
{
    struct Close {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };
    const auto fail = [&path](std::string_view why) {
        throw std::invalid_argument(fmt::format("the users file {} cannot be read: {}", path, why));
    };
    const std::unique_ptr<std::FILE, Close> file{std::fopen(path.c_str(), "re")};
    if (!file)
        fail(std::strerror(errno));
    std::string text;
    char block[65536];
    std::size_t size = 0;
    while ((size = std::fread(block, 1, sizeof block, file.get())) > 0) {
        text.append(block, size);
        if (text.size() > kMaxFileBytes)
            fail("it is larger than 64MiB");
    }
    if (std::ferror(file.get()) != 0)
        fail(std::strerror(errno));
    auto users = parse_users(text, path);
    wipe(text);
    return users;
}

} // namespace pgmemo::proxy::auth
