/*
 * rawclient.c - the cheapest possible USB/IP client: the limit that the library is measured against
 *
 *     rawclient PORT ctrl|in|out SIZE DEPTH SECONDS
 *
 * Keeps DEPTH URBs under way on device 1-1 of 127.0.0.1 and prints one line of JSON with the keys
 * of `usbwire bench --json`. It looks at nothing but lengths: no status, no sequence number, no
 * copy.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

#define BUFFER_SIZE ((size_t)4 << 20)

struct client {
    int fd;
    uint8_t header[HEADER_SIZE];
    uint8_t *data; /* what OUT URBs carry */
    size_t out;    /* bytes of it in each */
    int in;
    uint32_t seqnum;
    uint8_t *buffer;
    size_t have;
    size_t skip; /* bytes of a reply's payload still to come */
};

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

static double
seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double
cpu_seconds(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

static void
import(struct client *c, unsigned long port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    uint8_t request[40] = {1, 0x11, 0x80, 3, 0, 0, 0, 0, '1', '-', '1'}, reply[8 + RECORD_SIZE];
    size_t have = 0;
    int on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)))
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (write(c->fd, request, sizeof(request)) != (ssize_t)sizeof(request))
        die("write");
    while (have < sizeof(reply)) {
        ssize_t n = read(c->fd, reply + have, sizeof(reply) - have);
        if (n <= 0)
            die("import");
        have += (size_t)n;
    }
}

static void
submit(struct client *c)
{
    struct iovec iov[2] = {{c->header, HEADER_SIZE}, {c->data, c->out}};
    size_t want = HEADER_SIZE + c->out;

    put_be32(c->header + AT_SEQNUM, ++c->seqnum);
    for (;;) {
        ssize_t n = writev(c->fd, iov[0].iov_len ? iov : iov + 1, iov[0].iov_len ? 2 : 1);
        size_t first;

        if (n < 0)
            die("write");
        want -= (size_t)n;
        if (!want)
            return;
        first = (size_t)n < iov[0].iov_len ? (size_t)n : iov[0].iov_len;
        iov[0].iov_base = (uint8_t *)iov[0].iov_base + first;
        iov[0].iov_len -= first;
        iov[1].iov_base = (uint8_t *)iov[1].iov_base + ((size_t)n - first);
        iov[1].iov_len -= (size_t)n - first;
    }
}

/* Reads once; returns how many replies came to their end. */
static unsigned
receive(struct client *c)
{
    ssize_t n = read(c->fd, c->buffer + c->have, BUFFER_SIZE - c->have);
    size_t pos = 0;
    unsigned count = 0;

    if (n <= 0)
        die("read");
    c->have += (size_t)n;
    for (;;) {
        size_t left = c->have - pos;

        if (c->skip) {
            size_t take = c->skip < left ? c->skip : left;
            c->skip -= take;
            pos += take;
            if (c->skip)
                break;
            count++;
            continue;
        }
        if (left < HEADER_SIZE)
            break;
        c->skip = c->in ? get_be32(c->buffer + pos + AT_LENGTH) : 0;
        pos += HEADER_SIZE;
        count += c->skip == 0;
    }
    memmove(c->buffer, c->buffer + pos, c->have - pos);
    c->have -= pos;
    return count;
}

static void
prepare(struct client *c, const char *mode, unsigned long size)
{
    static const uint8_t get_descriptor[8] = {0x80, 6, 0, 1, 0, 0, 18, 0};
    int control = mode[0] == 'c', out = mode[0] == 'o';

    c->in = !out;
    c->out = out ? size : 0;
    c->data = calloc(1, size + 1);
    c->buffer = malloc(BUFFER_SIZE);
    if (!c->data || !c->buffer)
        die("malloc");
    put_be32(c->header + AT_COMMAND, CMD_SUBMIT);
    put_be32(c->header + AT_DEVID, 1 << 16 | 2);
    put_be32(c->header + AT_DIRECTION, (uint32_t)c->in);
    put_be32(c->header + AT_ENDPOINT, !control);
    put_be32(c->header + AT_LENGTH, control ? 18 : (uint32_t)size);
    if (control)
        memcpy(c->header + AT_SETUP, get_descriptor, sizeof(get_descriptor));
}

int
main(int argc, char **argv)
{
    struct client c = {0};
    unsigned long size, depth;
    double limit, start, took, cpu;
    uint64_t done = 0;

    if (argc != 6)
        return 2;
    size = strtoul(argv[3], NULL, 10);
    depth = strtoul(argv[4], NULL, 10);
    limit = strtod(argv[5], NULL);
    prepare(&c, argv[2], size);
    import(&c, strtoul(argv[1], NULL, 10));

    start = seconds();
    cpu = cpu_seconds();
    for (unsigned long i = 0; i < depth; i++)
        submit(&c);
    for (;;) {
        unsigned count = receive(&c);
        done += count;
        took = seconds() - start;
        if (took > limit)
            break;
        while (count--)
            submit(&c);
    }
    cpu = cpu_seconds() - cpu;
    printf("{\"urbs_per_s\": %.1f, \"mb_per_s\": %.3f, \"cpu_us_per_urb\": %.3f}\n",
           (double)done / took, (double)done * (double)(argv[2][0] == 'c' ? 18 : size) / took / 1e6,
           cpu * 1e6 / (double)done);
    return 0;
}
