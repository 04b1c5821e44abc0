#include "config/reader.hpp"

#include "config/units.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <numeric>

namespace pgmemo::config {

namespace {

constexpr std::size_t kMaxProblems = 100;
constexpr std::chrono::milliseconds kLongestTtl = std::chrono::hours{24} * 3650;
constexpr std::chrono::milliseconds kLongestTime = std::chrono::hours{24 * 24}; // as 32 bits of milliseconds allow

/// Edits between two words, a swap of neighbours counting as one.
std::size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i)
        d[i][0] = i;
    std::iota(d[0].begin(), d[0].end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[a.size()][b.size()];
}

std::string_view nearest(std::string_view word, std::initializer_list<std::string_view> known)
{
    std::string_view best;
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    if (word.size() > 64)
        return best;
    for (const auto candidate : known) {
        if (word.size() > 2 && (word.starts_with(candidate) || candidate.starts_with(word)))
            return candidate;
        const auto edits = distance(word, candidate);
        if (edits < best_distance && edits < std::max(word.size(), candidate.size())) {
            best_distance = edits;
            best = candidate;
        }
    }
    return best;
}

std::string kind_of(const YAML::Node& node)
{
    switch (node.Type()) {
    case YAML::NodeType::Sequence:
        return "a list";
    case YAML::NodeType::Map:
        return "a mapping";
    case YAML::NodeType::Scalar:
        return quoted(node.Scalar());
    default:
        return "nothing";
    }
}

} // namespace

Place place_of(const YAML::Mark& mark) noexcept
{
    if (mark.is_null())
        return {};
    return {mark.line + 1, mark.column + 1};
}

bool is_off(const YAML::Node& node)
{
    return node.IsScalar() && (node.Scalar() == "off" || node.Scalar() == "false" || node.Scalar() == "no");
}

std::string quoted(std::string_view text)
{
    constexpr std::size_t kShown = 60;
    std::string shown{text.substr(0, kShown)};
    std::replace_if(
        shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, ' ');
    return fmt::format("\"{}{}\"", shown, text.size() > kShown ? "…" : "");
}

void Reader::fail(Place place, std::string text)
{
    problems_.push_back({file_, place.line, place.column, std::move(text)});
}

void Reader::fail(const Field& field, std::string_view text)
{
    fail(field.place, fmt::format("{}: {}", field.name, text));
}

Section Reader::section(const Field& field, std::initializer_list<std::string_view> known,
                        std::initializer_list<std::string_view> later)
{
    Section found;
    if (field.node.IsNull())
        return found; // a heading whose lines are all commented out
    if (!field.node.IsMap()) {
        fail(field.place, fmt::format("{}expected a mapping of keys, not {}",
                                      field.name.empty() ? "" : field.name + ": ", kind_of(field.node)));
        return found;
    }
    const bool top = field.name.empty();
    const std::string prefix = top ? "" : fmt::format("{}{}", field.name, field.joint);
    for (const auto& item : field.node) {
        const Place at = place_of(item.first.Mark());
        if (!item.first.IsScalar()) {
            fail(at, fmt::format("{}a key must be a word, not {}", top ? "" : field.name + ": ", kind_of(item.first)));
            continue;
        }
        const std::string& key = item.first.Scalar();
        const Place place = item.second.IsNull() ? at : place_of(item.second.Mark());
        if (std::find(known.begin(), known.end(), key) != known.end()) {
            if (!found.emplace(key, Field{prefix + key, place, item.second}).second)
                fail(at, fmt::format("{}{}: given twice", prefix, key));
        } else if (std::find(later.begin(), later.end(), key) != later.end()) {
            fail(at, fmt::format("{}{}: not in this version of pgmemo", prefix, key));
        } else if (const auto meant = nearest(key, known); !meant.empty()) {
            fail(at, fmt::format("unknown key {}{}; did you mean \"{}\"?", quoted(key), top ? "" : " in " + field.name,
                                 meant));
        } else {
            fail(at, fmt::format("unknown key {}{}; known are {}", quoted(key), top ? "" : " in " + field.name,
                                 fmt::join(known, ", ")));
        }
    }
    return found;
}

std::optional<std::string> Reader::word(const Field& field)
{
    if (field.node.IsScalar() && !field.node.Scalar().empty())
        return field.node.Scalar();
    fail(field, fmt::format("expected one value, not {}", kind_of(field.node)));
    return std::nullopt;
}

std::vector<Field> Reader::items(const Field& field)
{
    if (!field.node.IsSequence())
        return {field};
    std::vector<Field> all;
    for (const auto& item : field.node)
        all.push_back({field.name, item.IsNull() ? field.place : place_of(item.Mark()), item});
    if (all.empty())
        fail(field, "the list is empty");
    return all;
}

std::vector<std::string> Reader::words(const Field& field)
{
    std::vector<std::string> all;
    for (const auto& item : items(field)) {
        if (auto value = word(item))
            all.push_back(std::move(*value));
    }
    return all;
}

std::optional<bool> Reader::on_or_off(const Field& field)
{
    if (is_off(field.node))
        return false;
    if (field.node.IsScalar()) {
        const std::string& text = field.node.Scalar();
        if (text == "on" || text == "true" || text == "yes")
            return true;
    }
    fail(field, fmt::format("{} is neither on nor off", kind_of(field.node)));
    return std::nullopt;
}

std::optional<std::size_t> Reader::size(const Field& field)
{
    const auto text = word(field);
    if (!text)
        return std::nullopt;
    const auto bytes = parse_size(*text);
    if (!bytes)
        fail(field, fmt::format("{} is not a size; write bytes, or a whole number with KiB, MiB, GiB, kB, MB or GB",
                                quoted(*text)));
    return bytes;
}

std::optional<std::optional<std::chrono::milliseconds>> Reader::ttl(const Field& field)
{
    const auto text = word(field);
    if (!text)
        return std::nullopt;
    if (*text == "none")
        return std::optional<std::chrono::milliseconds>{};
    const auto value = parse_duration(*text);
    if (!value) {
        fail(field,
             fmt::format("{} is not a duration; write a whole number with ms, s, m, h or d, or none for no expiry",
                         quoted(*text)));
        return std::nullopt;
    }
    if (value->count() == 0) {
        fail(field, "must be more than 0; `cache: off` is how not to cache, none is no expiry");
        return std::nullopt;
    }
    if (*value > kLongestTtl) {
        fail(field, fmt::format("{} is more than 3650d; none is no expiry", quoted(*text)));
        return std::nullopt;
    }
    return value;
}

std::optional<std::chrono::milliseconds> Reader::time(const Field& field)
{
    const auto text = word(field);
    if (!text)
        return std::nullopt;
    const auto value = parse_duration(*text);
    if (!value)
        fail(field, fmt::format("{} is not a duration; write a whole number with ms, s, m, h or d", quoted(*text)));
    else if (value->count() == 0 || *value > kLongestTime)
        fail(field, "must be more than 0 and at most 24d");
    else
        return value;
    return std::nullopt;
}

std::optional<std::optional<std::chrono::milliseconds>> Reader::time_or_none(const Field& field)
{
    if (field.node.IsScalar() && field.node.Scalar() == "none")
        return std::optional<std::chrono::milliseconds>{};
    const auto value = time(field);
    return value ? std::optional{value} : std::nullopt;
}

std::optional<unsigned> Reader::count(const Field& field, unsigned least, unsigned most)
{
    const auto text = word(field);
    if (!text)
        return std::nullopt;
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || end != text->data() + text->size() || value < least || value > most) {
        fail(field, fmt::format("{} is not a whole number from {} to {}", quoted(*text), least, most));
        return std::nullopt;
    }
    return value;
}

std::optional<Address> Reader::address(const Field& field)
{
    const auto text = word(field);
    if (!text)
        return std::nullopt;
    auto parsed = parse_address(*text);
    if (!parsed)
        fail(field, fmt::format("{} is not an address; write host:port, [ipv6]:port, :port or /path/of/a/socket",
                                quoted(*text)));
    return parsed;
}

std::optional<std::string> Reader::choice(const Field& field, std::initializer_list<std::string_view> choices)
{
    auto text = word(field);
    if (!text || std::find(choices.begin(), choices.end(), *text) != choices.end())
        return text;
    const auto meant = nearest(*text, choices);
    fail(field, fmt::format("{} is not one of {}{}", quoted(*text), fmt::join(choices, ", "),
                            meant.empty() ? "" : fmt::format("; did you mean \"{}\"?", meant)));
    return std::nullopt;
}

std::vector<Problem> Reader::take_problems()
{
    std::stable_sort(problems_.begin(), problems_.end(), [](const Problem& a, const Problem& b) {
        // what has no place concerns the whole and comes last
        const auto line_a = a.line == 0 ? std::numeric_limits<int>::max() : a.line;
        const auto line_b = b.line == 0 ? std::numeric_limits<int>::max() : b.line;
        return std::pair{line_a, a.column} < std::pair{line_b, b.column};
    });
    if (problems_.size() > kMaxProblems) {
        const auto more = problems_.size() - kMaxProblems;
        problems_.resize(kMaxProblems);
        problems_.push_back({file_, 0, 0, fmt::format("and {} problems more", more)});
    }
    return std::move(problems_);
}

} // namespace pgmemo::config
