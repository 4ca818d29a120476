/*
 * multicast.h - the links of this machine, and the sockets that multicast DNS asks for (RFC 6762)
 *
 * Who wants answers has to have two kinds of sockets. A listener shares port 5353 with every other
 * mDNS program of the machine and hears what is sent to the group: announcements, goodbyes, answers
 * to others. It is bound to the group's address, not to the wildcard: so it never takes away a
 * unicast answer that is for avahi. An asker has a port of its own on one address of one link; it
 * asks for unicast answers, and gets them behind a firewall that lets replies in and nothing else.
 */
#ifndef UW_TRANSPORT_MULTICAST_H
#define UW_TRANSPORT_MULTICAST_H

#include <net/if.h>
#include <netinet/in.h>

#include "transport/transport.h"

#define UW_LINKS_MAX     64
#define UW_LINK_V4_MAX   8
#define UW_LINK_V6_MAX   8
#define UW_LINK_MDNS_TTL 255

struct uw_link {
    unsigned index;
    char name[IF_NAMESIZE];
    int is_loopback;
    unsigned count4; /* IPv4 addresses, and the masks of their networks */
    struct in_addr v4[UW_LINK_V4_MAX], mask[UW_LINK_V4_MAX];
    unsigned count6;
    struct in6_addr v6[UW_LINK_V6_MAX];
    int has_v6; /* a link-local address among them */
};

/* The links that can carry multicast, or the one that is named whatever it can; sorted by index.
 * Returns how many, or -1 with errno. */
int uw_links_list(const char *only, struct uw_link ret_links[UW_LINKS_MAX]);

int uw_link_equal(const struct uw_link *a, const struct uw_link *b);

/* 1 when an IPv4 address is in a network of the link. */
int uw_link_has_neighbour(const struct uw_link *link, struct in_addr address);

/* Descriptors, or -1 with errno. One IPv4 listener is for all links, which join one by one; the
 * others are of a link and ready. */
int uw_mdns_listen_v4(void);
int uw_mdns_join_v4(int fd, const struct uw_link *link);
void uw_mdns_leave_v4(int fd, const struct uw_link *link);
int uw_mdns_listen_v6(const struct uw_link *link);
int uw_mdns_ask_v4(const struct uw_link *link);
int uw_mdns_ask_v6(const struct uw_link *link);

/* To the group on a link; a link that has just gone is no reason to complain. */
void uw_mdns_send(int fd, int family, const struct uw_link *link, const void *bytes, size_t size);

/* To one who asked for a unicast answer. */
void uw_mdns_reply(int fd, const struct sockaddr_storage *to, const struct uw_link *link,
                   const void *bytes, size_t size);

/* A packet, and the link it came in on. */
struct uw_mdns_packet {
    unsigned link;
    struct sockaddr_storage from;
    int from_mdns; /* from port 5353, as all answers are, and all questions of full mDNS programs */
    size_t size;
};

/* 1; 0 for a packet longer than `room`, to be ignored; UW_AGAIN when there is nothing more. */
int uw_mdns_receive(int fd, void *bytes, size_t room, struct uw_mdns_packet *ret_packet);

/* 1 when the sender is on the link (RFC 6762 11). */
int uw_mdns_is_near(const struct uw_link *link, const struct sockaddr_storage *from);

#endif
