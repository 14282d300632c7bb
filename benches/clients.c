/*
 * Many clients at once, for a server that serves several, such as qmp-share
 * with the stand-in server behind it.
 *
 *     clients unix:PATH CLIENTS COMMANDS FLOODS
 *
 * Each client negotiates, and sends COMMANDS requests query-status, eight at a
 * time, each with an id of its own. The first one also sends FLOODS requests
 * flood, evenly among the others. Checks that every client gets the replies to
 * its own requests, in order, and that all get the same number of events. The
 * exit status is 0 if they do. Prints the numbers and the time.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW = 8 };

struct client {
    int fd, number;
    long sent, answered, total, events;
    int negotiated; /* 0: awaits the greeting, 1: the reply to the negotiation, 2: replies */
    char buffer[1 << 16];
    size_t filled;
};

static long commands, floods, done, negotiated, clients;
static struct client *all;

static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("clients: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void send_all(struct client *client, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(client->fd, text, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            die("client %d cannot send: %s", client->number, strerror(errno));
        text += sent;
        length -= sent;
    }
}

static int is_flood(const struct client *client, long request)
{
    return client->number == 0 && floods > 0 && request % (client->total / floods) == 0
        && request / (client->total / floods) < floods;
}

static void send_requests(struct client *client)
{
    char text[WINDOW * 100];
    size_t length = 0;
    while (client->sent < client->total && client->sent - client->answered < WINDOW) {
        const char *name = is_flood(client, client->sent) ? "flood" : "query-status";
        length += snprintf(text + length, sizeof text - length, "{\"execute\": \"%s\", \"id\": \"%d-%ld\"}\n", name,
                           client->number, client->sent);
        client->sent++;
    }
    send_all(client, text, length);
}

static void take_line(struct client *client, const char *line, size_t length)
{
    char id[64];
    if (client->negotiated == 0) {
        static const char request[] = "{\"execute\": \"qmp_capabilities\"}\n";
        client->negotiated = 1;
        send_all(client, request, sizeof request - 1);
        return;
    }
    if (client->negotiated == 1) {
        client->negotiated = 2;
        /* All begin at the same time, so that all get all events. */
        if (++negotiated == clients)
            for (long n = 0; n < clients; n++)
                send_requests(&all[n]);
        return;
    }
    if (memmem(line, length, "\"event\"", 7)) {
        client->events++;
        return;
    }
    snprintf(id, sizeof id, "\"id\": \"%d-%ld\"", client->number, client->answered);
    if (!memmem(line, length, id, strlen(id)))
        die("client %d expected %s, got %.*s", client->number, id, (int)length, line);
    client->answered++;
    if (client->answered == client->total)
        done++;
    else if (client->sent - client->answered <= WINDOW / 2)
        send_requests(client);
}

static int receive(struct client *client)
{
    ssize_t got = recv(client->fd, client->buffer + client->filled, sizeof client->buffer - client->filled, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got <= 0)
        die("client %d is disconnected after %ld replies and %ld events", client->number, client->answered,
            client->events);
    client->filled += got;
    char *line = client->buffer, *end = client->buffer + client->filled, *feed;
    while ((feed = memchr(line, '\n', end - line))) {
        take_line(client, line, feed - line);
        line = feed + 1;
    }
    client->filled = end - line;
    memmove(client->buffer, line, client->filled);
    return 1;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 5 || strncmp(argv[1], "unix:", 5))
        die("usage: clients unix:PATH CLIENTS COMMANDS FLOODS");
    strncpy(address.sun_path, argv[1] + 5, sizeof address.sun_path - 1);
    clients = atol(argv[2]);
    commands = atol(argv[3]);
    floods = atol(argv[4]);
    all = calloc(clients, sizeof *all);
    int epoll = epoll_create1(0);
    for (long n = 0; n < clients; n++) {
        struct client *client = &all[n];
        client->number = n;
        client->total = commands + (n == 0 ? floods : 0);
        client->fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(client->fd, (struct sockaddr *)&address, sizeof address))
            die("cannot connect: %s", strerror(errno));
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event);
    }
    double start = now();
    while (done < clients) {
        struct epoll_event events[64];
        int count = epoll_wait(epoll, events, 64, 60000);
        if (count == 0)
            die("nothing for a minute; %ld clients are done", done);
        for (int n = 0; n < count; n++)
            receive(events[n].data.ptr);
    }
    /* Events that came before the last reply were sent to all, but are not read by all yet. */
    for (long quiet = 0; quiet < 3;) {
        struct epoll_event events[64];
        int count = epoll_wait(epoll, events, 64, 200);
        quiet = count ? 0 : quiet + 1;
        for (int n = 0; n < count; n++)
            receive(events[n].data.ptr);
    }
    for (long n = 1; n < clients; n++)
        if (all[n].events != all[0].events)
            die("client %ld got %ld events, not %ld", n, all[n].events, all[0].events);
    printf("%ld clients, %ld replies and %ld events each, %.1f s\n", clients, commands, all[0].events, now() - start - 0.6);
    return 0;
}
