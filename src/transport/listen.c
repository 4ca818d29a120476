/*
 * listen.c - sockets for those who come to us
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <usbwire/error.h>

#include "transport/listen.h"

#define BACKLOG 16

socklen_t
uw_socket_address(const char *host, uint16_t port, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)ret_address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)ret_address;
    char text[INET6_ADDRSTRLEN];
    const char *zone = host ? strchr(host, '%') : NULL;
    int n = zone ? (int)(zone - host) : -1;

    memset(ret_address, 0, sizeof(*ret_address));
    if (host && !zone && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof(*v4);
    }
    snprintf(text, sizeof(text), "%.*s", n, host ? host : "::");
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
        return 0;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    if (zone) {
        v6->sin6_scope_id = if_nametoindex(zone + 1);
        if (!v6->sin6_scope_id)
            return 0;
    }
    return sizeof(*v6);
}

const char *
uw_socket_host(const struct sockaddr_storage *address, char *buf, size_t size)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    char text[INET6_ADDRSTRLEN] = "", zone[IF_NAMESIZE] = "";

    if (address->ss_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
    else if (address->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
    if (address->ss_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr))
        if_indextoname(v6->sin6_scope_id, zone);
    snprintf(buf, size, "%s%s%s", text, *zone ? "%" : "", zone);
    return buf;
}

uint16_t
uw_socket_port(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    return 0;
}

/* ::ffff:1.2.3.4 is 1.2.3.4. */
static void
unmap(struct sockaddr_storage *address)
{
    struct sockaddr_in6 v6;
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)address;

    memcpy(&v6, address, sizeof(v6));
    if (address->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
        return;
    memset(address, 0, sizeof(*address));
    v4->sin_family = AF_INET;
    v4->sin_port = v6.sin6_port;
    memcpy(&v4->sin_addr, &v6.sin6_addr.s6_addr[12], 4);
}

/* The address that a datagram was sent to, out of what the kernel said with it. */
static void
take_destination(struct msghdr *m, struct sockaddr_storage *to)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)to;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO && to->ss_family == AF_INET) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof(info));
            v4->sin_addr = info.ipi_addr;
        }
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
            to->ss_family == AF_INET6) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof(info));
            v6->sin6_addr = info.ipi6_addr;
            v6->sin6_scope_id = info.ipi6_ifindex;
        }
    }
}

int
uw_listen(int type, const struct sockaddr_storage *address, socklen_t size,
          struct sockaddr_storage *ret_bound)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    int is_any = address->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
    int family = address->ss_family, one = 1, only = !is_any, fd;
    socklen_t bound_size = sizeof(*ret_bound);

    fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 && is_any && errno == EAFNOSUPPORT) {
        struct sockaddr_storage any;
        socklen_t n = uw_socket_address("0.0.0.0", uw_socket_port(address), &any);

        return uw_listen(type, &any, n, ret_bound);
    }
    if (fd < 0)
        return -1;
    if (type == SOCK_STREAM)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
    } else {
        (void)setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
    }
    if (bind(fd, (const struct sockaddr *)(const void *)address, size) < 0 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) < 0) ||
        getsockname(fd, (struct sockaddr *)(void *)ret_bound, &bound_size) < 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

ssize_t
uw_receive(int fd, void *bytes, size_t size, const struct sockaddr_storage *bound,
           struct sockaddr_storage *ret_from, struct sockaddr_storage *ret_to)
{
    char control[256];
    struct iovec iov = {bytes, size};
    struct msghdr m = {.msg_name = ret_from,
                       .msg_namelen = sizeof(*ret_from),
                       .msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    ssize_t n;

    memset(ret_from, 0, sizeof(*ret_from));
    n = recvmsg(fd, &m, MSG_TRUNC);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? UW_AGAIN : -1;
    *ret_to = *bound;
    take_destination(&m, ret_to);
    unmap(ret_from);
    unmap(ret_to);
    return n;
}

void
uw_transport_ends(const struct uw_transport *transport, struct sockaddr_storage *ret_from,
                  struct sockaddr_storage *ret_to)
{
    int fd = uw_transport_fd(transport);
    socklen_t from = sizeof(*ret_from), to = sizeof(*ret_to);

    memset(ret_from, 0, sizeof(*ret_from));
    memset(ret_to, 0, sizeof(*ret_to));
    (void)getpeername(fd, (struct sockaddr *)(void *)ret_from, &from);
    (void)getsockname(fd, (struct sockaddr *)(void *)ret_to, &to);
    unmap(ret_from);
    unmap(ret_to);
}

static int
is_abandoned(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

    if (fd < 0)
        return 0;
    r = connect(fd, (const struct sockaddr *)(const void *)address, sizeof(*address)) < 0 &&
        errno == ECONNREFUSED;
    close(fd);
    return r;
}

int
uw_listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, r;

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    r = bind(fd, (const struct sockaddr *)(const void *)&address, sizeof(address));
    if (r < 0 && errno == EADDRINUSE) {
        if (is_abandoned(&address))
            unlink(path);
        r = bind(fd, (const struct sockaddr *)(const void *)&address, sizeof(address));
    }
    if (r < 0 || listen(fd, BACKLOG) < 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

int
uw_transport_user(const struct uw_transport *t, uid_t *ret_uid)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(uw_transport_fd(t), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return 0;
    *ret_uid = peer.uid;
    return 1;
}
