/* Shared by the files that walk the parse tree, and by no other: they alone see libpg_query and the server's node
 * headers.
 *
 * libpg_query 15's raw parse tree has the layout of PostgreSQL 15's headers, with one exception: the order of the enum
 * LimitOption. `limitOption` is therefore never read.
 *
 * raw_expression_tree_walker is not used: it recurses without a limit of ours, and raises an error that nobody would
 * catch on a node it does not know.
 */
#ifndef PGMEMO_QUERY_PARSE_WALK_H
#define PGMEMO_QUERY_PARSE_WALK_H

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

#pragma GCC visibility push(hidden)

enum { pgm_max_depth = 1000 };

typedef struct pgm_cte {
    const char* name;
    const struct pgm_cte* outer;
} pgm_cte;

typedef struct reading {
    void (*emit)(void*, const pgm_fact*);
    void* context;
    int depth;
    bool too_deep;
    bool planned_only;
    const pgm_cte* ctes;
    int location;     /* of the nearest node that has one */
    int visible_from; /* the items of the level whose columns may be meant here: none unless less than … */
    int visible_to;   /* … this */
    int level;        /* the query that is being walked; 0: none */
    int levels;       /* how many there were */
    int items;        /* how many things in FROM there were */
} reading;

/* parse_tree.c */
void pgm_walk_query(reading*, const Node*);

/* parse_expressions.c */
void pgm_emit(reading*, pgm_fact);
void pgm_mark(reading*, pgm_mark_code);
const char* pgm_string_at(const List*, int index);
void pgm_emit_operator_name(reading*, const char* name);
void pgm_emit_output_name(reading*, const char* name);
int pgm_emit_relation(reading*, const RangeVar*, int use); /* its item number, -1 for none */
void pgm_walk(reading*, const void* node);
void pgm_walk_list(reading*, const List*);

/* parse_operands.c */
void pgm_emit_operand(reading*, const Node*);
void pgm_emit_element(reading*, const Node* array); /* of `x = ANY (array)` */
void pgm_emit_list_operands(reading*, const List*); /* once for each run of elements of one type */
void pgm_emit_call_operands(reading*, const FuncCall*);

/* parse_confinement.c: what confines the rows that a query reads or writes to known values of a column */
typedef struct items {
    int from; /* the first item on the left side */
    int mid;  /* the first on the right side */
    int to;   /* behind the last */
} items;
void pgm_confine_by_where(reading*, const Node* condition, items);
void pgm_confine_by_join(reading*, const JoinExpr*, items);
void pgm_emit_outputs(reading*, const SelectStmt*);
void pgm_emit_inserted(reading*, const InsertStmt*, int item);
void pgm_emit_assigned(reading*, const List* target_list, int item, bool on_conflict);

#pragma GCC visibility pop
#endif
