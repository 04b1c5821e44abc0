#pragma once

#include "query/catalog_impl.hpp"
#include "query/facts.hpp"
#include "query/lookup.hpp"
#include "query/statement.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::query {

/// Which rows of the relations in one statement matter, as far as equalities with constants and parameters tell.
///
/// A constant in WHERE confines the relation whose column it is compared with, and relations that are joined with it on
/// that column: a row with another value is in no row of the join that WHERE lets pass. A constant in ON does so among
/// the items that the join does not preserve, and those below them. It holds for a subquery in FROM as long as its rows
/// are rows of its own join (LevelFact::is_transparent).
///
/// From column to column it holds in every row of the join that passes that the column has one of the values, or, when
/// an outer join may have left the relation out (`is_sure` false), NULL. So it does not go from such a relation to one
/// that an outer join preserves: in `a CROSS JOIN b LEFT JOIN c ON a.x = c.x AND b.x = c.x WHERE a.x = 1` any row of b
/// is in the result.
///
/// Nothing is said where the catalog cannot tell which column a name means, where the types have no canonical form
/// (value.hpp), or where `=` may be a user's.
class Confine {
public:
    Confine(const StatementFacts&, const Catalog::Impl&, const Lookup&);

    /// Of a relation read as an item of FROM, or of a view: the columns whose values are known.
    std::vector<Confinement> confinements(const Relation&, int item) const;

    /// The column of a relation that a name means where the items of that range are in sight; null where it may be
    /// another, or one that a join makes of two.
    const Column* column(const ColumnName&, const RangeFact&) const;

    /// What a column of a written relation may hold before and after, or nullopt for anything.
    using Values = std::optional<std::vector<Bound>>;
    /// Of the relation that is the target `item`; `use`: pgm_use bits. By the column's name.
    std::map<std::string, Values> written(const Relation&, int use, int item) const;

private:
    struct Item {
        int level = 0;
        int number = 0;
        const Relation* relation = nullptr; ///< null: a subquery, or not known
        int inner = 0;                      ///< a subquery's level
        std::string alias;
        bool is_hidden = false;
    };
    struct Place { ///< a column of a relation, and the item of the level in question behind which it stands
        const Item* item = nullptr;
        const Column* column = nullptr;
        int outer = 0;
    };
    struct Known {
        RangeFact range;
        const std::vector<ValueFact>* values = nullptr;
        bool is_sure = true; ///< false: or NULL, where an outer join left the item out
    };
    using Key = std::pair<int, int>; ///< item number, attribute number

    void add_items();
    std::optional<Place> find(int level, const ColumnName&, int nesting = 0) const;
    std::optional<Place> find_in(const Item&, const std::string& column, int nesting) const;
    void add_constants();
    void spread();
    Values bounds(const Column&, const std::vector<ValueFact>&, bool is_stored) const;
    bool is_own_equality(const Column&) const;
    const std::vector<Known>* known(int item, const Column&) const;
    Values inserted(const Relation&, const Column&, int item) const;
    std::optional<Values> assigned(const Relation&, const Column&, int item, char by) const;

    const StatementFacts& facts_;
    const Catalog::Impl& catalog_;
    const Lookup& lookup_;
    std::vector<Item> items_;
    std::map<Key, std::vector<Known>> known_;
};

/// The columns of a relation that have key slots: of its primary key, its unique constraints and indexes, and those
/// that the configuration names, as far as their values have a canonical form. In this order; at most 8.
std::vector<int> find_tracked(const Catalog::Impl&, const Relation&, const std::vector<std::string>& named);

/// The class of a column's values; none unless they have one canonical form.
ValueClass class_of(const Catalog::Impl&, const Column&) noexcept;

} // namespace pgmemo::query
