/*
 * mdns.h - multicast DNS on all links, as far as sockets go
 *
 * Opens what transport/multicast.h has for each link, looks every 5 s whether links came, went or
 * changed, and hands over packets that may be believed to come from a neighbour. What they mean is
 * the user's business: looking up a name (localname.h), finding servers (discover/). Nothing is
 * sent unless the user sends. Everything needs the loop's lock.
 */
#ifndef UW_CLIENT_MDNS_H
#define UW_CLIENT_MDNS_H

#include "client/loop.h"
#include "transport/multicast.h"

struct uw_mdns;

struct uw_mdns_user {
    void (*packet)(void *arg, const struct uw_link *link, const uint8_t *bytes, size_t size,
                   struct uw_usec now);
    /* There is a new link, or one with new addresses: time to ask there. NULL: not wanted. */
    void (*link_up)(void *arg, const struct uw_link *link, struct uw_usec now);
    /* It is gone, and what was known of it. NULL: not wanted. */
    void (*link_down)(void *arg, const struct uw_link *link, struct uw_usec now);
    void *arg;
};

/* Opens; `only` is the name of a link, NULL: all. Its functions are not called from here.
 * NOT_FOUND when there is no such link, or none at all; NO_MEMORY. */
int uw_mdns_open(struct uw_loop *loop, const char *only, const struct uw_mdns_user *user,
                 struct uw_mdns **ret_mdns);

/* NULL is fine. Not from the user's functions. */
void uw_mdns_close(struct uw_mdns *mdns);

/* Link `index` from 0, or NULL past the end. */
const struct uw_link *uw_mdns_link(const struct uw_mdns *mdns, unsigned index);

enum uw_mdns_from { UW_MDNS_LISTENER, UW_MDNS_ASKER };

/* Sends to the group on a link, over IPv4 and IPv6, as far as there are sockets. */
void uw_mdns_ask(struct uw_mdns *mdns, const struct uw_link *link, enum uw_mdns_from from,
                 const void *bytes, size_t size);

#endif
