/* libpq itself, in pipeline mode: several statements on their way at once, with and without a Sync between, by name and
 * without, in text and binary; errors in a pipeline; rows one by one. */
#include <libpq-fe.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static PGconn* db;
static int reads;

static void quit(const char* what)
{
    fprintf(stderr, "%s: %s", what, PQerrorMessage(db));
    exit(1);
}

static void must(int done, const char* what)
{
    if (!done)
        quit(what);
}

static void print_bytes(const char* bytes, int size)
{
    if (size > 1000) {
        uint64_t hash = 14695981039346656037u; /* FNV-1a */
        for (int i = 0; i < size; ++i)
            hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211u;
        printf("\"%d bytes, %016llx\"", size, (unsigned long long)hash);
        return;
    }
    putchar('"');
    for (int i = 0; i < size; ++i) {
        const unsigned char c = (unsigned char)bytes[i];
        if (c < ' ' || c > '~' || c == '"' || c == '\\')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_text(const char* text)
{
    print_bytes(text ? text : "", text ? (int)strlen(text) : 0);
}

/* Everything that a result tells. */
static void print_result(const PGresult* result)
{
    printf("[\"%s\", ", PQresStatus(PQresultStatus(result)));
    print_text(PQcmdStatus((PGresult*)result));
    if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
        printf(", ");
        print_text(PQresultErrorField(result, PG_DIAG_SQLSTATE));
        printf(", ");
        print_text(PQresultErrorMessage(result));
    }
    for (int i = 0; i < PQnfields(result); ++i) {
        printf(", [");
        print_text(PQfname(result, i));
        printf(", %u, %d, %d, %d, %d]", PQftype(result, i), PQfmod(result, i), PQfsize(result, i),
               PQftablecol(result, i), PQfformat(result, i));
    }
    for (int row = 0; row < PQntuples(result); ++row) {
        printf(", [");
        for (int i = 0; i < PQnfields(result); ++i) {
            if (i)
                printf(", ");
            if (PQgetisnull(result, row, i))
                printf("null");
            else
                print_bytes(PQgetvalue(result, row, i), PQgetlength(result, row, i));
        }
        putchar(']');
    }
    putchar(']');
}

/* Prints the results of all that was sent, up to and with so many Syncs. */
static void collect(const char* step, int syncs)
{
    printf("[\"%s\"", step);
    int nothing = 0;
    while (syncs > 0) {
        PGresult* result = PQgetResult(db);
        if (!result) {
            must(++nothing < 1000 && PQstatus(db) == CONNECTION_OK, step);
            continue;
        }
        nothing = 0;
        syncs -= PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        printf(", ");
        print_result(result);
        PQclear(result);
    }
    printf("]\n");
}

static void ask(const char* sql, int count, const char* const* values, int format)
{
    must(PQsendQueryParams(db, sql, count, NULL, values, NULL, NULL, format), sql);
}

static void ask_prepared(const char* value, int format)
{
    must(PQsendQueryPrepared(db, "by id", 1, &value, NULL, NULL, format), "prepared");
}

static void sync_now(void)
{
    must(PQpipelineSync(db), "sync");
}

static void pause_at(const char* line)
{
    char answer[64];
    printf("%s\n", line);
    fflush(stdout);
    must(fgets(answer, sizeof answer, stdin) != NULL, "the test went away");
}

static void round_of_reads(void)
{
    static const char* const numbers[] = {"1", "2", "3", "4", "5", "6", "7"};
    static const char* const names[] = {"{2,3,5}", "{one,\"two words\",\"quo\\\"te\"}", "{\"b\": 1}"};
    for (int format = 0; format < 2; ++format) {
        for (int i = 0; i < 3; ++i) {
            ask("SELECT * FROM kinds WHERE id = $1", 1, &numbers[i], format);
            ++reads;
        }
        sync_now();
        collect("kinds, under one Sync", 1);
        for (int i = 0; i < 5; ++i) {
            ask_prepared(numbers[i], format);
            sync_now();
            ++reads;
        }
        collect("by name, a Sync each", 5);
    }
    ask("SELECT id, name FROM items ORDER BY id", 0, NULL, 0);
    ask("SELECT name FROM items WHERE id = ANY($1) ORDER BY id", 1, &names[0], 0);
    ask("SELECT id FROM kinds WHERE words = $1", 1, &names[1], 0);
    sync_now();
    ask("SELECT id, jb FROM kinds WHERE jb @> $1", 1, &names[2], 1);
    ask("SELECT body, raw FROM large WHERE id = $1", 1, &numbers[0], 0);
    sync_now();
    reads += 5;
    collect("two groups", 2);
}

static void rest(void)
{
    static const char* const values[] = {"1", "3"};
    static const char* const sleep_seconds = "60";
    ask("BEGIN", 0, NULL, 0);
    ask("UPDATE ledger SET amount = amount + $1 WHERE id = $2 RETURNING amount", 2, values, 0);
    ask("SELECT amount FROM ledger ORDER BY id", 0, NULL, 1);
    ask("ROLLBACK", 0, NULL, 0);
    ask("SELECT amount FROM ledger ORDER BY id", 0, NULL, 1);
    sync_now();
    collect("rolled back", 1);

    ask("UPDATE ledger SET amount = amount + $1 WHERE id = $2 RETURNING amount", 2, values, 0);
    sync_now();
    ask("SELECT amount FROM ledger ORDER BY id", 0, NULL, 1);
    sync_now();
    collect("committed", 2);

    ask_prepared("1", 0);
    ask("UPDATE ledger SET amount = 0 WHERE id > $1 AND id < $2", 2, values, 0);
    ask("SELECT 1 / (amount - amount) FROM ledger", 0, NULL, 0);
    ask_prepared("2", 0);
    sync_now();
    ask_prepared("3", 0);
    ask("SELECT amount FROM ledger ORDER BY id", 0, NULL, 0);
    sync_now();
    collect("an error in the middle", 2);

    ask_prepared("1", 0);
    must(PQsendFlushRequest(db), "flush");
    must(PQflush(db) == 0, "flush");
    PGresult* result = PQgetResult(db);
    printf("[\"before the Sync\", ");
    print_result(result);
    printf("]\n");
    PQclear(result);
    sync_now();
    collect("the Sync after", 1);
    must(PQsendDescribePrepared(db, "by id"), "describe");
    sync_now();
    collect("described", 1);

    ask("SELECT pg_sleep($1)", 1, &sleep_seconds, 0);
    sync_now();
    must(PQflush(db) == 0, "flush");
    pause_at("{\"part\": \"cancel\"}");
    char words[256] = "";
    PGcancel* cancel = PQgetCancel(db);
    must(PQcancel(cancel, words, sizeof words), words);
    PQfreeCancel(cancel);
    collect("cancelled", 1);

    must(PQexitPipelineMode(db), "exit");
    must(PQsendQuery(db, "SELECT id, name FROM items ORDER BY id"), "send");
    must(PQsetSingleRowMode(db), "row by row");
    printf("[\"row by row\"");
    while ((result = PQgetResult(db))) {
        printf(", ");
        print_result(result);
        PQclear(result);
    }
    printf("]\n");
    PQclear(PQexec(db, "LISTEN channel"));
    PQclear(PQexec(db, "NOTIFY channel, 'payload'"));
    PGnotify* heard = NULL;
    while (!(heard = PQnotifies(db))) {
        struct pollfd socket = {PQsocket(db), POLLIN, 0};
        must(poll(&socket, 1, 30000) > 0 && PQconsumeInput(db), "notification");
    }
    printf("[\"notified\", \"%s\", \"%s\"]\n", heard->relname, heard->extra);
    PQfreemem(heard);
    PQclear(PQexec(db, "UNLISTEN channel"));

    PQclear(PQexec(db, "COPY loaded FROM STDIN"));
    must(PQputCopyData(db, "1\tcopied\n2\t\\N\n", 14) == 1 && PQputCopyEnd(db, NULL) == 1, "copy");
    printf("[\"copied\"");
    while ((result = PQgetResult(db))) {
        printf(", ");
        print_result(result);
        PQclear(result);
    }
    printf("]\n");
    must(PQenterPipelineMode(db), "enter");
}

int main(int count, char** words)
{
    if (count != 4)
        return 2;
    const char* const keys[] = {"host", "port", "dbname", "user", "sslmode", "gssencmode", NULL};
    const char* const values[] = {words[1], words[2], words[3], "postgres", "disable", "disable", NULL};
    db = PQconnectdbParams(keys, values, 0);
    must(PQstatus(db) == CONNECTION_OK, "connect");
    must(PQenterPipelineMode(db), "enter");
    must(PQsendPrepare(db, "by id", "SELECT name, price FROM items WHERE id = $1", 1, NULL), "prepare");
    sync_now();
    collect("prepared", 1);
    for (int turn = 1; turn <= 5; ++turn) {
        reads = 0;
        round_of_reads();
        char line[64];
        snprintf(line, sizeof line, "{\"round\": %d, \"reads\": %d}", turn, reads);
        pause_at(line);
    }
    pause_at("{\"part\": \"rest\"}");
    for (int turn = 1; turn <= 5; ++turn)
        rest();
    PQfinish(db);
    return 0;
}
