/* What confines the rows that a query reads or writes to known values of a column: equalities in WHERE and ON, and the
 * values that INSERT and UPDATE give. What is not said here confines nothing, so all that is unusual is left out.
 *
 * Why a condition in WHERE confines whatever it names: an equality is not true of NULL, so a row of the join survives
 * it only with a row of that relation that has the value. In ON it does so for the sides that the join does not
 * preserve.
 */
#include "query/parse_walk.h"

#include <stdio.h>
#include <string.h>

enum { max_values = 256, max_rows = 64, max_nesting = 50 };

typedef struct value_list {
    pgm_fact facts[max_values];
    int count;
} value_list;

/* ---- values ---- */

static bool is_plain_type(const TypeName* type, bool is_array)
{
    const int length = list_length(type->names);
    return !type->setof && !type->pct_type && type->typmods == NIL &&
           list_length(type->arrayBounds) == (is_array ? 1 : 0) &&
           (length == 1 || (length == 2 && strcmp(pgm_string_at(type->names, 0), "pg_catalog") == 0));
}

static bool is_whole_number(const char* text)
{
    if (*text == '-')
        ++text;
    return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

static bool constant(const A_Const* node, pgm_fact* value)
{
    if (node->isnull) {
        value->code = PGM_NULL;
        return true;
    }
    switch (nodeTag(&node->val.node)) {
    case T_Integer:
        value->code = PGM_INTEGER;
        value->text = psprintf("%d", node->val.ival.ival);
        return true;
    case T_Float: /* an integer beyond 32 bits is one, too */
        value->code = PGM_INTEGER;
        value->text = node->val.fval.fval;
        return is_whole_number(value->text);
    case T_String:
        value->code = PGM_TEXT;
        value->text = node->val.sval.sval;
        return true;
    case T_Boolean:
        value->code = PGM_BOOLEAN;
        value->text = node->val.boolval.boolval ? "t" : "f";
        return true;
    default:
        return false;
    }
}

/* A constant or a parameter, perhaps under one cast. */
static bool value_of(const Node* node, pgm_fact* value)
{
    *value = (pgm_fact){.kind = PGM_VALUE};
    if (node == NULL)
        return false;
    if (IsA(node, TypeCast)) {
        const TypeCast* cast = (const TypeCast*)node;
        if (cast->typeName == NULL || cast->arg == NULL || !is_plain_type(cast->typeName, false))
            return false;
        if (IsA(cast->arg, TypeCast) || !value_of(cast->arg, value))
            return false;
        value->schema = pgm_string_at(cast->typeName->names, list_length(cast->typeName->names) - 1);
        return value->schema != NULL;
    }
    if (IsA(node, ParamRef)) {
        value->code = PGM_PARAMETER;
        value->count = ((const ParamRef*)node)->number;
        return value->count > 0;
    }
    return IsA(node, A_Const) && constant((const A_Const*)node, value);
}

static bool add_value(value_list* values, const Node* node)
{
    return values->count < max_values && value_of(node, &values->facts[values->count++]);
}

static bool add_values(value_list* values, const List* nodes)
{
    for (int i = 0; i < list_length(nodes); ++i)
        if (!add_value(values, list_nth(nodes, i)))
            return false;
    return true;
}

/* What stands behind ANY: an array written out, a string, or a parameter. */
static bool add_array(value_list* values, const Node* node)
{
    const char* type = NULL;
    if (node != NULL && IsA(node, TypeCast)) {
        const TypeCast* cast = (const TypeCast*)node;
        if (cast->typeName == NULL || !is_plain_type(cast->typeName, true))
            return false;
        type = pgm_string_at(cast->typeName->names, list_length(cast->typeName->names) - 1);
        node = cast->arg;
    }
    if (node == NULL || values->count >= max_values)
        return false;
    if (IsA(node, A_ArrayExpr)) {
        const int from = values->count;
        if (!add_values(values, ((const A_ArrayExpr*)node)->elements))
            return false;
        for (int i = from; i < values->count; ++i)
            if (type != NULL && values->facts[i].schema == NULL)
                values->facts[i].schema = type;
        return true;
    }
    pgm_fact* value = &values->facts[values->count++];
    if (!value_of(node, value) || value->schema != NULL)
        return false;
    value->schema = type;
    if (value->code == PGM_TEXT)
        value->code = PGM_TEXT_ARRAY;
    else if (value->code == PGM_PARAMETER)
        value->code = PGM_PARAMETER_ARRAY;
    else
        return false;
    return true;
}

static void emit_values(reading* r, const value_list* values)
{
    for (int i = 0; i < values->count; ++i)
        pgm_emit(r, values->facts[i]);
}

/* ---- conditions ---- */

typedef struct column_name {
    const char* table; /* NULL: not said */
    const char* name;
} column_name;

static bool column_of(const Node* node, column_name* column)
{
    if (node == NULL || !IsA(node, ColumnRef))
        return false;
    const List* fields = ((const ColumnRef*)node)->fields;
    const int length = list_length(fields);
    column->name = pgm_string_at(fields, length - 1);
    column->table = length == 2 ? pgm_string_at(fields, 0) : NULL;
    return column->name != NULL && (length == 1 || column->table != NULL);
}

static bool is_equality(const List* name)
{
    const int length = list_length(name);
    const char* op = pgm_string_at(name, length - 1);
    return op != NULL && strcmp(op, "=") == 0 &&
           (length == 1 || (length == 2 && strcmp(pgm_string_at(name, 0), "pg_catalog") == 0));
}

/* Where conditions hold: `confined` for constants, `same` for columns; and what becomes of rows for which they do not.
 */
typedef struct reach {
    items confined;
    items same;
    pgm_join join;
} reach;

static void emit_equal(reading* r, column_name column, const value_list* values, reach where)
{
    if (where.confined.from >= where.confined.to)
        return;
    for (int i = 0; i < values->count; ++i)
        if (values->facts[i].code == PGM_NULL) /* never true, unless transform_null_equals makes it IS NULL */
            return;
    pgm_emit(r, (pgm_fact){.kind = PGM_EQUAL,
                           .level = r->level,
                           .from = where.confined.from,
                           .to = where.confined.to,
                           .schema = column.table,
                           .name = column.name,
                           .count = values->count});
    emit_values(r, values);
}

static void confine_by_equality(reading* r, const Node* left, const Node* right, reach where, int nesting)
{
    if (left == NULL || right == NULL || nesting > max_nesting)
        return;
    if (IsA(left, RowExpr) && IsA(right, RowExpr)) {
        const List* lefts = ((const RowExpr*)left)->args;
        const List* rights = ((const RowExpr*)right)->args;
        for (int i = 0; list_length(lefts) == list_length(rights) && i < list_length(lefts); ++i)
            confine_by_equality(r, list_nth(lefts, i), list_nth(rights, i), where, nesting + 1);
        return;
    }
    column_name a;
    column_name b;
    const bool is_left_column = column_of(left, &a);
    const bool is_right_column = column_of(right, &b);
    if (is_left_column && is_right_column) {
        pgm_emit(r, (pgm_fact){.kind = PGM_SAME,
                               .level = r->level,
                               .code = where.join,
                               .from = where.same.from,
                               .mid = where.same.mid,
                               .to = where.same.to,
                               .schema = a.table,
                               .name = a.name,
                               .schema2 = b.table,
                               .text = b.name});
        return;
    }
    value_list* values = palloc(sizeof *values);
    values->count = 0;
    if (is_left_column && add_value(values, right))
        emit_equal(r, a, values, where);
    else if (is_right_column && add_value(values, left))
        emit_equal(r, b, values, where);
    pfree(values);
}

static void confine(reading* r, const Node* condition, reach where, int nesting)
{
    if (condition == NULL || nesting > max_nesting)
        return;
    if (IsA(condition, BoolExpr)) {
        const BoolExpr* expr = (const BoolExpr*)condition;
        for (int i = 0; expr->boolop == AND_EXPR && i < list_length(expr->args); ++i)
            confine(r, list_nth(expr->args, i), where, nesting + 1);
        return;
    }
    if (!IsA(condition, A_Expr) || !is_equality(((const A_Expr*)condition)->name))
        return;
    const A_Expr* expr = (const A_Expr*)condition;
    if (expr->kind == AEXPR_OP) {
        confine_by_equality(r, expr->lexpr, expr->rexpr, where, nesting);
        return;
    }
    column_name column;
    if ((expr->kind != AEXPR_IN && expr->kind != AEXPR_OP_ANY) || !column_of(expr->lexpr, &column) ||
        expr->rexpr == NULL)
        return;
    value_list* values = palloc(sizeof *values);
    values->count = 0;
    if (expr->kind == AEXPR_IN
            ? IsA(expr->rexpr, List) && add_values(values, (const List*)expr->rexpr) && values->count > 0
            : add_array(values, expr->rexpr))
        emit_equal(r, column, values, where);
    pfree(values);
}

void pgm_confine_by_where(reading* r, const Node* condition, items all)
{
    confine(r, condition,
            (reach){.confined = all, .same = {.from = all.from, .mid = all.from, .to = all.to}, .join = PGM_JOIN_INNER},
            0);
}

void pgm_confine_by_join(reading* r, const JoinExpr* join, items sides)
{
    reach where = {.confined = sides, .same = sides, .join = PGM_JOIN_INNER};
    switch (join->jointype) {
    case JOIN_INNER:
        where.same.mid = sides.from;
        break;
    case JOIN_LEFT:
        where.join = PGM_JOIN_LEFT;
        where.confined.from = sides.mid;
        break;
    case JOIN_RIGHT:
        where.join = PGM_JOIN_RIGHT;
        where.confined.to = sides.mid;
        break;
    default:
        where.join = PGM_JOIN_FULL;
        where.confined.to = where.confined.from;
        break;
    }
    confine(r, join->quals, where, 0);
    if (join->isNatural)
        pgm_emit(r, (pgm_fact){.kind = PGM_USING,
                               .level = r->level,
                               .code = where.join,
                               .from = sides.from,
                               .mid = sides.mid,
                               .to = sides.to,
                               .name = "*"});
    for (int i = 0; i < list_length(join->usingClause); ++i)
        pgm_emit(r, (pgm_fact){.kind = PGM_USING,
                               .level = r->level,
                               .code = where.join,
                               .from = sides.from,
                               .mid = sides.mid,
                               .to = sides.to,
                               .name = pgm_string_at(join->usingClause, i)});
}

/* ---- what a subquery hands out ---- */

void pgm_emit_outputs(reading* r, const SelectStmt* select)
{
    for (int i = 0; i < list_length(select->targetList); ++i) {
        const ResTarget* target = list_nth(select->targetList, i);
        if (target->val == NULL || !IsA(target->val, ColumnRef) || target->indirection != NIL)
            continue;
        const List* fields = ((const ColumnRef*)target->val)->fields;
        const int length = list_length(fields);
        column_name column;
        if (length <= 2 && IsA(list_nth(fields, length - 1), A_Star)) {
            column.table = length == 2 ? pgm_string_at(fields, 0) : NULL;
            column.name = "*";
        } else if (!column_of(target->val, &column)) {
            continue;
        }
        pgm_emit(r, (pgm_fact){.kind = PGM_COLUMN,
                               .level = r->level,
                               .name = target->name != NULL ? target->name : column.name,
                               .schema = column.table,
                               .text = column.name});
    }
}

/* ---- what INSERT and UPDATE give ---- */

static void emit_unknown(reading* r, int item, const char* name, const char* by)
{
    pgm_emit(r, (pgm_fact){.kind = PGM_ASSIGNED, .item = item, .name = name, .count = -1, .text = by});
}

void pgm_emit_assigned(reading* r, const List* target_list, int item, bool on_conflict)
{
    const char* by = on_conflict ? "c" : "u";
    for (int i = 0; i < list_length(target_list); ++i) {
        const ResTarget* target = list_nth(target_list, i);
        pgm_fact value;
        column_name column;
        if (target->indirection != NIL || target->val == NULL) {
            emit_unknown(r, item, target->name, by);
        } else if (on_conflict && column_of(target->val, &column) && column.table != NULL &&
                   strcmp(column.table, "excluded") == 0) {
            pgm_emit(r, (pgm_fact){.kind = PGM_ASSIGNED, .item = item, .name = target->name, .count = 1, .text = by});
            pgm_emit(r, (pgm_fact){.kind = PGM_VALUE, .code = PGM_EXCLUDED, .text = column.name});
        } else if (value_of(target->val, &value)) {
            pgm_emit(r, (pgm_fact){.kind = PGM_ASSIGNED, .item = item, .name = target->name, .count = 1, .text = by});
            pgm_emit(r, value);
        } else {
            emit_unknown(r, item, target->name, by);
        }
    }
}

/* The column at one position of every row of VALUES. */
static void emit_inserted_column(reading* r, const SelectStmt* rows, int position, const char* name, int item)
{
    value_list* values = palloc(sizeof *values);
    values->count = 0;
    bool known = true;
    for (int i = 0; known && i < list_length(rows->valuesLists); ++i) {
        const List* row = list_nth(rows->valuesLists, i);
        known = position < list_length(row) && add_value(values, list_nth(row, position));
    }
    pgm_emit(r, (pgm_fact){.kind = PGM_ASSIGNED,
                           .item = item,
                           .name = name,
                           .code = position + 1,
                           .count = known ? values->count : -1,
                           .text = "i"});
    if (known)
        emit_values(r, values);
    pfree(values);
}

static bool gives_plain_rows(const InsertStmt* insert)
{
    if (insert->override == OVERRIDING_USER_VALUE || insert->selectStmt == NULL || !IsA(insert->selectStmt, SelectStmt))
        return false;
    const SelectStmt* rows = (const SelectStmt*)insert->selectStmt;
    if (rows->valuesLists == NIL || rows->withClause != NULL || list_length(rows->valuesLists) > max_rows)
        return false;
    for (int i = 0; i < list_length(insert->cols); ++i)
        if (((const ResTarget*)list_nth(insert->cols, i))->indirection != NIL)
            return false;
    return true;
}

void pgm_emit_inserted(reading* r, const InsertStmt* insert, int item)
{
    const bool gives_nothing = insert->selectStmt == NULL; /* DEFAULT VALUES */
    const bool is_known = gives_nothing || gives_plain_rows(insert);
    pgm_emit(r, (pgm_fact){.kind = PGM_INSERTED, .item = item, .code = is_known ? 0 : 1});
    if (is_known && !gives_nothing) {
        const SelectStmt* rows = (const SelectStmt*)insert->selectStmt;
        const int width = list_length(linitial(rows->valuesLists));
        for (int i = 0; i < width; ++i) {
            const bool is_named = i < list_length(insert->cols);
            emit_inserted_column(r, rows, i, is_named ? ((const ResTarget*)list_nth(insert->cols, i))->name : NULL,
                                 item);
        }
    }
    const OnConflictClause* conflict = insert->onConflictClause;
    if (conflict == NULL)
        return;
    if (conflict->infer != NULL)
        for (int i = 0; i < list_length(conflict->infer->indexElems); ++i) {
            const IndexElem* element = list_nth(conflict->infer->indexElems, i);
            if (element->name != NULL && element->expr == NULL && element->collation == NIL && element->opclass == NIL)
                pgm_emit(r, (pgm_fact){.kind = PGM_CONFLICT, .item = item, .name = element->name});
        }
    pgm_emit_assigned(r, conflict->targetList, item, true);
}
