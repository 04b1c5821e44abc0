/* Expressions, types, names, and what stands in FROM. */
#include "query/parse_walk.h"

#include <string.h>

void pgm_emit(reading* r, pgm_fact fact)
{
    fact.planned_only = r->planned_only;
    fact.location = r->location;
    r->emit(r->context, &fact);
}

void pgm_mark(reading* r, pgm_mark_code code)
{
    pgm_emit(r, (pgm_fact){.kind = PGM_MARK, .code = code});
}

const char* pgm_string_at(const List* list, int index)
{
    const Node* node = index >= 0 && index < list_length(list) ? list_nth(list, index) : NULL;
    return node != NULL && IsA(node, String) ? strVal(node) : NULL;
}

/* Emits a possibly qualified name: `name`, `schema.name` or `database.schema.name`. */
static void emit_name(reading* r, pgm_fact fact, const List* names)
{
    const int length = list_length(names);
    fact.name = pgm_string_at(names, length - 1);
    fact.schema = length > 1 ? pgm_string_at(names, length - 2) : NULL;
    if (fact.name == NULL || length > 3 || (length > 1 && fact.schema == NULL))
        pgm_mark(r, PGM_MARK_UNKNOWN);
    else
        pgm_emit(r, fact);
}

static void emit_operator(reading* r, const List* names)
{
    emit_name(r, (pgm_fact){.kind = PGM_OPERATOR}, names);
}

void pgm_emit_operator_name(reading* r, const char* name)
{
    pgm_emit(r, (pgm_fact){.kind = PGM_OPERATOR, .name = name});
}

void pgm_emit_output_name(reading* r, const char* name)
{
    if (name != NULL)
        pgm_emit(r, (pgm_fact){.kind = PGM_OUTPUT_NAME, .name = name});
}

static void emit_alias(reading* r, const Alias* alias)
{
    if (alias == NULL)
        return;
    pgm_emit_output_name(r, alias->aliasname); /* of a function in FROM it names the column as well */
    for (int i = 0; i < list_length(alias->colnames); ++i)
        pgm_emit_output_name(r, pgm_string_at(alias->colnames, i));
}

int pgm_emit_relation(reading* r, const RangeVar* relation, int use)
{
    if (relation == NULL || relation->relname == NULL) {
        pgm_mark(r, PGM_MARK_UNKNOWN);
        return -1;
    }
    const int item = r->items++;
    r->location = relation->location;
    pgm_emit(r, (pgm_fact){.kind = PGM_RELATION,
                           .code = use,
                           .schema = relation->schemaname,
                           .name = relation->relname,
                           .text = relation->alias != NULL ? relation->alias->aliasname : relation->relname,
                           .level = r->level,
                           .item = item});
    if (relation->alias != NULL && relation->alias->colnames != NIL)
        pgm_emit(r, (pgm_fact){.kind = PGM_RENAMED, .level = r->level, .from = item, .to = item + 1});
    return item;
}

/* ---- types ---- */

static bool is_time_type(const TypeName* type)
{
    static const char* const names[] = {"date",           "time",         "timetz",        "timestamp",
                                        "timestamptz",    "daterange",    "tsrange",       "tstzrange",
                                        "datemultirange", "tsmultirange", "tstzmultirange"};
    const char* name = pgm_string_at(type->names, list_length(type->names) - 1);
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
        pgm_mark(r, PGM_MARK_UNKNOWN);
        return;
    }
    if (type->setof || type->pct_type)
        pgm_mark(r, PGM_MARK_UNSUPPORTED);
    for (int i = 0; i < list_length(type->typmods); ++i) {
        const Node* typmod = list_nth(type->typmods, i);
        if (typmod == NULL || !IsA(typmod, A_Const))
            pgm_mark(r, PGM_MARK_UNSUPPORTED);
    }
    pgm_emit_output_name(r, pgm_string_at(type->names, list_length(type->names) - 1));
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
        return true;
    case T_ParamRef:
        pgm_emit(r, (pgm_fact){.kind = PGM_TIME_OF_PARAMETER, .count = ((const ParamRef*)node)->number});
        return true;
    case T_TypeCast:
        return is_time_type(((const TypeCast*)node)->typeName); /* examined by its own visit */
    case T_ColumnRef: {
        const ColumnRef* column = (const ColumnRef*)node;
        const char* name = pgm_string_at(column->fields, list_length(column->fields) - 1);
        if (name == NULL)
            return false;
        pgm_emit(r, (pgm_fact){.kind = PGM_TIME_OF_COLUMN, .name = name});
        return true;
    }
    case T_A_Expr: {
        const A_Expr* expr = (const A_Expr*)node;
        const char* name = pgm_string_at(expr->name, list_length(expr->name) - 1);
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
        const char* name = pgm_string_at(call->funcname, list_length(call->funcname) - 1);
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
        pgm_mark(r, PGM_MARK_CLOCK);
    pgm_walk(r, cast->arg);
}

/* ---- expressions ---- */

void pgm_walk_list(reading* r, const List* list)
{
    for (int i = 0; i < list_length(list); ++i)
        pgm_walk(r, list_nth(list, i));
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
                    pgm_mark(r, PGM_MARK_UNSUPPORTED);
            if (length == 1 && strcmp(strVal(field), "system_user") == 0)
                pgm_mark(r, PGM_MARK_IDENTITY); /* a keyword since PostgreSQL 16 */
            if (i > 0)
                pgm_emit(r, (pgm_fact){.kind = PGM_FIELD, .name = strVal(field)});
        } else if (!IsA(field, A_Star)) {
            pgm_mark(r, PGM_MARK_UNKNOWN);
        }
    }
}

static void walk_indirection(reading* r, const List* indirection)
{
    for (int i = 0; i < list_length(indirection); ++i) {
        const Node* step = list_nth(indirection, i);
        if (IsA(step, String))
            pgm_emit(r, (pgm_fact){.kind = PGM_MEMBER, .name = strVal(step)});
        else if (IsA(step, A_Indices)) {
            pgm_walk(r, ((const A_Indices*)step)->lidx);
            pgm_walk(r, ((const A_Indices*)step)->uidx);
        } else if (IsA(step, A_Star))
            pgm_emit_output_name(r, "*");
        else
            pgm_mark(r, PGM_MARK_UNKNOWN);
    }
}

static void emit_bound(reading* r, const A_Expr* between, const char* op, int index)
{
    const List* bounds = (const List*)between->rexpr;
    if (bounds != NIL && IsA(bounds, List) && list_length(bounds) == 2) {
        pgm_emit_operand(r, between->lexpr);
        pgm_emit_operand(r, list_nth(bounds, index));
    }
    pgm_emit_operator_name(r, op);
}

static void emit_expression_operators(reading* r, const A_Expr* expr)
{
    switch (expr->kind) {
    case AEXPR_BETWEEN:
        emit_bound(r, expr, ">=", 0);
        emit_bound(r, expr, "<=", 1);
        return;
    case AEXPR_NOT_BETWEEN:
        emit_bound(r, expr, "<", 0);
        emit_bound(r, expr, ">", 1);
        return;
    case AEXPR_BETWEEN_SYM:
        pgm_emit_operator_name(r, ">=");
        pgm_emit_operator_name(r, "<=");
        return;
    case AEXPR_NOT_BETWEEN_SYM:
        pgm_emit_operator_name(r, "<");
        pgm_emit_operator_name(r, ">");
        return;
    case AEXPR_OP_ANY:
    case AEXPR_OP_ALL:
        pgm_emit_operand(r, expr->lexpr);
        pgm_emit_element(r, expr->rexpr);
        emit_operator(r, expr->name);
        return;
    case AEXPR_IN:
        if (expr->rexpr != NULL && IsA(expr->rexpr, List)) {
            pgm_emit_operand(r, expr->lexpr);
            pgm_emit_list_operands(r, (const List*)expr->rexpr);
        }
        emit_name(r, (pgm_fact){.kind = PGM_OPERATOR, .code = 1}, expr->name);
        return;
    case AEXPR_OP:
    case AEXPR_DISTINCT:
    case AEXPR_NOT_DISTINCT:
    case AEXPR_NULLIF:
    case AEXPR_LIKE:
    case AEXPR_ILIKE:
    case AEXPR_SIMILAR:
        if (expr->lexpr != NULL) /* of a prefix operator there is none */
            pgm_emit_operand(r, expr->lexpr);
        pgm_emit_operand(r, expr->rexpr);
        emit_operator(r, expr->name);
        return;
    }
    pgm_mark(r, PGM_MARK_UNKNOWN);
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
    pgm_emit_call_operands(r, call);
    emit_name(r, fact, call->funcname);
    const char* name = pgm_string_at(call->funcname, list_length(call->funcname) - 1);
    pgm_emit_output_name(r, name);

    /* `date(x)` is a cast when x is text */
    const TypeName as_type = {.type = T_TypeName, .names = call->funcname};
    if (list_length(call->args) == 1 && is_time_type(&as_type) && !is_not_read_as_time(r, linitial(call->args), 0))
        pgm_mark(r, PGM_MARK_CLOCK);

    pgm_walk_list(r, call->args);
    pgm_walk_list(r, call->agg_order);
    pgm_walk(r, call->agg_filter);
    pgm_walk(r, call->over);
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
        pgm_emit(r, (pgm_fact){.kind = PGM_STRING, .text = constant->val.sval.sval});
        return;
    default:
        pgm_mark(r, PGM_MARK_UNKNOWN);
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
        pgm_mark(r, PGM_MARK_IDENTITY);
        return;
    default:
        pgm_mark(r, PGM_MARK_CLOCK);
    }
}

static void walk_sublink(reading* r, const SubLink* link)
{
    if (link->subLinkType == ANY_SUBLINK || link->subLinkType == ALL_SUBLINK) {
        if (link->operName == NIL)
            pgm_emit_operator_name(r, "=");
        else
            emit_operator(r, link->operName);
    }
    pgm_walk(r, link->testexpr);
    pgm_walk_query(r, link->subselect);
}

/* ---- FROM ---- */

static bool is_cte(const reading* r, const RangeVar* relation)
{
    if (relation->schemaname != NULL)
        return false;
    for (const pgm_cte* c = r->ctes; c != NULL; c = c->outer)
        if (strcmp(c->name, relation->relname) == 0)
            return true;
    return false;
}

static void walk_column_definitions(reading* r, const List* columns)
{
    for (int i = 0; i < list_length(columns); ++i) {
        const Node* node = list_nth(columns, i);
        if (!IsA(node, ColumnDef)) {
            pgm_mark(r, PGM_MARK_UNKNOWN);
            continue;
        }
        const ColumnDef* column = (const ColumnDef*)node;
        pgm_emit_output_name(r, column->colname);
        walk_type(r, column->typeName);
        if (column->typeName != NULL && is_time_type(column->typeName))
            pgm_mark(r, PGM_MARK_CLOCK); /* read from text: json_to_record('{"at": "now"}') */
        if (column->constraints != NIL || column->raw_default != NULL)
            pgm_mark(r, PGM_MARK_UNSUPPORTED);
    }
}

/* Something in FROM whose columns are not known. */
static void emit_unknown_item(reading* r, const char* name)
{
    pgm_emit(r, (pgm_fact){.kind = PGM_SUBQUERY, .level = r->level, .item = r->items++, .text = name});
}

static void walk_range_function(reading* r, const RangeFunction* range)
{
    emit_unknown_item(r, range->alias != NULL ? range->alias->aliasname : NULL);
    for (int i = 0; i < list_length(range->functions); ++i) {
        const List* pair = list_nth(range->functions, i);
        if (pair == NIL || !IsA(pair, List) || list_length(pair) != 2) {
            pgm_mark(r, PGM_MARK_UNKNOWN);
            continue;
        }
        pgm_walk(r, linitial(pair));
        walk_column_definitions(r, lsecond(pair));
    }
    walk_column_definitions(r, range->coldeflist);
    emit_alias(r, range->alias);
    pgm_emit_output_name(r, "*"); /* a function names columns of its own: jsonb_each_text has `key` and `value` */
}

static void walk_join(reading* r, const JoinExpr* join)
{
    if (join->isNatural || join->usingClause != NIL)
        pgm_emit_operator_name(r, "=");
    emit_alias(r, join->alias);
    emit_alias(r, join->join_using_alias);
    items sides = {.from = r->items};
    pgm_walk(r, join->larg);
    sides.mid = r->items;
    pgm_walk(r, join->rarg);
    sides.to = r->items;
    r->visible_from = sides.from; /* ON sees these, the rest of FROM none */
    r->visible_to = sides.to;
    pgm_walk(r, join->quals);
    r->visible_from = r->visible_to = 0;
    pgm_confine_by_join(r, join, sides);
    if (join->alias != NULL)
        pgm_emit(r, (pgm_fact){.kind = PGM_RENAMED, .level = r->level, .from = sides.from, .to = sides.to});
}

/* A subquery in FROM. When it is one plain SELECT, it is the level that is numbered next. */
static void walk_subselect(reading* r, const RangeSubselect* range)
{
    const Node* query = range->subquery;
    const SelectStmt* select = query != NULL && IsA(query, SelectStmt) ? (const SelectStmt*)query : NULL;
    const bool is_plain = select != NULL && select->larg == NULL && select->valuesLists == NIL &&
                          select->withClause == NULL && (range->alias == NULL || range->alias->colnames == NIL);
    emit_alias(r, range->alias);
    pgm_emit(r, (pgm_fact){.kind = PGM_SUBQUERY,
                           .level = r->level,
                           .item = r->items++,
                           .count = is_plain ? r->levels + 1 : 0,
                           .text = range->alias != NULL ? range->alias->aliasname : NULL});
    pgm_walk_query(r, query);
}

static void walk_table_function(reading* r, const RangeTableFunc* table)
{
    pgm_mark(r, PGM_MARK_UNSUPPORTED);
    emit_unknown_item(r, table->alias != NULL ? table->alias->aliasname : NULL);
    pgm_walk(r, table->docexpr);
    pgm_walk(r, table->rowexpr);
    pgm_walk_list(r, table->namespaces);
    for (int i = 0; i < list_length(table->columns); ++i) {
        const RangeTableFuncCol* column = list_nth(table->columns, i);
        if (!column->for_ordinality)
            walk_type(r, column->typeName);
        pgm_walk(r, column->colexpr);
        pgm_walk(r, column->coldefexpr);
    }
}

static void walk_node(reading* r, const Node* node);

void pgm_walk(reading* r, const void* node)
{
    if (node == NULL || r->too_deep)
        return;
    if (r->depth >= pgm_max_depth) {
        r->too_deep = true;
        return;
    }
    ++r->depth;
    walk_node(r, node);
    --r->depth;
}

/* Where a node stands in the text; -1 when it does not say. */
static int location_of(const Node* node)
{
    switch (nodeTag(node)) {
    case T_A_Expr:
        return ((const A_Expr*)node)->location;
    case T_ColumnRef:
        return ((const ColumnRef*)node)->location;
    case T_FuncCall:
        return ((const FuncCall*)node)->location;
    case T_ParamRef:
        return ((const ParamRef*)node)->location;
    case T_A_Const:
        return ((const A_Const*)node)->location;
    case T_TypeCast:
        return ((const TypeCast*)node)->location;
    case T_SQLValueFunction:
        return ((const SQLValueFunction*)node)->location;
    case T_SubLink:
        return ((const SubLink*)node)->location;
    case T_RangeTableSample:
        return ((const RangeTableSample*)node)->location;
    case T_RangeTableFunc:
        return ((const RangeTableFunc*)node)->location;
    case T_XmlExpr:
        return ((const XmlExpr*)node)->location;
    default:
        return -1;
    }
}

static void walk_node(reading* r, const Node* node)
{
    if (location_of(node) >= 0)
        r->location = location_of(node);
    switch (nodeTag(node)) {
    case T_List:
        pgm_walk_list(r, (const List*)node);
        return;
    case T_SelectStmt:
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
        pgm_walk_query(r, node);
        return;
    case T_A_Star:
    case T_SetToDefault:
        return;
    case T_CurrentOfExpr: /* an UPDATE or DELETE of its own target */
        pgm_mark(r, PGM_MARK_UNSUPPORTED);
        return;
    case T_ParamRef:
        pgm_emit(r, (pgm_fact){.kind = PGM_MARK, .code = PGM_MARK_PARAMETER, .count = ((const ParamRef*)node)->number});
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
            pgm_walk(r, ((const A_Expr*)node)->rexpr);
            node = ((const A_Expr*)node)->lexpr;
        }
        pgm_walk(r, node);
        return;
    }
    case T_FuncCall:
        walk_call(r, (const FuncCall*)node);
        return;
    case T_NamedArgExpr:
        pgm_walk(r, ((const NamedArgExpr*)node)->arg);
        return;
    case T_TypeCast:
        walk_cast(r, (const TypeCast*)node);
        return;
    case T_CollateClause:
        pgm_walk(r, ((const CollateClause*)node)->arg);
        return;
    case T_A_Indirection:
        pgm_walk(r, ((const A_Indirection*)node)->arg);
        walk_indirection(r, ((const A_Indirection*)node)->indirection);
        return;
    case T_A_ArrayExpr:
        pgm_emit_output_name(r, "array");
        pgm_walk_list(r, ((const A_ArrayExpr*)node)->elements);
        return;
    case T_RowExpr:
        pgm_emit_output_name(r, "row");
        pgm_walk_list(r, ((const RowExpr*)node)->args);
        return;
    case T_BoolExpr:
        pgm_walk_list(r, ((const BoolExpr*)node)->args);
        return;
    case T_NullTest:
        pgm_walk(r, ((const NullTest*)node)->arg);
        return;
    case T_BooleanTest:
        pgm_walk(r, ((const BooleanTest*)node)->arg);
        return;
    case T_CaseExpr:
        pgm_emit_output_name(r, "case");
        if (((const CaseExpr*)node)->arg != NULL)
            pgm_emit_operator_name(r, "=");
        pgm_walk(r, ((const CaseExpr*)node)->arg);
        pgm_walk_list(r, ((const CaseExpr*)node)->args);
        pgm_walk(r, ((const CaseExpr*)node)->defresult);
        return;
    case T_CaseWhen:
        pgm_walk(r, ((const CaseWhen*)node)->expr);
        pgm_walk(r, ((const CaseWhen*)node)->result);
        return;
    case T_CoalesceExpr:
        pgm_emit_output_name(r, "coalesce");
        pgm_walk_list(r, ((const CoalesceExpr*)node)->args);
        return;
    case T_MinMaxExpr:
        pgm_emit_output_name(r, "greatest");
        pgm_emit_output_name(r, "least");
        pgm_walk_list(r, ((const MinMaxExpr*)node)->args);
        return;
    case T_SQLValueFunction:
        walk_value_function(r, (const SQLValueFunction*)node);
        return;
    case T_GroupingFunc:
        pgm_emit_output_name(r, "grouping");
        pgm_walk_list(r, ((const GroupingFunc*)node)->args);
        return;
    case T_GroupingSet:
        pgm_walk_list(r, ((const GroupingSet*)node)->content);
        return;
    case T_SubLink:
        pgm_emit_output_name(r, "exists");
        pgm_emit_output_name(r, "array");
        walk_sublink(r, (const SubLink*)node);
        return;
    case T_XmlExpr:
        pgm_mark(r, PGM_MARK_UNSUPPORTED);
        pgm_walk_list(r, ((const XmlExpr*)node)->named_args);
        pgm_walk_list(r, ((const XmlExpr*)node)->args);
        return;
    case T_XmlSerialize:
        pgm_mark(r, PGM_MARK_UNSUPPORTED);
        walk_type(r, ((const XmlSerialize*)node)->typeName);
        pgm_walk(r, ((const XmlSerialize*)node)->expr);
        return;
    case T_ResTarget:
        pgm_emit_output_name(r, ((const ResTarget*)node)->name);
        walk_indirection(r, ((const ResTarget*)node)->indirection);
        pgm_walk(r, ((const ResTarget*)node)->val);
        return;
    case T_MultiAssignRef: /* SET (a, b, c) = source: one source, seen by each of its columns */
        if (((const MultiAssignRef*)node)->colno == 1)
            pgm_walk(r, ((const MultiAssignRef*)node)->source);
        return;
    case T_SortBy:
        if (((const SortBy*)node)->useOp != NIL)
            emit_operator(r, ((const SortBy*)node)->useOp);
        pgm_walk(r, ((const SortBy*)node)->node);
        return;
    case T_WindowDef:
        pgm_walk_list(r, ((const WindowDef*)node)->partitionClause);
        pgm_walk_list(r, ((const WindowDef*)node)->orderClause);
        pgm_walk(r, ((const WindowDef*)node)->startOffset);
        pgm_walk(r, ((const WindowDef*)node)->endOffset);
        return;
    case T_RangeVar:
        emit_alias(r, ((const RangeVar*)node)->alias);
        if (!is_cte(r, (const RangeVar*)node))
            pgm_emit_relation(r, (const RangeVar*)node, 0);
        else
            emit_unknown_item(r, ((const RangeVar*)node)->alias != NULL ? ((const RangeVar*)node)->alias->aliasname
                                                                        : ((const RangeVar*)node)->relname);
        return;
    case T_RangeSubselect:
        walk_subselect(r, (const RangeSubselect*)node);
        return;
    case T_RangeFunction:
        walk_range_function(r, (const RangeFunction*)node);
        return;
    case T_RangeTableFunc:
        walk_table_function(r, (const RangeTableFunc*)node);
        return;
    case T_RangeTableSample:
        pgm_mark(r, PGM_MARK_TABLESAMPLE);
        pgm_walk(r, ((const RangeTableSample*)node)->relation);
        pgm_walk_list(r, ((const RangeTableSample*)node)->args);
        pgm_walk(r, ((const RangeTableSample*)node)->repeatable);
        return;
    case T_JoinExpr:
        walk_join(r, (const JoinExpr*)node);
        return;
    case T_IndexElem:
        pgm_walk(r, ((const IndexElem*)node)->expr);
        return;
    default:
        pgm_mark(r, PGM_MARK_UNKNOWN);
    }
}
