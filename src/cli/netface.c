/*
 * netface.c - a listening TCP port with one client at a time
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netface.h"

#define STUCK_MS 3000u

/* "[ADDRESS:]PORT", the address in brackets when it has colons. 0, -1: makes no sense. */
static int
split(const char *argument, char *host, size_t host_size, char *port, size_t port_size)
{
    const char *colon = strrchr(argument, ':'), *start = argument, *end = colon;
    size_t n;

    if (!colon) {
        snprintf(host, host_size, "127.0.0.1");
        return snprintf(port, port_size, "%s", argument) < (int)port_size ? 0 : -1;
    }
    if (*start == '[' && end > start + 1 && end[-1] == ']') {
        start++;
        end--;
    }
    n = (size_t)(end - start);
    if (n == 0 || n >= host_size)
        return -1;
    memcpy(host, start, n);
    host[n] = '\0';
    return snprintf(port, port_size, "%s", colon + 1) < (int)port_size ? 0 : -1;
}

/* getaddrinfo takes the rest of a division for a number that is too large. */
static int
is_port(const char *port)
{
    char *end;
    unsigned long n = strtoul(port, &end, 10);

    return port[0] >= '0' && port[0] <= '9' && !*end && n <= UINT16_MAX;
}

static int
listen_on(const struct addrinfo *info)
{
    int on = 1, fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, 4) == 0)
        return fd;
    close(fd);
    return -1;
}

/* One end of a socket: getsockname or getpeername. */
static void
name_end(int fd, int (*get)(int fd, struct sockaddr *address, socklen_t *size),
         char name[NETFACE_NAME])
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    char host[64] = "?", port[16] = "?";

    if (get(fd, (struct sockaddr *)&address, &size) == 0)
        (void)getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
                          NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(name, NETFACE_NAME, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

int
netface_open(struct bridge *b, struct netface *net, const char *argument)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *info;
    char host[64], port[16];

    (void)b;
    net->listener = net->client = -1;
    if (split(argument, host, sizeof(host), port, sizeof(port)) < 0 || !is_port(port) ||
        getaddrinfo(host, port, &hints, &info) != 0)
        return cli_usage("'%s' is no place to listen; give PORT or ADDRESS:PORT with a numeric "
                         "address",
                         argument);
    net->listener = listen_on(info);
    freeaddrinfo(info);
    if (net->listener < 0)
        return cli_error("no listening on %s: %s", argument, strerror(errno));
    name_end(net->listener, getsockname, net->address);
    return 0;
}

void
netface_close(struct netface *net)
{
    if (net->client >= 0)
        close(net->client);
    if (net->listener >= 0)
        close(net->listener);
    net->client = net->listener = -1;
}

void
netface_where(const struct netface *net, const char *scheme, char *buf, size_t size)
{
    snprintf(buf, size, "%s%s", scheme, net->address);
}

static size_t
free_bytes(const struct netface *net)
{
    return sizeof(net->out) - net->out_size;
}

/* Not while the port takes nothing, nor while there is no room for answers. */
static int
is_read(const struct bridge *b, const struct netface *net)
{
    return !bridge_is_full(b) && (net->held || free_bytes(net) >= net->reserve);
}

unsigned
netface_polls(const struct bridge *b, struct netface *net, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = net->listener, .events = POLLIN};
    if (net->client < 0)
        return 1;
    fds[1] = (struct pollfd){.fd = net->client};
    if (is_read(b, net)) {
        fds[1].events |= POLLIN;
        net->unread = uw_never();
    } else if (uw_is_never(net->unread)) {
        net->unread = uw_now();
    }
    if (net->out_size && !net->held)
        fds[1].events |= POLLOUT;
    return 2;
}

static void
drop_client(struct bridge *b, struct netface *net)
{
    cli_remark(b->cli, "%s: %s left", b->name, net->peer);
    close(net->client);
    net->client = -1;
    net->out_size = 0;
    if (net->went)
        net->went(b);
}

static void
flush(struct bridge *b, struct netface *net)
{
    ssize_t n;

    if (net->client < 0 || !net->out_size || net->held)
        return;
    n = send(net->client, net->out, net->out_size, MSG_NOSIGNAL);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            drop_client(b, net);
        return;
    }
    memmove(net->out, net->out + n, net->out_size - (size_t)n);
    net->out_size -= (size_t)n;
}

/* Who vanished without a word is noticed after some half a minute. */
static void
keep_alive(int fd)
{
    int on = 1, idle = 15, interval = 5, count = 3;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

static int
has_hung_up(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};

    return poll(&poll_fd, 1, 0) > 0;
}

/* The end of one that is gone may stand behind bytes that nobody reads. */
static int
is_stuck(const struct netface *net)
{
    return !uw_is_never(net->unread) &&
           uw_usec_sub(uw_now(), net->unread).us >= (uint64_t)STUCK_MS * 1000;
}

/* It is told why, as people see it who look. What it wrote is read, since the end would otherwise
 * be a reset, which overtakes that. */
static void
send_away(struct bridge *b, const struct netface *net, int fd)
{
    char peer[NETFACE_NAME], text[BRIDGE_NAME + NETFACE_NAME + 32];

    name_end(fd, getpeername, peer);
    cli_remark(b->cli, "%s: %s was sent away, since %s has the port", b->name, peer, net->peer);
    snprintf(text, sizeof(text), "usbwire: %s has %s\r\n", net->peer, b->name);
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    (void)recv(fd, text, sizeof(text), 0);
    close(fd);
}

static void
accept_client(struct bridge *b, struct netface *net)
{
    int fd;

    if (net->client >= 0 && (has_hung_up(net->client) || is_stuck(net))) {
        /* Its last bytes come first - unless the port does not take them, when they would keep
         * everybody out. */
        if (is_read(b, net))
            return;
        drop_client(b, net);
        bridge_give_up(b);
    }
    fd = accept4(net->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (net->client >= 0) {
        send_away(b, net, fd);
        return;
    }
    keep_alive(fd);
    net->client = fd;
    net->out_size = 0;
    net->held = 0;
    net->unread = uw_never();
    name_end(fd, getpeername, net->peer);
    cli_remark(b->cli, "%s: %s came", b->name, net->peer);
    if (net->came)
        net->came(b);
}

static void
read_client(struct bridge *b, struct netface *net)
{
    uint8_t bytes[BRIDGE_BUFFER];
    ssize_t n = recv(net->client, bytes, sizeof(bytes), 0);

    if (n > 0)
        net->input(b, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        drop_client(b, net);
}

void
netface_ready(struct bridge *b, struct netface *net, const struct pollfd *fds, unsigned count)
{
    if (count > 1 && fds[1].revents & (POLLIN | POLLHUP | POLLERR))
        read_client(b, net);
    flush(b, net);
    if (fds[0].revents & POLLIN)
        accept_client(b, net);
    flush(b, net);
}

size_t
netface_room(const struct netface *net)
{
    return free_bytes(net) > net->reserve ? free_bytes(net) - net->reserve : 0;
}

void
netface_send(struct netface *net, const uint8_t *bytes, size_t size)
{
    if (net->client < 0 || size > free_bytes(net))
        return;
    memcpy(net->out + net->out_size, bytes, size);
    net->out_size += size;
    /* At once, for what waits for an answer; the rest when the socket has room. */
    if (net->out_size && !net->held) {
        ssize_t n = send(net->client, net->out, net->out_size, MSG_NOSIGNAL);

        if (n > 0) {
            memmove(net->out, net->out + n, net->out_size - (size_t)n);
            net->out_size -= (size_t)n;
        }
    }
}

void
netface_hold(struct bridge *b, struct netface *net, int held)
{
    net->held = held;
    flush(b, net);
}
