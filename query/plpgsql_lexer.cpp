#include "query/plpgsql_lexer.hpp"

#include <algorithm>

namespace pgmemo::query {
namespace {

using Kind = PlpgsqlToken::Kind;

constexpr char lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr bool is_line_end(char c) noexcept
{
    return c == '\n' || c == '\r';
}

/// Not the vertical tab: it is white space since version 16 only.
constexpr bool is_space(char c) noexcept
{
    return c == ' ' || c == '\t' || c == '\f' || is_line_end(c);
}

constexpr bool is_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

/// Every byte of a multi-byte character counts as a letter.
constexpr bool begins_word(char c) noexcept
{
    return (lower(c) >= 'a' && lower(c) <= 'z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

constexpr bool continues_word(char c) noexcept
{
    return begins_word(c) || is_digit(c) || c == '$';
}

constexpr std::string_view kOperatorCharacters = "~!@#^&|`?+-*/%<>=";
/// An operator that has one of these may end in + or -; any other leaves them to the token that follows.
constexpr std::string_view kNotOfSqlOperators = "~!@#^&|`?%";

/// What a backslash is within quotes.
enum class Backslash { plain, escapes, refused };

class Lexer {
public:
    explicit Lexer(std::string_view source)
        : source_(source)
    {
    }

    std::optional<std::vector<PlpgsqlToken>> read()
    {
        while (skip_blanks()) {
            const std::size_t begin = at_;
            if (begin == source_.size()) {
                tokens_.push_back({Kind::end, source_.substr(begin)});
                return std::move(tokens_);
            }
            const auto kind = token();
            if (!kind)
                return std::nullopt;
            tokens_.push_back({*kind, source_.substr(begin, at_ - begin)});
        }
        return std::nullopt;
    }

private:
    /// The byte that stands `ahead` of the next; NUL behind the last.
    char peek(std::size_t ahead = 0) const noexcept
    {
        return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
    }

    bool follows(std::string_view text) const noexcept { return source_.substr(at_).starts_with(text); }

    void skip_line() noexcept
    {
        while (at_ < source_.size() && !is_line_end(source_[at_]))
            ++at_;
    }

    /// White space and comments. False: a comment is not closed.
    bool skip_blanks() noexcept
    {
        for (;;) {
            if (is_space(peek()))
                ++at_;
            else if (follows("--"))
                skip_line();
            else if (!follows("/*"))
                return true;
            else if (!skip_comment())
                return false;
        }
    }

    /// Block comments nest.
    bool skip_comment() noexcept
    {
        std::size_t depth = 0;
        while (at_ < source_.size()) {
            if (follows("/*")) {
                ++depth;
                at_ += 2;
            } else if (follows("*/")) {
                at_ += 2;
                if (--depth == 0)
                    return true;
            } else {
                ++at_;
            }
        }
        return false;
    }

    std::optional<Kind> token()
    {
        const char c = peek();
        if (c == '\'')
            return string(Backslash::refused, Kind::string);
        if (c == '"')
            return quoted('"', Backslash::plain) ? std::optional{Kind::quoted} : std::nullopt;
        if (c == '$')
            return dollar();
        if (is_digit(c) || (c == '.' && is_digit(peek(1))))
            return number();
        if (begins_word(c))
            return word();
        return symbol();
    }

    /// From one quote to the one that closes it; a doubled one does not.
    bool quoted(char quote, Backslash backslash) noexcept
    {
        for (++at_; at_ < source_.size(); ++at_) {
            const char c = source_[at_];
            if (c == '\\' && backslash == Backslash::refused)
                return false;
            if (c == '\\' && backslash == Backslash::escapes) {
                ++at_;
            } else if (c == quote) {
                ++at_;
                if (peek() != quote)
                    return true;
            }
        }
        return false;
    }

    std::optional<Kind> string(Backslash backslash, Kind kind) noexcept
    {
        do {
            if (!quoted('\'', backslash))
                return std::nullopt;
        } while (goes_to_continuation());
        return kind;
    }

    /// A string goes on in a further '…', of the same kind, when nothing but white space and `--` comments with a line
    /// end among them stands between.
    bool goes_to_continuation() noexcept
    {
        const std::size_t begin = at_;
        bool saw_line_end = false;
        for (;;) {
            if (is_space(peek())) {
                saw_line_end = saw_line_end || is_line_end(peek());
                ++at_;
            } else if (follows("--")) {
                skip_line();
            } else {
                break;
            }
        }
        if (saw_line_end && peek() == '\'')
            return true;
        at_ = begin;
        return false;
    }

    /// $1, $$…$$, $tag$…$tag$.
    std::optional<Kind> dollar() noexcept
    {
        const std::size_t begin = at_++;
        if (is_digit(peek())) {
            while (is_digit(peek()))
                ++at_;
            return continues_word(peek()) ? std::nullopt : std::optional{Kind::parameter};
        }
        if (begins_word(peek()))
            while (continues_word(peek()) && peek() != '$')
                ++at_;
        if (peek() != '$')
            return std::nullopt;
        ++at_;
        // Linear: a `$` stands at the tag's ends only, so that no byte is compared for more than two beginnings.
        const auto tag = source_.substr(begin, at_ - begin);
        const std::size_t close = source_.find(tag, at_);
        if (close == std::string_view::npos)
            return std::nullopt;
        at_ = close + tag.size();
        return Kind::string;
    }

    std::optional<Kind> number() noexcept
    {
        while (is_digit(peek()))
            ++at_;
        if (peek() == '.' && peek(1) != '.') { // two are a range: `1..10`
            ++at_;
            while (is_digit(peek()))
                ++at_;
        }
        if (lower(peek()) == 'e') {
            const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
            if (is_digit(peek(1 + sign)))
                for (at_ += 1 + sign; is_digit(peek());)
                    ++at_;
        }
        // `1a` is two tokens up to version 14 and an error since; `0x1F` and `1_000` are numbers since 16.
        return continues_word(peek()) ? std::nullopt : std::optional{Kind::number};
    }

    std::optional<Kind> word()
    {
        const char first = lower(peek());
        if (peek(1) == '\'' && (first == 'e' || first == 'b' || first == 'x')) {
            ++at_;
            return first == 'e' ? string(Backslash::escapes, Kind::string) : string(Backslash::refused, Kind::other);
        }
        if (first == 'u' && peek(1) == '&' && (peek(2) == '\'' || peek(2) == '"')) {
            at_ += 2;
            if (peek() == '\'')
                return string(Backslash::plain, Kind::other);
            return quoted('"', Backslash::plain) ? std::optional{Kind::other} : std::nullopt;
        }
        while (continues_word(peek()))
            ++at_;
        return Kind::word;
    }

    std::optional<Kind> symbol() noexcept
    {
        for (const std::string_view pair : {"::", ":=", ".."})
            if (follows(pair)) {
                at_ += pair.size();
                return Kind::symbol;
            }
        constexpr std::string_view kSingle = ",()[].;:";
        if (kSingle.find(peek()) != std::string_view::npos) {
            ++at_;
            return Kind::symbol;
        }
        return operator_symbol();
    }

    /// As many operator characters as stand together, but neither a comment's beginning nor, in an operator of SQL's
    /// own, a sign at the end: `x=-1` is `x`, `=`, `-`, `1`.
    std::optional<Kind> operator_symbol() noexcept
    {
        const std::size_t end = std::min(source_.find_first_not_of(kOperatorCharacters, at_), source_.size());
        auto run = source_.substr(at_, end - at_);
        run = run.substr(0, std::min(run.find("--"), run.find("/*")));
        if (run.find_first_of(kNotOfSqlOperators) == std::string_view::npos)
            while (run.size() > 1 && (run.back() == '+' || run.back() == '-'))
                run.remove_suffix(1);
        at_ += run.size();
        return run.empty() ? std::nullopt : std::optional{Kind::symbol};
    }

    std::string_view source_;
    std::size_t at_ = 0;
    std::vector<PlpgsqlToken> tokens_;
};

} // namespace

bool PlpgsqlToken::is(std::string_view keyword_or_symbol) const noexcept
{
    if (kind != Kind::word)
        return kind == Kind::symbol && text == keyword_or_symbol;
    return std::equal(text.begin(), text.end(), keyword_or_symbol.begin(), keyword_or_symbol.end(),
                      [](char a, char b) { return lower(a) == b; });
}

std::optional<std::vector<PlpgsqlToken>> plpgsql_tokens(std::string_view source)
{
    if (source.find('\0') != std::string_view::npos)
        return std::nullopt;
    return Lexer{source}.read();
}

} // namespace pgmemo::query
