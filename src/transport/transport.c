/*
 * transport.c - sockets
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <usbwire/error.h>

#include "transport/transport.h"

#define KEEPALIVE_IDLE_S     10
#define KEEPALIVE_INTERVAL_S 1
#define KEEPALIVE_COUNT      5
#define UNACKED_MAX_MS       ((KEEPALIVE_IDLE_S + KEEPALIVE_INTERVAL_S * KEEPALIVE_COUNT) * 1000)

struct uw_transport {
    int fd;
    int connected;
    pid_t owner;
};

static int
wrap(int fd, int connected, struct uw_transport **ret_transport)
{
    struct uw_transport *t = calloc(1, sizeof(*t));

    if (!t) {
        close(fd);
        return UW_ERROR_NO_MEMORY;
    }
    t->fd = fd;
    t->connected = connected;
    t->owner = getpid();
    *ret_transport = t;
    return 0;
}

static void
set_option(int fd, int level, int option, int value)
{
    /* Comforts: a system that lacks one still moves bytes. */
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

static void
set_up(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKED_MAX_MS);
}

static int
start(int family, const struct sockaddr *address, socklen_t size,
      struct uw_transport **ret_transport)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), connected;

    if (fd < 0)
        return errno == ENOMEM || errno == ENOBUFS ? UW_ERROR_NO_MEMORY : UW_ERROR_CONNECT;
    if (family != AF_UNIX)
        set_up(fd);
    connected = connect(fd, address, size) == 0;
    if (!connected && errno != EINPROGRESS && errno != EINTR) {
        int saved = errno;

        close(fd);
        errno = saved;
        return UW_ERROR_CONNECT;
    }
    return wrap(fd, connected, ret_transport);
}

int
uw_transport_tcp(const struct sockaddr *address, socklen_t size,
                 struct uw_transport **ret_transport)
{
    return start(address->sa_family, address, size, ret_transport);
}

int
uw_transport_unix(const char *path, struct uw_transport **ret_transport)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n = strlen(path);

    if (n >= sizeof(un.sun_path))
        return UW_ERROR_INVALID;
    memcpy(un.sun_path, path, n + 1);
    return start(AF_UNIX, (const struct sockaddr *)(const void *)&un, sizeof(un), ret_transport);
}

int
uw_transport_pair(struct uw_transport *ret_ends[2])
{
    struct uw_transport *ends[2] = {NULL, NULL};
    int fds[2], r;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return UW_ERROR_IO;
    r = wrap(fds[0], 1, &ends[0]);
    if (r < 0) {
        close(fds[1]);
        return r;
    }
    r = wrap(fds[1], 1, &ends[1]);
    if (r < 0) {
        uw_transport_free(ends[0], 0);
        return r;
    }
    ret_ends[0] = ends[0];
    ret_ends[1] = ends[1];
    return 0;
}

int
uw_transport_accept(int listener, struct uw_transport **ret_transport)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS
                   ? UW_ERROR_NO_MEMORY
                   : UW_AGAIN;
    set_up(fd);
    return wrap(fd, 1, ret_transport);
}

int
uw_transport_fd(const struct uw_transport *t)
{
    return t->fd;
}

int
uw_transport_connected(struct uw_transport *t, int *ret_errno)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof(*ret_errno), peer_size = sizeof(peer);
    int error = 0;

    if (t->connected)
        return 1;
    if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (error) {
        *ret_errno = error;
        return UW_ERROR_CONNECT;
    }
    /* Without an error it is connected as soon as it has a peer. */
    if (getpeername(t->fd, (struct sockaddr *)(void *)&peer, &peer_size) < 0)
        return 0;
    t->connected = 1;
    return 1;
}

static ssize_t
moved(ssize_t n, int *ret_errno)
{
    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EINTR)
        return UW_AGAIN;
    *ret_errno = errno;
    return -1;
}

ssize_t
uw_transport_readv(struct uw_transport *t, const struct iovec *iov, int count, int *ret_errno)
{
    /* Most reads have one buffer, and then the kernel need not look at an array. */
    return moved(count == 1 ? recv(t->fd, iov->iov_base, iov->iov_len, 0)
                            : readv(t->fd, iov, count),
                 ret_errno);
}

ssize_t
uw_transport_writev(struct uw_transport *t, const struct iovec *iov, int count, int *ret_errno)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};

    /* As above; and sendmsg, since writev cannot be told to leave SIGPIPE out. */
    if (count == 1)
        return moved(send(t->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL), ret_errno);
    return moved(sendmsg(t->fd, &msg, MSG_NOSIGNAL), ret_errno);
}

void
uw_transport_acknowledge(struct uw_transport *t)
{
    set_option(t->fd, IPPROTO_TCP, TCP_QUICKACK, 1);
}

int
uw_transport_is_ours(const struct uw_transport *t)
{
    return t->owner == getpid();
}

void
uw_transport_free(struct uw_transport *t, int graceful)
{
    if (!t)
        return;
    if (graceful && uw_transport_is_ours(t))
        (void)shutdown(t->fd, SHUT_RDWR);
    close(t->fd);
    free(t);
}
