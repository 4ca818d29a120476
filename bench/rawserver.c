/*
 * rawserver.c - the cheapest possible USB/IP server: what a client can at best be measured against
 *
 *     rawserver [-e] [-n DEVICES]
 *
 * Prints "PORT n" and serves until it is killed or its standard input ends. The devices 1-1, 1-2
 * ... are high speed, 1209:bbbb, with bulk IN 0x81 that has data at once, bulk OUT 0x01 that takes
 * all, and interrupt IN 0x82. A process a connection, which reads and writes with blocking calls;
 * with -e one process with epoll for all connections, for tests with hundreds of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "wire.h"

#define BUFFER_SIZE ((size_t)1 << 20)
#define SOURCE_SIZE ((size_t)1 << 20)
#define BATCH       128

static const uint8_t device_descriptor[18] = {18,   1,    0,    2, 0, 0, 0, 64, 0x09,
                                              0x12, 0xbb, 0xbb, 0, 1, 0, 0, 0,  1};
/* One configuration, one vendor interface, three endpoints. */
static const uint8_t config_descriptor[39] = {
    9, 2, 39,   0, 1,  1,    0, 0x80, 50, /* configuration 1, 100 mA */
    9, 4, 0,    0, 3,  0xff, 0, 0,    0,  /* interface 0 */
    7, 5, 0x81, 2, 0,  2,    0,           /* bulk IN, 512 bytes */
    7, 5, 0x01, 2, 0,  2,    0,           /* bulk OUT, 512 bytes */
    7, 5, 0x82, 3, 64, 0,    4            /* interrupt IN, 64 bytes */
};
static uint8_t source[SOURCE_SIZE];
static unsigned devices = 1;

struct connection {
    int fd;
    int imported;
    size_t have, pos;          /* bytes in the buffer, of which pos were looked at */
    size_t skip;               /* OUT bytes still to come and to be thrown away */
    uint8_t held[HEADER_SIZE]; /* the reply that is due then */
    uint8_t *buffer;
};

struct replies {
    struct iovec iov[2 * BATCH];
    uint8_t headers[BATCH][HEADER_SIZE];
    int vectors, count;
};

static void
fill_record(uint8_t *record, unsigned number)
{
    memset(record, 0, RECORD_SIZE);
    snprintf((char *)record, 256, "/sys/devices/bench/usb1/1-%u", number);
    snprintf((char *)record + 256, 32, "1-%u", number);
    put_be32(record + 288, 1);
    put_be32(record + 292, number + 1);
    put_be32(record + 296, 3);
    memcpy(record + 300, (const uint8_t[12]){0x12, 0x09, 0xbb, 0xbb, 1, 0, 0, 0, 0, 1, 1, 1}, 12);
}

static int
write_all(int fd, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;

    while (size) {
        ssize_t n = write(fd, p, size);
        if (n <= 0)
            return -1;
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

static int
write_replies(int fd, struct replies *replies)
{
    struct iovec *iov = replies->iov;
    int left = replies->vectors;

    while (left) {
        ssize_t n = writev(fd, iov, left);
        if (n <= 0)
            return -1;
        for (; left && (size_t)n >= iov->iov_len; iov++, left--)
            n -= (ssize_t)iov->iov_len;
        if (left) {
            iov->iov_base = (uint8_t *)iov->iov_base + n;
            iov->iov_len -= (size_t)n;
        }
    }
    replies->vectors = replies->count = 0;
    return 0;
}

static void
add_bytes(struct replies *replies, const void *bytes, size_t size)
{
    if (size) {
        replies->iov[replies->vectors].iov_base = (void *)(uintptr_t)bytes;
        replies->iov[replies->vectors++].iov_len = size;
    }
}

/* What a control transfer answers with: data in *ret_size bytes, or NULL to stall. */
static const uint8_t *
control(const uint8_t setup[8], size_t *ret_size)
{
    static const uint8_t zeroes[2] = {0, 0}, one[1] = {1};

    *ret_size = 0;
    if (setup[0] == 0x80 && setup[1] == 6) {
        *ret_size = setup[3] == 1 ? sizeof(device_descriptor) : sizeof(config_descriptor);
        if (setup[3] == 1)
            return device_descriptor;
        return setup[3] == 2 ? config_descriptor : NULL;
    }
    if (setup[0] == 0x80 && setup[1] == 8) {
        *ret_size = 1;
        return one;
    }
    if (setup[0] & 0x80)
        *ret_size = 2;
    return zeroes;
}

/* Writes the reply to the CMD_SUBMIT at `cmd`; OUT data is not looked at. */
static void
answer(struct replies *replies, const uint8_t *cmd)
{
    uint8_t *ret = replies->headers[replies->count++];
    uint32_t endpoint = get_be32(cmd + AT_ENDPOINT);
    size_t length = get_be32(cmd + AT_LENGTH), size = length;
    const uint8_t *data = source;

    memset(ret, 0, HEADER_SIZE);
    memcpy(ret + AT_SEQNUM, cmd + AT_SEQNUM, 4);
    put_be32(ret + AT_COMMAND, RET_SUBMIT);
    add_bytes(replies, ret, HEADER_SIZE);
    if (endpoint == 0) {
        data = control(cmd + AT_SETUP, &size);
        if (!data)
            put_be32(ret + AT_STATUS, (uint32_t)-EPIPE);
        if (!data || size > length)
            size = data ? length : 0;
    } else if (endpoint == 2 && size > 64) {
        size = 64;
    }
    if (get_be32(cmd + AT_DIRECTION) == 0) {
        put_be32(ret + AT_LENGTH, (uint32_t)length);
        return;
    }
    if (size > SOURCE_SIZE)
        size = SOURCE_SIZE;
    put_be32(ret + AT_LENGTH, (uint32_t)size);
    add_bytes(replies, data, size);
}

static void
answer_unlink(struct replies *replies, const uint8_t *cmd)
{
    uint8_t *ret = replies->headers[replies->count++];

    memset(ret, 0, HEADER_SIZE);
    memcpy(ret + AT_SEQNUM, cmd + AT_SEQNUM, 4);
    put_be32(ret + AT_COMMAND, RET_UNLINK);
    add_bytes(replies, ret, HEADER_SIZE);
}

/* One message of the URB phase, if all of its header is there. 1: go on. */
static int
take_urb(struct connection *c, struct replies *replies)
{
    const uint8_t *cmd = c->buffer + c->pos;
    size_t left = c->have - c->pos, payload;

    if (c->skip) {
        size_t n = c->skip < left ? c->skip : left;
        c->skip -= n;
        c->pos += n;
        if (c->skip)
            return 0;
        answer(replies, c->held);
        return 1;
    }
    if (left < HEADER_SIZE)
        return 0;
    c->pos += HEADER_SIZE;
    if (get_be32(cmd) == CMD_UNLINK) {
        answer_unlink(replies, cmd);
        return 1;
    }
    payload = get_be32(cmd + AT_DIRECTION) == 0 ? get_be32(cmd + AT_LENGTH) : 0;
    if (payload) {
        memcpy(c->held, cmd, HEADER_SIZE);
        c->skip = payload;
    } else {
        answer(replies, cmd);
    }
    return 1;
}

static int
send_list(int fd)
{
    static const uint8_t header[8] = {1, 0x11, 0, 5};
    uint8_t bytes[RECORD_SIZE + 4] = {0};

    put_be32(bytes, devices);
    if (write_all(fd, header, sizeof(header)) || write_all(fd, bytes, 4))
        return -1;
    for (unsigned i = 1; i <= devices; i++) {
        fill_record(bytes, i);
        memcpy(bytes + RECORD_SIZE, (const uint8_t[4]){0xff, 0, 0, 0}, 4);
        if (write_all(fd, bytes, sizeof(bytes)))
            return -1;
    }
    return -1; /* and close */
}

/* OP_REQ_DEVLIST or OP_REQ_IMPORT. 0: go on; -1: close. */
static int
take_op(struct connection *c)
{
    uint8_t reply[8 + RECORD_SIZE] = {1, 0x11, 0, 3};
    unsigned number;

    if (c->have < 8)
        return 0;
    if (c->buffer[3] == 5)
        return send_list(c->fd);
    if (c->have < 40)
        return 0;
    if (sscanf((const char *)c->buffer + 8, "1-%u", &number) != 1 || !number || number > devices) {
        reply[7] = 4;
        (void)write_all(c->fd, reply, 8);
        return -1;
    }
    c->imported = 1;
    c->pos = 40;
    fill_record(reply + 8, number);
    return write_all(c->fd, reply, sizeof(reply));
}

/* Reads once and answers all that is complete. -1: the connection is over. */
static int
serve(struct connection *c)
{
    struct replies replies;
    ssize_t n = read(c->fd, c->buffer + c->have, BUFFER_SIZE - c->have);
    int more;

    if (n <= 0)
        return -1;
    c->have += (size_t)n;
    if (!c->imported && take_op(c))
        return -1;
    replies.vectors = replies.count = 0;
    while (c->imported) {
        more = take_urb(c, &replies);
        if (replies.count == BATCH || !more) {
            if (write_replies(c->fd, &replies))
                return -1;
        }
        if (!more)
            break;
    }
    /* What is left is less than a header. */
    if (c->imported) {
        memmove(c->buffer, c->buffer + c->pos, c->have - c->pos);
        c->have -= c->pos;
        c->pos = 0;
    }
    return 0;
}

static struct connection *
connection_new(int fd)
{
    struct connection *c = calloc(1, sizeof(*c));
    int on = 1;

    if (!c || !(c->buffer = malloc(BUFFER_SIZE)))
        exit(1);
    c->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return c;
}

static void
connection_free(struct connection *c)
{
    close(c->fd);
    free(c->buffer);
    free(c);
}

static void
run_forking(int listener)
{
    for (;;) {
        struct pollfd fds[2] = {{.fd = listener, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        int fd;

        if (poll(fds, 2, -1) < 0 || fds[1].revents)
            return;
        fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        if (fork() == 0) {
            struct connection *c = connection_new(fd);
            close(listener);
            while (serve(c) == 0)
                ;
            _exit(0);
        }
        close(fd);
    }
}

static void
run_epoll(int listener)
{
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[64];
    struct epoll_event end = {.events = EPOLLIN | EPOLLHUP, .data.ptr = source};

    if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &event) ||
        epoll_ctl(ep, EPOLL_CTL_ADD, 0, &end))
        exit(1);
    for (;;) {
        int count = epoll_wait(ep, events, 64, -1);

        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;

            if ((void *)c == (void *)source)
                return;
            if (!c) {
                c = connection_new(accept(listener, NULL, NULL));
                event.data.ptr = c;
                if (c->fd < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &event))
                    connection_free(c);
            } else if (serve(c)) {
                connection_free(c);
            }
        }
    }
}

int
main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one_process = 0, option;

    while ((option = getopt(argc, argv, "en:")) != -1) {
        if (option == 'e')
            one_process = 1;
        else if (option == 'n')
            devices = (unsigned)strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    for (size_t i = 0; i < SOURCE_SIZE; i++)
        source[i] = (uint8_t)(i * 31 + 7);
    if (sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL) ||
        sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT},
                  NULL))
        return 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
        listen(listener, 1024) || getsockname(listener, (struct sockaddr *)&address, &size)) {
        perror("rawserver");
        return 1;
    }
    printf("PORT %u\n", ntohs(address.sin_port));
    fflush(stdout);
    if (one_process)
        run_epoll(listener);
    else
        run_forking(listener);
    return 0;
}
