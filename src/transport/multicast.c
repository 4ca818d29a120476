/*
 * multicast.c - links, and the sockets of multicast DNS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transport/multicast.h"

#define MDNS_PORT 5353
#define GROUP_V4  0xe00000fbu /* 224.0.0.251 */

static const struct in6_addr group_v6 = {
    .s6_addr = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb}};

/* ---- links ---- */

/* The loopback link carries no flag for multicast, and multicast all the same. */
static int
is_usable(const struct ifaddrs *a, const char *only)
{
    unsigned needed = IFF_UP | IFF_RUNNING;

    if (!a->ifa_addr)
        return 0;
    if (only)
        return strcmp(a->ifa_name, only) == 0;
    if ((a->ifa_flags & needed) != needed || (a->ifa_flags & IFF_POINTOPOINT))
        return 0;
    return (a->ifa_flags & (IFF_MULTICAST | IFF_LOOPBACK)) != 0;
}

static struct uw_link *
find_link(struct uw_link *links, int *count, const struct ifaddrs *a)
{
    unsigned index = if_nametoindex(a->ifa_name);

    for (int i = 0; i < *count; i++)
        if (links[i].index == index)
            return &links[i];
    if (*count == UW_LINKS_MAX || index == 0)
        return NULL;
    memset(&links[*count], 0, sizeof(links[0]));
    links[*count].index = index;
    links[*count].is_loopback = (a->ifa_flags & IFF_LOOPBACK) != 0;
    snprintf(links[*count].name, IF_NAMESIZE, "%s", a->ifa_name);
    return &links[(*count)++];
}

static void
add_address(struct uw_link *link, const struct ifaddrs *a)
{
    if (a->ifa_addr->sa_family == AF_INET && link->count4 < UW_LINK_V4_MAX && a->ifa_netmask) {
        struct sockaddr_in v4;

        memcpy(&v4, a->ifa_addr, sizeof(v4));
        link->v4[link->count4] = v4.sin_addr;
        memcpy(&v4, a->ifa_netmask, sizeof(v4));
        link->mask[link->count4++] = v4.sin_addr;
    }
    if (a->ifa_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, a->ifa_addr, sizeof(v6));
        link->has_v6 |= IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr);
        if (link->count6 < UW_LINK_V6_MAX)
            link->v6[link->count6++] = v6.sin6_addr;
    }
}

static int
compare_links(const void *a, const void *b)
{
    unsigned x = ((const struct uw_link *)a)->index, y = ((const struct uw_link *)b)->index;

    return x < y ? -1 : x > y;
}

int
uw_links_list(const char *only, struct uw_link ret_links[UW_LINKS_MAX])
{
    struct ifaddrs *all;
    int count = 0;

    if (getifaddrs(&all) < 0)
        return -1;
    for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
        struct uw_link *link = is_usable(a, only) ? find_link(ret_links, &count, a) : NULL;

        if (link)
            add_address(link, a);
    }
    freeifaddrs(all);
    qsort(ret_links, (size_t)count, sizeof(ret_links[0]), compare_links);
    return count;
}

int
uw_link_equal(const struct uw_link *a, const struct uw_link *b)
{
    return a->index == b->index && strcmp(a->name, b->name) == 0 && a->has_v6 == b->has_v6 &&
           a->count4 == b->count4 && memcmp(a->v4, b->v4, sizeof(a->v4)) == 0 &&
           memcmp(a->mask, b->mask, sizeof(a->mask)) == 0;
}

int
uw_link_has_neighbour(const struct uw_link *link, struct in_addr address)
{
    for (unsigned i = 0; i < link->count4; i++)
        if (((link->v4[i].s_addr ^ address.s_addr) & link->mask[i].s_addr) == 0)
            return 1;
    return 0;
}

/* ---- sockets ---- */

static void
set_option(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* Binds, or closes and keeps the reason. */
static int
bind_or_close(int fd, const void *address, socklen_t size)
{
    if (bind(fd, (const struct sockaddr *)address, size) == 0)
        return fd;
    int saved = errno;

    close(fd);
    errno = saved;
    return -1;
}

static int
open_v4(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
    set_option(fd, IPPROTO_IP, IP_MULTICAST_TTL, UW_LINK_MDNS_TTL);
    set_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1);
    set_option(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0); /* only what this socket joined */
    return fd;
}

static int
open_v6(const struct uw_link *link)
{
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, UW_LINK_MDNS_TTL);
    set_option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, UW_LINK_MDNS_TTL);
    set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1);
    set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)link->index);
    return fd;
}

static void
share(int fd)
{
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

int
uw_mdns_listen_v4(void)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(MDNS_PORT), .sin_addr.s_addr = htonl(GROUP_V4)};
    int fd = open_v4();

    if (fd < 0)
        return -1;
    share(fd);
    return bind_or_close(fd, &a, sizeof(a));
}

static struct ip_mreqn
membership(const struct uw_link *link)
{
    return (struct ip_mreqn){.imr_multiaddr.s_addr = htonl(GROUP_V4),
                             .imr_ifindex = (int)link->index};
}

int
uw_mdns_join_v4(int fd, const struct uw_link *link)
{
    struct ip_mreqn m = membership(link);

    return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m));
}

void
uw_mdns_leave_v4(int fd, const struct uw_link *link)
{
    struct ip_mreqn m = membership(link);

    (void)setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m));
}

int
uw_mdns_listen_v6(const struct uw_link *link)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6,
                             .sin6_port = htons(MDNS_PORT),
                             .sin6_addr = group_v6,
                             .sin6_scope_id = link->index};
    struct ipv6_mreq m = {.ipv6mr_multiaddr = group_v6, .ipv6mr_interface = link->index};
    int fd = open_v6(link);

    if (fd < 0)
        return -1;
    share(fd);
    fd = bind_or_close(fd, &a, sizeof(a));
    if (fd >= 0)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m));
    return fd;
}

int
uw_mdns_ask_v4(const struct uw_link *link)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = link->v4[0]};
    struct ip_mreqn m = {.imr_ifindex = (int)link->index};
    int fd = open_v4();

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof(m));
    return bind_or_close(fd, &a, sizeof(a));
}

int
uw_mdns_ask_v6(const struct uw_link *link)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6};
    int fd = open_v6(link);

    return fd < 0 ? -1 : bind_or_close(fd, &a, sizeof(a));
}

/* ---- packets ---- */

/* Our address on a link that a neighbour there will take for one: left alone, the kernel may choose
 * one of another link. */
static struct in_addr
source_for(const struct uw_link *link, const struct sockaddr_storage *to)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)to;

    for (unsigned i = 0; i < link->count4; i++)
        if (((link->v4[i].s_addr ^ v4->sin_addr.s_addr) & link->mask[i].s_addr) == 0)
            return link->v4[i];
    return link->v4[0];
}

/* Says which link to send on; returns the size of the control data. */
static size_t
choose_link(struct msghdr *m, const struct sockaddr_storage *to, const struct uw_link *link)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    struct in_pktinfo v4 = {.ipi_ifindex = (int)link->index, .ipi_spec_dst = source_for(link, to)};
    struct in6_pktinfo v6 = {.ipi6_ifindex = link->index};
    int is_v4 = to->ss_family == AF_INET;
    size_t size = is_v4 ? sizeof(v4) : sizeof(v6);

    c->cmsg_level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
    c->cmsg_type = is_v4 ? IP_PKTINFO : IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), is_v4 ? (const void *)&v4 : (const void *)&v6, size);
    return CMSG_SPACE(size);
}

void
uw_mdns_reply(int fd, const struct sockaddr_storage *to, const struct uw_link *link,
              const void *bytes, size_t size)
{
    _Alignas(struct cmsghdr) char control[64] = {0};
    struct iovec iov = {(void *)(uintptr_t)bytes, size};
    struct msghdr m = {.msg_name = (void *)(uintptr_t)to,
                       .msg_namelen = to->ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                                               : sizeof(struct sockaddr_in6),
                       .msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};

    m.msg_controllen = choose_link(&m, to, link);
    (void)sendmsg(fd, &m, MSG_NOSIGNAL);
}

void
uw_mdns_send(int fd, int family, const struct uw_link *link, const void *bytes, size_t size)
{
    struct sockaddr_storage to = {0};
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(MDNS_PORT), .sin_addr.s_addr = htonl(GROUP_V4)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons(MDNS_PORT),
                              .sin6_addr = group_v6,
                              .sin6_scope_id = link->index};

    if (family == AF_INET)
        memcpy(&to, &v4, sizeof(v4));
    else
        memcpy(&to, &v6, sizeof(v6));
    uw_mdns_reply(fd, &to, link, bytes, size);
}

static unsigned
link_of(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof(info));
            return (unsigned)info.ipi_ifindex;
        }
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof(info));
            return info.ipi6_ifindex;
        }
    }
    return 0;
}

int
uw_mdns_receive(int fd, void *bytes, size_t room, struct uw_mdns_packet *ret_packet)
{
    _Alignas(struct cmsghdr) char control[128];
    struct iovec iov = {bytes, room};
    struct msghdr m = {.msg_name = &ret_packet->from,
                       .msg_namelen = sizeof(ret_packet->from),
                       .msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    ssize_t n;
    in_port_t port;

    memset(&ret_packet->from, 0, sizeof(ret_packet->from));
    n = recvmsg(fd, &m, 0);
    if (n < 0)
        return UW_AGAIN;
    ret_packet->size = (size_t)n;
    ret_packet->link = link_of(&m);
    port = ret_packet->from.ss_family == AF_INET
               ? ((const struct sockaddr_in *)(const void *)&ret_packet->from)->sin_port
               : ((const struct sockaddr_in6 *)(const void *)&ret_packet->from)->sin6_port;
    ret_packet->from_mdns = port == htons(MDNS_PORT);
    return !(m.msg_flags & MSG_TRUNC) && ret_packet->link != 0;
}

int
uw_mdns_is_near(const struct uw_link *link, const struct sockaddr_storage *from)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)from;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)from;

    if (from->ss_family == AF_INET)
        return uw_link_has_neighbour(link, v4->sin_addr);
    return from->ss_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
}
