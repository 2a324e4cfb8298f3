/* SPDX-License-Identifier: Apache-2.0
 *
 * What pgbench cannot do, each as one mode. All of them speak through libpq, so that what they do
 * to a proxy is what applications do.
 *
 *   client hold   "conninfo" COUNT             logs COUNT clients in, lets each run one statement,
 *                                              prints "ready", and keeps them until stdin ends
 *   client login  "conninfo" COUNT SECONDS     COUNT at a time: log in, one statement, leave, again;
 *                                              prints for each when it was over and what it took
 *   client result "conninfo" TIMES "statement" reads the whole answer TIMES times and prints bytes
 *
 * Errors go to standard error and end it with status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* So many logins are under way at once while `hold` fills up; more would only queue. */
enum { LOGINS_AT_ONCE = 32 };

enum phase { UNUSED, CONNECTING, ASKING, DONE };

struct client {
    PGconn *connection;
    enum phase phase;
    int watched; /* the descriptor in the epoll set, or -1 */
    double began;
};

static int epoll;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *what, PGconn *connection) {
    fprintf(stderr, "%s: %s", what, connection ? PQerrorMessage(connection) : strerror(errno));
    if (!connection) fputc('\n', stderr);
    exit(1);
}

/* libpq may close its socket and open another while it connects, so the set follows it. */
static void watch(struct client *client, uint32_t events) {
    int descriptor = PQsocket(client->connection);
    struct epoll_event event = {.events = events, .data.ptr = client};
    if (descriptor == client->watched &&
        epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event) == 0)
        return;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0 &&
        epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event) != 0)
        fail("epoll_ctl", NULL);
    client->watched = descriptor;
}

static void begin(struct client *client, const char *conninfo) {
    client->began = now();
    client->watched = -1;
    client->connection = PQconnectStart(conninfo);
    if (!client->connection) fail("PQconnectStart", NULL);
    if (PQstatus(client->connection) == CONNECTION_BAD) fail("connect", client->connection);
    client->phase = CONNECTING;
    watch(client, EPOLLOUT);
}

static void answered(struct client *client) {
    PGresult *result;
    if (!PQconsumeInput(client->connection)) fail("statement", client->connection);
    while (!PQisBusy(client->connection)) {
        result = PQgetResult(client->connection);
        if (!result) {
            client->phase = DONE;
            return;
        }
        if (PQresultStatus(result) != PGRES_TUPLES_OK) fail("statement", client->connection);
        PQclear(result);
    }
}

/* Goes on with a client whose socket is ready. */
static void advance(struct client *client) {
    if (client->phase == CONNECTING) {
        switch (PQconnectPoll(client->connection)) {
        case PGRES_POLLING_READING: watch(client, EPOLLIN); break;
        case PGRES_POLLING_WRITING: watch(client, EPOLLOUT); break;
        case PGRES_POLLING_OK:
            if (!PQsendQuery(client->connection, "SELECT 1"))
                fail("statement", client->connection);
            client->phase = ASKING;
            watch(client, EPOLLIN);
            break;
        default: fail("connect", client->connection);
        }
    } else if (client->phase == ASKING) {
        answered(client);
    }
}

static struct client *make_clients(int count) {
    struct client *clients = calloc((size_t)count, sizeof *clients);
    epoll = epoll_create1(0);
    if (!clients || epoll < 0) fail("clients", NULL);
    return clients;
}

static int hold(const char *conninfo, int count) {
    struct client *clients = make_clients(count);
    struct epoll_event events[64];
    int started = 0, done = 0, index, ready;
    char byte;
    while (done < count) {
        while (started < count && started - done < LOGINS_AT_ONCE)
            begin(&clients[started++], conninfo);
        ready = epoll_wait(epoll, events, 64, 60000);
        if (ready == 0) {
            fprintf(stderr, "nothing happened for a minute; %d of %d are in\n", done, count);
            return 1;
        }
        for (index = 0; index < ready; index++) {
            struct client *client = events[index].data.ptr;
            if (client->phase == DONE) continue;
            advance(client);
            if (client->phase == DONE) {
                epoll_ctl(epoll, EPOLL_CTL_DEL, client->watched, NULL);
                done++;
            }
        }
    }
    puts("ready");
    fflush(stdout);
    while (read(0, &byte, 1) > 0) {
    }
    return 0;
}

static int login(const char *conninfo, int count, double seconds) {
    struct client *clients = make_clients(count);
    struct epoll_event events[64];
    double end = now() + seconds;
    int index, ready, working = count;
    /* Whoever started this waits for the first line. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (index = 0; index < count; index++) begin(&clients[index], conninfo);
    while (working > 0) {
        ready = epoll_wait(epoll, events, 64, 30000);
        if (ready == 0) {
            fputs("nothing happened for half a minute\n", stderr);
            return 1;
        }
        for (index = 0; index < ready; index++) {
            struct client *client = events[index].data.ptr;
            double time;
            advance(client);
            if (client->phase != DONE) continue;
            PQfinish(client->connection);
            time = now();
            printf("%.6f %.0f\n", time, (time - client->began) * 1e6);
            if (time < end)
                begin(client, conninfo);
            else
                working--;
        }
    }
    return 0;
}

/* Reads messages off the socket until ReadyForQuery, looking at headers only: libpq would make
 * objects of all rows, and its work would hide the proxy's. */
static uint64_t read_answer(int descriptor) {
    static unsigned char buffer[1 << 18];
    uint64_t bytes = 0;
    size_t start = 0, end = 0;
    uint64_t skip = 0;
    for (;;) {
        ssize_t count = read(descriptor, buffer + end, sizeof buffer - end);
        if (count <= 0) fail("read", NULL);
        bytes += (uint64_t)count;
        end += (size_t)count;
        for (;;) {
            uint64_t held = end - start, length;
            uint64_t skipped = skip < held ? skip : held;
            start += (size_t)skipped;
            skip -= skipped;
            if (skip || end - start < 5) break;
            length = (uint64_t)buffer[start + 1] << 24 | (uint64_t)buffer[start + 2] << 16 |
                     (uint64_t)buffer[start + 3] << 8 | buffer[start + 4];
            if (buffer[start] == 'Z') return bytes;
            if (buffer[start] == 'E') {
                fputs("the server answered with an error\n", stderr);
                exit(1);
            }
            skip = length + 1;
        }
        memmove(buffer, buffer + start, end - start);
        end -= start;
        start = 0;
    }
}

static int result(const char *conninfo, int times, const char *statement) {
    PGconn *connection = PQconnectdb(conninfo);
    uint64_t bytes = 0;
    size_t length = strlen(statement) + 1;
    unsigned char header[5] = {'Q'};
    uint32_t size = (uint32_t)length + 4;
    int index, descriptor = PQsocket(connection);
    if (PQstatus(connection) != CONNECTION_OK) fail("connect", connection);
    /* libpq's sockets do not block; from here on this one is ours, and shall. */
    if (fcntl(descriptor, F_SETFL, 0) != 0) fail("fcntl", NULL);
    for (index = 0; index < 4; index++) header[1 + index] = (unsigned char)(size >> (24 - 8 * index));
    for (index = 0; index < times; index++) {
        if (write(descriptor, header, 5) != 5 ||
            write(descriptor, statement, length) != (ssize_t)length)
            fail("write", NULL);
        bytes += read_answer(descriptor);
    }
    printf("%llu\n", (unsigned long long)bytes);
    PQfinish(connection);
    return 0;
}

int main(int count, char **words) {
    if (count == 4 && !strcmp(words[1], "hold")) return hold(words[2], atoi(words[3]));
    if (count == 5 && !strcmp(words[1], "login"))
        return login(words[2], atoi(words[3]), atof(words[4]));
    if (count == 5 && !strcmp(words[1], "result")) return result(words[2], atoi(words[3]), words[4]);
    fputs("usage: client hold|login|result ..., see the source\n", stderr);
    return 64;
}
