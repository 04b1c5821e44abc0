#include "query/builtins.hpp"
#include "query/catalog_impl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>

namespace pgmemo::query {
namespace {

using Row = std::span<const std::optional<std::string_view>>;

/// The columns that each of `catalog_queries()` yields.
constexpr std::array<std::size_t, 6> kColumnCounts{8, 6, 8, 6, 12, 4};

/// Reads fields in order; after the first that is not as expected it yields zeros and says so.
class Fields {
public:
    explicit Fields(Row row)
        : row_(row)
    {
    }

    std::string text() { return std::string{next()}; }

    char letter()
    {
        const auto field = next();
        if (field.size() != 1)
            is_bad_ = true;
        return field.empty() ? '?' : field.front();
    }

    bool flag()
    {
        const auto field = next();
        if (field != "t" && field != "f")
            is_bad_ = true;
        return field == "t";
    }

    template <class T>
    T number()
    {
        const auto field = next();
        T value{};
        const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
        if (error != std::errc{} || end != field.data() + field.size())
            is_bad_ = true;
        return value;
    }

    bool is_bad() const noexcept { return is_bad_; }

private:
    std::string_view next()
    {
        if (at_ >= row_.size() || !row_[at_]) {
            is_bad_ = true;
            return {};
        }
        return *row_[at_++];
    }

    Row row_;
    std::size_t at_ = 0;
    bool is_bad_ = false;
};

struct TypeRow {
    std::string schema;
    std::string name;
    char kind = '?';
    Oid element = 0;
    Oid base = 0;
};

struct ColumnRow {
    Oid relation = 0;
    std::string name;
    Oid type = 0;
    bool is_virtual = false;
};

Effect effect_of(char letter)
{
    return letter == 'n' ? Effect::none : letter == 's' ? Effect::settings : Effect::anything;
}

std::atomic<std::uint64_t> last_id{0};

} // namespace

struct CatalogBuilder::State {
    std::unique_ptr<Catalog::Impl> impl = std::make_unique<Catalog::Impl>();
    std::unordered_map<Oid, TypeRow> types;
    std::vector<ColumnRow> columns;
    std::string error;
    bool has_summary = false;

    void read(std::size_t query, Row row);
    TypeKind kind_of(Oid type, int depth) const;
    void place_columns();
};

void CatalogBuilder::State::read(std::size_t query, Row row)
{
    Fields fields{row};
    switch (query) {
    case 0:
        impl->is_unsafe = fields.flag();
        impl->has_volatile_functions = fields.flag();
        impl->functions_may_set = fields.flag();
        impl->functions_may_ddl = fields.flag();
        impl->views_run_user_code = fields.flag();
        impl->casts_run_user_code = fields.flag();
        impl->has_event_triggers = fields.flag();
        impl->domains_run_user_code = fields.flag();
        has_summary = true;
        break;
    case 1: {
        const auto oid = fields.number<Oid>();
        TypeRow type{fields.text(), fields.text(), fields.letter(), fields.number<Oid>(), fields.number<Oid>()};
        impl->types[type.name].push_back({type.schema, oid, type.schema != "pg_catalog" || oid >= 16384});
        types.emplace(oid, std::move(type));
        break;
    }
    case 2: {
        Function function;
        function.schema = fields.text();
        const auto name = fields.text();
        function.arguments = fields.number<int>();
        function.defaults = fields.number<int>();
        function.is_variadic = fields.flag();
        function.is_user = fields.flag();
        function.volatility = fields.letter();
        function.effect = effect_of(fields.letter());
        impl->functions[name].push_back(std::move(function));
        break;
    }
    case 3: {
        Operator op;
        op.schema = fields.text();
        const auto name = fields.text();
        op.function = fields.text();
        op.is_user = fields.flag();
        op.volatility = fields.letter();
        op.effect = effect_of(fields.letter());
        impl->operators[name].push_back(std::move(op));
        break;
    }
    case 4: {
        Relation relation;
        relation.oid = fields.number<Oid>();
        relation.schema = fields.text();
        relation.name = fields.text();
        relation.kind = fields.letter();
        relation.persistence = fields.letter();
        relation.is_inherited = fields.flag();
        relation.has_row_security = fields.flag();
        relation.has_rules = fields.flag();
        relation.has_triggers = fields.flag();
        relation.cascades_update = fields.flag();
        relation.cascades_delete = fields.flag();
        relation.runs_user_code = fields.flag();
        ++impl->relation_count;
        auto& named = impl->relations[relation.name];
        named.push_back(std::move(relation));
        break;
    }
    case 5: {
        ColumnRow column;
        column.relation = fields.number<Oid>();
        column.name = fields.text();
        column.type = fields.number<Oid>();
        column.is_virtual = fields.text() == "v";
        columns.push_back(std::move(column));
        break;
    }
    default:
        break;
    }
    if (fields.is_bad())
        error = fmt::format("a row of the catalog query \"{}\" has a value that is not understood",
                            catalog_queries()[query].name);
}

/// Arrays are what their elements are, domains what they are based on; enums are their labels. A composite, a range or
/// a base type of the user's is not known: comparing its values may run user code.
TypeKind CatalogBuilder::State::kind_of(Oid oid, int depth) const
{
    const auto found = types.find(oid);
    if (found == types.end() || depth > 8)
        return TypeKind::unknown;
    const auto& type = found->second;
    if (oid < 16384)
        return type.schema == "pg_catalog" ? builtin_type(type.name) : TypeKind::unknown;
    if (type.kind == 'e')
        return TypeKind::safe;
    if (type.kind == 'd' && type.base != 0)
        return kind_of(type.base, depth + 1);
    if (type.kind == 'b' && type.element != 0)
        return kind_of(type.element, depth + 1);
    return TypeKind::unknown;
}

void CatalogBuilder::State::place_columns()
{
    std::unordered_map<Oid, Relation*> by_oid;
    for (auto& [name, relations] : impl->relations)
        for (auto& relation : relations)
            by_oid.emplace(relation.oid, &relation);
    for (auto& column : columns) {
        const auto found = by_oid.find(column.relation);
        if (found == by_oid.end())
            continue;
        const auto kind = kind_of(column.type, 0);
        auto& relation = *found->second;
        if (column.is_virtual || (kind != TypeKind::safe && kind != TypeKind::time))
            relation.has_unsafe_column = true;
        relation.columns.emplace_back(std::move(column.name), kind == TypeKind::time);
    }
}

CatalogBuilder::CatalogBuilder(Oid database)
    : state_(std::make_unique<State>())
{
    state_->impl->database = database;
}

CatalogBuilder::~CatalogBuilder() = default;

void CatalogBuilder::row(std::size_t query, Row columns)
{
    if (!state_->error.empty())
        return;
    if (query >= kColumnCounts.size())
        state_->error = fmt::format("there is no catalog query {}", query);
    else if (columns.size() != kColumnCounts[query])
        state_->error = fmt::format("the catalog query \"{}\" yields {} columns; expected {}",
                                    catalog_queries()[query].name, columns.size(), kColumnCounts[query]);
    else
        state_->read(query, columns);
}

std::shared_ptr<const Catalog> CatalogBuilder::finish()
{
    auto& state = *state_;
    if (state.error.empty() && !state.has_summary)
        state.error = "the catalog query \"summary\" yielded no row";
    if (state.error.empty() && (state.impl->functions.empty() || state.impl->operators.empty() || state.types.empty()))
        state.error = "the catalog shows no functions, operators or types";
    if (!state.error.empty() || !state.impl)
        return nullptr;
    state.place_columns();
    state.impl->id = ++last_id;
    return std::make_shared<const Catalog>(std::move(state.impl));
}

const std::string& CatalogBuilder::error() const noexcept
{
    return state_->error;
}

} // namespace pgmemo::query
