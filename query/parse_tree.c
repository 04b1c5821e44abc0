/* The only file that sees libpg_query and the server's node headers.
 *
 * libpg_query 15's raw parse tree has the layout of PostgreSQL 15's headers, with one exception: the order of the enum
 * LimitOption. `limitOption` is therefore never read.
 *
 * raw_expression_tree_walker is not used: it recurses without a limit of ours, and raises an error that nobody would
 * catch on a node it does not know.
 */
#include <pg_query.h>
#include <pg_query/pg_query_internal.h>

#include "nodes/nodes.h"
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "nodes/primnodes.h"
#include "nodes/value.h"

#undef snprintf
#undef vsnprintf
#undef printf
#undef fprintf
#undef sprintf
#undef strerror

#include "query/parse_tree.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { max_depth = 1000 };

typedef struct cte {
    const char* name;
    const struct cte* outer;
} cte;

typedef struct reading {
    void (*emit)(void*, const pgm_fact*);
    void* context;
    int depth;
    bool too_deep;
    bool planned_only;
    const cte* ctes;
} reading;

static void walk(reading* r, const void* node);
static void walk_query(reading* r, const Node* node);

static void emit(reading* r, pgm_fact fact)
{
    fact.planned_only = r->planned_only;
    r->emit(r->context, &fact);
}

static void mark(reading* r, pgm_mark code)
{
    emit(r, (pgm_fact){.kind = PGM_MARK, .code = code});
}

static void begin(reading* r, pgm_statement code)
{
    emit(r, (pgm_fact){.kind = PGM_STATEMENT, .code = code});
}

static const char* string_at(const List* list, int index)
{
    const Node* node = index >= 0 && index < list_length(list) ? list_nth(list, index) : NULL;
    return node != NULL && IsA(node, String) ? strVal(node) : NULL;
}

/* Emits a possibly qualified name: `name`, `schema.name` or `database.schema.name`. */
static void emit_name(reading* r, pgm_fact fact, const List* names)
{
    const int length = list_length(names);
    fact.name = string_at(names, length - 1);
    fact.schema = length > 1 ? string_at(names, length - 2) : NULL;
    if (fact.name == NULL || length > 3 || (length > 1 && fact.schema == NULL))
        mark(r, PGM_MARK_UNKNOWN);
    else
        emit(r, fact);
}

static void emit_operator(reading* r, const List* names)
{
    emit_name(r, (pgm_fact){.kind = PGM_OPERATOR}, names);
}

static void emit_operator_name(reading* r, const char* name)
{
    emit(r, (pgm_fact){.kind = PGM_OPERATOR, .name = name});
}

static void emit_output_name(reading* r, const char* name)
{
    if (name != NULL)
        emit(r, (pgm_fact){.kind = PGM_OUTPUT_NAME, .name = name});
}

static void emit_alias(reading* r, const Alias* alias)
{
    if (alias == NULL)
        return;
    emit_output_name(r, alias->aliasname); /* of a function in FROM it names the column as well */
    for (int i = 0; i < list_length(alias->colnames); ++i)
        emit_output_name(r, string_at(alias->colnames, i));
}

static void emit_relation(reading* r, const RangeVar* relation, int use)
{
    if (relation == NULL || relation->relname == NULL) {
        mark(r, PGM_MARK_UNKNOWN);
        return;
    }
    emit(r, (pgm_fact){.kind = PGM_RELATION, .code = use, .schema = relation->schemaname, .name = relation->relname});
}

/* ---- types ---- */

static bool is_time_type(const TypeName* type)
{
    static const char* const names[] = {"date",           "time",         "timetz",        "timestamp",
                                        "timestamptz",    "daterange",    "tsrange",       "tstzrange",
                                        "datemultirange", "tsmultirange", "tstzmultirange"};
    const char* name = string_at(type->names, list_length(type->names) - 1);
    if (name == NULL)
        return false;
    if (name[0] == '_')
        ++name;
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static void walk_type(reading* r, const TypeName* type)
{
    if (type == NULL) {
        mark(r, PGM_MARK_UNKNOWN);
        return;
    }
    if (type->setof || type->pct_type)
        mark(r, PGM_MARK_UNSUPPORTED);
    for (int i = 0; i < list_length(type->typmods); ++i) {
        const Node* typmod = list_nth(type->typmods, i);
        if (typmod == NULL || !IsA(typmod, A_Const))
            mark(r, PGM_MARK_UNSUPPORTED);
    }
    emit_output_name(r, string_at(type->names, list_length(type->names) - 1));
    emit_name(r, (pgm_fact){.kind = PGM_TYPE}, type->names);
}

/* A text value that is cast to a date or time type may say `now`; in a constant that is seen, in a column it is not.
 * Says whether the expression is proved not to be text, or to be a constant; a column's type is left to the catalog. */
static bool is_not_read_as_time(reading* r, const Node* node, int depth)
{
    if (node == NULL)
        return true;
    if (depth > 20)
        return false;
    switch (nodeTag(node)) {
    case T_A_Const:
    case T_ParamRef: /* a parameter refuses by itself */
        return true;
    case T_TypeCast:
        return is_time_type(((const TypeCast*)node)->typeName); /* examined by its own visit */
    case T_ColumnRef: {
        const ColumnRef* column = (const ColumnRef*)node;
        const char* name = string_at(column->fields, list_length(column->fields) - 1);
        if (name == NULL)
            return false;
        emit(r, (pgm_fact){.kind = PGM_TIME_OF_COLUMN, .name = name});
        return true;
    }
    case T_A_Expr: {
        const A_Expr* expr = (const A_Expr*)node;
        const char* name = string_at(expr->name, list_length(expr->name) - 1);
        /* no built-in + or - yields text, and others refuse by themselves */
        return expr->kind == AEXPR_OP && name != NULL && (strcmp(name, "+") == 0 || strcmp(name, "-") == 0);
    }
    case T_CoalesceExpr: {
        const CoalesceExpr* expr = (const CoalesceExpr*)node;
        for (int i = 0; i < list_length(expr->args); ++i)
            if (!is_not_read_as_time(r, list_nth(expr->args, i), depth + 1))
                return false;
        return true;
    }
    case T_FuncCall: {
        static const char* const times[] = {"date_trunc", "to_timestamp",   "to_date",          "make_date",
                                            "date_bin",   "make_timestamp", "make_timestamptz", "timezone"};
        const FuncCall* call = (const FuncCall*)node;
        const char* name = string_at(call->funcname, list_length(call->funcname) - 1);
        if (name == NULL)
            return false;
        for (size_t i = 0; i < sizeof times / sizeof *times; ++i)
            if (strcmp(name, times[i]) == 0)
                return true;
        if ((strcmp(name, "min") == 0 || strcmp(name, "max") == 0) && list_length(call->args) == 1)
            return is_not_read_as_time(r, linitial(call->args), depth + 1);
        return false;
    }
    default:
        return false;
    }
}

static void walk_cast(reading* r, const TypeCast* cast)
{
    walk_type(r, cast->typeName);
    if (cast->typeName != NULL && is_time_type(cast->typeName) && !is_not_read_as_time(r, cast->arg, 0))
        mark(r, PGM_MARK_CLOCK);
    walk(r, cast->arg);
}

/* ---- expressions ---- */

static void walk_list(reading* r, const List* list)
{
    for (int i = 0; i < list_length(list); ++i)
        walk(r, list_nth(list, i));
}

static void walk_column(reading* r, const ColumnRef* column)
{
    const int length = list_length(column->fields);
    for (int i = 0; i < length; ++i) {
        const Node* field = list_nth(column->fields, i);
        if (IsA(field, String)) {
            static const char* const system_columns[] = {"xmin", "xmax", "cmin", "cmax", "ctid", "tableoid"};
            for (size_t k = 0; k < sizeof system_columns / sizeof *system_columns; ++k)
                if (strcmp(strVal(field), system_columns[k]) == 0)
                    mark(r, PGM_MARK_UNSUPPORTED);
            if (length == 1 && strcmp(strVal(field), "system_user") == 0)
                mark(r, PGM_MARK_IDENTITY); /* a keyword since PostgreSQL 16 */
            if (i > 0)
                emit(r, (pgm_fact){.kind = PGM_FIELD, .name = strVal(field)});
        } else if (!IsA(field, A_Star)) {
            mark(r, PGM_MARK_UNKNOWN);
        }
    }
}

static void walk_indirection(reading* r, const List* indirection)
{
    for (int i = 0; i < list_length(indirection); ++i) {
        const Node* step = list_nth(indirection, i);
        if (IsA(step, String))
            emit(r, (pgm_fact){.kind = PGM_MEMBER, .name = strVal(step)});
        else if (IsA(step, A_Indices)) {
            walk(r, ((const A_Indices*)step)->lidx);
            walk(r, ((const A_Indices*)step)->uidx);
        } else if (IsA(step, A_Star))
            emit_output_name(r, "*");
        else
            mark(r, PGM_MARK_UNKNOWN);
    }
}

static void emit_expression_operators(reading* r, const A_Expr* expr)
{
    switch (expr->kind) {
    case AEXPR_BETWEEN:
    case AEXPR_BETWEEN_SYM:
        emit_operator_name(r, ">=");
        emit_operator_name(r, "<=");
        return;
    case AEXPR_NOT_BETWEEN:
    case AEXPR_NOT_BETWEEN_SYM:
        emit_operator_name(r, "<");
        emit_operator_name(r, ">");
        return;
    case AEXPR_OP:
    case AEXPR_OP_ANY:
    case AEXPR_OP_ALL:
    case AEXPR_DISTINCT:
    case AEXPR_NOT_DISTINCT:
    case AEXPR_NULLIF:
    case AEXPR_IN:
    case AEXPR_LIKE:
    case AEXPR_ILIKE:
    case AEXPR_SIMILAR:
        emit_operator(r, expr->name);
        return;
    }
    mark(r, PGM_MARK_UNKNOWN);
}

static void walk_call(reading* r, const FuncCall* call)
{
    pgm_fact fact = {.kind = PGM_FUNCTION, .code = call->func_variadic ? 1 : 0};
    fact.count = list_length(call->args) + (call->agg_within_group ? list_length(call->agg_order) : 0);
    if (call->args != NIL) {
        const Node* first = linitial(call->args);
        if (first != NULL && IsA(first, A_Const) && !((const A_Const*)first)->isnull &&
            nodeTag(&((const A_Const*)first)->val.node) == T_String)
            fact.text = ((const A_Const*)first)->val.sval.sval;
    }
    emit_name(r, fact, call->funcname);
    const char* name = string_at(call->funcname, list_length(call->funcname) - 1);
    emit_output_name(r, name);

    /* `date(x)` is a cast when x is text */
    const TypeName as_type = {.type = T_TypeName, .names = call->funcname};
    if (list_length(call->args) == 1 && is_time_type(&as_type) && !is_not_read_as_time(r, linitial(call->args), 0))
        mark(r, PGM_MARK_CLOCK);

    walk_list(r, call->args);
    walk_list(r, call->agg_order);
    walk(r, call->agg_filter);
    walk(r, call->over);
}

static void walk_constant(reading* r, const A_Const* constant)
{
    if (constant->isnull)
        return;
    switch (nodeTag(&constant->val.node)) {
    case T_Integer:
    case T_Float:
    case T_Boolean:
    case T_BitString:
        return;
    case T_String:
        emit(r, (pgm_fact){.kind = PGM_STRING, .text = constant->val.sval.sval});
        return;
    default:
        mark(r, PGM_MARK_UNKNOWN);
    }
}

static void walk_value_function(reading* r, const SQLValueFunction* function)
{
    switch (function->op) {
    case SVFOP_CURRENT_ROLE:
    case SVFOP_CURRENT_USER:
    case SVFOP_USER:
    case SVFOP_SESSION_USER:
    case SVFOP_CURRENT_CATALOG:
    case SVFOP_CURRENT_SCHEMA:
        mark(r, PGM_MARK_IDENTITY);
        return;
    default:
        mark(r, PGM_MARK_CLOCK);
    }
}

static void walk_sublink(reading* r, const SubLink* link)
{
    if (link->subLinkType == ANY_SUBLINK || link->subLinkType == ALL_SUBLINK) {
        if (link->operName == NIL)
            emit_operator_name(r, "=");
        else
            emit_operator(r, link->operName);
    }
    walk(r, link->testexpr);
    walk_query(r, link->subselect);
}

/* ---- FROM ---- */

static bool is_cte(const reading* r, const RangeVar* relation)
{
    if (relation->schemaname != NULL)
        return false;
    for (const cte* c = r->ctes; c != NULL; c = c->outer)
        if (strcmp(c->name, relation->relname) == 0)
            return true;
    return false;
}

static void walk_column_definitions(reading* r, const List* columns)
{
    for (int i = 0; i < list_length(columns); ++i) {
        const Node* node = list_nth(columns, i);
        if (!IsA(node, ColumnDef)) {
            mark(r, PGM_MARK_UNKNOWN);
            continue;
        }
        const ColumnDef* column = (const ColumnDef*)node;
        emit_output_name(r, column->colname);
        walk_type(r, column->typeName);
        if (column->typeName != NULL && is_time_type(column->typeName))
            mark(r, PGM_MARK_CLOCK); /* read from text: json_to_record('{"at": "now"}') */
        if (column->constraints != NIL || column->raw_default != NULL)
            mark(r, PGM_MARK_UNSUPPORTED);
    }
}

static void walk_range_function(reading* r, const RangeFunction* range)
{
    for (int i = 0; i < list_length(range->functions); ++i) {
        const List* pair = list_nth(range->functions, i);
        if (pair == NIL || !IsA(pair, List) || list_length(pair) != 2) {
            mark(r, PGM_MARK_UNKNOWN);
            continue;
        }
        walk(r, linitial(pair));
        walk_column_definitions(r, lsecond(pair));
    }
    walk_column_definitions(r, range->coldeflist);
    emit_alias(r, range->alias);
    emit_output_name(r, "*"); /* a function names columns of its own: jsonb_each_text has `key` and `value` */
}

static void walk_join(reading* r, const JoinExpr* join)
{
    if (join->isNatural || join->usingClause != NIL)
        emit_operator_name(r, "=");
    emit_alias(r, join->alias);
    emit_alias(r, join->join_using_alias);
    walk(r, join->larg);
    walk(r, join->rarg);
    walk(r, join->quals);
}

static void walk_table_function(reading* r, const RangeTableFunc* table)
{
    mark(r, PGM_MARK_UNSUPPORTED);
    walk(r, table->docexpr);
    walk(r, table->rowexpr);
    walk_list(r, table->namespaces);
    for (int i = 0; i < list_length(table->columns); ++i) {
        const RangeTableFuncCol* column = list_nth(table->columns, i);
        if (!column->for_ordinality)
            walk_type(r, column->typeName);
        walk(r, column->colexpr);
        walk(r, column->coldefexpr);
    }
}

static void walk_node(reading* r, const Node* node);

static void walk(reading* r, const void* node)
{
    if (node == NULL || r->too_deep)
        return;
    if (r->depth >= max_depth) {
        r->too_deep = true;
        return;
    }
    ++r->depth;
    walk_node(r, node);
    --r->depth;
}

static void walk_node(reading* r, const Node* node)
{
    switch (nodeTag(node)) {
    case T_List:
        walk_list(r, (const List*)node);
        return;
    case T_SelectStmt:
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
        walk_query(r, node);
        return;
    case T_A_Star:
    case T_SetToDefault:
        return;
    case T_CurrentOfExpr: /* an UPDATE or DELETE of its own target */
        mark(r, PGM_MARK_UNSUPPORTED);
        return;
    case T_ParamRef:
        mark(r, PGM_MARK_PARAMETER);
        return;
    case T_A_Const:
        walk_constant(r, (const A_Const*)node);
        return;
    case T_ColumnRef:
        walk_column(r, (const ColumnRef*)node);
        return;
    case T_A_Expr: { /* `1+1+1+…` leans to the left: a loop, so that it is not deep */
        while (node != NULL && IsA(node, A_Expr)) {
            emit_expression_operators(r, (const A_Expr*)node);
            walk(r, ((const A_Expr*)node)->rexpr);
            node = ((const A_Expr*)node)->lexpr;
        }
        walk(r, node);
        return;
    }
    case T_FuncCall:
        walk_call(r, (const FuncCall*)node);
        return;
    case T_NamedArgExpr:
        walk(r, ((const NamedArgExpr*)node)->arg);
        return;
    case T_TypeCast:
        walk_cast(r, (const TypeCast*)node);
        return;
    case T_CollateClause:
        walk(r, ((const CollateClause*)node)->arg);
        return;
    case T_A_Indirection:
        walk(r, ((const A_Indirection*)node)->arg);
        walk_indirection(r, ((const A_Indirection*)node)->indirection);
        return;
    case T_A_ArrayExpr:
        emit_output_name(r, "array");
        walk_list(r, ((const A_ArrayExpr*)node)->elements);
        return;
    case T_RowExpr:
        emit_output_name(r, "row");
        walk_list(r, ((const RowExpr*)node)->args);
        return;
    case T_BoolExpr:
        walk_list(r, ((const BoolExpr*)node)->args);
        return;
    case T_NullTest:
        walk(r, ((const NullTest*)node)->arg);
        return;
    case T_BooleanTest:
        walk(r, ((const BooleanTest*)node)->arg);
        return;
    case T_CaseExpr:
        emit_output_name(r, "case");
        if (((const CaseExpr*)node)->arg != NULL)
            emit_operator_name(r, "=");
        walk(r, ((const CaseExpr*)node)->arg);
        walk_list(r, ((const CaseExpr*)node)->args);
        walk(r, ((const CaseExpr*)node)->defresult);
        return;
    case T_CaseWhen:
        walk(r, ((const CaseWhen*)node)->expr);
        walk(r, ((const CaseWhen*)node)->result);
        return;
    case T_CoalesceExpr:
        emit_output_name(r, "coalesce");
        walk_list(r, ((const CoalesceExpr*)node)->args);
        return;
    case T_MinMaxExpr:
        emit_output_name(r, "greatest");
        emit_output_name(r, "least");
        walk_list(r, ((const MinMaxExpr*)node)->args);
        return;
    case T_SQLValueFunction:
        walk_value_function(r, (const SQLValueFunction*)node);
        return;
    case T_GroupingFunc:
        emit_output_name(r, "grouping");
        walk_list(r, ((const GroupingFunc*)node)->args);
        return;
    case T_GroupingSet:
        walk_list(r, ((const GroupingSet*)node)->content);
        return;
    case T_SubLink:
        emit_output_name(r, "exists");
        emit_output_name(r, "array");
        walk_sublink(r, (const SubLink*)node);
        return;
    case T_XmlExpr:
        mark(r, PGM_MARK_UNSUPPORTED);
        walk_list(r, ((const XmlExpr*)node)->named_args);
        walk_list(r, ((const XmlExpr*)node)->args);
        return;
    case T_XmlSerialize:
        mark(r, PGM_MARK_UNSUPPORTED);
        walk_type(r, ((const XmlSerialize*)node)->typeName);
        walk(r, ((const XmlSerialize*)node)->expr);
        return;
    case T_ResTarget:
        emit_output_name(r, ((const ResTarget*)node)->name);
        walk_indirection(r, ((const ResTarget*)node)->indirection);
        walk(r, ((const ResTarget*)node)->val);
        return;
    case T_MultiAssignRef: /* SET (a, b, c) = source: one source, seen by each of its columns */
        if (((const MultiAssignRef*)node)->colno == 1)
            walk(r, ((const MultiAssignRef*)node)->source);
        return;
    case T_SortBy:
        if (((const SortBy*)node)->useOp != NIL)
            emit_operator(r, ((const SortBy*)node)->useOp);
        walk(r, ((const SortBy*)node)->node);
        return;
    case T_WindowDef:
        walk_list(r, ((const WindowDef*)node)->partitionClause);
        walk_list(r, ((const WindowDef*)node)->orderClause);
        walk(r, ((const WindowDef*)node)->startOffset);
        walk(r, ((const WindowDef*)node)->endOffset);
        return;
    case T_RangeVar:
        emit_alias(r, ((const RangeVar*)node)->alias);
        if (!is_cte(r, (const RangeVar*)node))
            emit_relation(r, (const RangeVar*)node, 0);
        return;
    case T_RangeSubselect:
        emit_alias(r, ((const RangeSubselect*)node)->alias);
        walk_query(r, ((const RangeSubselect*)node)->subquery);
        return;
    case T_RangeFunction:
        walk_range_function(r, (const RangeFunction*)node);
        return;
    case T_RangeTableFunc:
        walk_table_function(r, (const RangeTableFunc*)node);
        return;
    case T_RangeTableSample:
        mark(r, PGM_MARK_TABLESAMPLE);
        walk(r, ((const RangeTableSample*)node)->relation);
        walk_list(r, ((const RangeTableSample*)node)->args);
        walk(r, ((const RangeTableSample*)node)->repeatable);
        return;
    case T_JoinExpr:
        walk_join(r, (const JoinExpr*)node);
        return;
    case T_IndexElem:
        walk(r, ((const IndexElem*)node)->expr);
        return;
    default:
        mark(r, PGM_MARK_UNKNOWN);
    }
}

/* ---- queries ---- */

static cte* push_cte(reading* r, const CommonTableExpr* expr)
{
    cte* frame = palloc(sizeof *frame);
    frame->name = expr->ctename;
    frame->outer = r->ctes;
    r->ctes = frame;
    return frame;
}

/* A CTE sees those before it; under RECURSIVE all see all. The caller restores `ctes`. */
static void walk_with(reading* r, const WithClause* with)
{
    if (with == NULL)
        return;
    for (int i = 0; i < list_length(with->ctes); ++i) {
        const CommonTableExpr* expr = list_nth(with->ctes, i);
        for (const char* c = expr->ctename; *c != '\0'; ++c)
            if ((unsigned char)*c >= 0x80) /* folded to lower case by rules of the server's encoding */
                mark(r, PGM_MARK_UNKNOWN);
        if (with->recursive)
            push_cte(r, expr);
    }
    for (int i = 0; i < list_length(with->ctes); ++i) {
        const CommonTableExpr* expr = list_nth(with->ctes, i);
        if (expr->search_clause != NULL)
            mark(r, PGM_MARK_UNSUPPORTED);
        if (expr->cycle_clause != NULL) {
            mark(r, PGM_MARK_UNSUPPORTED);
            walk(r, expr->cycle_clause->cycle_mark_value);
            walk(r, expr->cycle_clause->cycle_mark_default);
        }
        for (int k = 0; k < list_length(expr->aliascolnames); ++k)
            emit_output_name(r, string_at(expr->aliascolnames, k));
        walk_query(r, expr->ctequery);
        if (!with->recursive)
            push_cte(r, expr);
    }
}

static void walk_select(reading* r, const SelectStmt* select)
{
    if (select->intoClause != NULL) {
        const RangeVar* into = select->intoClause->rel;
        mark(r, into != NULL && into->relpersistence == 't' ? PGM_MARK_DDL_TEMPORARY : PGM_MARK_DDL);
    }
    if (select->lockingClause != NIL)
        mark(r, PGM_MARK_ROW_LOCK);
    walk_list(r, select->distinctClause);
    walk_list(r, select->targetList);
    walk_list(r, select->fromClause);
    walk(r, select->whereClause);
    walk_list(r, select->groupClause);
    walk(r, select->havingClause);
    walk_list(r, select->windowClause);
    walk_list(r, select->valuesLists);
    walk_list(r, select->sortClause);
    walk(r, select->limitOffset);
    walk(r, select->limitCount);
    walk(r, select->larg);
    walk(r, select->rarg);
}

static void walk_insert(reading* r, const InsertStmt* insert)
{
    const OnConflictClause* conflict = insert->onConflictClause;
    const bool updates = conflict != NULL && conflict->action == ONCONFLICT_UPDATE;
    emit_relation(r, insert->relation, updates ? PGM_INSERT | PGM_UPDATE : PGM_INSERT);
    walk_list(r, insert->cols);
    walk(r, insert->selectStmt);
    if (conflict != NULL) {
        if (conflict->infer != NULL) {
            walk_list(r, conflict->infer->indexElems);
            walk(r, conflict->infer->whereClause);
        }
        walk_list(r, conflict->targetList);
        walk(r, conflict->whereClause);
    }
    walk_list(r, insert->returningList);
}

static void walk_merge(reading* r, const MergeStmt* merge)
{
    int use = 0;
    for (int i = 0; i < list_length(merge->mergeWhenClauses); ++i) {
        const MergeWhenClause* when = list_nth(merge->mergeWhenClauses, i);
        use |= when->commandType == CMD_INSERT   ? PGM_INSERT
               : when->commandType == CMD_UPDATE ? PGM_UPDATE
               : when->commandType == CMD_DELETE ? PGM_DELETE
                                                 : 0;
        walk(r, when->condition);
        walk_list(r, when->targetList);
        walk_list(r, when->values);
    }
    emit_relation(r, merge->relation, use != 0 ? use : PGM_UPDATE);
    walk(r, merge->sourceRelation);
    walk(r, merge->joinCondition);
}

/* A SELECT or a data-modifying statement, wherever it stands: restores the CTEs that were in scope before. */
static void walk_query(reading* r, const Node* node)
{
    if (node == NULL || r->too_deep)
        return;
    if (r->depth >= max_depth) {
        r->too_deep = true;
        return;
    }
    ++r->depth;
    const cte* const outer = r->ctes;
    switch (nodeTag(node)) {
    case T_SelectStmt:
        walk_with(r, ((const SelectStmt*)node)->withClause);
        walk_select(r, (const SelectStmt*)node);
        break;
    case T_InsertStmt:
        walk_with(r, ((const InsertStmt*)node)->withClause);
        walk_insert(r, (const InsertStmt*)node);
        break;
    case T_UpdateStmt: {
        const UpdateStmt* update = (const UpdateStmt*)node;
        walk_with(r, update->withClause);
        emit_relation(r, update->relation, PGM_UPDATE);
        walk_list(r, update->targetList);
        walk_list(r, update->fromClause);
        walk(r, update->whereClause);
        walk_list(r, update->returningList);
        break;
    }
    case T_DeleteStmt: {
        const DeleteStmt* delete = (const DeleteStmt*)node;
        walk_with(r, delete->withClause);
        emit_relation(r, delete->relation, PGM_DELETE);
        walk_list(r, delete->usingClause);
        walk(r, delete->whereClause);
        walk_list(r, delete->returningList);
        break;
    }
    case T_MergeStmt:
        walk_with(r, ((const MergeStmt*)node)->withClause);
        walk_merge(r, (const MergeStmt*)node);
        break;
    default:
        mark(r, PGM_MARK_UNKNOWN);
    }
    r->ctes = outer;
    --r->depth;
}

/* ---- statements ---- */

static bool is_temporary(const RangeVar* relation)
{
    return relation != NULL && relation->relpersistence == 't';
}

static bool is_constant(const Node* node, const char* text, int number)
{
    if (node == NULL || !IsA(node, A_Const) || ((const A_Const*)node)->isnull)
        return false;
    const A_Const* constant = (const A_Const*)node;
    if (text != NULL)
        return nodeTag(&constant->val.node) == T_String && strcmp(constant->val.sval.sval, text) == 0;
    return nodeTag(&constant->val.node) == T_Integer && constant->val.ival.ival == number;
}

static bool begins_plainly(const List* options)
{
    for (int i = 0; i < list_length(options); ++i) {
        const DefElem* option = list_nth(options, i);
        if (strcmp(option->defname, "transaction_isolation") == 0 && is_constant(option->arg, "read committed", 0))
            continue;
        if (strcmp(option->defname, "transaction_read_only") == 0 && is_constant(option->arg, NULL, 0))
            continue;
        return false;
    }
    return true;
}

static pgm_statement transaction_kind(const TransactionStmt* stmt)
{
    switch (stmt->kind) {
    case TRANS_STMT_BEGIN:
        return begins_plainly(stmt->options) ? PGM_BEGIN : PGM_BEGIN_OTHER;
    case TRANS_STMT_START:
        return begins_plainly(stmt->options) ? PGM_START : PGM_START_OTHER;
    case TRANS_STMT_COMMIT:
        return stmt->chain ? PGM_COMMIT_CHAIN : PGM_COMMIT;
    case TRANS_STMT_ROLLBACK:
        return stmt->chain ? PGM_ROLLBACK_CHAIN : PGM_ROLLBACK;
    case TRANS_STMT_SAVEPOINT:
    case TRANS_STMT_RELEASE:
    case TRANS_STMT_ROLLBACK_TO:
        return PGM_INSIDE;
    case TRANS_STMT_PREPARE:
        return PGM_PREPARE_TRANSACTION;
    case TRANS_STMT_COMMIT_PREPARED:
        return PGM_COMMIT_PREPARED;
    case TRANS_STMT_ROLLBACK_PREPARED:
        return PGM_ROLLBACK_PREPARED;
    }
    return PGM_OTHER;
}

static pgm_statement set_kind(const VariableSetStmt* set)
{
    /* SET TRANSACTION …, SET TRANSACTION SNAPSHOT, SET transaction_isolation = … */
    if (set->name != NULL && strncasecmp(set->name, "transaction", 11) == 0)
        return PGM_SET_TRANSACTION;
    return PGM_SET;
}

static bool explains_by_running(const ExplainStmt* explain)
{
    for (int i = 0; i < list_length(explain->options); ++i)
        if (strcmp(((const DefElem*)list_nth(explain->options, i))->defname, "analyze") == 0)
            return true; /* ANALYZE false counts too: it errs on the safe side */
    return false;
}

/* What EXPLAIN, COPY, PREPARE and DECLARE hold. */
static void walk_nested(reading* r, const Node* node)
{
    if (node == NULL) {
        mark(r, PGM_MARK_UNKNOWN);
        return;
    }
    switch (nodeTag(node)) {
    case T_SelectStmt:
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
        walk_query(r, node);
        return;
    case T_CreateTableAsStmt: {
        const CreateTableAsStmt* create = (const CreateTableAsStmt*)node;
        mark(r, create->into != NULL && is_temporary(create->into->rel) ? PGM_MARK_DDL_TEMPORARY : PGM_MARK_DDL);
        walk_nested(r, create->query);
        return;
    }
    case T_ExecuteStmt:
        mark(r, PGM_MARK_EXECUTE);
        walk_list(r, ((const ExecuteStmt*)node)->params);
        return;
    case T_DeclareCursorStmt:
        walk_nested(r, ((const DeclareCursorStmt*)node)->query);
        return;
    case T_RefreshMatViewStmt:
        mark(r, PGM_MARK_DDL);
        return;
    default:
        mark(r, PGM_MARK_UNKNOWN);
    }
}

static void walk_do(reading* r, const DoStmt* stmt)
{
    begin(r, PGM_DO);
    for (int i = 0; i < list_length(stmt->args); ++i) {
        const DefElem* option = list_nth(stmt->args, i);
        if (option->arg != NULL && IsA(option->arg, String))
            emit(r, (pgm_fact){.kind = PGM_STRING, .text = strVal(option->arg), .name = option->defname});
        else
            mark(r, PGM_MARK_UNKNOWN);
    }
}

static void walk_copy(reading* r, const CopyStmt* copy)
{
    begin(r, copy->is_from ? PGM_WRITE : PGM_UTILITY);
    if (copy->relation != NULL)
        emit_relation(r, copy->relation, copy->is_from ? PGM_INSERT : 0);
    if (copy->query != NULL)
        walk_nested(r, copy->query);
    walk(r, copy->whereClause);
}

static void walk_select_statement(reading* r, const SelectStmt* select)
{
    /* In a set operation INTO stands in its leftmost leaf. */
    const SelectStmt* leaf = select;
    while (leaf->larg != NULL)
        leaf = leaf->larg;
    if (leaf->intoClause != NULL)
        begin(r, is_temporary(leaf->intoClause->rel) ? PGM_INTO_TEMPORARY : PGM_INTO);
    else
        begin(r, PGM_SELECT);
    walk_query(r, (const Node*)select);
}

static void walk_statement(reading* r, const Node* stmt)
{
    switch (nodeTag(stmt)) {
    case T_SelectStmt:
        walk_select_statement(r, (const SelectStmt*)stmt);
        return;
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
        begin(r, PGM_WRITE);
        walk_query(r, stmt);
        return;
    case T_CopyStmt:
        walk_copy(r, (const CopyStmt*)stmt);
        return;
    case T_TruncateStmt: {
        const TruncateStmt* truncate = (const TruncateStmt*)stmt;
        begin(r, PGM_WRITE);
        for (int i = 0; i < list_length(truncate->relations); ++i)
            emit_relation(r, list_nth(truncate->relations, i), PGM_TRUNCATE);
        if (truncate->behavior == DROP_CASCADE)
            mark(r, PGM_MARK_CASCADE);
        return;
    }
    case T_CreateTableAsStmt: {
        const CreateTableAsStmt* create = (const CreateTableAsStmt*)stmt;
        begin(r, create->into != NULL && is_temporary(create->into->rel) ? PGM_DDL_TEMPORARY : PGM_DDL);
        walk_nested(r, create->query);
        return;
    }
    case T_CreateStmt: {
        const CreateStmt* create = (const CreateStmt*)stmt;
        /* a child or a like-minded copy of another table is not this session's alone */
        const bool alone = create->inhRelations == NIL && create->partbound == NULL;
        begin(r, is_temporary(create->relation) && alone ? PGM_DDL_TEMPORARY : PGM_DDL);
        return;
    }
    case T_CreateSeqStmt:
        begin(r, is_temporary(((const CreateSeqStmt*)stmt)->sequence) ? PGM_DDL_TEMPORARY : PGM_DDL);
        return;
    case T_ViewStmt: /* a temporary one too: whether views call user functions is asked of the catalog */
        begin(r, PGM_DDL);
        return;
    case T_TransactionStmt:
        begin(r, transaction_kind((const TransactionStmt*)stmt));
        return;
    case T_VariableSetStmt:
        begin(r, set_kind((const VariableSetStmt*)stmt));
        return;
    case T_DiscardStmt:
    case T_LoadStmt:
    case T_ConstraintsSetStmt: /* runs the deferred triggers, which may set what they like */
        begin(r, PGM_SET);
        return;
    case T_ListenStmt:
    case T_UnlistenStmt:
    case T_NotifyStmt:
    case T_DeallocateStmt:
    case T_ClosePortalStmt:
        begin(r, PGM_SESSION);
        return;
    case T_PrepareStmt:
        begin(r, PGM_SESSION);
        r->planned_only = true; /* nothing runs before its EXECUTE, which is said to do anything */
        walk_nested(r, ((const PrepareStmt*)stmt)->query);
        r->planned_only = false;
        return;
    case T_DeclareCursorStmt:
        begin(r, PGM_SESSION);
        walk_nested(r, ((const DeclareCursorStmt*)stmt)->query);
        return;
    case T_FetchStmt:
        begin(r, PGM_FETCH);
        return;
    case T_ExecuteStmt:
        begin(r, PGM_EXECUTE);
        walk_list(r, ((const ExecuteStmt*)stmt)->params);
        return;
    case T_CallStmt:
        begin(r, PGM_CALL);
        walk(r, ((const CallStmt*)stmt)->funccall);
        return;
    case T_DoStmt:
        walk_do(r, (const DoStmt*)stmt);
        return;
    case T_ExplainStmt:
        begin(r, PGM_UTILITY);
        r->planned_only = !explains_by_running((const ExplainStmt*)stmt);
        walk_nested(r, ((const ExplainStmt*)stmt)->query);
        r->planned_only = false;
        return;
    case T_VariableShowStmt:
    case T_LockStmt:
    case T_CheckPointStmt:
    case T_VacuumStmt: /* VACUUM, VACUUM FULL, ANALYZE: no row changes its value */
    case T_ClusterStmt:
        begin(r, PGM_UTILITY);
        return;
    case T_ReindexStmt: /* runs the functions of expression indexes */
        begin(r, PGM_REINDEX);
        return;
    case T_CreateRoleStmt:
    case T_AlterRoleStmt:
    case T_AlterRoleSetStmt:
    case T_DropRoleStmt:
    case T_GrantRoleStmt:
    case T_ReassignOwnedStmt:
    case T_DropOwnedStmt:
    case T_CreatedbStmt:
    case T_AlterDatabaseStmt:
    case T_AlterDatabaseRefreshCollStmt:
    case T_AlterDatabaseSetStmt:
    case T_DropdbStmt:
    case T_CreateTableSpaceStmt:
    case T_DropTableSpaceStmt:
    case T_AlterTableSpaceOptionsStmt:
    case T_AlterTableMoveAllStmt:
    case T_AlterSystemStmt:
        begin(r, PGM_DDL_CLUSTER);
        return;
    case T_RenameStmt: {
        const ObjectType type = ((const RenameStmt*)stmt)->renameType;
        const bool cluster = type == OBJECT_ROLE || type == OBJECT_DATABASE || type == OBJECT_TABLESPACE;
        begin(r, cluster ? PGM_DDL_CLUSTER : PGM_DDL);
        return;
    }
    case T_AlterOwnerStmt: {
        const ObjectType type = ((const AlterOwnerStmt*)stmt)->objectType;
        begin(r, type == OBJECT_DATABASE || type == OBJECT_TABLESPACE ? PGM_DDL_CLUSTER : PGM_DDL);
        return;
    }
    case T_GrantStmt: {
        const ObjectType type = ((const GrantStmt*)stmt)->objtype;
        begin(r, type == OBJECT_DATABASE || type == OBJECT_TABLESPACE ? PGM_DDL_CLUSTER : PGM_DDL);
        return;
    }
    case T_CommentStmt:
    case T_SecLabelStmt: /* also of roles, databases and tablespaces */
        begin(r, PGM_DDL_CLUSTER);
        return;
    case T_CreateSchemaStmt:
    case T_DropStmt:
    case T_AlterTableStmt:
    case T_AlterObjectSchemaStmt:
    case T_CreateFunctionStmt:
    case T_CreateExtensionStmt:
    case T_AlterExtensionStmt:
    case T_AlterDomainStmt:
    case T_AlterDefaultPrivilegesStmt:
    case T_DefineStmt:
    case T_IndexStmt:
    case T_AlterFunctionStmt:
    case T_RuleStmt:
    case T_CreateDomainStmt:
    case T_AlterSeqStmt:
    case T_CreateTrigStmt:
    case T_CreatePLangStmt:
    case T_CreateConversionStmt:
    case T_CreateCastStmt:
    case T_CreateOpClassStmt:
    case T_CreateOpFamilyStmt:
    case T_AlterOpFamilyStmt:
    case T_AlterObjectDependsStmt:
    case T_AlterOperatorStmt:
    case T_AlterTypeStmt:
    case T_CompositeTypeStmt:
    case T_CreateEnumStmt:
    case T_CreateRangeStmt:
    case T_AlterEnumStmt:
    case T_AlterTSDictionaryStmt:
    case T_AlterTSConfigurationStmt:
    case T_CreateFdwStmt:
    case T_AlterFdwStmt:
    case T_CreateForeignServerStmt:
    case T_AlterForeignServerStmt:
    case T_CreateUserMappingStmt:
    case T_AlterUserMappingStmt:
    case T_DropUserMappingStmt:
    case T_CreateForeignTableStmt:
    case T_ImportForeignSchemaStmt:
    case T_AlterExtensionContentsStmt:
    case T_CreateEventTrigStmt:
    case T_AlterEventTrigStmt:
    case T_RefreshMatViewStmt:
    case T_ReplicaIdentityStmt:
    case T_CreatePolicyStmt:
    case T_AlterPolicyStmt:
    case T_CreateTransformStmt:
    case T_CreateAmStmt:
    case T_CreatePublicationStmt:
    case T_AlterPublicationStmt:
    case T_CreateStatsStmt:
    case T_AlterCollationStmt:
    case T_AlterStatsStmt:
        begin(r, PGM_DDL);
        return;
    case T_CreateSubscriptionStmt:
    case T_AlterSubscriptionStmt:
    case T_DropSubscriptionStmt:
        begin(r, PGM_DDL_CLUSTER);
        return;
    default:
        begin(r, PGM_OTHER);
    }
}

pgm_outcome pgm_read(const char* sql, void (*emit_to)(void*, const pgm_fact*), void* context)
{
    reading r = {.emit = emit_to, .context = context};
    pgm_outcome outcome = PGM_PARSED;
    MemoryContext memory = pg_query_enter_memory_context();
    PgQueryInternalParsetreeAndError parsed = pg_query_raw_parse(sql);
    if (parsed.error != NULL) {
        outcome = PGM_NOT_PARSED;
        pg_query_free_error(parsed.error);
    } else {
        for (int i = 0; i < list_length(parsed.tree) && !r.too_deep; ++i) {
            const RawStmt* raw = list_nth(parsed.tree, i);
            r.ctes = NULL;
            walk_statement(&r, raw->stmt);
        }
        if (r.too_deep)
            outcome = PGM_TOO_DEEP;
    }
    free(parsed.stderr_buffer);
    pg_query_exit_memory_context(memory);
    return outcome;
}
