/*
 * stage.c - a server on a real socket whose every connection is a function of the test
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support/stage.h"

#define CONNECTIONS_MAX 64
#define AWAIT_S         30

struct act {
    struct stage *stage;
    pthread_t thread;
    int fd;
    unsigned number;
};

struct stage {
    stage_act *act;
    void *arg;
    int listener;
    uint16_t port;
    char address[64];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct act acts[CONNECTIONS_MAX];
    unsigned count, reached;
};

static void
die(const char *what)
{
    fprintf(stderr, "stage: %s: %s\n", what, strerror(errno));
    abort();
}

static void *
run_act(void *arg)
{
    struct act *a = (struct act *)arg;

    a->stage->act(a->stage, a->fd, a->number);
    shutdown(a->fd, SHUT_RDWR); /* closed when all is over, so that no number is used twice */
    return NULL;
}

static void *
listen_on(void *arg)
{
    struct stage *s = (struct stage *)arg;
    int one = 1;

    for (;;) {
        int fd = accept(s->listener, NULL, NULL);
        struct act *a;

        if (fd < 0)
            return NULL;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        pthread_mutex_lock(&s->lock);
        if (s->count == CONNECTIONS_MAX)
            die("too many connections");
        a = &s->acts[s->count];
        *a = (struct act){.stage = s, .fd = fd, .number = s->count};
        if (pthread_create(&a->thread, NULL, run_act, a) != 0)
            die("thread");
        s->count++;
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->lock);
    }
}

static struct stage *
start(int family, stage_act *act, void *arg)
{
    struct stage *s = calloc(1, sizeof(*s));
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr *address =
        family == AF_INET6 ? (struct sockaddr *)(void *)&six : (struct sockaddr *)(void *)&four;
    socklen_t size = family == AF_INET6 ? sizeof(six) : sizeof(four);

    if (!s)
        die("memory");
    s->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, address, size) < 0) {
        if (s->listener >= 0)
            close(s->listener);
        free(s);
        return NULL; /* no IPv6 here */
    }
    if (listen(s->listener, 16) < 0 || getsockname(s->listener, address, &size) < 0)
        die("listen");
    s->port = ntohs(family == AF_INET6 ? six.sin6_port : four.sin_port);
    snprintf(s->address, sizeof(s->address), family == AF_INET6 ? "[::1]:%u" : "127.0.0.1:%u",
             (unsigned)s->port);
    s->act = act;
    s->arg = arg;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    if (pthread_create(&s->thread, NULL, listen_on, s) != 0)
        die("thread");
    return s;
}

struct stage *
stage_new(stage_act *act, void *arg)
{
    struct stage *s = start(AF_INET, act, arg);

    if (!s)
        die("bind");
    return s;
}

struct stage *
stage_new6(stage_act *act, void *arg)
{
    return start(AF_INET6, act, arg);
}

void
stage_free(struct stage *s)
{
    if (!s)
        return;
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    for (unsigned i = 0; i < s->count; i++)
        shutdown(s->acts[i].fd, SHUT_RDWR);
    stage_reach(s, UINT32_MAX);
    for (unsigned i = 0; i < s->count; i++) {
        pthread_join(s->acts[i].thread, NULL);
        close(s->acts[i].fd);
    }
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void *
stage_arg(struct stage *s)
{
    return s->arg;
}

const char *
stage_address(const struct stage *s)
{
    return s->address;
}

uint16_t
stage_port(const struct stage *s)
{
    return s->port;
}

unsigned
stage_connections(struct stage *s)
{
    unsigned n;

    pthread_mutex_lock(&s->lock);
    n = s->count;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void
stage_reach(struct stage *s, unsigned n)
{
    pthread_mutex_lock(&s->lock);
    if (n > s->reached)
        s->reached = n;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void
stage_await(struct stage *s, unsigned n)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += AWAIT_S;
    pthread_mutex_lock(&s->lock);
    while (s->reached < n)
        if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
            die("what was waited for did not come");
    pthread_mutex_unlock(&s->lock);
}

/* ---- bytes ---- */

int
stage_read(int fd, void *bytes, size_t size)
{
    return size == 0 || recv(fd, bytes, size, MSG_WAITALL) == (ssize_t)size;
}

int
stage_write(int fd, const void *bytes, size_t size)
{
    const uint8_t *p = (const uint8_t *)bytes;

    while (size) {
        ssize_t n = send(fd, p, size, MSG_NOSIGNAL);

        if (n <= 0)
            return 0;
        p += n;
        size -= (size_t)n;
    }
    return 1;
}

void
stage_drain(int fd)
{
    uint8_t bytes[4096];

    while (recv(fd, bytes, sizeof(bytes), 0) > 0)
        ;
}

void
stage_reset(int fd)
{
    struct linger linger = {1, 0};
    int null;

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    /* The number stays taken until the act is over. */
    null = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (null < 0 || dup2(null, fd) < 0)
        die("reset");
    close(null);
}

/* ---- messages ---- */

uint16_t
stage_request(int fd, char busid[UW_OP_BUSID_SIZE])
{
    uint8_t bytes[UW_OP_HEADER_SIZE];
    struct uw_op op;

    if (!stage_read(fd, bytes, sizeof(bytes)))
        return 0;
    uw_decode_op(bytes, &op);
    if (op.code == UW_OP_REQ_IMPORT && !stage_read(fd, busid, UW_OP_BUSID_SIZE))
        return 0;
    return op.code;
}

int
stage_accept_import(int fd, const char *path, const char *busid)
{
    struct uw_op op = {UW_VERSION_111, UW_OP_REP_IMPORT, 0};
    struct uw_device_info info = {.busnum = 1,
                                  .devnum = 2,
                                  .speed = 3,
                                  .vid = 0x1209,
                                  .pid = 1,
                                  .num_configurations = 1,
                                  .num_interfaces = 1};
    uint8_t bytes[UW_OP_HEADER_SIZE + UW_OP_DEVICE_SIZE];

    snprintf(info.path, sizeof(info.path), "%s", path ? path : "/sys/devices/pci0/usb1/1-1");
    snprintf(info.busid, sizeof(info.busid), "%s", busid);
    uw_encode_op(bytes, &op);
    uw_encode_device(bytes + UW_OP_HEADER_SIZE, &info);
    return stage_write(fd, bytes, sizeof(bytes));
}

int
stage_refuse_import(int fd, uint32_t status)
{
    struct uw_op op = {UW_VERSION_111, UW_OP_REP_IMPORT, status};
    uint8_t bytes[UW_OP_HEADER_SIZE];

    uw_encode_op(bytes, &op);
    return stage_write(fd, bytes, sizeof(bytes));
}

int
stage_import(int fd, const char *path)
{
    char busid[UW_OP_BUSID_SIZE];

    return stage_request(fd, busid) == UW_OP_REQ_IMPORT && stage_accept_import(fd, path, busid);
}

int
stage_command(int fd, struct uw_pdu *ret_pdu, uint8_t *payload, size_t room)
{
    uint8_t bytes[UW_PDU_SIZE];
    size_t left;

    if (!stage_read(fd, bytes, sizeof(bytes)) || uw_decode_pdu(bytes, ret_pdu) < 0)
        return 0;
    if (ret_pdu->command != UW_CMD_SUBMIT)
        return 1;
    left = ret_pdu->direction == UW_DIR_OUT ? (size_t)ret_pdu->length : 0;
    left += (size_t)ret_pdu->packets * UW_ISO_SIZE;
    while (left) {
        uint8_t waste[1024];
        uint8_t *to = payload && room ? payload : waste;
        size_t n = payload && room ? room : sizeof(waste);

        if (n > left)
            n = left;
        if (!stage_read(fd, to, n))
            return 0;
        left -= n;
        if (to == payload) {
            payload += n;
            room -= n;
        }
    }
    return 1;
}

int
stage_reply(int fd, const struct uw_pdu *pdu, int32_t status, const void *data, size_t size)
{
    struct uw_pdu reply = {
        .command = UW_RET_SUBMIT, .seqnum = pdu->seqnum, .status = status, .length = (int32_t)size};
    uint8_t bytes[UW_PDU_SIZE];

    uw_encode_pdu(bytes, &reply);
    return stage_write(fd, bytes, sizeof(bytes)) &&
           (pdu->direction != UW_DIR_IN || stage_write(fd, data, size));
}

int
stage_unlinked(int fd, const struct uw_pdu *pdu, int32_t status)
{
    struct uw_pdu reply = {.command = UW_RET_UNLINK, .seqnum = pdu->seqnum, .status = status};
    uint8_t bytes[UW_PDU_SIZE];

    uw_encode_pdu(bytes, &reply);
    return stage_write(fd, bytes, sizeof(bytes));
}

void
stage_serve(int fd)
{
    static const uint8_t zeroes[1 << 16];
    struct uw_pdu pdu;
    int alive = 1;

    while (alive && stage_command(fd, &pdu, NULL, 0)) {
        size_t size = (size_t)pdu.length;

        if (pdu.direction == UW_DIR_IN && size > sizeof(zeroes))
            size = sizeof(zeroes);

        alive = pdu.command == UW_CMD_UNLINK ? stage_unlinked(fd, &pdu, -104)
                                             : stage_reply(fd, &pdu, 0, zeroes, size);
    }
}
