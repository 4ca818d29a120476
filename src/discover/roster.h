/*
 * roster.h - the servers that the records tell of
 *
 * A server is there while a link knows its name, port, text and an address. The same host and port
 * on several links are one server. What the user was told last is kept beside what is, so there is
 * no queue of events that could grow: the difference is the event.
 */
#ifndef UW_DISCOVER_ROSTER_H
#define UW_DISCOVER_ROSTER_H

#include <usbwire/discover.h>

#include "discover/cache.h"
#include "transport/multicast.h"

#define UW_ROSTER_MAX 256u

struct uw_roster {
    struct uw_list servers; /* of struct server, roster.c */
    unsigned count;
    struct uw_discovered *given; /* out to the user; freed with the next one */
};

void uw_roster_init(struct uw_roster *roster);
void uw_roster_clear(struct uw_roster *roster);

/* Brings it up to date with the cache. `type` is the service's name; `links` are `count` pointers.
 * 0 or NO_MEMORY. */
int uw_roster_update(struct uw_roster *roster, struct uw_cache *cache,
                     const struct uw_dns_name *type, const struct uw_link *const *links, int count);

/* 1 when there is an event. */
int uw_roster_has_event(const struct uw_roster *roster);

/* The next one, 1 or 0; told from here on. */
int uw_roster_next(struct uw_roster *roster, struct uw_discover_event *ret_event);

#endif
