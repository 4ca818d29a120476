/*
 * relay.c - a long wire: passes a connection on, each byte a fixed time later, at full speed
 *
 *     relay PORT DELAY_MS
 *
 * Prints "PORT n", takes connections there one after another and passes them to 127.0.0.1:PORT. A
 * byte arrives DELAY_MS after it was sent, so a round trip takes twice that. Ends with its standard
 * input.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

#define CHUNK_SIZE ((size_t)64 << 10)
#define CHUNKS     1024 /* 64 MiB on the wire at most */

struct chunk {
    double due;
    size_t size, sent;
    uint8_t bytes[CHUNK_SIZE];
};

/* One direction. The queue is a ring; first == end: empty. */
struct wire {
    int from, to;
    unsigned first, end;
    int closed; /* nothing more comes */
    struct chunk *ring;
};

static double
seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int
has_room(const struct wire *w)
{
    return !w->closed && (w->end + 1) % CHUNKS != w->first;
}

static void
take_in(struct wire *w, double delay)
{
    while (has_room(w)) {
        struct chunk *chunk = &w->ring[w->end];
        ssize_t n = read(w->from, chunk->bytes, CHUNK_SIZE);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            w->closed = 1;
            return;
        }
        chunk->size = (size_t)n;
        chunk->sent = 0;
        chunk->due = seconds() + delay;
        w->end = (w->end + 1) % CHUNKS;
    }
}

/* Sends what is due. -1: the other side is gone. */
static int
let_out(struct wire *w)
{
    while (w->first != w->end && w->ring[w->first].due <= seconds()) {
        struct chunk *chunk = &w->ring[w->first];
        ssize_t n =
            send(w->to, chunk->bytes + chunk->sent, chunk->size - chunk->sent, MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        chunk->sent += (size_t)n;
        if (chunk->sent == chunk->size)
            w->first = (w->first + 1) % CHUNKS;
    }
    return 0;
}

/* Milliseconds until the first chunk is due, rounded up; -1 when there is none. */
static int
patience(const struct wire *w)
{
    double left;

    if (w->first == w->end)
        return -1;
    left = w->ring[w->first].due - seconds();
    return left > 0 ? (int)(left * 1e3) + 1 : 0;
}

static int
is_due(const struct wire *w)
{
    return w->first != w->end && w->ring[w->first].due <= seconds();
}

static void
pass(struct wire wires[2], double delay)
{
    while (!(wires[0].closed || wires[1].closed) || wires[0].first != wires[0].end ||
           wires[1].first != wires[1].end) {
        struct pollfd fds[2] = {{.fd = wires[0].from}, {.fd = wires[1].from}};
        int timeout = -1;

        for (int i = 0; i < 2; i++) {
            int ms = patience(&wires[i]);

            if (has_room(&wires[i]))
                fds[i].events |= POLLIN;
            if (is_due(&wires[i]))
                fds[!i].events |= POLLOUT;
            else if (ms >= 0 && (timeout < 0 || ms < timeout))
                timeout = ms;
        }
        if (poll(fds, 2, timeout) < 0)
            return;
        for (int i = 0; i < 2; i++) {
            if (fds[i].revents)
                take_in(&wires[i], delay);
            if (let_out(&wires[i]))
                return;
        }
    }
}

static int
dial(unsigned long port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    perror("relay");
    exit(1);
}

static void
prepare(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (fcntl(fd, F_SETFL, O_NONBLOCK))
        exit(1);
}

int
main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct wire wires[2] = {{0}, {0}};

    if (argc != 3)
        return 2;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
        listen(listener, 8) || getsockname(listener, (struct sockaddr *)&address, &size)) {
        perror("relay");
        return 1;
    }
    for (int i = 0; i < 2; i++)
        if (!(wires[i].ring = malloc(CHUNKS * sizeof(struct chunk))))
            return 1;
    printf("PORT %u\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        struct pollfd fds[2] = {{.fd = listener, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        int near, far;

        if (poll(fds, 2, -1) < 0 || fds[1].revents)
            return 0;
        near = accept(listener, NULL, NULL);
        far = dial(strtoul(argv[1], NULL, 10));
        prepare(near);
        prepare(far);
        wires[0] = (struct wire){.from = near, .to = far, .ring = wires[0].ring};
        wires[1] = (struct wire){.from = far, .to = near, .ring = wires[1].ring};
        pass(wires, strtod(argv[2], NULL) / 1e3);
        close(near);
        close(far);
    }
}
