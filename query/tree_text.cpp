#include "query/tree_text.hpp"

#include <limits>

namespace pgmemo::query {
namespace {

constexpr int kMaxDepth = 2000;

/// Cuts a text into values. Source: nodes/outfuncs.c (outToken, outDatum) and nodes/read.c (pg_strtok, nodeRead).
class Reader {
public:
    explicit Reader(std::string_view text)
        : text_(text)
    {
        values_.emplace_back(); // so that 0 is none
    }

    /// Nothing if the text is not one value and no more, or nests too deep.
    std::optional<std::vector<TreeValue>> read()
    {
        if (text_.size() > std::numeric_limits<std::uint32_t>::max() || value({}, 0) == 0)
            return std::nullopt;
        skip_blanks();
        if (at_ != text_.size())
            return std::nullopt;
        return std::move(values_);
    }

private:
    void skip_blanks()
    {
        while (at_ < text_.size() && is_blank(text_[at_]))
            ++at_;
    }

    static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t'; }
    static bool is_bracket(char c) { return c == '(' || c == ')' || c == '{' || c == '}'; }

    char ahead()
    {
        skip_blanks();
        return at_ < text_.size() ? text_[at_] : '\0';
    }

    std::string_view token()
    {
        skip_blanks();
        const auto begin = at_;
        while (at_ < text_.size() && !is_blank(text_[at_]) && !is_bracket(text_[at_]))
            at_ += text_[at_] == '\\' && at_ + 1 < text_.size() ? 2U : 1U;
        return text_.substr(begin, at_ - begin);
    }

    std::uint32_t add(TreeValue::Kind kind, std::string_view name, std::string_view text)
    {
        values_.push_back({kind, name, text, 0, 0});
        return static_cast<std::uint32_t>(values_.size() - 1);
    }

    /// Its place in `values_`; 0 if there is none that can be understood.
    std::uint32_t value(std::string_view name, int depth)
    {
        if (depth > kMaxDepth)
            return 0;
        switch (ahead()) {
        case '{':
            return node(name, depth);
        case '(':
            return list(name, depth);
        default:
            break;
        }
        const auto word = token();
        if (word.empty())
            return 0;
        if (word == "<>")
            return add(TreeValue::Kind::nothing, name, {});
        return name == "constvalue" ? bytes(name) : add(TreeValue::Kind::token, name, word);
    }

    std::uint32_t bytes(std::string_view name)
    {
        if (token() != "[")
            return 0;
        const auto begin = at_;
        for (;;) {
            const auto word = token();
            if (word.empty())
                return 0;
            if (word == "]")
                return add(TreeValue::Kind::bytes, name, text_.substr(begin, at_ - 1 - begin));
        }
    }

    std::uint32_t node(std::string_view name, int depth)
    {
        ++at_;
        const auto label = token();
        if (label.empty())
            return 0;
        const auto place = add(TreeValue::Kind::node, name, label);
        std::uint32_t last = 0;
        while (ahead() != '}') {
            const auto field = token();
            if (field.size() < 2 || field.front() != ':')
                return 0;
            const auto child = value(field.substr(1), depth + 1);
            if (!append(place, last, child))
                return 0;
        }
        ++at_;
        return place;
    }

    std::uint32_t list(std::string_view name, int depth)
    {
        ++at_;
        const auto begin = at_;
        if (ahead() != '(' && ahead() != '{') {
            const auto mark = token();
            if (mark == "i" || mark == "o" || mark == "b" || mark == "x")
                return numbers(name);
            at_ = begin;
        }
        const auto place = add(TreeValue::Kind::list, name, {});
        std::uint32_t last = 0;
        while (ahead() != ')')
            if (!append(place, last, value({}, depth + 1)))
                return 0;
        ++at_;
        return place;
    }

    std::uint32_t numbers(std::string_view name)
    {
        const auto begin = at_;
        while (ahead() != ')')
            if (token().empty())
                return 0;
        return add(TreeValue::Kind::numbers, name, text_.substr(begin, at_++ - begin));
    }

    bool append(std::uint32_t parent, std::uint32_t& last, std::uint32_t child)
    {
        if (child == 0)
            return false;
        (last == 0 ? values_[parent].child : values_[last].next) = child;
        last = child;
        return true;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::vector<TreeValue> values_;
};

} // namespace

std::optional<TreeText> TreeText::read(std::string_view text)
{
    auto values = Reader{text}.read();
    return values ? std::optional{TreeText{std::move(*values)}} : std::nullopt;
}

const TreeValue* TreeText::field(const TreeValue& node, std::string_view name) const noexcept
{
    for (const auto* it = first(node); it; it = after(*it))
        if (it->name == name)
            return it;
    return nullptr;
}

} // namespace pgmemo::query
