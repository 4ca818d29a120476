/*
 * cache.h - records that were heard, and how long they are good for (RFC 6762 10)
 *
 * One per (link, name, type, data). Time is an argument; nothing is sent from here.
 */
#ifndef UW_DISCOVER_CACHE_H
#define UW_DISCOVER_CACHE_H

#include <usbwire/usec.h>

#include "base/list.h"
#include "mdns/packet.h"

#define UW_CACHE_MAX     2048u
#define UW_CACHE_TTL_MAX 86400u /* longer ones are cut: a day */

struct uw_cached {
    struct uw_list list;
    unsigned link;
    struct uw_dns_record record; /* its data is behind this struct */
    struct uw_usec seen, expires;
    unsigned refreshes; /* how often it was asked for to be confirmed */
    unsigned asks;      /* PTR: how often what it points to was asked for */
    struct uw_usec ask_at;
    uint8_t data[];
};

struct uw_cache {
    struct uw_list records;
    unsigned count;
    int changed; /* records came or went since the owner set this to 0 */
};

void uw_cache_init(struct uw_cache *cache);
void uw_cache_clear(struct uw_cache *cache);

/* Takes in a record from a link. 0, also when it is left out because the cache is full; NO_MEMORY.
 */
int uw_cache_take(struct uw_cache *cache, unsigned link, const struct uw_dns_record *record,
                  struct uw_usec now);

/* Forgets what has expired, or what is known of a link. */
void uw_cache_expire(struct uw_cache *cache, struct uw_usec now);
void uw_cache_forget_link(struct uw_cache *cache, unsigned link);

/* The record that was confirmed last, or NULL. */
struct uw_cached *uw_cache_find(struct uw_cache *cache, unsigned link,
                                const struct uw_dns_name *name, uint16_t type);

/* When a record has to be asked for again to stay: at 80, 85, 90, 95 % of its time; then never. */
struct uw_usec uw_cached_refresh_at(const struct uw_cached *cached);

/* Whole seconds that it has left. */
uint32_t uw_cached_left(const struct uw_cached *cached, struct uw_usec now);

#endif
