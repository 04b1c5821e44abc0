#include "query/shape.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace pgmemo::query {
namespace {

// Statements whose values are compared or assigned.
constexpr std::array<std::string_view, 5> kVerbs{"select", "insert", "update", "delete", "with"};
constexpr std::array<std::string_view, 7> kComparisons{"=", "<", ">", "<=", ">=", "<>", "!="};
constexpr std::string_view kLargest = "2147483647"; // beyond it a literal is an int8 or a numeric

// What a byte may be a part of.
enum Kind : unsigned char {
    kOther = 0,
    kSpace = 1,
    kDigit = 2,
    kWord = 4,     // a name or a number
    kOperator = 8, // and the colon, for := and ::
};

constexpr std::array<unsigned char, 256> kKinds = [] {
    std::array<unsigned char, 256> kinds{};
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        const bool is_digit = i >= '0' && i <= '9';
        const bool is_letter = (i >= 'a' && i <= 'z') || (i >= 'A' && i <= 'Z') || i == '_' || i == '.' || i >= 0x80;
        if (i == ' ' || (i >= '\t' && i <= '\r'))
            kinds[i] = kSpace;
        else if (is_digit)
            kinds[i] = kDigit | kWord;
        else if (is_letter)
            kinds[i] = kWord;
        else if (std::string_view{"+-*/<>=~!@#%^&|`?:"}.find(static_cast<char>(i)) != std::string_view::npos)
            kinds[i] = kOperator;
    }
    return kinds;
}();

bool is(Kind kind, char c) noexcept
{
    return (kKinds[static_cast<unsigned char>(c)] & kind) != 0;
}

bool begins_with_verb(std::string_view sql) noexcept
{
    while (!sql.empty() && (is(kSpace, sql.front()) || sql.front() == '('))
        sql.remove_prefix(1);
    const auto is_first = [sql](std::string_view verb) {
        return sql.size() > verb.size() && !is(kWord, sql[verb.size()]) &&
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
        if (is(kSpace, c)) {
            ++at_;
            return true;
        }
        if (is(kWord, c))
            return word();
        behind_comparison_ = false;
        switch (c) {
        case '\\':
        case '$':
            return false;
        case '\'':
        case '"': // not E'', U&"" and the like
            return (at_ == 0 || (!is(kWord, sql_[at_ - 1]) && sql_[at_ - 1] != '&')) && skip_to(sql_.substr(at_, 1), 1);
        default:
            break;
        }
        const auto two = sql_.substr(at_, 2);
        if (two == "--") {
            at_ = std::min(sql_.find_first_of("\r\n", at_), sql_.size());
            return true;
        }
        if (two == "/*")
            return skip_to("*/", 2) && sql_.substr(last_, at_ - last_).find("/*", 2) == std::string_view::npos;
        last_ = at_;
        if (is(kOperator, c)) {
            while (at_ < sql_.size() && is(kOperator, sql_[at_]) && !begins_comment())
                ++at_;
            const auto op = sql_.substr(last_, at_ - last_);
            behind_comparison_ = std::find(kComparisons.begin(), kComparisons.end(), op) != kComparisons.end();
            return true;
        }
        ++at_;
        return true;
    }

    bool word()
    {
        last_ = at_;
        bool is_number = true;
        for (; at_ < sql_.size() && is(kWord, sql_[at_]); ++at_)
            is_number = is_number && is(kDigit, sql_[at_]);
        const bool is_compared = std::exchange(behind_comparison_, false);
        return !is_compared || !is_number || take(sql_.substr(last_, at_ - last_));
    }

    bool begins_comment() const noexcept
    {
        const auto two = sql_.substr(at_, 2);
        return two == "--" || two == "/*";
    }

    /// An integer behind a comparison. What follows it may make it a part of something else.
    bool take(std::string_view digits)
    {
        const bool stands_alone =
            at_ == sql_.size() || is(kSpace, sql_[at_]) || sql_[at_] == ')' || sql_[at_] == ',' || sql_[at_] == ';';
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

/// Leaves the first of those that are equal.
template <class T>
void drop_repeated(std::vector<T>& all)
{
    for (auto one = all.begin(); one != all.end();)
        one = std::find(all.begin(), one, *one) == one ? std::next(one) : all.erase(one);
}

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
    const bool is_candidate = begins_with_verb(sql) && sql.find('\0') == std::string_view::npos;
    return is_candidate ? Reader{sql}.shape() : std::nullopt;
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
    // As the analysis does, in which equal values are not as different as those that were made up.
    drop_repeated(statement.reads);
    for (auto& write : statement.writes)
        for (auto& slot : write.slots)
            drop_repeated(slot.values);
    return statement;
}

} // namespace pgmemo::query
