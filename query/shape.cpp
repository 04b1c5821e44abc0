#include "query/shape.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace pgmemo::query {
namespace {

// Statements whose values are compared or assigned.
constexpr std::array<std::string_view, 5> kVerbs{"select", "insert", "update", "delete", "with"};
constexpr std::array<std::string_view, 7> kComparisons{"=", "<", ">", "<=", ">=", "<>", "!="};
constexpr std::string_view kOperatorChars = "+-*/<>=~!@#%^&|`?:"; // and the colon, for := and ::
constexpr std::string_view kLargest = "2147483647";               // beyond it a literal is an int8 or a numeric

bool is_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}
bool is_space(char c) noexcept
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
/// What may be a part of a name, or of a number.
bool is_word(char c) noexcept
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
           static_cast<unsigned char>(c) >= 0x80;
}

bool begins_with_verb(std::string_view sql) noexcept
{
    while (!sql.empty() && (is_space(sql.front()) || sql.front() == '('))
        sql.remove_prefix(1);
    const auto is_first = [sql](std::string_view verb) {
        return sql.size() > verb.size() && !is_word(sql[verb.size()]) &&
               std::equal(verb.begin(), verb.end(), sql.begin(), [](char a, char b) { return a == (b | 0x20); });
    };
    return std::any_of(kVerbs.begin(), kVerbs.end(), is_first);
}

bool is_int4(std::string_view digits) noexcept
{
    if (digits.size() > 1 && digits.front() == '0')
        return false;
    return digits.size() < kLargest.size() || (digits.size() == kLargest.size() && digits <= kLargest);
}

/// Reads a text from left to right.
class Reader {
public:
    explicit Reader(std::string_view sql)
        : sql_(sql)
    {
    }

    std::optional<Shape> shape()
    {
        while (at_ < sql_.size()) {
            if (!step())
                return std::nullopt;
        }
        if (shape_.values.empty())
            return std::nullopt;
        shape_.text.append(sql_.substr(copied_));
        return std::move(shape_);
    }

private:
    /// One token. False: it is better not to go on.
    bool step()
    {
        const char c = sql_[at_];
        if (is_space(c)) {
            ++at_;
            return true;
        }
        const bool is_compared = std::exchange(behind_comparison_, false);
        switch (c) {
        case '\\':
        case '$':
        case '\0':
            return false;
        case '\'':
        case '"': // not E'', U&"" and the like
            return (at_ == 0 || (!is_word(sql_[at_ - 1]) && sql_[at_ - 1] != '&')) && skip_to(sql_.substr(at_, 1), 1);
        default:
            break;
        }
        const auto two = sql_.substr(at_, 2);
        if (two == "--")
            return skip_to("\n", 2);
        if (two == "/*")
            return skip_to("*/", 2) && sql_.substr(last_, at_ - last_).find("/*", 2) == std::string_view::npos;
        last_ = at_;
        if (kOperatorChars.find(c) != std::string_view::npos) {
            while (at_ < sql_.size() && kOperatorChars.find(sql_[at_]) != std::string_view::npos &&
                   sql_.substr(at_, 2) != "--" && sql_.substr(at_, 2) != "/*")
                ++at_;
            const auto op = sql_.substr(last_, at_ - last_);
            behind_comparison_ = std::find(kComparisons.begin(), kComparisons.end(), op) != kComparisons.end();
            return true;
        }
        if (!is_word(c)) {
            ++at_;
            return true;
        }
        while (at_ < sql_.size() && is_word(sql_[at_]))
            ++at_;
        const auto word = sql_.substr(last_, at_ - last_);
        return !is_compared || !std::all_of(word.begin(), word.end(), is_digit) || take(word);
    }

    /// An integer behind a comparison. What follows it may make it a part of something else.
    bool take(std::string_view digits)
    {
        const bool stands_alone = at_ == sql_.size() || is_space(sql_[at_]) || sql_[at_] == ')' || sql_[at_] == ',' ||
                                  sql_[at_] == ';';
        if (!is_int4(digits) || !stands_alone)
            return true;
        if (shape_.values.size() == kMostValues)
            return false;
        shape_.text.append(sql_.substr(copied_, last_ - copied_)).push_back('\0');
        shape_.values.push_back(digits);
        copied_ = at_;
        return true;
    }

    /// To behind the next `end`, which is `from` bytes away at least.
    bool skip_to(std::string_view end, std::size_t from)
    {
        last_ = at_;
        const auto found = sql_.find(end, at_ + from);
        at_ = found == std::string_view::npos ? sql_.size() : found + end.size();
        return found != std::string_view::npos;
    }

    std::string_view sql_;
    std::size_t at_ = 0;
    std::size_t last_ = 0;   // where the latest token begins
    std::size_t copied_ = 0; // up to here the text is in the shape
    bool behind_comparison_ = false;
    Shape shape_;
};

template <class F>
void for_each_bound(Statement& statement, F&& visit)
{
    for (auto& read : statement.reads)
        for (auto& bound : read.confined.values)
            visit(bound);
    for (auto& write : statement.writes)
        for (auto& slot : write.slots)
            for (auto& bound : slot.values)
                visit(bound);
}

} // namespace

std::optional<Shape> shape_of(std::string_view sql)
{
    return begins_with_verb(sql) ? Reader{sql}.shape() : std::nullopt;
}

std::string with_values(const Shape& shape, const std::vector<std::string_view>& values)
{
    std::string sql;
    std::size_t next = 0;
    for (const char c : shape.text) {
        if (c == '\0')
            sql.append(values[next++]);
        else
            sql.push_back(c);
    }
    return sql;
}

std::vector<std::string> made_up_values(std::size_t count, int set)
{
    std::vector<std::string> values;
    for (std::size_t i = 0; i < count; ++i)
        values.push_back(std::to_string((set == 0 ? 1'871'230'017 : 936'814'503) + 7'919 * i));
    return values;
}

Statement template_of(Statement statement, const std::vector<std::string>& values)
{
    statement.place = -1;
    for_each_bound(statement, [&values](Bound& bound) {
        const auto found = std::find(values.begin(), values.end(), bound.value);
        if (bound.parameter == 0 && found != values.end())
            bound = {{}, -1 - static_cast<int>(found - values.begin()), false, false, 0};
    });
    return statement;
}

Statement filled(const Statement& shaped, const std::vector<std::string_view>& values)
{
    auto statement = shaped;
    for_each_bound(statement, [&values](Bound& bound) {
        if (bound.parameter < 0)
            bound = {std::string{values[static_cast<std::size_t>(-1 - bound.parameter)]}, 0, false, false, 0};
    });
    return statement;
}

} // namespace pgmemo::query
