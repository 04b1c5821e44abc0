#include "query/plpgsql.hpp"

#include "query/plpgsql_lexer.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <set>
#include <span>
#include <utility>

namespace pgmemo::query {
namespace {

using Token = PlpgsqlToken;
using Kind = Token::Kind;

/// People nest a dozen statements; the limit keeps the stack small.
constexpr int kMaxDepth = 200;

/// PostgreSQL cuts longer names off.
constexpr std::size_t kMaxNameBytes = 63;

/// Words that are never a name in PL/pgSQL unless they are quoted. Source: pl_reserved_kwlist.h of versions 13 to 18.
constexpr std::array<std::string_view, 24> kReserved{
    "all", "begin", "by",   "case", "declare", "else", "end",    "execute", "for", "foreach", "from", "if",
    "in",  "into",  "loop", "not",  "null",    "or",   "strict", "then",    "to",  "using",   "when", "while",
};

bool is_one_of(const Token& token, std::span<const std::string_view> words) noexcept
{
    return (token.kind == Kind::word || token.kind == Kind::symbol) &&
           std::any_of(words.begin(), words.end(), [&](std::string_view word) { return token.is(word); });
}

bool is_one_of(const Token& token, std::initializer_list<std::string_view> words) noexcept
{
    return is_one_of(token, std::span{words.begin(), words.size()});
}

bool is_reserved(const Token& token) noexcept
{
    return is_one_of(token, kReserved);
}

/// What a variable or a label may be called. There is no empty name.
bool is_name(const Token& token) noexcept
{
    return (token.kind == Kind::quoted && token.text.size() > 2) || (token.kind == Kind::word && !is_reserved(token));
}

/// A name as PostgreSQL compares it: without its quotes, or in lower case.
std::string value_of(const Token& token)
{
    std::string value;
    value.reserve(token.text.size());
    if (token.kind != Kind::quoted) {
        for (const char c : token.text)
            value += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        return value;
    }
    for (std::size_t at = 1; at + 1 < token.text.size(); ++at) {
        value += token.text[at];
        if (token.text[at] == '"')
            ++at;
    }
    return value;
}

bool is_row_of_trigger(std::string_view name) noexcept
{
    return name == "new" || name == "old";
}

/// `a.b.c`, the name of a variable.
struct Name {
    std::vector<std::string> parts;
    bool is_certain = true; ///< false: the server's encoding or its limit for names may make it another

    void add(const Token& token)
    {
        const bool folds = token.kind == Kind::word && std::any_of(token.text.begin(), token.text.end(), [](char c) {
                               return static_cast<unsigned char>(c) >= 0x80;
                           });
        parts.push_back(value_of(token));
        is_certain = is_certain && !folds && parts.back().size() <= kMaxNameBytes;
    }
};

/// Tokens from `begin` up to, not with, `end`; never none.
struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
};

/// Reads the tokens of one body once, from the first to the last.
///
/// A function for each production of PL/pgSQL's grammar, named after it. Each says whether it could read on; after the
/// first `false` nothing is read any more and what was found is thrown away. Where a word may be a keyword or the name
/// of a variable, pl_scanner.c decides by the token behind it, and so is it done here: no variable needs to be known.
class Reader {
public:
    explicit Reader(std::span<const Token> tokens)
        : tokens_(tokens)
    {
    }

    bool function();
    PlpgsqlBody found();

private:
    const Token& current() const noexcept { return tokens_[at_]; }
    const Token& previous() const noexcept { return tokens_[at_ - 1]; }
    /// The token behind the current one; the end stands behind itself.
    const Token& next() const noexcept { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }

    bool take(std::string_view word);
    bool take(Kind kind);
    bool take_name();
    bool name(Name& into);
    std::optional<Range> until(std::initializer_list<std::string_view> ends);
    std::string text(std::size_t begin, std::size_t end) const;
    std::string text(Range range) const { return text(range.begin, range.end); }

    bool query(std::initializer_list<std::string_view> ends);
    bool expression(std::initializer_list<std::string_view> ends);
    bool expressions(std::initializer_list<std::string_view> ends);
    bool dynamic_command(std::string_view end);
    bool targets();
    void assigns(const Name& target);

    bool options();
    bool label();
    bool block();
    bool declarations();
    bool declaration();
    bool alias();
    bool cursor();
    bool type();
    bool handlers();

    bool is_assignment() const noexcept;
    bool statements();
    bool ends_statements() const noexcept;
    bool statement();
    bool labelled();
    bool assignment();
    bool if_statement();
    bool case_statement();
    bool loop_body();
    bool for_loop();
    bool is_cursor(Range range) const noexcept;
    bool cursor_arguments();
    bool foreach_loop();
    bool exit_statement();
    bool return_statement();
    bool raise();
    bool raise_options();
    bool assert_statement();
    bool execute();
    bool call();
    bool do_statement();
    bool get_diagnostics();
    bool open();
    bool fetch();
    bool move();
    bool direction(std::string_view behind_cursor);
    bool close();
    bool end_transaction();
    bool sql();
    bool defines_routine(std::size_t begin) const noexcept;
    bool begins_write(std::size_t begin, bool saw_query) const noexcept;

    struct Form {
        std::string_view word;
        bool (Reader::*read)();
    };
    static std::span<const Form> forms();

    std::span<const Token> tokens_;
    std::size_t at_ = 0;
    int depth_ = 0;
    PlpgsqlBody body_;

    // To tell whether what is fetched was opened here; names without what qualifies them.
    std::set<std::string> open_cursors_; ///< wherever the current statement is reached
    std::vector<std::string> opened_;    ///< to be taken out of `open_cursors_` again, the latest last
    std::vector<std::string> fetched_;
    std::vector<std::string> assigned_; ///< variables that are, or may be, given a value
    bool has_second_names_ = false;     ///< some may be given a value by another name: an alias, $1
};

// ---- tokens

bool Reader::take(std::string_view word)
{
    if (!current().is(word))
        return false;
    ++at_;
    return true;
}

bool Reader::take(Kind kind)
{
    if (current().kind != kind || kind == Kind::end)
        return false;
    ++at_;
    return true;
}

bool Reader::take_name()
{
    if (!is_name(current()))
        return false;
    ++at_;
    return true;
}

/// Up to three parts, as pl_scanner.c takes them together.
bool Reader::name(Name& into)
{
    if (!is_name(current()) && current().kind != Kind::parameter)
        return false;
    into.add(current());
    ++at_;
    while (into.parts.size() < 3 && current().is(".") && is_name(next())) {
        into.add(next());
        at_ += 2;
    }
    return true;
}

/// The tokens before the first of `ends` that is not in brackets; stands on that end then. There must be some.
/// Source: read_sql_construct.
std::optional<Range> Reader::until(std::initializer_list<std::string_view> ends)
{
    const std::size_t begin = at_;
    for (std::size_t brackets = 0; brackets > 0 || !is_one_of(current(), ends); ++at_) {
        if (current().kind == Kind::end || current().is(";"))
            return std::nullopt;
        if (current().is("(") || current().is("[")) {
            ++brackets;
        } else if (current().is(")") || current().is("]")) {
            if (brackets-- == 0)
                return std::nullopt;
        }
    }
    return at_ > begin ? std::optional{Range{begin, at_}} : std::nullopt;
}

/// As it stands in the source, comments between the tokens included: no two tokens are joined.
std::string Reader::text(std::size_t begin, std::size_t end) const
{
    if (begin == end)
        return {};
    const Token& last = tokens_[end - 1];
    const char* const first = tokens_[begin].text.data();
    return {first, last.text.data() + last.text.size()};
}

// ---- what the statements are made of

/// A whole statement of SQL, and what ends it.
bool Reader::query(std::initializer_list<std::string_view> ends)
{
    const auto range = until(ends);
    if (!range)
        return false;
    body_.statements.push_back(text(*range));
    ++at_;
    return true;
}

/// What PL/pgSQL makes a SELECT of, and what ends it.
bool Reader::expression(std::initializer_list<std::string_view> ends)
{
    const auto range = until(ends);
    if (!range)
        return false;
    body_.statements.push_back("SELECT " + text(*range));
    ++at_;
    return true;
}

/// Expressions with commas between them: `ends` has the comma.
bool Reader::expressions(std::initializer_list<std::string_view> ends)
{
    do {
        if (!expression(ends))
            return false;
    } while (previous().is(","));
    return true;
}

/// `command [USING value, …]`, and what ends it. What is run is not in the text.
bool Reader::dynamic_command(std::string_view end)
{
    body_.is_dynamic = true;
    return expression({"using", end}) && (!previous().is("using") || expressions({",", end}));
}

/// `a, b.c, …`: variables and fields that are given values.
bool Reader::targets()
{
    do {
        Name target;
        if (!name(target))
            return false;
        assigns(target);
    } while (take(","));
    return !current().is(".") && !current().is("[");
}

/// NEW and OLD are also reached by the function's name: `its_name.new.a`.
void Reader::assigns(const Name& target)
{
    for (std::size_t i = 0; i < std::min<std::size_t>(2, target.parts.size()); ++i) {
        if (!is_row_of_trigger(target.parts[i]))
            continue;
        if (i + 1 < target.parts.size() && target.is_certain)
            body_.assigned_fields_of_new.push_back(target.parts[i + 1]);
        else
            body_.replaces_row = true;
    }
    assigned_.insert(assigned_.end(), target.parts.begin(), target.parts.end());
    has_second_names_ = has_second_names_ || !target.is_certain || target.parts.front().starts_with('$');
}

// ---- the function, its blocks, their declarations

bool Reader::function()
{
    if (!options() || !label() || !block())
        return false;
    take(";");
    return current().kind == Kind::end;
}

PlpgsqlBody Reader::found()
{
    auto& fields = body_.assigned_fields_of_new;
    std::sort(fields.begin(), fields.end());
    fields.erase(std::unique(fields.begin(), fields.end()), fields.end());
    // A variable that may have been given another cursor's name since it was opened may stand for any query.
    std::sort(assigned_.begin(), assigned_.end());
    for (const auto& cursor : fetched_)
        if (has_second_names_ || std::binary_search(assigned_.begin(), assigned_.end(), cursor))
            body_.is_dynamic = true;
    body_.is_understood = true;
    return std::move(body_);
}

/// Those that cannot change what the body does but for whether a name is a column's or a variable's.
bool Reader::options()
{
    while (take("#")) {
        if (take("variable_conflict")) {
            if (!take("error") && !take("use_variable") && !take("use_column"))
                return false;
        } else if (!take("print_strict_params") || (!take("on") && !take("off"))) {
            return false;
        }
    }
    return true;
}

/// One or none.
bool Reader::label()
{
    return !take("<<") || (take_name() && take(">>"));
}

/// From DECLARE or BEGIN to END and the label behind it.
bool Reader::block()
{
    if (take("declare") && !declarations())
        return false;
    if (!take("begin") || !statements())
        return false;
    if (take("exception") && !handlers())
        return false;
    if (!take("end"))
        return false;
    take_name();
    return true;
}

bool Reader::declarations()
{
    while (!current().is("begin"))
        if (!take("declare") && !declaration())
            return false;
    return true;
}

bool Reader::declaration()
{
    Name variable;
    if (!is_name(current()))
        return false;
    variable.add(current());
    ++at_;
    if (take("alias"))
        return alias();
    if (take("cursor"))
        return cursor();
    if (current().is("no") || current().is("scroll")) {
        take("no");
        return take("scroll") && take("cursor") && cursor();
    }
    take("constant");
    if (!type())
        return false;
    if (Name collation; take("collate") && !name(collation))
        return false;
    if (take("not") && !take("null"))
        return false;
    if (take(";"))
        return true;
    if (!take(":=") && !take("=") && !take("default"))
        return false;
    assigned_.push_back(std::move(variable.parts.front()));
    return expression({";"});
}

/// A second name for NEW would have to be followed wherever it goes.
bool Reader::alias()
{
    Name original;
    if (!take("for") || !name(original) || !take(";"))
        return false;
    has_second_names_ = true;
    if (std::any_of(original.parts.begin(), original.parts.end(), is_row_of_trigger))
        body_.replaces_row = true;
    return true;
}

bool Reader::cursor()
{
    if (take("(")) {
        do {
            if (!take_name() || !type())
                return false;
        } while (take(","));
        if (!take(")"))
            return false;
    }
    return (take("for") || take("is")) && query({";"});
}

/// As written, up to what may follow a type in a declaration or in a cursor's argument. Source: read_datatype.
bool Reader::type()
{
    const std::size_t begin = at_;
    std::size_t parentheses = 0;
    for (; !is_one_of(current(), {";", "collate", "not", "=", ":=", "default"}); ++at_) {
        if (parentheses == 0 && (current().is(",") || current().is(")")))
            break;
        if (current().is("("))
            ++parentheses;
        else if (current().is(")"))
            --parentheses;
        else if (current().kind == Kind::end || current().kind == Kind::other)
            return false;
        else if (current().kind == Kind::symbol && !is_one_of(current(), {".", ",", "[", "]", "%", "-"}))
            return false;
    }
    if (at_ == begin || parentheses != 0)
        return false;
    body_.variable_types.push_back(text(begin, at_));
    return true;
}

/// WHEN condition [OR condition …] THEN statements, once or more.
bool Reader::handlers()
{
    body_.catches_errors = true;
    if (!current().is("when"))
        return false;
    while (take("when")) {
        do {
            const bool is_state = current().is("sqlstate");
            if (!take_name() || (is_state && !take(Kind::string)))
                return false;
        } while (take("or"));
        if (!take("then") || !statements())
            return false;
    }
    return true;
}

// ---- statements

/// At the beginning of a statement these tokens make the word before them a variable, whatever it is.
/// Source: AT_STMT_START in pl_scanner.c.
bool Reader::is_assignment() const noexcept
{
    return (is_name(current()) || current().kind == Kind::parameter) && is_one_of(next(), {"=", ":=", "[", "."});
}

/// Up to the word that ends or divides what they stand in. What they open counts as open no further: they may be
/// skipped.
bool Reader::statements()
{
    const std::size_t opened_before = opened_.size();
    while (!ends_statements())
        if (!statement())
            return false;
    for (; opened_.size() > opened_before; opened_.pop_back())
        open_cursors_.erase(opened_.back());
    return true;
}

bool Reader::ends_statements() const noexcept
{
    return current().kind == Kind::end || is_one_of(current(), {"end", "else", "when"}) ||
           (is_one_of(current(), {"elsif", "elseif", "exception"}) && !is_assignment());
}

std::span<const Reader::Form> Reader::forms()
{
    static constexpr Form kAll[] = {
        {"if", &Reader::if_statement},
        {"case", &Reader::case_statement},
        {"exit", &Reader::exit_statement},
        {"continue", &Reader::exit_statement},
        {"return", &Reader::return_statement},
        {"raise", &Reader::raise},
        {"assert", &Reader::assert_statement},
        {"execute", &Reader::execute},
        {"call", &Reader::call},
        {"do", &Reader::do_statement},
        {"get", &Reader::get_diagnostics},
        {"open", &Reader::open},
        {"fetch", &Reader::fetch},
        {"move", &Reader::move},
        {"close", &Reader::close},
        {"commit", &Reader::end_transaction},
        {"rollback", &Reader::end_transaction},
    };
    return kAll;
}

/// Every recursion goes through here.
bool Reader::statement()
{
    if (depth_ >= kMaxDepth)
        return false;
    ++depth_;
    bool is_read = false;
    if (is_assignment())
        is_read = assignment();
    else if (is_one_of(current(), {"<<", "declare", "begin", "loop", "while", "for", "foreach"}))
        is_read = labelled();
    else if (take("perform"))
        is_read = expression({";"});
    else if (take("null"))
        is_read = take(";");
    else {
        const auto all = forms();
        const auto form =
            std::find_if(all.begin(), all.end(), [&](const Form& candidate) { return take(candidate.word); });
        is_read = form != all.end() ? (this->*form->read)() : sql();
    }
    --depth_;
    return is_read;
}

/// What a label may stand before.
bool Reader::labelled()
{
    if (!label())
        return false;
    if (take("loop"))
        return loop_body();
    if (take("while"))
        return expression({"loop"}) && loop_body();
    if (take("for"))
        return for_loop();
    if (take("foreach"))
        return foreach_loop();
    return block() && take(";");
}

/// `a.b[i].c := e`. A subscript may call anything: the whole target is an expression of its own then.
bool Reader::assignment()
{
    const std::size_t begin = at_;
    Name target;
    target.add(current());
    ++at_;
    bool has_subscript = false;
    while (!take(":=") && !take("=")) {
        if (take("[")) {
            has_subscript = true;
            if (!until({"]"}))
                return false;
        } else if (take(".") && (current().kind == Kind::word || current().kind == Kind::quoted)) {
            if (!has_subscript)
                target.add(current());
        } else {
            return false;
        }
        ++at_;
    }
    if (has_subscript)
        body_.statements.push_back("SELECT " + text(begin, at_ - 1));
    assigns(target);
    return expression({";"});
}

bool Reader::if_statement()
{
    do {
        if (!expression({"then"}) || !statements())
            return false;
    } while (take("elsif") || take("elseif"));
    if (take("else") && !statements())
        return false;
    return take("end") && take("if") && take(";");
}

/// With a value to compare, `WHEN list` is `variable IN (list)`. Source: make_case.
bool Reader::case_statement()
{
    const bool compares = !current().is("when");
    if (compares) {
        const auto value = until({"when"});
        if (!value)
            return false;
        body_.statements.push_back("SELECT " + text(*value));
    }
    while (take("when")) {
        const auto condition = until({"then"});
        if (!condition)
            return false;
        body_.statements.push_back(compares ? "SELECT \"__Case__Variable__\" IN (" + text(*condition) + ")"
                                            : "SELECT " + text(*condition));
        ++at_;
        if (!statements())
            return false;
    }
    if (take("else") && !statements())
        return false;
    return take("end") && take("case") && take(";");
}

bool Reader::loop_body()
{
    if (!statements() || !take("end") || !take("loop"))
        return false;
    take_name();
    return take(";");
}

bool Reader::for_loop()
{
    if (!targets() || !take("in"))
        return false;
    if (take("execute"))
        return dynamic_command("loop") && loop_body();
    const bool is_reverse = current().is("reverse") && !next().is(".");
    if (is_reverse)
        ++at_;
    const auto range = until({"..", "loop"});
    if (!range)
        return false;
    if (take("..")) {
        body_.statements.push_back("SELECT " + text(*range));
        return expression({"by", "loop"}) && (!previous().is("by") || expression({"loop"})) && loop_body();
    }
    if (is_reverse)
        return false;
    if (is_cursor(*range)) {
        at_ = range->begin;
        Name cursor;
        return name(cursor) && cursor_arguments() && take("loop") && loop_body();
    }
    body_.statements.push_back(text(*range));
    return take("loop") && loop_body();
}

/// Whether they are `name` or `name (…)`: a query that a loop can run is more, but for `VALUES (…)` and its like.
bool Reader::is_cursor(Range range) const noexcept
{
    std::size_t at = range.begin;
    if (!is_name(tokens_[at]) || is_one_of(tokens_[at], {"values", "select", "explain"}))
        return false;
    ++at;
    while (at + 1 < range.end && tokens_[at].is(".") && is_name(tokens_[at + 1]))
        at += 2;
    if (at == range.end)
        return true;
    if (!tokens_[at].is("("))
        return false;
    std::size_t brackets = 0;
    do {
        if (tokens_[at].is("(") || tokens_[at].is("["))
            ++brackets;
        else if (tokens_[at].is(")") || tokens_[at].is("]"))
            --brackets;
        ++at;
    } while (brackets > 0);
    return at == range.end;
}

/// `(a, parameter := b, …)`, or nothing.
bool Reader::cursor_arguments()
{
    if (!take("("))
        return true;
    do {
        if (is_name(current()) && (next().is(":=") || next().is("=>")))
            at_ += 2;
        if (!expression({",", ")"}))
            return false;
    } while (previous().is(","));
    return true;
}

bool Reader::foreach_loop()
{
    if (!targets() || (take("slice") && !take(Kind::number)))
        return false;
    return take("in") && take("array") && expression({"loop"}) && loop_body();
}

/// EXIT and CONTINUE.
bool Reader::exit_statement()
{
    take_name();
    return take(";") || (take("when") && expression({";"}));
}

bool Reader::return_statement()
{
    if (take(";"))
        return true;
    if (!next().is(".")) {
        if (take("next"))
            return take(";") || expression({";"});
        if (take("query"))
            return take("execute") ? dynamic_command(";") : query({";"});
    }
    const bool is_row = is_name(current()) && is_row_of_trigger(value_of(current()));
    if ((is_row || current().is("null")) && next().is(";")) {
        at_ += 2;
        return true;
    }
    body_.replaces_row = true;
    return expression({";"});
}

/// RAISE, RAISE level 'format', values …, RAISE level condition, each with USING option = value, ….
bool Reader::raise()
{
    if (take(";"))
        return true;
    if (is_one_of(current(), {"exception", "warning", "notice", "info", "log", "debug"}))
        ++at_;
    if (take(Kind::string)) {
        if (take(",")) {
            if (!expressions({",", ";", "using"}))
                return false;
            return previous().is(";") || raise_options();
        }
    } else if (!current().is("using")) {
        const bool is_state = current().is("sqlstate");
        if (!take_name() || (is_state && !take(Kind::string)))
            return false;
    }
    return take(";") || (take("using") && raise_options());
}

bool Reader::raise_options()
{
    do {
        if (!take(Kind::word) || (!take("=") && !take(":=")) || !expression({",", ";"}))
            return false;
    } while (previous().is(","));
    return true;
}

bool Reader::assert_statement()
{
    return expression({",", ";"}) && (previous().is(";") || expression({";"}));
}

/// INTO and USING come in either order, each once.
bool Reader::execute()
{
    body_.is_dynamic = true;
    if (!expression({"into", "using", ";"}))
        return false;
    bool has_into = false;
    bool has_using = false;
    while (!previous().is(";")) {
        if (previous().is("using")) {
            if (std::exchange(has_using, true) || !expressions({",", ";", "into"}))
                return false;
            continue;
        }
        take("strict");
        if (std::exchange(has_into, true) || !targets() || !is_one_of(current(), {"using", ";"}))
            return false;
        ++at_;
    }
    return true;
}

/// A variable among the arguments may be given a value, and so may a field of one: each name counts as a variable.
bool Reader::call()
{
    const std::size_t begin = at_ - 1;
    at_ = begin;
    if (!query({";"}))
        return false;
    for (std::size_t at = begin; at < at_; ++at) {
        if (!is_name(tokens_[at]) && tokens_[at].kind != Kind::parameter)
            continue;
        Name argument;
        argument.add(tokens_[at]);
        assigns(argument);
    }
    return true;
}

bool Reader::do_statement()
{
    --at_;
    return query({";"});
}

bool Reader::get_diagnostics()
{
    if (!take("current"))
        take("stacked");
    if (!take("diagnostics"))
        return false;
    do {
        Name target;
        if (!name(target) || (!take("=") && !take(":=")) || !take(Kind::word))
            return false;
        assigns(target);
    } while (take(","));
    return take(";");
}

bool Reader::open()
{
    Name cursor;
    if (!name(cursor))
        return false;
    if (open_cursors_.insert(cursor.parts.back()).second)
        opened_.push_back(std::move(cursor.parts.back()));
    if (current().is("no") || current().is("scroll")) {
        take("no");
        if (!take("scroll") || !current().is("for"))
            return false;
    }
    if (take("for"))
        return take("execute") ? dynamic_command(";") : query({";"});
    return cursor_arguments() && take(";");
}

bool Reader::fetch()
{
    return direction("into") && take("into") && targets() && take(";");
}

bool Reader::move()
{
    return direction(";") && take(";");
}

/// [direction FROM | IN] cursor. Source: read_fetch_direction.
bool Reader::direction(std::string_view behind_cursor)
{
    const std::size_t begin = at_;
    Name cursor;
    bool is_cursor = name(cursor) && current().is(behind_cursor);
    if (!is_cursor) {
        at_ = begin;
        cursor = {};
        bool wants_from = true;
        if (is_one_of(current(), {"next", "prior", "first", "last", "all"})) {
            ++at_;
        } else if (take("forward") || take("backward")) {
            if (!take("all") && !is_one_of(current(), {"from", "in"}))
                wants_from = false;
        } else if (take("absolute") || take("relative") || !is_one_of(current(), {"from", "in"})) {
            wants_from = false;
        }
        if (wants_from ? !take("from") && !take("in") : !expression({"from", "in"}))
            return false;
        is_cursor = name(cursor);
    }
    if (!is_cursor)
        return false;
    if (!cursor.is_certain || !open_cursors_.contains(cursor.parts.back()))
        body_.is_dynamic = true;
    fetched_.push_back(std::move(cursor.parts.back()));
    return true;
}

bool Reader::close()
{
    Name cursor;
    if (!name(cursor))
        return false;
    open_cursors_.erase(cursor.parts.back());
    return take(";");
}

/// COMMIT and ROLLBACK.
bool Reader::end_transaction()
{
    body_.controls_transaction = true;
    if (take("and")) {
        take("no");
        if (!take("chain"))
            return false;
    }
    return take(";");
}

// ---- a statement of SQL

/// Up to its semicolon, without `INTO [STRICT] targets`, which PL/pgSQL takes out wherever it stands, in brackets too.
/// Source: make_execsql_stmt.
bool Reader::sql()
{
    if (current().kind != Kind::word || is_reserved(current()))
        return false;
    const std::size_t begin = at_;
    const bool is_routine = defines_routine(begin);
    const bool is_import = current().is("import");
    std::optional<Range> into;
    bool saw_query = false;
    std::size_t brackets = 0;
    for (; brackets > 0 || !current().is(";"); ++at_) {
        const Token& token = current();
        // Versions differ about semicolons in brackets, and in the body of a routine.
        if (token.kind == Kind::end || token.is(";") || (is_routine && token.is("begin")))
            return false;
        if (token.is("(") || token.is("[")) {
            ++brackets;
        } else if (token.is(")") || token.is("]")) {
            if (brackets-- == 0)
                return false;
        } else if (token.is("into") && !is_import) {
            if (previous().is("insert") || previous().is("merge")) {
                if (!begins_write(begin, saw_query))
                    return false;
                continue;
            }
            if (into)
                return false;
            into = Range{at_, 0};
            ++at_;
            take("strict");
            if (!targets())
                return false;
            into->end = at_--;
        } else if (brackets == 0) {
            saw_query = saw_query || is_one_of(token, {"select", "values", "table"});
        }
    }
    body_.statements.push_back(into ? text(begin, into->begin) + " " + text(into->end, at_) : text(begin, at_));
    ++at_;
    return true;
}

/// CREATE [OR REPLACE] FUNCTION | PROCEDURE.
bool Reader::defines_routine(std::size_t begin) const noexcept
{
    if (!tokens_[begin].is("create"))
        return false;
    const std::size_t at = begin + 3 < tokens_.size() && tokens_[begin + 1].is("or") ? begin + 3 : begin + 1;
    return tokens_[at].is("function") || tokens_[at].is("procedure");
}

/// Whether `INSERT` or `MERGE` before the current INTO surely is the verb, not a column's name that targets follow:
/// PL/pgSQL looks at no more than the word before, at MERGE since version 15.
bool Reader::begins_write(std::size_t begin, bool saw_query) const noexcept
{
    const std::size_t verb = at_ - 1;
    if (verb == begin)
        return true;
    const Token& before = tokens_[verb - 1];
    if (tokens_[verb].is("insert"))
        return !before.is(".");
    return before.is("(") || (before.is(")") && !saw_query);
}

} // namespace

PlpgsqlBody read_plpgsql(std::string_view source)
{
    if (const auto tokens = plpgsql_tokens(source))
        if (Reader reader{*tokens}; reader.function())
            return reader.found();
    PlpgsqlBody unknown;
    unknown.is_dynamic = unknown.controls_transaction = unknown.catches_errors = unknown.replaces_row = true;
    return unknown;
}

} // namespace pgmemo::query
