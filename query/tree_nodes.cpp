#include "query/tree_nodes.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace pgmemo::query {
namespace {

constexpr Oid kBool = 16, kInt4 = 23;

struct NodeText {
    std::string_view labels; ///< before and after PostgreSQL 15 named all of them by their struct
    std::string_view fields; ///< of every version, `:` and a role after those that have one
    Oid result = 0;
};

/// Every kind of node that a stored tree may hold and that this file knows how to take, with every field that it has
/// in one of the versions 13 to 18. What is not here makes a tree not understood.
constexpr auto kNodes = std::to_array<NodeText>({
    // parsenodes.h
    {"QUERY", "commandType querySource canSetTag queryId utilityStmt resultRelation hasAggs hasWindowFuncs "
              "hasTargetSRFs hasSubLinks hasDistinctOn hasRecursive hasModifyingCTE hasForUpdate hasRowSecurity "
              "hasGroupRTE isReturn cteList rtable rteperminfos jointree mergeActionList mergeUseOuterJoin "
              "mergeTargetRelation mergeJoinCondition targetList override onConflict returningOldAlias "
              "returningNewAlias returningList groupClause groupDistinct groupingSets havingQual windowClause "
              "distinctClause sortClause limitOffset limitCount limitOption rowMarks setOperations constraintDeps "
              "withCheckOptions stmt_location stmt_len"},
    {"RTE RANGETBLENTRY",
     "alias eref rtekind relid relkind rellockmode perminfoindex tablesample subquery security_barrier jointype "
     "joinmergedcols joinaliasvars joinleftcols joinrightcols join_using_alias functions funcordinality tablefunc "
     "values_lists ctename ctelevelsup self_reference coltypes coltypmods colcollations enrname enrtuples groupexprs "
     "lateral inh inFromCl requiredPerms checkAsUser selectedCols insertedCols updatedCols extraUpdatedCols "
     "securityQuals"},
    {"RTEPERMISSIONINFO", "relid inh requiredPerms checkAsUser selectedCols insertedCols updatedCols"},
    {"RANGETBLFUNCTION", "funcexpr funccolcount funccolnames funccoltypes funccoltypmods funccolcollations funcparams"},
    {"TABLESAMPLECLAUSE", "tsmhandler:f args repeatable"},
    {"WITHCHECKOPTION", "kind relname polname qual cascaded"},
    {"SORTGROUPCLAUSE", "tleSortGroupRef eqop:o sortop:o reverse_sort nulls_first hashable"},
    {"GROUPINGSET", "kind content location"},
    {"WINDOWCLAUSE", "name refname partitionClause orderClause frameOptions startOffset endOffset runCondition "
                     "startInRangeFunc:f endInRangeFunc:f inRangeColl inRangeAsc inRangeNullsFirst winref copiedOrder"},
    {"ROWMARKCLAUSE", "rti strength waitPolicy pushedDown"},
    {"COMMONTABLEEXPR", "ctename aliascolnames ctematerialized ctequery search_clause cycle_clause location "
                        "cterecursive cterefcount ctecolnames ctecoltypes ctecoltypmods ctecolcollations"},
    {"CTESEARCHCLAUSE", "search_col_list search_breadth_first search_seq_column location"},
    {"CTECYCLECLAUSE", "cycle_col_list cycle_mark_column cycle_mark_value cycle_mark_default cycle_path_column "
                       "location cycle_mark_type cycle_mark_typmod cycle_mark_collation cycle_mark_neop:o"},
    {"SETOPERATIONSTMT", "op all larg rarg colTypes colTypmods colCollations groupClauses"},
    {"MERGEACTION", "matched matchKind override commandType qual targetList updateColnos"},
    {"NOTIFY NOTIFYSTMT", "conditionname payload"},
    // primnodes.h
    {"ALIAS", "aliasname colnames"},
    {"RANGETBLREF", "rtindex"},
    {"JOINEXPR", "jointype isNatural larg rarg usingClause join_using_alias quals alias rtindex"},
    {"FROMEXPR", "fromlist quals"},
    {"ONCONFLICTEXPR",
     "action arbiterElems arbiterWhere constraint onConflictSet onConflictWhere exclRelIndex exclRelTlist"},
    {"TARGETENTRY", "expr resno resname ressortgroupref resorigtbl resorigcol resjunk"},
    {"VAR", "varno varattno vartype:r vartypmod varcollid varnullingrels varlevelsup varreturningtype varnosyn "
            "varattnosyn location"},
    {"CONST", "consttype:r consttypmod constcollid constlen constbyval constisnull location constvalue"},
    {"PARAM", "paramkind paramid paramtype:r paramtypmod paramcollid location"},
    {"AGGREF", "aggfnoid:f aggtype:r aggcollid inputcollid aggtranstype aggargtypes aggdirectargs args aggorder "
               "aggdistinct aggfilter aggstar aggvariadic aggkind aggpresorted agglevelsup aggsplit aggno aggtransno "
               "location"},
    {"GROUPINGFUNC", "args refs cols agglevelsup location", kInt4},
    {"WINDOWFUNC", "winfnoid:f wintype:r wincollid inputcollid args aggfilter runCondition winref winstar winagg "
                   "location"},
    {"SUBSCRIPTINGREF", "refcontainertype refelemtype refrestype:r reftypmod refcollid refupperindexpr "
                        "reflowerindexpr refexpr refassgnexpr"},
    {"FUNCEXPR", "funcid:f funcresulttype:r funcretset funcvariadic funcformat funccollid inputcollid args location"},
    {"NAMEDARGEXPR", "arg name argnumber location"},
    {"OPEXPR", "opno:o opfuncid opresulttype:r opretset opcollid inputcollid args location"},
    {"DISTINCTEXPR", "opno:o opfuncid opresulttype:r opretset opcollid inputcollid args location"},
    {"NULLIFEXPR", "opno:o opfuncid opresulttype:r opretset opcollid inputcollid args location"},
    {"SCALARARRAYOPEXPR", "opno:o opfuncid hashfuncid negfuncid useOr inputcollid args location", kBool},
    {"BOOLEXPR", "boolop args location", kBool},
    {"SUBLINK", "subLinkType subLinkId testexpr operName subselect location"},
    {"FIELDSELECT", "arg fieldnum resulttype:r resulttypmod resultcollid"},
    {"FIELDSTORE", "arg newvals fieldnums resulttype:r"},
    {"RELABELTYPE", "arg resulttype:r resulttypmod resultcollid relabelformat location"},
    {"COERCEVIAIO", "arg resulttype:c resultcollid coerceformat location"},
    {"ARRAYCOERCEEXPR", "arg elemexpr resulttype:r resulttypmod resultcollid coerceformat location"},
    {"CONVERTROWTYPEEXPR", "arg resulttype:r convertformat location"},
    {"COLLATE COLLATEEXPR", "arg collOid location"},
    {"CASE CASEEXPR", "casetype:r casecollid arg args defresult location"},
    {"WHEN CASEWHEN", "expr result location"},
    {"CASETESTEXPR", "typeId:r typeMod collation"},
    {"ARRAY ARRAYEXPR", "array_typeid:r array_collid element_typeid elements multidims list_start list_end location"},
    {"ROW ROWEXPR", "args row_typeid:r row_format colnames location"},
    {"ROWCOMPARE ROWCOMPAREEXPR", "rctype cmptype opnos:o opfamilies inputcollids largs rargs", kBool},
    {"COALESCE COALESCEEXPR", "coalescetype:r coalescecollid args location"},
    {"MINMAX MINMAXEXPR", "minmaxtype:c minmaxcollid inputcollid op args location"},
    {"SQLVALUEFUNCTION", "op type:r typmod location"},
    {"XMLEXPR", "op name named_args arg_names args xmloption indent type:r typmod location"},
    {"TABLEFUNC", "functype ns_uris ns_names docexpr rowexpr colnames coltypes coltypmods colcollations colexprs "
                  "coldefexprs colvalexprs passingvalexprs notnulls plan ordinalitycol location"},
    {"NULLTEST", "arg nulltesttype argisrow location", kBool},
    {"BOOLEANTEST", "arg booltesttype location", kBool},
    {"COERCETODOMAIN", "arg resulttype:c resulttypmod resultcollid coercionformat location"},
    {"COERCETODOMAINVALUE", "typeId:r typeMod collation location"},
    {"SETTODEFAULT", "typeId:r typeMod collation location"},
    {"NEXTVALUEEXPR", "seqid typeId:r"},
    {"INFERENCEELEM", "expr infercollid inferopclass"},
    {"MERGESUPPORTFUNC", "msftype:r msfcollid location"},
    {"RETURNINGEXPR", "retlevelsup retold retexpr"},
    {"JSONFORMAT", "format_type encoding location"},
    {"JSONRETURNING", "format typid typmod"},
    {"JSONVALUEEXPR", "raw_expr formatted_expr format"},
    {"JSONCONSTRUCTOREXPR", "type args func coercion returning absent_on_null unique location"},
    {"JSONISPREDICATE", "expr format item_type exprBaseType unique_keys location", kBool},
    {"JSONBEHAVIOR", "btype expr coerce location"},
    {"JSONEXPR", "op column_name formatted_expr format path_spec returning passing_names passing_values on_empty "
                 "on_error use_io_coercion use_json_coercion wrapper omit_quotes collation location"},
    {"JSONTABLEPATH", "value name"},
    {"JSONTABLEPATHSCAN", "path errorOnError child colMin colMax"},
    {"JSONTABLESIBLINGJOIN", "lplan rplan"},
});

template <class Take>
void each_word(std::string_view text, Take take)
{
    while (!text.empty()) {
        const auto end = std::min(text.find(' '), text.size());
        take(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

} // namespace

const TreeNodeKind* tree_node_kind(std::string_view label)
{
    static const auto kinds = [] {
        std::unordered_map<std::string_view, TreeNodeKind> all;
        for (const auto& text : kNodes) {
            TreeNodeKind kind{{}, text.result};
            each_word(text.fields, [&](std::string_view word) {
                const auto colon = word.find(':');
                kind.fields.push_back({word.substr(0, colon), colon == std::string_view::npos
                                                                  ? TreeRole::plain
                                                                  : static_cast<TreeRole>(word[colon + 1])});
            });
            each_word(text.labels, [&](std::string_view label_of) { all.emplace(label_of, kind); });
        }
        return all;
    }();
    const auto found = kinds.find(label);
    return found == kinds.end() ? nullptr : &found->second;
}

const TreeField* TreeNodeKind::field(std::string_view field_name) const noexcept
{
    const auto found =
        std::find_if(fields.begin(), fields.end(), [&](const TreeField& it) { return it.name == field_name; });
    return found == fields.end() ? nullptr : &*found;
}

} // namespace pgmemo::query
