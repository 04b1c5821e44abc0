#include "tests/query/test_catalog.hpp"

#include "query/explanation.hpp"
#include "query/shape.hpp"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace pgmemo::query::testing {
namespace {

std::string unescaped(std::string_view column)
{
    std::string text;
    for (std::size_t i = 0; i < column.size(); ++i) {
        if (column[i] != '\\') {
            text += column[i];
            continue;
        }
        const char escaped = column.at(++i);
        text += escaped == 't' ? '\t' : escaped == 'n' ? '\n' : escaped == 'r' ? '\r' : escaped;
    }
    return text;
}

std::vector<std::string_view> split(std::string_view line)
{
    std::vector<std::string_view> parts;
    for (;;) {
        const auto end = line.find('\t');
        parts.push_back(line.substr(0, end));
        if (end == std::string_view::npos)
            return parts;
        line.remove_prefix(end + 1);
    }
}

/// The form is described in recorded/record.py.
void read_file(const std::string& name, std::vector<std::vector<RecordedRow>>& rows)
{
    std::ifstream file{std::string{PROJECT_SOURCE_DIR} + "/tests/query/recorded/" + name};
    std::size_t width = 0;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("# ")) {
            width = std::stoul(line.substr(line.find(' ', 2)));
            continue;
        }
        const auto parts = split(line);
        RecordedRow row{std::stoul(std::string{parts.at(0)}), {}};
        for (std::size_t i = 1; i < parts.size(); ++i)
            row.columns.push_back(parts[i] == "\\N" ? std::nullopt : std::optional{unescaped(parts[i])});
        row.columns.resize(width);
        rows.resize(std::max(rows.size(), row.query + 1));
        rows[row.query].push_back(std::move(row));
    }
    if (!file.eof() || rows.empty())
        throw std::runtime_error{"cannot read tests/query/recorded/" + name};
}

std::vector<RecordedRow> read_files(const std::string& name)
{
    std::vector<std::vector<RecordedRow>> by_query;
    read_file("builtins.tsv", by_query);
    read_file(name, by_query);
    std::vector<RecordedRow> rows;
    for (auto& some : by_query)
        rows.insert(rows.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
    return rows;
}

std::shared_ptr<const Catalog> whole(const std::vector<RecordedRow>& rows)
{
    std::string error;
    auto catalog = catalog_of(rows, &error);
    if (!catalog)
        throw std::runtime_error{"the recorded catalog is refused: " + error};
    return catalog;
}

template <class T>
const T& named(const std::vector<T>& all, const Index& by_name, std::string_view qualified_name)
{
    const auto dot = qualified_name.find('.');
    if (const auto* found = Catalog::Impl::named(by_name, std::string{qualified_name.substr(dot + 1)}))
        for (const auto place : *found)
            if (all[place].schema == qualified_name.substr(0, dot))
                return all[place];
    throw std::invalid_argument{"the recorded catalog has no " + std::string{qualified_name}};
}

} // namespace

const std::vector<RecordedRow>& recorded_rows()
{
    static const auto rows = read_files("catalog.tsv");
    return rows;
}

std::shared_ptr<const Catalog> catalog_of(const std::vector<RecordedRow>& rows, std::string* error)
{
    CatalogBuilder builder{5};
    std::vector<std::optional<std::string_view>> columns;
    for (const auto& row : rows) {
        columns.assign(row.columns.begin(), row.columns.end());
        builder.row(row.query, columns);
    }
    auto catalog = builder.finish();
    if (error)
        *error = builder.error();
    return catalog;
}

std::shared_ptr<const Catalog> test_catalog()
{
    static const auto catalog = whole(recorded_rows());
    return catalog;
}

std::shared_ptr<const Catalog> another_catalog()
{
    return catalog_of(recorded_rows());
}

std::shared_ptr<const Catalog> hostile_catalog()
{
    static const auto catalog = whole(read_files("hostile.tsv"));
    return catalog;
}

const Relation& relation_named(std::string_view qualified_name)
{
    const auto& impl = test_catalog()->impl();
    return named(impl.relations, impl.relations_by_name, qualified_name);
}

const Function& function_named(std::string_view qualified_name)
{
    const auto& impl = test_catalog()->impl();
    return named(impl.functions, impl.functions_by_name, qualified_name);
}

const Operator& operator_named(std::string_view qualified_name)
{
    const auto& impl = test_catalog()->impl();
    return named(impl.operators, impl.operators_by_name, qualified_name);
}

const Type& type_named(std::string_view qualified_name)
{
    const auto& impl = test_catalog()->impl();
    return named(impl.types, impl.types_by_name, qualified_name);
}

Oid oid_of(std::string_view qualified_name)
{
    const auto& impl = test_catalog()->impl();
    const auto name = std::string{qualified_name.substr(qualified_name.find('.') + 1)};
    if (Catalog::Impl::named(impl.relations_by_name, name))
        return relation_named(qualified_name).oid;
    return function_named(qualified_name).oid;
}

std::shared_ptr<const NameScope> test_scope(std::vector<std::string> schemas)
{
    static std::atomic<std::uint64_t> last_id{0};
    auto scope = std::make_shared<NameScope>();
    scope->id = ++last_id;
    scope->schemas = std::move(schemas);
    scope->schemas.insert(scope->schemas.begin(), "pg_catalog");
    return scope;
}

void expect_the_same_by_shape(std::string_view sql, const std::shared_ptr<const Catalog>& catalog,
                              const std::shared_ptr<const NameScope>& scope, Dialect dialect)
{
    const auto shape = shape_of(sql);
    if (!shape)
        return;
    // The template is made of texts whose values are different, and used for those in which they are not.
    Analyzer analyzer{1 << 20};
    for (const int first : {300, 200, 3, 0, 7, 2147483647}) {
        for (const int step : {1, 0}) {
            std::vector<std::string> numbers;
            for (std::size_t i = 0; i < shape->values.size(); ++i)
                numbers.push_back(std::to_string(first - step * static_cast<int>(i)));
            std::vector<std::string_view> values{numbers.begin(), numbers.end()};
            if (numbers.back().starts_with('-'))
                values.assign(values.size(), "0");
            const auto text = with_values(*shape, values);
            auto by_shape = *analyzer.analyse(text, catalog, scope, dialect);
            auto alone = *analyzer.explain(text, catalog, scope, dialect).statement;
            by_shape.place = alone.place = -1; // a template has none
            if (!(by_shape == alone))
                throw std::logic_error(text + ": by its shape it is something else than by itself");
        }
    }
}

std::shared_ptr<const Statement> analysed(std::string_view sql)
{
    static const auto catalog = test_catalog();
    static const auto scope = test_scope();
    static Analyzer analyzer{1 << 20};
    expect_the_same_by_shape(sql, catalog, scope);
    auto statement = analyzer.analyse(sql, catalog, scope, {});
    return statement;
}

} // namespace pgmemo::query::testing
