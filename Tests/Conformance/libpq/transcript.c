// SPDX-License-Identifier: Apache-2.0

// What a program in C sees through libpq of the server that the environment names: the simple and the
// extended protocol, text and binary, pipelines, single rows, COPY, large objects, notices,
// notifications, cancel, reset and prepared transactions.

#include <libpq-fe.h>
#include <libpq/libpq-fs.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(const char *format, ...) {
    va_list words;
    va_start(words, format);
    vprintf(format, words);
    va_end(words);
    putchar('\n');
}

static void show_value(const PGresult *result, int row, int column) {
    if (PQgetisnull(result, row, column)) {
        printf("null ");
    } else if (PQfformat(result, column)) {
        for (int n = 0; n < PQgetlength(result, row, column); n++)
            printf("%02x", (unsigned char)PQgetvalue(result, row, column)[n]);
        putchar(' ');
    } else {
        printf("%s ", PQgetvalue(result, row, column));
    }
}

// Everything that a result says, and the end of it.
static void show(PGresult *result) {
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    printf("%s", PQresStatus(PQresultStatus(result)));
    if (state)
        printf(" %s %s", state, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    say(" [%s] [%s]", PQcmdStatus(result), PQcmdTuples(result));
    for (int column = 0; column < PQnfields(result); column++)
        printf("%s:%u:%d ", PQfname(result, column), PQftype(result, column),
               PQfmod(result, column));
    if (PQnfields(result)) putchar('\n');
    for (int row = 0; row < PQntuples(result); row++) {
        for (int column = 0; column < PQnfields(result); column++) show_value(result, row, column);
        putchar('\n');
    }
    PQclear(result);
}

static void run(PGconn *c, const char *text) { show(PQexec(c, text)); }

// What must work and has nothing to say.
static void quietly(PGconn *c, const char *text) {
    PGresult *result = PQexec(c, text);
    if (PQresultStatus(result) == PGRES_FATAL_ERROR) say("%s: %s", text, PQerrorMessage(c));
    PQclear(result);
}

static void notice(void *prefix, const PGresult *result) {
    say("%s %s %s", (char *)prefix, PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED),
        PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
}

static PGconn *connect_with(const char *options) {
    PGconn *c = PQconnectdb(options);
    if (PQstatus(c) != CONNECTION_OK) say("no connection: %s", PQerrorMessage(c));
    PQsetNoticeReceiver(c, notice, "notice");
    return c;
}

static void connecting(PGconn *c) {
    const char *names[] = {"server_version", "server_encoding", "client_encoding", "DateStyle",
                           "TimeZone", "integer_datetimes", "standard_conforming_strings",
                           "application_name", "is_superuser", "session_authorization"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        say("%s = %s", names[n], PQparameterStatus(c, names[n]));
    say("%d %d %s %d", PQprotocolVersion(c), PQserverVersion(c), PQuser(c), PQsslInUse(c));
    PGconn *other = connect_with(
        "application_name='it''s me' options='-c work_mem=7MB -c my.name=a\\ b' client_encoding=LATIN1");
    say("%s %s", PQparameterStatus(other, "application_name"),
        PQparameterStatus(other, "client_encoding"));
    run(other, "SELECT current_setting('work_mem'), current_setting('my.name')");
    PQfinish(other);
    other = PQconnectdb("dbname=there_is_none");
    say("%d", PQstatus(other) == CONNECTION_BAD);
    PQfinish(other);
    other = PQconnectdb("password=wrong");
    say("%d", PQstatus(other) == CONNECTION_BAD);
    PQfinish(other);
}

static void read_only(PGconn *first) {
    (void)first;  // It has written: a session that has not may read on any replica.
    PGconn *c = connect_with("");
    quietly(c, "BEGIN READ ONLY");
    PGresult *result = PQexec(c, "SELECT inet_server_port()");
    say("@replica %s", PQgetvalue(result, 0, 0));
    PQclear(result);
    run(c, "INSERT INTO refused VALUES ('x')");
    run(c, "ROLLBACK");
    PQfinish(c);
}

static void types(PGconn *c) {
    const char *texts[] = {"42", "Gr\303\274\303\237e ' \\", NULL};
    uint32_t number = __builtin_bswap32(7);
    const char *values[] = {(char *)&number, "\001\000\377", "text"};
    int lengths[] = {4, 3, 4}, formats[] = {1, 1, 0};
    Oid oids[] = {23, 17, 25};
    const char *text = "SELECT $1::int + 1, $2::text, $3::bytea, ARRAY[1, NULL, 3], 1.50::numeric(5,2),"
                       " timestamptz '2024-05-06 07:08:09+00', 'NaN'::float8, '{\"a\": 1}'::jsonb";
    for (int format = 0; format < 2; format++)
        show(PQexecParams(c, text, 3, NULL, texts, NULL, NULL, format));
    for (int format = 0; format < 2; format++)
        show(PQexecParams(c, "SELECT $1, $2, $3", 3, oids, values, lengths, formats, format));
    show(PQexecParams(c, "SELECT $1::int", 1, NULL, &texts[1], NULL, NULL, 0));
    run(c, "SELECT 1; SELECT 2 AS two; UPDATE item SET price = 0 WHERE id < 4");
    run(c, "");
    run(c, "SELEC 1");
}

static void statements(PGconn *c) {
    show(PQprepare(c, "one", "SELECT name FROM item WHERE id = $1", 0, NULL));
    show(PQprepare(c, "two", "UPDATE item SET price = $1 WHERE id = 7 RETURNING price", 0, NULL));
    show(PQprepare(c, "one", "SELECT 1", 0, NULL));
    for (int n = 1; n < 9; n++) {
        char text[8];
        snprintf(text, sizeof text, "%d", n);
        const char *values[] = {text};
        show(PQexecPrepared(c, "one", 1, values, NULL, NULL, n % 2));
        show(PQexecPrepared(c, "two", 1, values, NULL, NULL, 0));
        show(PQexecParams(c, "SELECT $1::int * 2", 1, NULL, values, NULL, NULL, 0));
    }
    PGresult *about = PQdescribePrepared(c, "two");
    say("%d parameters, of type %u, %d columns", PQnparams(about), PQparamtype(about, 0),
        PQnfields(about));
    PQclear(about);
    run(c, "DEALLOCATE one");
    const char *value[] = {"1"};
    show(PQexecPrepared(c, "one", 1, value, NULL, NULL, 0));
    show(PQprepare(c, "", "SELECT 'unnamed'", 0, NULL));
    show(PQexecPrepared(c, "", 0, NULL, NULL, NULL, 0));
}

static void pipelines(PGconn *c) {
    say("enter %d", PQenterPipelineMode(c));
    for (int n = 0; n < 20; n++) {
        char text[8];
        snprintf(text, sizeof text, "%d", n);
        const char *values[] = {text};
        PQsendQueryParams(c, n % 3 ? "SELECT $1::int" : "UPDATE item SET price = $1 WHERE id = 3", 1,
                          NULL, values, NULL, NULL, 0);
        if (n == 10) PQsendQueryParams(c, "SELECT 1 / 0", 0, NULL, NULL, NULL, NULL, 0);
        if (n % 5 == 4) PQpipelineSync(c);
    }
    for (int syncs = 0; syncs < 4;) {
        PGresult *result = PQgetResult(c);
        if (!result) continue;
        syncs += PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        show(result);
    }
    PQsendPrepare(c, "flushed", "SELECT 'flushed'", 0, NULL);
    PQsendQueryPrepared(c, "flushed", 0, NULL, NULL, NULL, 0);
    PQsendFlushRequest(c);
    PQflush(c);
    for (int n = 0; n < 2; n++) {
        show(PQgetResult(c));
        PQclear(PQgetResult(c));
    }
    PQpipelineSync(c);
    show(PQgetResult(c));
    say("exit %d", PQexitPipelineMode(c));
}

static void single_rows(PGconn *c) {
    PQsendQuery(c, "SELECT n, 10 / (3 - n) FROM generate_series(1, 5) n");
    PQsetSingleRowMode(c);
    for (PGresult *result; (result = PQgetResult(c));) show(result);
    PQsendQuery(c, "SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) n");
    PQsetSingleRowMode(c);
    long bytes = 0;
    for (PGresult *result; (result = PQgetResult(c)); PQclear(result))
        if (PQntuples(result)) bytes += PQgetlength(result, 0, 1);
    say("%ld bytes", bytes);
}

static void transactions(PGconn *c) {
    const char *texts[] = {
        "BEGIN", "INSERT INTO item (id, name) VALUES (1000, 'new')", "SAVEPOINT a",
        "INSERT INTO item (id, name) VALUES (1000, 'again')", "SELECT 1", "ROLLBACK TO a",
        "SELECT name FROM item WHERE id = 1000", "RELEASE a", "COMMIT", "COMMIT",
        "BEGIN ISOLATION LEVEL SERIALIZABLE", "SHOW transaction_isolation", "COMMIT AND CHAIN",
        "SHOW transaction_isolation", "ROLLBACK", "SELECT count(*) FROM item WHERE id = 1000"};
    for (size_t n = 0; n < sizeof texts / sizeof *texts; n++) {
        run(c, texts[n]);
        say("status %d", PQtransactionStatus(c));
    }
    char text[200];
    for (int commits = 0; commits < 2; commits++) {
        quietly(c, "BEGIN");
        quietly(c, "UPDATE item SET price = price + 1 WHERE id = 9");
        snprintf(text, sizeof text, "PREPARE TRANSACTION 'libpq %s'", PQdb(c));
        run(c, text);
        snprintf(text, sizeof text, "%s PREPARED 'libpq %s'", commits ? "COMMIT" : "ROLLBACK", PQdb(c));
        run(c, text);
        run(c, "SELECT price FROM item WHERE id = 9");
    }
}

static void cursors(PGconn *c) {
    quietly(c, "BEGIN");
    run(c, "DECLARE c BINARY CURSOR FOR SELECT id FROM item ORDER BY id");
    run(c, "FETCH 3 FROM c");
    run(c, "MOVE 5 IN c");
    show(PQdescribePortal(c, "c"));
    run(c, "FETCH FORWARD 1 FROM c");
    run(c, "CLOSE c");
    run(c, "DECLARE h CURSOR WITH HOLD FOR SELECT n FROM generate_series(1, 4) n");
    run(c, "COMMIT");
    run(c, "FETCH 2 FROM h");
    run(c, "FETCH ALL FROM h");
    run(c, "CLOSE h");
}

static void copies(PGconn *c) {
    quietly(c, "CREATE TABLE copied (a int, b text)");
    show(PQexec(c, "COPY copied FROM STDIN"));
    for (int n = 0; n < 5000; n++) {
        char line[40];
        PQputCopyData(c, line, snprintf(line, sizeof line, "%d\ttext %d\n", n, n));
    }
    PQputCopyEnd(c, NULL);
    for (PGresult *result; (result = PQgetResult(c));) show(result);
    show(PQexec(c, "COPY copied FROM STDIN"));
    PQputCopyData(c, "1\tone\n", 6);
    PQputCopyEnd(c, "not today");
    for (PGresult *result; (result = PQgetResult(c));) show(result);
    show(PQexec(c, "COPY copied FROM STDIN"));
    PQputCopyData(c, "none\tone\n", 9);
    PQputCopyEnd(c, NULL);
    for (PGresult *result; (result = PQgetResult(c));) show(result);
    show(PQexec(c, "COPY copied TO STDOUT (FORMAT binary)"));
    char *row;
    long bytes = 0, rows = 0;
    for (int count; (count = PQgetCopyData(c, &row, 0)) > 0; PQfreemem(row), rows++) bytes += count;
    say("%ld rows, %ld bytes", rows, bytes);
    for (PGresult *result; (result = PQgetResult(c));) show(result);
}

static void large_objects(PGconn *c) {
    quietly(c, "BEGIN");
    Oid object = lo_creat(c, INV_READ | INV_WRITE);
    int place = lo_open(c, object, INV_READ | INV_WRITE);
    char bytes[100000];
    memset(bytes, 'x', sizeof bytes);
    say("%d", lo_write(c, place, bytes, sizeof bytes));
    say("%d", lo_lseek(c, place, -5, SEEK_END));
    say("%d %d", lo_read(c, place, bytes, 10), lo_tell(c, place));
    say("%d %d", lo_truncate(c, place, 10), lo_close(c, place));
    say("%d", lo_unlink(c, object));
    run(c, "COMMIT");
}

static void notices(PGconn *c) {
    run(c, "DO $$ BEGIN RAISE NOTICE 'hello'; RAISE WARNING 'careful'; END $$");
    run(c, "DROP TABLE IF EXISTS nowhere");
    PGresult *failed = PQexec(c, "INSERT INTO item (id, name) VALUES (1, 'twice')");
    say("%s %s %s %s", PQresultErrorField(failed, PG_DIAG_SQLSTATE),
        PQresultErrorField(failed, PG_DIAG_MESSAGE_DETAIL),
        PQresultErrorField(failed, PG_DIAG_TABLE_NAME),
        PQresultErrorField(failed, PG_DIAG_CONSTRAINT_NAME));
    PQclear(failed);
}

static void notifications(PGconn *c) {
    PGconn *other = connect_with("");
    run(c, "LISTEN news");
    run(other, "NOTIFY news, 'one'");
    for (PGnotify *heard = NULL; !heard;) {
        struct pollfd waiting = {.fd = PQsocket(c), .events = POLLIN};
        poll(&waiting, 1, 1000);
        PQconsumeInput(c);
        heard = PQnotifies(c);
        if (heard) say("%s %s %d", heard->relname, heard->extra, heard->be_pid != PQbackendPID(c));
        PQfreemem(heard);
        if (heard) break;
    }
    run(c, "UNLISTEN *");
    PQfinish(other);
}

static void cancelling(PGconn *c) {
    PGcancel *cancel = PQgetCancel(c);
    char words[256];
    PQsendQuery(c, "SELECT pg_sleep(600)");
    // A request may overtake its query, and then cancels nothing.
    for (bool is_over = false; !is_over;) {
        if (!PQcancel(cancel, words, sizeof words)) say("%s", words);
        struct pollfd waiting = {.fd = PQsocket(c), .events = POLLIN};
        is_over = poll(&waiting, 1, 200) > 0;
    }
    for (PGresult *result; (result = PQgetResult(c));) show(result);
    PQfreeCancel(cancel);
    run(c, "SELECT 'still here'");
}

static void settings(PGconn *c) {
    run(c, "SET TimeZone = 'Asia/Tokyo'");
    say("%s", PQparameterStatus(c, "TimeZone"));
    quietly(c, "BEGIN");
    quietly(c, "SET LOCAL TimeZone = 'Europe/Oslo'");
    say("%s", PQparameterStatus(c, "TimeZone"));
    quietly(c, "ROLLBACK");
    say("%s", PQparameterStatus(c, "TimeZone"));
    say("%d %s", PQsetClientEncoding(c, "LATIN1"), PQparameterStatus(c, "client_encoding"));
    run(c, "SELECT length('\351')");
    run(c, "CREATE TEMP TABLE mine AS SELECT 7 AS n");
    run(c, "SELECT n FROM mine");
    PQreset(c);
    say("%s %s", PQparameterStatus(c, "TimeZone"), PQparameterStatus(c, "client_encoding"));
    run(c, "SELECT n FROM mine");
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    PGconn *c = connect_with("");
    quietly(c, "CREATE TABLE item (id serial PRIMARY KEY, name text UNIQUE, price numeric);"
               "INSERT INTO item (name, price) SELECT 'name ' || n, n FROM generate_series(1, 100) n");
    // By the time of `read_only` martlet has read which functions this new database has.
    void (*const parts[])(PGconn *) = {connecting, types, statements, pipelines, single_rows,
                                       transactions, cursors, copies, large_objects, notices,
                                       notifications, cancelling, read_only, settings};
    for (size_t n = 0; n < sizeof parts / sizeof *parts; n++) {
        say("==");
        parts[n](c);
    }
    PQfinish(c);
    say("end");
}
