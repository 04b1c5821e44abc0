#include "query/catalog.hpp"

#include <array>
#include <vector>

namespace pgmemo::query {
namespace {

// Object identifiers from 16384 on were made after initdb: FirstNormalObjectId in PostgreSQL's access/transam.h.

// The user's functions by what they may do: `anything` when VOLATILE, `opaque` when more than C code that only
// computes. uuid-ossp and pgcrypto are C libraries whose VOLATILE functions read randomness and nothing else.
const std::string kUserFunctions = R"sql(
  user_function AS MATERIALIZED (
    SELECT p.oid, p.provolatile, l.lanname, p.prosrc,
           p.provolatile = 'v' AND coalesce(p.probin, '') NOT IN ('$libdir/uuid-ossp', '$libdir/pgcrypto') AS anything,
           (p.provolatile = 'v' OR l.lanname NOT IN ('c', 'internal'))
             AND coalesce(p.probin, '') NOT IN ('$libdir/uuid-ossp', '$libdir/pgcrypto') AS opaque
    FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.oid >= 16384 AND p.prokind <> 'a'),
  opaque_function AS MATERIALIZED (SELECT oid FROM user_function WHERE opaque),
  anything_function AS MATERIALIZED (SELECT oid FROM user_function WHERE anything)
)sql";

// A cast matters only between types whose values can come before us: not from or to a user's own base type.
const std::string kSummary = "WITH " + kUserFunctions + R"sql(,
  base_type AS (
    SELECT oid FROM pg_type
    WHERE oid >= 16384 AND typtype IN ('b', 'r', 'm') AND NOT (typtype = 'b' AND typelem <> 0 AND typlen = -1)),
  runs_sql AS (
    SELECT string_agg(oid::text, '|') AS oids FROM pg_proc
    WHERE oid < 16384 AND (proname ~ '^(query|table|schema|database|cursor)_to_xml' OR proname IN ('ts_stat', 'set_config',
      'pg_reload_conf') OR (proname = 'ts_rewrite' AND pronargs = 2)))
SELECT
  EXISTS (SELECT FROM pg_cast WHERE oid >= 16384 AND castmethod = 'f'
            AND castsource NOT IN (SELECT oid FROM base_type) AND casttarget NOT IN (SELECT oid FROM base_type))
    OR EXISTS (SELECT FROM pg_opclass c JOIN pg_am a ON a.oid = c.opcmethod
               WHERE c.oid >= 16384 AND c.opcdefault AND c.opcintype < 16384 AND a.amname IN ('btree', 'hash'))
    OR EXISTS (SELECT FROM pg_ts_template WHERE oid >= 16384) OR EXISTS (SELECT FROM pg_ts_parser WHERE oid >= 16384),
  EXISTS (SELECT FROM anything_function),
  EXISTS (SELECT FROM user_function WHERE lanname NOT IN ('c', 'internal', 'sql', 'plpgsql')
            OR (lanname IN ('sql', 'plpgsql') AND prosrc ~* '\m(set_config|set|reset|execute|discard|load|role)\M')),
  EXISTS (SELECT FROM user_function WHERE lanname NOT IN ('c', 'internal', 'sql', 'plpgsql')
            OR (lanname IN ('sql', 'plpgsql') AND prosrc ~* '\m(create|alter|drop|grant|revoke|execute|truncate|comment|security|refresh|reindex|cluster|reassign|import|call|do|load|vacuum|analyze|dblink\w*|\w*_to_xml\w*|pg_reload_conf|prepare|system)\M')
            OR (lanname = 'sql' AND regexp_replace(prosrc, '\m(insert|merge)\s+into\M', '', 'gi') ~* '\minto\M')),
  EXISTS (SELECT FROM pg_depend WHERE classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass)
            AND ((refclassid = 'pg_proc'::regclass AND refobjid IN (SELECT oid FROM anything_function))
              OR (refclassid = 'pg_operator'::regclass AND refobjid IN
                    (SELECT o.oid FROM pg_operator o WHERE o.oprcode IN (SELECT oid FROM anything_function)))
              OR (refclassid = 'pg_proc'::regclass AND refobjid IN (SELECT oid FROM pg_proc WHERE oid >= 16384 AND prokind = 'a'))))
    OR EXISTS (SELECT FROM pg_rewrite r, runs_sql s WHERE r.oid >= 16384 AND r.ev_action::text ~ (':funcid (' || s.oids || ') ')),
  EXISTS (SELECT FROM pg_cast WHERE castfunc IN (SELECT oid FROM anything_function)),
  EXISTS (SELECT FROM pg_event_trigger WHERE evtenabled <> 'D'),
  EXISTS (SELECT FROM pg_depend d JOIN pg_constraint c ON c.oid = d.objid
          WHERE d.classid = 'pg_constraint'::regclass AND c.contypid <> 0
            AND ((d.refclassid = 'pg_proc'::regclass AND d.refobjid IN (SELECT oid FROM anything_function))
              OR (d.refclassid = 'pg_operator'::regclass AND d.refobjid IN
                    (SELECT o.oid FROM pg_operator o WHERE o.oprcode IN (SELECT oid FROM anything_function)))))
)sql";

const std::string kTypes = R"sql(
SELECT t.oid, n.nspname, t.typname, t.typtype, CASE WHEN t.typlen = -1 AND t.typtype = 'b' THEN t.typelem ELSE 0 END,
       t.typbasetype
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname !~ '^pg_(toast|temp)' AND (t.oid >= 16384 OR (t.typrelid = 0 AND n.nspname = 'pg_catalog'))
)sql";

const std::string kFunctions = "WITH " + kUserFunctions + R"sql(
SELECT DISTINCT n.nspname, p.proname, p.pronargs, p.pronargdefaults, p.provariadic <> 0,
       p.oid >= 16384 OR n.nspname <> 'pg_catalog', p.provolatile,
       CASE WHEN p.oid < 16384 THEN 'n'
            WHEN p.prokind = 'a' THEN
              CASE WHEN EXISTS (SELECT FROM pg_aggregate a, user_function f
                                WHERE a.aggfnoid = p.oid AND f.anything AND f.oid IN (a.aggtransfn, a.aggfinalfn,
                                  a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn))
                   THEN 'a' ELSE 's' END
            WHEN u.anything THEN 'a' WHEN u.opaque THEN 's' ELSE 'n' END
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace LEFT JOIN user_function u ON u.oid = p.oid
)sql";

const std::string kOperators = "WITH " + kUserFunctions + R"sql(
SELECT DISTINCT n.nspname, o.oprname, p.proname, o.oid >= 16384 OR p.oid >= 16384 OR n.nspname <> 'pg_catalog',
       p.provolatile, CASE WHEN u.anything THEN 'a' WHEN u.opaque THEN 's' ELSE 'n' END
FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace JOIN pg_proc p ON p.oid = o.oprcode
LEFT JOIN user_function u ON u.oid = p.oid
)sql";

const std::string kRelations = "WITH " + kUserFunctions + R"sql(,
  bad_operator AS MATERIALIZED (SELECT oid FROM pg_operator WHERE oprcode IN (SELECT oid FROM opaque_function)),
  bad_class AS MATERIALIZED (
    SELECT c.oid FROM pg_opclass c WHERE c.opcfamily IN (
      SELECT amprocfamily FROM pg_amproc WHERE amproc IN (SELECT oid FROM opaque_function)
      UNION SELECT amopfamily FROM pg_amop WHERE amopopr IN (SELECT oid FROM bad_operator))),
  bad AS MATERIALIZED (
    SELECT d.classid, d.objid FROM pg_depend d
    WHERE (d.refclassid = 'pg_proc'::regclass AND (d.refobjid IN (SELECT oid FROM opaque_function)
             OR d.refobjid IN (SELECT oid FROM pg_proc WHERE oid >= 16384 AND prokind = 'a')))
       OR (d.refclassid = 'pg_operator'::regclass AND d.refobjid IN (SELECT oid FROM bad_operator))
       OR (d.refclassid = 'pg_opclass'::regclass AND d.refobjid IN (SELECT oid FROM bad_class))),
  opaque AS MATERIALIZED (
    SELECT a.adrelid AS relid FROM pg_attrdef a JOIN bad b ON b.classid = 'pg_attrdef'::regclass AND b.objid = a.oid
    UNION SELECT c.conrelid FROM pg_constraint c JOIN bad b ON b.classid = 'pg_constraint'::regclass AND b.objid = c.oid
    UNION SELECT i.indrelid FROM pg_index i JOIN bad b ON b.classid = 'pg_class'::regclass AND b.objid = i.indexrelid
    UNION SELECT b.objid FROM bad b WHERE b.classid = 'pg_class'::regclass
    UNION SELECT a.attrelid FROM pg_attribute a
      WHERE a.atttypid >= 16384 AND EXISTS (SELECT FROM pg_constraint c JOIN bad b
        ON b.classid = 'pg_constraint'::regclass AND b.objid = c.oid WHERE c.contypid <> 0)),
  kin AS MATERIALIZED (SELECT inhrelid AS relid FROM pg_inherits UNION SELECT inhparent FROM pg_inherits),
  ruled AS MATERIALIZED (SELECT DISTINCT ev_class AS relid FROM pg_rewrite),
  triggered AS MATERIALIZED (SELECT DISTINCT tgrelid AS relid FROM pg_trigger WHERE NOT tgisinternal),
  cascading AS MATERIALIZED (
    SELECT confrelid AS relid, bool_or(confupdtype IN ('c', 'n', 'd')) AS on_update,
           bool_or(confdeltype IN ('c', 'n', 'd')) AS on_delete
    FROM pg_constraint WHERE contype = 'f' GROUP BY confrelid)
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence,
       c.relispartition OR c.oid IN (SELECT relid FROM kin), c.relrowsecurity,
       c.oid IN (SELECT relid FROM ruled), c.oid IN (SELECT relid FROM triggered),
       coalesce(f.on_update, false), coalesce(f.on_delete, false), c.oid IN (SELECT relid FROM opaque)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN cascading f ON f.relid = c.oid
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_(toast|temp)'
)sql";

const std::string kColumns = R"sql(
SELECT a.attrelid, a.attname, a.atttypid, a.attgenerated
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.oid >= 16384 AND c.relkind = 'r' AND c.relpersistence = 'p' AND a.attnum > 0 AND NOT a.attisdropped
)sql";

const std::array<CatalogQuery, 6> kQueries{{
    {"summary", kSummary},
    {"types", kTypes},
    {"functions", kFunctions},
    {"operators", kOperators},
    {"relations", kRelations},
    {"columns", kColumns},
}};

// Sums of 64-bit hashes of (oid, xmin): a row that comes, goes or changes moves its sum, in whatever order rows are
// read. What another session makes for itself alone (pg_temp) is left out. VACUUM and ANALYZE update pg_class in place.
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
    const auto content = [&](const std::string& table) {
        return "coalesce((SELECT count(*) || '/' || sum(hashtextextended(x::text, 7))::text FROM " + table + " x), '')";
    };
    std::string parts;
    for (const auto& part : std::vector<std::string>{
             "coalesce((SELECT count(*) || '/' || " + row + " FROM pg_class x WHERE x.relpersistence <> 't'), '')",
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
             all("pg_rewrite"), // of temporary views too: the summary asks what they call
             of_class("pg_policy", "polrelid", "x.oid"),
             of_class("pg_attrdef", "adrelid", "x.oid"),
             std::string{"coalesce((SELECT count(*) || '/' || "} + row +
                 " FROM pg_namespace x WHERE x.oid NOT IN (SELECT oid FROM own)), '')",
             all("pg_enum"),
             all("pg_opclass"),
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
