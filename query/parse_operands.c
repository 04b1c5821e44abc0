/* What the text says of the types that functions and operators are called with: see PGM_OPERAND. */
#include "query/parse_walk.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { max_operands = 8 }; /* of one call; of more nothing is said */

static pgm_fact operand(pgm_operand code)
{
    return (pgm_fact){.kind = PGM_OPERAND, .code = code};
}

static pgm_fact builtin(const char* type)
{
    pgm_fact fact = operand(PGM_OPERAND_TYPE);
    fact.schema = "pg_catalog";
    fact.name = type;
    return fact;
}

/* Source: make_const in PostgreSQL's parser/parse_node.c. */
static pgm_fact of_constant(const A_Const* constant)
{
    if (constant->isnull)
        return operand(PGM_OPERAND_UNKNOWN);
    switch (nodeTag(&constant->val.node)) {
    case T_Integer:
        return builtin("int4");
    case T_Float: {
        const char* text = constant->val.fval.fval;
        char* end = NULL;
        errno = 0;
        const long long value = strtoll(text, &end, 10);
        if (errno != 0 || end == text || *end != '\0')
            return builtin("numeric");
        return builtin(value >= INT32_MIN && value <= INT32_MAX ? "int4" : "int8");
    }
    case T_Boolean:
        return builtin("bool");
    case T_BitString:
        return builtin("bit");
    case T_String:
        return operand(PGM_OPERAND_UNKNOWN);
    default:
        return operand(PGM_OPERAND_OTHER);
    }
}

/* The type that a value is cast to; with `is_element` that of the elements of the array that it is cast to. */
static pgm_fact of_type(const TypeName* type, bool is_element)
{
    const int length = type != NULL ? list_length(type->names) : 0;
    if (length < 1 || length > 2 || type->setof || type->pct_type || (is_element && type->arrayBounds == NIL))
        return operand(PGM_OPERAND_OTHER);
    pgm_fact fact = operand(PGM_OPERAND_TYPE);
    fact.name = pgm_string_at(type->names, length - 1);
    fact.schema = length > 1 ? pgm_string_at(type->names, 0) : NULL;
    fact.count = type->arrayBounds != NIL && !is_element ? 1 : 0;
    return fact.name != NULL && (length == 1 || fact.schema != NULL) ? fact : operand(PGM_OPERAND_OTHER);
}

static pgm_fact of_column(const reading* r, const ColumnRef* column)
{
    const int length = list_length(column->fields);
    if (r->visible_from >= r->visible_to || length < 1 || length > 2)
        return operand(PGM_OPERAND_OTHER);
    pgm_fact fact = operand(PGM_OPERAND_COLUMN);
    fact.level = r->level;
    fact.from = r->visible_from;
    fact.to = r->visible_to;
    fact.name = pgm_string_at(column->fields, length - 1);
    fact.schema = length > 1 ? pgm_string_at(column->fields, 0) : NULL;
    return fact.name != NULL && (length == 1 || fact.schema != NULL) ? fact : operand(PGM_OPERAND_OTHER);
}

static pgm_fact of_node(const reading* r, const Node* node)
{
    if (node == NULL)
        return operand(PGM_OPERAND_OTHER);
    switch (nodeTag(node)) {
    case T_A_Const:
        return of_constant((const A_Const*)node);
    case T_TypeCast:
        return of_type(((const TypeCast*)node)->typeName, false);
    case T_ColumnRef:
        return of_column(r, (const ColumnRef*)node);
    case T_ParamRef: {
        pgm_fact fact = operand(PGM_OPERAND_PARAMETER);
        fact.count = ((const ParamRef*)node)->number;
        return fact;
    }
    default:
        return operand(PGM_OPERAND_OTHER);
    }
}

void pgm_emit_operand(reading* r, const Node* node)
{
    pgm_emit(r, of_node(r, node));
}

void pgm_emit_element(reading* r, const Node* array)
{
    if (array != NULL && IsA(array, A_Const))
        pgm_emit(r, of_constant((const A_Const*)array)); /* a bare string: of what it is compared with */
    else if (array != NULL && IsA(array, TypeCast))
        pgm_emit(r, of_type(((const TypeCast*)array)->typeName, true));
    else
        pgm_emit(r, operand(PGM_OPERAND_OTHER));
}

static bool is_same(const pgm_fact* a, const pgm_fact* b)
{
    return a->code == b->code && a->code <= PGM_OPERAND_TYPE && a->name == b->name && a->count == 0 && b->count == 0;
}

void pgm_emit_list_operands(reading* r, const List* list)
{
    pgm_fact last = operand(PGM_OPERAND_OTHER);
    int emitted = 0;
    for (int i = 0; i < list_length(list) && emitted < max_operands; ++i) {
        pgm_fact next = of_node(r, list_nth(list, i));
        if (i > 0 && is_same(&last, &next))
            continue;
        if (++emitted == max_operands)
            next = operand(PGM_OPERAND_OTHER);
        pgm_emit(r, next);
        last = next;
    }
}

void pgm_emit_call_operands(reading* r, const FuncCall* call)
{
    const int count = list_length(call->args);
    if (call->func_variadic || call->agg_within_group || call->agg_star || count > max_operands)
        return;
    for (int i = 0; i < count; ++i)
        if (list_nth(call->args, i) == NULL || IsA(list_nth(call->args, i), NamedArgExpr))
            return;
    for (int i = 0; i < count; ++i)
        pgm_emit_operand(r, list_nth(call->args, i));
}
