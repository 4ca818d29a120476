/*
 * cache.c - records that were heard
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/error.h>

#include "discover/cache.h"

#define SECOND        1000000u
#define REFRESHES_MAX 4u

void
uw_cache_init(struct uw_cache *cache)
{
    uw_list_init(&cache->records);
    cache->count = 0;
    cache->changed = 0;
}

static void
drop(struct uw_cache *cache, struct uw_cached *c)
{
    uw_list_remove(&c->list);
    cache->count--;
    cache->changed = 1;
    free(c);
}

void
uw_cache_clear(struct uw_cache *cache)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &cache->records) drop(cache, UW_CONTAINER(pos, struct uw_cached, list));
}

static int
is_key(const struct uw_cached *c, unsigned link, const struct uw_dns_name *name, uint16_t type)
{
    return c->link == link && c->record.type == type && uw_dns_name_equal(&c->record.name, name);
}

static int
is_same(const struct uw_cached *c, unsigned link, const struct uw_dns_record *record)
{
    if (!is_key(c, link, &record->name, record->type))
        return 0;
    if (record->type == UW_DNS_PTR || record->type == UW_DNS_SRV)
        return c->record.port == record->port &&
               uw_dns_name_equal(&c->record.target, &record->target);
    return c->record.data_size == record->data_size &&
           memcmp(c->data, record->data, record->data_size) == 0;
}

/* And it is not asked for again: whoever withdraws a record may still answer for a while. */
static void
end_in_a_second(struct uw_cached *c, struct uw_usec now)
{
    c->expires = uw_usec_min(c->expires, uw_usec_add(now, uw_usec(SECOND)));
    c->refreshes = REFRESHES_MAX;
}

/* A record that flushes: others of its name that were not confirmed within a second have one left.
 */
static void
flush(struct uw_cache *cache, unsigned link, const struct uw_dns_record *record, struct uw_usec now)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &cache->records)
    {
        struct uw_cached *c = UW_CONTAINER(pos, struct uw_cached, list);

        if (is_key(c, link, &record->name, record->type) && uw_usec_sub(now, c->seen).us > SECOND)
            end_in_a_second(c, now);
    }
}

static struct uw_cached *
find_same(struct uw_cache *cache, unsigned link, const struct uw_dns_record *record)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &cache->records)
    {
        struct uw_cached *c = UW_CONTAINER(pos, struct uw_cached, list);

        if (is_same(c, link, record))
            return c;
    }
    return NULL;
}

static struct uw_cached *
add(struct uw_cache *cache, unsigned link, const struct uw_dns_record *record)
{
    int has_data = record->type != UW_DNS_PTR && record->type != UW_DNS_SRV;
    size_t size = has_data ? record->data_size : 0;
    struct uw_cached *c = calloc(1, sizeof(*c) + size);

    if (!c)
        return NULL;
    c->link = link;
    c->record = *record;
    if (size)
        memcpy(c->data, record->data, size);
    c->record.data = c->data;
    c->record.data_size = size;
    uw_list_insert(&cache->records, &c->list);
    cache->count++;
    cache->changed = 1;
    return c;
}

int
uw_cache_take(struct uw_cache *cache, unsigned link, const struct uw_dns_record *record,
              struct uw_usec now)
{
    uint32_t ttl = record->ttl > UW_CACHE_TTL_MAX ? UW_CACHE_TTL_MAX : record->ttl;
    struct uw_usec end = uw_usec_add(now, uw_usec((uint64_t)ttl * SECOND));
    struct uw_cached *c;

    if (record->flush)
        flush(cache, link, record, now);
    c = find_same(cache, link, record);
    if (ttl == 0) { /* goodbye */
        if (c)
            end_in_a_second(c, now);
        return 0;
    }
    if (!c && cache->count >= UW_CACHE_MAX)
        return 0;
    if (!c)
        c = add(cache, link, record);
    if (!c)
        return UW_ERROR_NO_MEMORY;
    c->seen = now;
    c->refreshes = 0;
    /* Answers to those who are no mDNS program, as our askers seem, are said to be good for 10 s;
     * the same record may be known better. */
    if (c->expires.us < end.us)
        c->expires = end;
    return 0;
}

void
uw_cache_expire(struct uw_cache *cache, struct uw_usec now)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &cache->records)
    {
        struct uw_cached *c = UW_CONTAINER(pos, struct uw_cached, list);

        if (c->expires.us <= now.us)
            drop(cache, c);
    }
}

void
uw_cache_forget_link(struct uw_cache *cache, unsigned link)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &cache->records)
    {
        struct uw_cached *c = UW_CONTAINER(pos, struct uw_cached, list);

        if (c->link == link)
            drop(cache, c);
    }
}

struct uw_cached *
uw_cache_find(struct uw_cache *cache, unsigned link, const struct uw_dns_name *name, uint16_t type)
{
    struct uw_list *pos, *tmp;
    struct uw_cached *best = NULL;

    uw_list_each(pos, tmp, &cache->records)
    {
        struct uw_cached *c = UW_CONTAINER(pos, struct uw_cached, list);

        if (is_key(c, link, name, type) && (!best || c->seen.us > best->seen.us))
            best = c;
    }
    return best;
}

struct uw_usec
uw_cached_refresh_at(const struct uw_cached *c)
{
    uint64_t time = uw_usec_sub(c->expires, c->seen).us;

    if (c->refreshes >= REFRESHES_MAX)
        return uw_never();
    return uw_usec_add(c->seen, uw_usec(time / 100 * (80 + 5 * c->refreshes)));
}

uint32_t
uw_cached_left(const struct uw_cached *c, struct uw_usec now)
{
    return (uint32_t)(uw_usec_sub(c->expires, now).us / SECOND);
}
