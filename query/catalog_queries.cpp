#include "query/catalog.hpp"

#include <array>
#include <vector>

namespace pgmemo::query {
namespace {

// Object identifiers from 16384 on were made after initdb: FirstNormalObjectId in PostgreSQL's access/transam.h. Of
// what was made before, only what names mean is read: it neither changes nor runs anything that is not known. What a
// session keeps for itself (pg_temp) is left out everywhere.
//
// A column that some version lacks is taken from a row of NULLs beside it: an unqualified name means the nearest one.
// Expression trees come as the server stores them (query/tree.hpp).

const std::string kSummary = R"sql(
SELECT EXISTS (SELECT FROM pg_event_trigger WHERE evtenabled <> 'D'),
       EXISTS (SELECT FROM pg_ts_template WHERE oid >= 16384) OR EXISTS (SELECT FROM pg_ts_parser WHERE oid >= 16384)
)sql";

const std::string kTypes = R"sql(
SELECT t.oid, n.nspname, t.typname, t.typtype, CASE WHEN t.typlen = -1 AND t.typtype = 'b' THEN t.typelem ELSE 0 END,
       t.typbasetype, t.typtypmod, t.typrelid, coalesce(r.subtype, 0), t.typinput::oid, t.typoutput::oid,
       t.typcollation <> ALL (ARRAY(SELECT oid FROM pg_collation WHERE NOT collisdeterministic)), t.typdefaultbin
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN (
  SELECT rngtypid AS oid, rngsubtype AS subtype FROM pg_range
  UNION ALL
  SELECT m.oid, m.subtype FROM (SELECT NULL::oid AS rngmultitypid) lacking
    CROSS JOIN LATERAL (SELECT rngmultitypid AS oid, rngsubtype AS subtype FROM pg_range) m WHERE m.oid IS NOT NULL
) r ON r.oid = t.oid
WHERE n.nspname !~ '^pg_(toast|temp)' AND (t.oid >= 16384 OR (t.typrelid = 0 AND n.nspname = 'pg_catalog'))
)sql";

const std::string kFunctions = R"sql(
SELECT p.oid, n.nspname, p.proname, p.prokind, p.provolatile, l.lanname, p.provariadic <> 0, p.prosecdef,
       coalesce(p.probin IN ('$libdir/uuid-ossp', '$libdir/pgcrypto'), false), p.pronargdefaults, p.proargtypes,
       p.prorettype, p.proconfig, f.names, f.modes, f.types, f.defaults, f.source, f.body, f.parts
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
LEFT JOIN (
  SELECT u.*,
         (SELECT array_to_string(ARRAY[
                   aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn, aggmtransfn, aggminvtransfn,
                   aggmfinalfn, coalesce((SELECT oprcode FROM pg_operator WHERE oid = aggsortop), 0)]::oid[], ' ')
          FROM pg_aggregate WHERE aggfnoid = u.oid) AS parts
  FROM (SELECT NULL::text AS prosqlbody) lacking
  CROSS JOIN LATERAL (
    SELECT x.oid, proargnames AS names, proargmodes AS modes, array_to_string(proallargtypes, ' ') AS types,
           proargdefaults AS defaults, CASE WHEN y.lanname IN ('sql', 'plpgsql') THEN prosrc END AS source,
           prosqlbody::text AS body
    FROM pg_proc x JOIN pg_language y ON y.oid = x.prolang WHERE x.oid >= 16384) u
) f ON f.oid = p.oid
WHERE n.nspname !~ '^pg_(toast_)?temp_'
)sql";

const std::string kOperators = R"sql(
SELECT o.oid, n.nspname, o.oprname, o.oid >= 16384 OR o.oprcode >= 16384 OR n.nspname <> 'pg_catalog', o.oprleft,
       o.oprright, o.oprcode::oid
FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
WHERE o.oprcode <> 0 AND n.nspname !~ '^pg_(toast_)?temp_'
)sql";

const std::string kCasts = R"sql(
SELECT castsource, casttarget, castfunc, castcontext, castmethod FROM pg_cast WHERE oid >= 16384
)sql";

const std::string kRelations = R"sql(
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relrowsecurity,
       c.relkind = 'v' AND c.reloptions IS NOT NULL AND EXISTS (
         SELECT FROM pg_options_to_table(c.reloptions) WHERE option_name = 'security_invoker' AND option_value::bool)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_(toast|temp)'
)sql";

const std::string kColumns = R"sql(
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod,
       a.attcollation <> ALL (ARRAY(SELECT oid FROM pg_collation WHERE NOT collisdeterministic)),
       a.atthasdef, a.attidentity, a.attgenerated
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.oid >= 16384 AND c.relkind IN ('r', 'v', 'm', 'p', 'f') AND c.relpersistence <> 't'
  AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
)sql";

const std::string kKeys = R"sql(
SELECT indrelid, indnkeyatts, indkey, indpred IS NULL AND indisvalid,
       NOT indcollation::oid[] && ARRAY(SELECT oid FROM pg_collation WHERE NOT collisdeterministic)
       AND NOT EXISTS (SELECT FROM unnest(indclass::oid[]) AS used (class) WHERE class >= 16384)
FROM pg_index
WHERE indrelid >= 16384 AND indisunique AND indexprs IS NULL ORDER BY indrelid, NOT indisprimary, indexrelid
)sql";

const std::string kParents = "SELECT inhrelid, inhparent FROM pg_inherits ORDER BY inhrelid, inhseqno";

const std::string kReferences = R"sql(
SELECT DISTINCT confrelid, conrelid, confupdtype, confdeltype, array_to_string(confkey, ' ')
FROM pg_constraint WHERE contype = 'f'
)sql";

// Until 14 the triggers that partitions were given by their parents count as internal; those that keep foreign keys are
// built in.
const std::string kTriggers = R"sql(
SELECT tgrelid, tgname, tgfoid, tgtype, tgqual FROM pg_trigger
WHERE tgenabled <> 'D' AND (NOT tgisinternal OR tgfoid >= 16384) ORDER BY tgrelid, tgname
)sql";

const std::string kRules = R"sql(
SELECT r.ev_class, r.ev_type, r.is_instead, r.ev_action, r.ev_qual
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
WHERE r.oid >= 16384 AND c.relpersistence <> 't' ORDER BY r.ev_class, r.rulename
)sql";

// r: runs when a row of a relation is read, w: when one is written, p: a policy, d: of a domain.
const std::string kTrees = R"sql(
SELECT CASE a.attgenerated WHEN 'v' THEN 'r' ELSE 'w' END, d.adrelid, d.adbin
  FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
UNION ALL SELECT 'w', conrelid, conbin FROM pg_constraint WHERE conbin IS NOT NULL AND conrelid <> 0
UNION ALL SELECT 'w', indrelid, indexprs FROM pg_index WHERE indexprs IS NOT NULL AND indrelid >= 16384
UNION ALL SELECT 'w', indrelid, indpred FROM pg_index WHERE indpred IS NOT NULL AND indrelid >= 16384
UNION ALL SELECT 'w', partrelid, partexprs FROM pg_partitioned_table WHERE partexprs IS NOT NULL
UNION ALL SELECT 'p', polrelid, polqual FROM pg_policy WHERE polqual IS NOT NULL
UNION ALL SELECT 'p', polrelid, polwithcheck FROM pg_policy WHERE polwithcheck IS NOT NULL
UNION ALL SELECT 'd', contypid, conbin FROM pg_constraint WHERE conbin IS NOT NULL AND contypid >= 16384
)sql";

// Functions that no expression names, by the relation or the type whose values they compare: c, of an operator class
// that an index or a partition key was given; o, of an operator of an exclusion constraint or a foreign key; t, of a
// type's default class, or made to keep a range of it canonical.
const std::string kComparisons = R"sql(
WITH class_function AS MATERIALIZED (
  SELECT c.oid, c.opcintype, c.opcdefault, m.amname, f.function
  FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod JOIN (
    SELECT amprocfamily AS family, amproc::oid AS function FROM pg_amproc
    UNION SELECT amopfamily, oprcode::oid FROM pg_amop JOIN pg_operator ON pg_operator.oid = amopopr) f
    ON f.family = c.opcfamily
  WHERE c.oid >= 16384)
SELECT DISTINCT 'c', i.indrelid, f.function
  FROM pg_index i CROSS JOIN unnest(i.indclass) AS used (class) JOIN class_function f ON f.oid = used.class
  WHERE i.indrelid >= 16384
UNION SELECT 'c', p.partrelid, f.function
  FROM pg_partitioned_table p CROSS JOIN unnest(p.partclass) AS used (class) JOIN class_function f ON f.oid = used.class
UNION SELECT 'o', r.oid, o.oprcode::oid
  FROM pg_constraint c
  CROSS JOIN unnest(coalesce(c.conexclop, '{}') || coalesce(c.conpfeqop, '{}') || coalesce(c.conppeqop, '{}')
                    || coalesce(c.conffeqop, '{}')) AS used (op)
  CROSS JOIN unnest(ARRAY[c.conrelid, c.confrelid]) AS r (oid)
  JOIN pg_operator o ON o.oid = used.op
  WHERE r.oid <> 0 AND (used.op >= 16384 OR o.oprcode >= 16384)
UNION SELECT 't', f.opcintype, f.function FROM class_function f
  WHERE f.amname IN ('btree', 'hash') AND (f.opcdefault OR f.opcintype >= 16384)
UNION SELECT 't', rngtypid, rngcanonical::oid FROM pg_range WHERE rngcanonical >= 16384
)sql";

const std::array<CatalogQuery, 14> kQueries{{
    {"summary", kSummary},
    {"types", kTypes},
    {"functions", kFunctions},
    {"operators", kOperators},
    {"casts", kCasts},
    {"relations", kRelations},
    {"columns", kColumns},
    {"keys", kKeys},
    {"parents", kParents},
    {"references", kReferences},
    {"triggers", kTriggers},
    {"rules", kRules},
    {"trees", kTrees},
    {"comparisons", kComparisons},
}};

// Sums of 64-bit hashes of (oid, xmin): a row that comes, goes or changes moves its sum, in whatever order rows are
// read. What another session makes for itself alone (pg_temp) is left out. VACUUM and ANALYZE update pg_class in place.
// What is read of pg_index and pg_partitioned_table lasts as long as the pg_class row of the same oid, or is changed
// with a row of pg_constraint.
const std::string kFingerprint = [] {
    const std::string row = "sum(hashint8extended((x.oid::bigint << 32) # x.xmin::text::bigint, 7))::text";
    const auto all = [&](const std::string& table) {
        return "coalesce((SELECT count(*) || '/' || " + row + " FROM " + table + " x), '')";
    };
    const auto lasting = [&](const std::string& table, const std::string& column) {
        return "coalesce((SELECT count(*) || '/' || " + row + " FROM " + table + " x WHERE x." + column +
               " NOT IN (SELECT oid FROM own)), '')";
    };
    const auto of_class = [&](const std::string& table, const std::string& column, const std::string& key) {
        return "coalesce((SELECT count(*) || '/' || sum(hashint8extended((" + key +
               "::bigint << 32) # x.xmin::text::bigint, 7))::text FROM " + table + " x JOIN pg_class c ON c.oid = x." +
               column + " WHERE c.relpersistence <> 't'), '')";
    };
    // Those that came with the server cannot be altered or dropped.
    const auto made_of = [&](const std::string& table, const std::string& key) {
        return "coalesce((SELECT count(*) || '/' || sum(hashint8extended((x." + key +
               "::oid::bigint << 32) # x.xmin::text::bigint, 7))::text FROM " + table + " x WHERE x." + key +
               " >= 16384), '')";
    };
    const auto made = [&](const std::string& table) { return made_of(table, "oid"); };
    const auto content = [&](const std::string& table) {
        return "coalesce((SELECT count(*) || '/' || sum(hashtextextended(x::text, 7))::text FROM " + table + " x), '')";
    };
    std::string parts;
    for (const auto& part : std::vector<std::string>{
             // by what it says, since TRUNCATE and REFRESH give a row another file and nothing else
             "coalesce((SELECT count(*) || '/' || sum(hashtextextended(concat_ws(' ', x.oid, x.relname, "
             "x.relnamespace, "
             "x.reltype, x.relowner, x.relkind, x.relpersistence, x.relispartition, x.relrowsecurity, "
             "x.relforcerowsecurity, x.reloptions, x.relacl), 7))::text FROM pg_class x "
             "WHERE x.relpersistence <> 't' AND x.relkind <> 't'), '')",
             "coalesce((SELECT count(*) || '/' || sum(hashint8extended((x.attrelid::bigint << 32) # "
             "x.xmin::text::bigint, x.attnum))::text FROM pg_attribute x JOIN pg_class c ON c.oid = x.attrelid WHERE "
             "c.relpersistence <> 't' AND c.oid >= 16384), '')",
             lasting("pg_proc", "pronamespace"),
             lasting("pg_operator", "oprnamespace"),
             all("pg_cast"),
             lasting("pg_type", "typnamespace"),
             of_class("pg_trigger", "tgrelid", "x.oid"),
             lasting("pg_constraint", "connamespace"),
             of_class("pg_inherits", "inhrelid", "x.inhrelid"),
             of_class("pg_rewrite", "ev_class", "x.oid"),
             of_class("pg_policy", "polrelid", "x.oid"),
             of_class("pg_attrdef", "adrelid", "x.oid"),
             std::string{"coalesce((SELECT count(*) || '/' || "} + row +
                 " FROM pg_namespace x WHERE x.oid NOT IN (SELECT oid FROM own)), '')",
             all("pg_enum"),
             all("pg_opclass"),
             made("pg_amop"),
             made("pg_amproc"),
             made("pg_collation"),
             made_of("pg_aggregate", "aggfnoid"),
             made_of("pg_range", "rngtypid"),
             all("pg_am"),
             all("pg_language"),
             all("pg_ts_template"),
             all("pg_ts_parser"),
             all("pg_event_trigger"),
             all("pg_ts_config"),
             all("pg_ts_dict"),
             content("pg_roles"),
             content("pg_auth_members"),
         }) {
        if (!parts.empty())
            parts += ", ";
        parts += part;
    }
    return "WITH own AS MATERIALIZED (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname ~ '^pg_(toast_)?temp_') "
           "SELECT md5(concat_ws(' ', " +
           parts + "))";
}();

} // namespace

std::span<const CatalogQuery> catalog_queries()
{
    return kQueries;
}

std::string_view catalog_fingerprint_query()
{
    return kFingerprint;
}

} // namespace pgmemo::query
