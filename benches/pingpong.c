/*
 * The minimal client: it only waits for each reply before it sends the next
 * command. Its time is a lower bound for other clients.
 *
 *     pingpong [--no-id] unix:PATH COUNT [COMMAND [ARGUMENTS]]
 *
 * Sends COMMAND (query-status) COUNT times, with ARGUMENTS (a JSON object), and
 * writes every reply unchanged to standard output. A request has the same bytes
 * as one of qmp-shell: no whitespace, and the id 0; or no id. Skips events. The exit
 * status is 0 after all replies, and 1 after an error reply or if the server
 * closes the connection.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("pingpong: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

/* The input buffer: bytes up to `next` are processed, those up to `filled` are not. */
static struct {
    char *at;
    size_t next, filled, capacity;
} input;

/* Returns the next line with its line end. It is valid until the next call. */
static char *read_line(int fd, size_t *len)
{
    size_t scanned = input.next;
    for (;;) {
        char *end = input.filled > scanned
                        ? memchr(input.at + scanned, '\n', input.filled - scanned)
                        : NULL;
        if (end) {
            char *line = input.at + input.next;
            *len = (size_t)(end + 1 - line);
            input.next += *len;
            return line;
        }
        scanned = input.filled - input.next;
        if (input.next > 0) {
            memmove(input.at, input.at + input.next, scanned);
            input.filled = scanned;
            input.next = 0;
        }
        if (input.filled == input.capacity) {
            input.capacity = input.capacity ? input.capacity * 2 : 65536;
            input.at = realloc(input.at, input.capacity);
            if (!input.at)
                die("no memory for a line of %zu bytes", input.capacity);
        }
        ssize_t got = read(fd, input.at + input.filled, input.capacity - input.filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            die("cannot read: %s", strerror(errno));
        if (got == 0)
            die("the server closed the connection");
        input.filled += (size_t)got;
    }
}

static int starts_with(const char *line, size_t len, const char *prefix)
{
    return len >= strlen(prefix) && memcmp(line, prefix, strlen(prefix)) == 0;
}

static char *read_reply(int fd, size_t *len)
{
    for (;;) {
        char *line = read_line(fd, len);
        if (starts_with(line, *len, "{\"timestamp\""))
            continue;
        if (starts_with(line, *len, "{\"return\"") || memmem(line, *len, "\"return\"", 8))
            return line;
        if (memmem(line, *len, "\"error\"", 7))
            die("error reply: %.*s", (int)*len, line);
    }
}

static void send_all(int fd, const char *at, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            die("cannot send: %s", strerror(errno));
        at += sent;
        len -= (size_t)sent;
    }
}

int main(int argc, char **argv)
{
    static const char capabilities[] = "{\"execute\": \"qmp_capabilities\"}\n";
    static char output[1 << 16], request[512];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *end;
    size_t len;

    const char *id = ",\"id\":0";
    if (argc > 1 && !strcmp(argv[1], "--no-id")) {
        id = "";
        argv++;
        argc--;
    }
    if (argc < 3 || argc > 5 || strncmp(argv[1], "unix:", 5) != 0)
        die("usage: pingpong [--no-id] unix:PATH COUNT [COMMAND [ARGUMENTS]]");
    const char *path = argv[1] + 5, *command = argc >= 4 ? argv[3] : "query-status";
    const char *before = argc == 5 ? ",\"arguments\":" : "", *arguments = argc == 5 ? argv[4] : "";
    unsigned long count = strtoul(argv[2], &end, 10);
    if (end == argv[2] || *end || *argv[2] == '-')
        die("`%s` is not a number", argv[2]);
    if (!*path || strlen(path) >= sizeof address.sun_path)
        die("a socket path must have 1 to %zu bytes", sizeof address.sun_path - 1);
    if (strlen(command) + strlen(arguments) > 400)
        die("the command is too long");
    strcpy(address.sun_path, path);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("cannot connect to %s: %s", path, strerror(errno));
    setvbuf(stdout, output, _IOFBF, sizeof output);

    char *greeting = read_line(fd, &len);
    if (!memmem(greeting, len, "\"QMP\"", 5))
        die("not a QMP server: %.*s", (int)len, greeting);
    send_all(fd, capabilities, strlen(capabilities));
    read_reply(fd, &len);

    int size = snprintf(request, sizeof request, "{\"execute\":\"%s\"%s%s%s}\n", command, before, arguments, id);
    for (unsigned long n = 0; n < count; n++) {
        send_all(fd, request, (size_t)size);
        char *line = read_reply(fd, &len);
        if (fwrite(line, 1, len, stdout) != len)
            die("cannot write: %s", strerror(errno));
    }
    if (fflush(stdout) != 0)
        die("cannot write: %s", strerror(errno));
    return 0;
}
