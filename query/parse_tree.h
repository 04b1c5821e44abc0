/* What a text says, as plain facts: no catalog, no session, no PostgreSQL headers in sight.
 *
 * The walk visits every node that it was taught; any other yields PGM_MARK_UNKNOWN, which allows nothing. Names of
 * common table expressions are resolved here, because they depend on nothing but the text.
 *
 * Threads:  safe; each thread that calls keeps an arena (and uses up a pthread key: call from long-lived threads only).
 * Lifetime: a fact's strings die with the call of `emit`.
 */
#ifndef PGMEMO_QUERY_PARSE_TREE_H
#define PGMEMO_QUERY_PARSE_TREE_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pgm_kind {
    PGM_STATEMENT, /* one begins; code: pgm_statement */
    PGM_RELATION,  /* schema, name; code: pgm_use bits, 0 for a read; text: what the query calls it; level, item */
    PGM_FUNCTION,  /* schema, name; count: arguments; code: 1 when VARIADIC; text: first argument, if a string */
    PGM_OPERATOR,  /* schema, name; code: 1 for IN, whose operands are the left side and the elements of the list */
    PGM_OPERAND, /* one more argument of the PGM_FUNCTION or PGM_OPERATOR that follows; code: pgm_operand; schema, name:
                    the type, count: 1 for an array of it; or the column (schema).name of items from … to - 1 of the
                    level; or count: the parameter */
    PGM_TYPE,    /* schema, name: a value is made one of this type */
    PGM_FIELD,   /* name: `a.name`, which may be a function applied to a row */
    PGM_MEMBER,  /* name: `(expression).name`, which may be a function applied to any value */
    PGM_STRING,  /* text: a string constant */
    PGM_TIME_OF_COLUMN,    /* name: a column is cast to a date or time type */
    PGM_TIME_OF_PARAMETER, /* count: the parameter that is cast to a date or time type */
    PGM_OUTPUT_NAME,       /* name: an output column that the text itself makes; `*`: it makes some unnamed */
    PGM_MARK,              /* code: pgm_mark_code */

    /* What confines the rows of a relation. A level is one SELECT, UPDATE, DELETE, INSERT or MERGE with its own FROM;
     * levels and items are numbered in the order of the walk, so the items below a join are from … to - 1. */
    PGM_LEVEL,    /* level; code, bits: 1 WHERE of an enclosing query may be applied inside, see PGM_COLUMN;
                     2 each row of its result is made of one row of its one relation */
    PGM_SUBQUERY, /* an item that is a subquery: text: alias; level, item; count: its level. 0: none that is known, or
                     the item is no subquery but a common table expression or a function */
    PGM_COLUMN,  /* level: an output column `name` that is the column (schema).text of that level's FROM; `*` for all */
    PGM_RENAMED, /* from … to: items whose columns or names are hidden behind others */
    PGM_EQUAL,   /* level: items from … to - 1 matter only in rows in which (schema).name is one of the values that
                    follow; count: how many */
    PGM_SAME, /* level: (schema).name = (schema2).text wherever items from … mid - 1 meet items mid … to - 1; from ==
                 mid: wherever they are; code: pgm_join: how they meet */
    PGM_USING,    /* level: the same of two columns of one name, `*` for all that NATURAL finds; code: pgm_join */
    PGM_ASSIGNED, /* item: column `name` (or, without one, the column number code) is given one of the values that
                     follow; count: how many, -1: not known; text: "i" by INSERT, "u" by UPDATE, "c" ON CONFLICT */
    PGM_INSERTED, /* item: an INSERT gives values to the columns named and to no others; code: 1 when which is not known
                   */
    PGM_CONFLICT, /* item: name: a column of the ON CONFLICT target */
    PGM_VALUE /* code: pgm_value; text: its text; count: a parameter's number; schema: the type that it is cast to */
} pgm_kind;

typedef enum pgm_use { PGM_INSERT = 1, PGM_UPDATE = 2, PGM_DELETE = 4, PGM_TRUNCATE = 8 } pgm_use;

typedef enum pgm_join { PGM_JOIN_INNER, PGM_JOIN_LEFT, PGM_JOIN_RIGHT, PGM_JOIN_FULL } pgm_join;

typedef enum pgm_value {
    PGM_INTEGER,
    PGM_TEXT, /* a string constant, whose type is left to the server unless it is cast */
    PGM_BOOLEAN,
    PGM_NULL,
    PGM_PARAMETER,
    PGM_TEXT_ARRAY,      /* a string constant that stands for an array */
    PGM_PARAMETER_ARRAY, /* a parameter that does */
    PGM_EXCLUDED         /* text: the column of the row proposed, in ON CONFLICT DO UPDATE */
} pgm_value;

typedef enum pgm_operand {
    PGM_OPERAND_OTHER,   /* its type is not known here */
    PGM_OPERAND_UNKNOWN, /* a bare string or NULL, whose type is left to the server */
    PGM_OPERAND_TYPE,    /* of this type: a constant or a cast */
    PGM_OPERAND_PARAMETER,
    PGM_OPERAND_COLUMN
} pgm_operand;

typedef enum pgm_statement {
    PGM_SELECT,
    PGM_WRITE, /* INSERT, UPDATE, DELETE, MERGE, COPY FROM, TRUNCATE */
    PGM_INTO,  /* SELECT INTO, CREATE TABLE AS: a write by name, DDL by effect */
    PGM_INTO_TEMPORARY,
    PGM_DDL,
    PGM_DDL_TEMPORARY, /* makes something that is this session's alone */
    PGM_DDL_CLUSTER,   /* reaches beyond its database */
    PGM_REFRESH,       /* REFRESH MATERIALIZED VIEW, which follows as a relation */
    PGM_BEGIN,
    PGM_BEGIN_OTHER,
    PGM_START,
    PGM_START_OTHER,
    PGM_COMMIT,
    PGM_COMMIT_CHAIN,
    PGM_ROLLBACK,
    PGM_ROLLBACK_CHAIN,
    PGM_INSIDE, /* SAVEPOINT, RELEASE, ROLLBACK TO */
    PGM_PREPARE_TRANSACTION,
    PGM_COMMIT_PREPARED,
    PGM_ROLLBACK_PREPARED,
    PGM_SET, /* changes the session */
    PGM_SET_TRANSACTION,
    PGM_SESSION, /* a session command that changes no setting */
    PGM_UTILITY, /* changes nothing by itself; a statement within it may */
    PGM_FETCH,
    PGM_EXECUTE, /* of a prepared SELECT, INSERT, UPDATE, DELETE, MERGE or VALUES */
    PGM_CALL,
    PGM_DO, /* its block follows as PGM_STRING */
    PGM_REINDEX,
    PGM_OTHER /* not taught: may be anything */
} pgm_statement;

typedef enum pgm_mark_code {
    PGM_MARK_ROW_LOCK,
    PGM_MARK_TABLESAMPLE,
    PGM_MARK_CLOCK,    /* CURRENT_DATE and its kin, or text cast to a date or time type */
    PGM_MARK_IDENTITY, /* CURRENT_USER and its kin */
    PGM_MARK_PARAMETER,
    PGM_MARK_UNSUPPORTED, /* understood well enough to know that it writes nothing, not to be cached */
    PGM_MARK_DDL,         /* nested SELECT INTO or CREATE TABLE AS */
    PGM_MARK_DDL_TEMPORARY,
    PGM_MARK_EXECUTE, /* nested EXECUTE */
    PGM_MARK_CASCADE, /* TRUNCATE … CASCADE */
    PGM_MARK_UNKNOWN  /* a node that the walk was not taught */
} pgm_mark_code;

typedef struct pgm_fact {
    pgm_kind kind;
    int code;
    int count;
    int location;      /* in the text, in bytes from 0; -1: not known */
    bool planned_only; /* inside EXPLAIN without ANALYZE: never executed */
    int level;         /* 0: none */
    int item;          /* -1: none */
    int from, mid, to;
    const char* schema; /* NULL: not qualified */
    const char* name;
    const char* schema2;
    const char* text;
} pgm_fact;

typedef enum pgm_outcome { PGM_PARSED, PGM_NOT_PARSED, PGM_TOO_DEEP } pgm_outcome;

/* `emit` must not throw and must not jump. After PGM_TOO_DEEP the facts are incomplete. */
pgm_outcome pgm_read(const char* sql, void (*emit)(void* context, const pgm_fact*), void* context);

#ifdef __cplusplus
}
#endif
#endif
