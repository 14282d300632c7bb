/*
 * A fast stand-in for a QMP server, so that benchmarks measure the client and
 * not QEMU.
 *
 *     standin unix:PATH [--reply-bytes N] [--events N] [--burst BYTES] [--servers N]
 *
 * With --servers there are N servers, at PATH0, PATH1 and so on. Each client has
 * a thread of its own; the program runs until it is killed. A request is one
 * JSON object, with or without a line end after it. Every reply and every event
 * is sent in one system call and ends with CR LF. With --burst, events are
 * collected up to this number of bytes, as QEMU does for a client that was slow
 * for a while. Special commands:
 *
 *     big     returns an array of about N bytes of small objects (50 MB)
 *     flood   sends N events TICK (200000), then its reply
 *     slow    replies after two seconds
 *     quit    replies and closes this client's connection
 *
 * query-commands and query-qmp-schema list these; any other command returns the
 * reply of query-status.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static const char GREETING[] =
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 2, \"minor\": 0, \"major\": 10}, "
    "\"package\": \"stand-in\"}, \"capabilities\": [\"oob\"]}}\r\n";

static const char STATUS[] = "{\"status\": \"running\", \"running\": true}";

static const char COMMANDS[] =
    "[{\"name\": \"qmp_capabilities\"}, {\"name\": \"query-commands\"}, "
    "{\"name\": \"query-qmp-schema\"}, {\"name\": \"query-status\"}, {\"name\": \"big\"}, "
    "{\"name\": \"flood\"}, {\"name\": \"slow\"}, {\"name\": \"quit\"}]";

#define COMMAND(name, returns)                                                                   \
    "{\"name\": \"" name "\", \"ret-type\": \"" returns "\", \"meta-type\": \"command\", "       \
    "\"arg-type\": \"0\"}, "

static const char SCHEMA[] =
    "["
    COMMAND("qmp_capabilities", "0")
    COMMAND("query-commands", "[1]")
    COMMAND("query-qmp-schema", "[1]")
    COMMAND("query-status", "2")
    COMMAND("big", "[1]")
    COMMAND("flood", "2")
    COMMAND("slow", "2")
    COMMAND("quit", "2")
    "{\"name\": \"TICK\", \"meta-type\": \"event\", \"arg-type\": \"3\"}, "
    "{\"name\": \"0\", \"members\": [], \"meta-type\": \"object\"}, "
    "{\"name\": \"[1]\", \"element-type\": \"any\", \"meta-type\": \"array\"}, "
    "{\"name\": \"2\", \"members\": [{\"name\": \"status\", \"type\": \"str\"}, "
    "{\"name\": \"running\", \"type\": \"bool\"}], \"meta-type\": \"object\"}, "
    "{\"name\": \"3\", \"members\": [{\"name\": \"n\", \"type\": \"int\"}], \"meta-type\": \"object\"}, "
    "{\"name\": \"str\", \"json-type\": \"string\", \"meta-type\": \"builtin\"}, "
    "{\"name\": \"int\", \"json-type\": \"int\", \"meta-type\": \"builtin\"}, "
    "{\"name\": \"bool\", \"json-type\": \"boolean\", \"meta-type\": \"builtin\"}, "
    "{\"name\": \"any\", \"json-type\": \"value\", \"meta-type\": \"builtin\"}]";

static size_t reply_bytes = 50 * 1000 * 1000;
static uint64_t event_count = 200 * 1000;
static size_t burst_bytes = 1;

static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("standin: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

/* A range of bytes, not owned. */
struct span {
    const char *at;
    size_t len;
};

static struct span text(const char *literal)
{
    return (struct span){literal, strlen(literal)};
}

static bool equals(struct span span, const char *word)
{
    return span.len == strlen(word) && memcmp(span.at, word, span.len) == 0;
}

/* ---- reading a request ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Returns the offset after the string that opens at `i`, or `len` if it is unclosed. */
static size_t end_of_string(const char *at, size_t i, size_t len)
{
    for (i++; i < len; i++) {
        if (at[i] == '\\')
            i++;
        else if (at[i] == '"')
            return i + 1;
    }
    return len;
}

/* Returns the text of a member of the outermost object; empty if there is none. */
static struct span member(struct span request, const char *name)
{
    const char *at = request.at;
    size_t i = 0, len = request.len, depth = 0;

    while (i < len) {
        char c = at[i];
        if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == '"') {
            struct span key = {at + i + 1, 0};
            i = end_of_string(at, i, len);
            key.len = (size_t)(at + i - key.at) - 1;
            if (depth != 1 || !equals(key, name))
                continue;
            while (i < len && is_space(at[i]))
                i++;
            if (i == len || at[i] != ':')
                continue;
            i++;
            while (i < len && is_space(at[i]))
                i++;
            size_t start = i, inner = 0;
            while (i < len) {
                c = at[i];
                if (inner == 0 && (c == ',' || c == '}'))
                    break;
                if (c == '"') {
                    i = end_of_string(at, i, len);
                    continue;
                }
                inner += c == '{' || c == '[';
                inner -= c == '}' || c == ']';
                i++;
            }
            while (i > start && is_space(at[i - 1]))
                i--;
            return (struct span){at + start, i - start};
        }
        i++;
    }
    return (struct span){NULL, 0};
}

/* ---- writing ---- */

/* Sends all parts, in one system call if possible. Returns false if the client has gone. */
static bool send_parts(int fd, struct iovec *part, int count)
{
    while (count > 0) {
        ssize_t sent = writev(fd, part, count);
        if (sent < 0) {
            if (errno == EINTR)
                continue;
            return false;
        }
        while (count > 0 && (size_t)sent >= part->iov_len) {
            sent -= (ssize_t)part->iov_len;
            part++;
            count--;
        }
        if (count > 0) {
            part->iov_base = (char *)part->iov_base + sent;
            part->iov_len -= (size_t)sent;
        }
    }
    return true;
}

static struct iovec part(struct span span)
{
    return (struct iovec){(void *)span.at, span.len};
}

static bool reply(int fd, struct span value, struct span id)
{
    struct iovec parts[] = {
        part(text("{\"return\": ")), part(value),
        part(text(id.len ? ", \"id\": " : "")), part(id),
        part(text("}\r\n")),
    };
    return send_parts(fd, parts, sizeof parts / sizeof *parts);
}

static bool flood(int fd)
{
    const size_t longest_event = 160;
    char *burst = malloc(burst_bytes + longest_event);
    size_t len = 0;
    bool is_connected = true;

    if (!burst)
        die("no memory for a burst of %zu bytes", burst_bytes);
    for (uint64_t n = 0; is_connected && n < event_count; n++) {
        struct timeval now;
        gettimeofday(&now, NULL);
        len += (size_t)snprintf(burst + len, longest_event,
                                "{\"timestamp\": {\"seconds\": %lld, \"microseconds\": %ld}, "
                                "\"event\": \"TICK\", \"data\": {\"n\": %llu}}\r\n",
                                (long long)now.tv_sec, (long)now.tv_usec, (unsigned long long)n);
        if (len >= burst_bytes || n + 1 == event_count) {
            struct iovec all = part((struct span){burst, len});
            is_connected = send_parts(fd, &all, 1);
            len = 0;
        }
    }
    free(burst);
    return is_connected;
}

/* The array that `big` returns, made at the first request for it. */
static struct span big_array;
static pthread_once_t big_array_made = PTHREAD_ONCE_INIT;

static void make_big_array(void)
{
    const size_t longest_item = 256;
    char *at = malloc(reply_bytes + longest_item);
    size_t len = 0;
    if (!at)
        die("no memory for a reply of %zu bytes", reply_bytes);
    at[len++] = '[';
    for (unsigned n = 0; n == 0 || len < reply_bytes; n++)
        len += (size_t)snprintf(at + len, longest_item,
                                "%s{\"name\": \"item%07u\", \"size\": %llu, \"ratio\": 0.5, "
                                "\"read-only\": %s, \"note\": null, \"tags\": [\"a\", \"b\\n\"]}",
                                n ? ", " : "", n, 4096ULL * n, n % 2 ? "true" : "false");
    at[len++] = ']';
    big_array = (struct span){at, len};
}

/* Answers one request. Returns false if the connection ends. */
static bool answer(int fd, struct span request)
{
    struct span id = member(request, "id");
    struct span command = member(request, "execute");
    if (!command.len)
        command = member(request, "exec-oob");

    if (equals(command, "\"qmp_capabilities\""))
        return reply(fd, text("{}"), id);
    if (equals(command, "\"query-commands\""))
        return reply(fd, text(COMMANDS), id);
    if (equals(command, "\"query-qmp-schema\""))
        return reply(fd, text(SCHEMA), id);
    if (equals(command, "\"big\"")) {
        pthread_once(&big_array_made, make_big_array);
        return reply(fd, big_array, id);
    }
    if (equals(command, "\"flood\"") && !flood(fd))
        return false;
    if (equals(command, "\"slow\""))
        sleep(2);
    return reply(fd, text(STATUS), id) && !equals(command, "\"quit\"");
}

/* ---- clients ---- */

/* Finds the ends of requests byte by byte, because not every client sends line ends. */
struct framer {
    size_t depth;
    bool string, escaped;
};

/* Returns true if the byte ends a request. */
static bool ends_request(struct framer *framer, char c)
{
    if (framer->string) {
        if (framer->escaped)
            framer->escaped = false;
        else if (c == '\\')
            framer->escaped = true;
        else if (c == '"')
            framer->string = false;
    } else if (c == '{' || c == '[') {
        framer->depth++;
    } else if (framer->depth > 0) {
        if (c == '"')
            framer->string = true;
        else if (c == '}' || c == ']')
            return --framer->depth == 0;
    }
    return false;
}

static void serve(int fd)
{
    size_t capacity = 65536, filled = 0;
    char *buffer = malloc(capacity);
    struct framer framer = {0, false, false};
    struct iovec greeting = part(text(GREETING));

    if (!buffer)
        die("no memory for a client");
    if (!send_parts(fd, &greeting, 1))
        goto gone;
    for (;;) {
        ssize_t got = read(fd, buffer + filled, capacity - filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        size_t start = 0, i = filled;
        filled += (size_t)got;
        for (; i < filled; i++) {
            if (!ends_request(&framer, buffer[i]))
                continue;
            if (!answer(fd, (struct span){buffer + start, i + 1 - start}))
                goto gone;
            start = i + 1;
        }
        if (framer.depth == 0)
            start = filled; /* bytes between requests are ignored */
        memmove(buffer, buffer + start, filled - start);
        filled -= start;
        if (filled == capacity) {
            capacity *= 2;
            buffer = realloc(buffer, capacity);
            if (!buffer)
                die("no memory for a request of %zu bytes", capacity);
        }
    }
gone:
    free(buffer);
    close(fd);
}

static void *serve_thread(void *fd)
{
    serve((int)(intptr_t)fd);
    return NULL;
}

static unsigned long long parse_number(const char *word)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(word, &end, 10);
    if (errno || end == word || *end || *word == '-')
        die("`%s` is not a number", word);
    return value;
}

/* Returns a socket that listens at `path`. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat old;

    if (!*path || strlen(path) >= sizeof address.sun_path)
        die("a socket path must have 1 to %zu bytes", sizeof address.sun_path - 1);
    strcpy(address.sun_path, path);
    if (lstat(path, &old) == 0 && S_ISSOCK(old.st_mode))
        unlink(path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, 16) < 0)
        die("cannot listen on %s: %s", path, strerror(errno));
    return listener;
}

/* Accepts all waiting clients of a listener. */
static void accept_from(int listener)
{
    for (;;) {
        pthread_t thread;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            die("cannot accept a client: %s", strerror(errno));
        }
        int failed = pthread_create(&thread, NULL, serve_thread, (void *)(intptr_t)fd);
        if (failed)
            die("no thread for a client: %s", strerror(failed));
        pthread_detach(thread);
    }
}

int main(int argc, char **argv)
{
    static const char usage[] = "usage: standin unix:PATH [--reply-bytes N] [--events N] [--burst BYTES] [--servers N]";
    size_t servers = 0;

    if (argc < 2 || argc % 2 || strncmp(argv[1], "unix:", 5) != 0)
        die("%s", usage);
    for (int i = 2; i < argc; i += 2) {
        if (!strcmp(argv[i], "--reply-bytes"))
            reply_bytes = parse_number(argv[i + 1]);
        else if (!strcmp(argv[i], "--events"))
            event_count = parse_number(argv[i + 1]);
        else if (!strcmp(argv[i], "--burst"))
            burst_bytes = parse_number(argv[i + 1]);
        else if (!strcmp(argv[i], "--servers"))
            servers = parse_number(argv[i + 1]);
        else
            die("%s", usage);
    }
    const char *path = argv[1] + 5;

    signal(SIGPIPE, SIG_IGN);
    /* Each listener and each client needs a file descriptor. */
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    size_t count = servers ? servers : 1;
    struct pollfd *listeners = calloc(count, sizeof *listeners);
    if (!listeners)
        die("no memory for %zu listeners", count);
    for (size_t i = 0; i < count; i++) {
        char numbered[4096];
        if (servers)
            snprintf(numbered, sizeof numbered, "%s%zu", path, i);
        listeners[i] = (struct pollfd){listen_at(servers ? numbered : path), POLLIN, 0};
    }

    for (;;) {
        if (poll(listeners, count, -1) < 0 && errno != EINTR)
            die("cannot wait for a client: %s", strerror(errno));
        for (size_t i = 0; i < count; i++)
            if (listeners[i].revents)
                accept_from(listeners[i].fd);
    }
}
