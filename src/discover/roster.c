/*
 * roster.c - the servers that the records tell of
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <usbwire/error.h>

#include "base/clean.h"
#include "discover/roster.h"

#define ADDRESSES_MAX 16u
#define TXT_MAX       32u
#define TEXT_SIZE     8192u
#define SIGHTINGS_MAX 16u

/* What is shown, in one piece of memory: equal servers have equal text. */
struct shown {
    struct uw_discovered server; /* first */
    const char *addresses[ADDRESSES_MAX];
    struct uw_discovered_txt txt[TXT_MAX];
    size_t used;
    char text[TEXT_SIZE];
};

/* A link on which it is seen, with the records that say so. */
struct sighting {
    const struct uw_link *link;
    const struct uw_cached *srv, *txt;
};

struct server {
    struct uw_list list;
    struct uw_dns_name host;
    uint16_t port;
    struct sighting seen[SIGHTINGS_MAX];
    unsigned count;
    struct shown *told, *now;
};

struct address {
    unsigned rank;
    int family;
    uint8_t bytes[16];
    unsigned link; /* of a link-local one */
    char text[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
};

void
uw_roster_init(struct uw_roster *roster)
{
    uw_list_init(&roster->servers);
    roster->count = 0;
    roster->given = NULL;
}

static void
drop(struct uw_roster *roster, struct server *s)
{
    uw_list_remove(&s->list);
    roster->count--;
    free(s->told);
    if (s->now != s->told)
        free(s->now);
    free(s);
}

void
uw_roster_clear(struct uw_roster *roster)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &roster->servers) drop(roster, UW_CONTAINER(pos, struct server, list));
    free(roster->given);
    roster->given = NULL;
}

/* ---- who is there ---- */

static struct server *
find_server(struct uw_roster *roster, const struct uw_dns_name *host, uint16_t port)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &roster->servers)
    {
        struct server *s = UW_CONTAINER(pos, struct server, list);

        if (s->port == port && uw_dns_name_equal(&s->host, host))
            return s;
    }
    return NULL;
}

static const struct uw_link *
find_link(const struct uw_link *const *links, int count, unsigned index)
{
    for (int i = 0; i < count; i++)
        if (links[i]->index == index)
            return links[i];
    return NULL;
}

static int
note_sighting(struct uw_roster *roster, const struct sighting *sighting)
{
    const struct uw_dns_record *srv = &sighting->srv->record;
    struct server *s = find_server(roster, &srv->target, srv->port);

    if (!s && roster->count >= UW_ROSTER_MAX)
        return 0;
    if (!s) {
        s = calloc(1, sizeof(*s));
        if (!s)
            return UW_ERROR_NO_MEMORY;
        s->host = srv->target;
        s->port = srv->port;
        uw_list_insert(&roster->servers, &s->list);
        roster->count++;
    }
    if (s->count < SIGHTINGS_MAX)
        s->seen[s->count++] = *sighting;
    return 0;
}

static int
note_instance(struct uw_roster *roster, struct uw_cache *cache, const struct uw_cached *ptr,
              const struct uw_link *link)
{
    struct sighting sighting = {.link = link};

    sighting.srv = uw_cache_find(cache, ptr->link, &ptr->record.target, UW_DNS_SRV);
    sighting.txt = uw_cache_find(cache, ptr->link, &ptr->record.target, UW_DNS_TXT);
    if (!sighting.srv || !sighting.txt ||
        (!uw_cache_find(cache, ptr->link, &sighting.srv->record.target, UW_DNS_A) &&
         !uw_cache_find(cache, ptr->link, &sighting.srv->record.target, UW_DNS_AAAA)))
        return 0;
    return note_sighting(roster, &sighting);
}

/* ---- what it looks like ---- */

static const char *
keep(struct shown *shown, const void *bytes, size_t n)
{
    char *text = shown->text + shown->used;
    size_t room = sizeof(shown->text) - shown->used, length;

    if (room < 2)
        return "";
    length = uw_clean_text(text, room - 1, bytes, n);
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\n' || text[i] == '\t')
            text[i] = ' ';
    shown->used += length + 1;
    return text;
}

static const char *
keep_text(struct shown *shown, const char *text)
{
    return keep(shown, text, strlen(text));
}

/* Strings "KEY=VALUE" behind their length (RFC 6763 6); the first of a key counts. */
static void
keep_txt(struct shown *shown, const uint8_t *data, size_t size)
{
    struct uw_discovered *server = &shown->server;

    for (size_t at = 0; at < size && at + 1u + data[at] <= size; at += 1u + data[at]) {
        const char *s = (const char *)data + at + 1, *eq = memchr(s, '=', data[at]);
        size_t key = eq ? (size_t)(eq - s) : data[at];
        struct uw_discovered_txt *txt = &shown->txt[server->num_txt];

        if (key == 0 || server->num_txt == TXT_MAX)
            continue;
        txt->key = keep(shown, s, key);
        if (uw_discovered_get(server, txt->key))
            continue;
        txt->value = eq ? keep(shown, eq + 1, data[at] - key - 1) : "";
        server->num_txt++;
    }
}

static int
compare_addresses(const void *a, const void *b)
{
    const struct address *x = (const struct address *)a, *y = (const struct address *)b;
    int r;

    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    r = memcmp(x->bytes, y->bytes, sizeof(x->bytes));
    return r ? r : (x->link > y->link) - (x->link < y->link);
}

static void
add_address(struct address *all, unsigned *count, const struct address *a)
{
    for (unsigned i = 0; i < *count; i++)
        if (all[i].family == a->family && all[i].link == a->link &&
            memcmp(all[i].bytes, a->bytes, sizeof(a->bytes)) == 0) {
            if (a->rank < all[i].rank)
                all[i].rank = a->rank;
            return;
        }
    if (*count < ADDRESSES_MAX)
        all[(*count)++] = *a;
}

/* An address as it was seen on a link. */
static struct address
read_address(const struct uw_cached *c, const struct uw_link *link)
{
    struct address a = {.family = c->record.type == UW_DNS_A ? AF_INET : AF_INET6};
    char numeric[INET6_ADDRSTRLEN];

    memcpy(a.bytes, c->data, c->record.data_size);
    inet_ntop(a.family, a.bytes, numeric, sizeof(numeric));
    if (a.family == AF_INET) {
        struct in_addr v4;

        memcpy(&v4, a.bytes, sizeof(v4));
        a.rank = uw_link_has_neighbour(link, v4) ? 0 : 1;
    } else {
        a.rank = 2;
        if (a.bytes[0] == 0xfe && (a.bytes[1] & 0xc0) == 0x80)
            a.link = link->index;
    }
    snprintf(a.text, sizeof(a.text), "%s%s%s", numeric, a.link ? "%" : "",
             a.link ? link->name : "");
    return a;
}

static unsigned
collect_addresses(const struct server *s, struct uw_cache *cache, struct address *ret_all)
{
    struct uw_list *pos, *tmp;
    unsigned count = 0;

    uw_list_each(pos, tmp, &cache->records)
    {
        const struct uw_cached *c = UW_CONTAINER(pos, struct uw_cached, list);
        int is_address = c->record.type == UW_DNS_A || c->record.type == UW_DNS_AAAA;

        for (unsigned i = 0; is_address && i < s->count; i++)
            if (c->link == s->seen[i].link->index && uw_dns_name_equal(&c->record.name, &s->host)) {
                struct address a = read_address(c, s->seen[i].link);

                add_address(ret_all, &count, &a);
            }
    }
    qsort(ret_all, count, sizeof(*ret_all), compare_addresses);
    return count;
}

static void
keep_addresses(struct shown *shown, const struct server *s, struct uw_cache *cache)
{
    struct address all[ADDRESSES_MAX] = {0};
    unsigned count = collect_addresses(s, cache, all);
    char best[sizeof(all[0].text) + 16];

    for (unsigned i = 0; i < count; i++)
        shown->addresses[i] = keep_text(shown, all[i].text);
    snprintf(best, sizeof(best), all[0].family == AF_INET ? "%s:%u" : "[%s]:%u", all[0].text,
             s->port);
    shown->server.address = keep_text(shown, best);
    shown->server.addresses = shown->addresses;
    shown->server.num_addresses = count;
}

static void
keep_links(struct shown *shown, const struct server *s)
{
    char names[SIGHTINGS_MAX * (IF_NAMESIZE + 1)] = "";
    unsigned last = 0;

    /* In the order of their numbers, each once. */
    for (unsigned i = 0; i < s->count; i++) {
        const struct uw_link *next = NULL;
        size_t n = strlen(names);

        for (unsigned j = 0; j < s->count; j++)
            if (s->seen[j].link->index > last && (!next || s->seen[j].link->index < next->index))
                next = s->seen[j].link;
        if (!next)
            break;
        last = next->index;
        snprintf(names + n, sizeof(names) - n, "%s%s", n ? "," : "", next->name);
    }
    shown->server.links = keep_text(shown, names);
}

static struct shown *
look_at(const struct server *s, struct uw_cache *cache)
{
    struct shown *shown = calloc(1, sizeof(*shown));
    const struct sighting *newest = &s->seen[0];
    char text[UW_DNS_TEXT_SIZE];

    if (!shown)
        return NULL;
    for (unsigned i = 1; i < s->count; i++)
        if (s->seen[i].txt->seen.us > newest->txt->seen.us)
            newest = &s->seen[i];
    shown->server.port = s->port;
    shown->server.txt = shown->txt;
    shown->server.instance =
        keep(shown, newest->srv->record.name.bytes + 1, newest->srv->record.name.bytes[0]);
    shown->server.host = keep_text(shown, uw_dns_name_text(&s->host, text, sizeof(text)));
    keep_links(shown, s);
    keep_addresses(shown, s, cache);
    keep_txt(shown, newest->txt->data, newest->txt->record.data_size);
    return shown;
}

static int
is_equal(const struct shown *a, const struct shown *b)
{
    return a->used == b->used && a->server.num_txt == b->server.num_txt &&
           a->server.num_addresses == b->server.num_addresses &&
           memcmp(a->text, b->text, a->used) == 0;
}

/* ---- the present, and what was told ---- */

static void
set_now(struct server *s, struct shown *now)
{
    if (s->now != s->told)
        free(s->now);
    s->now = now;
}

static int
renew(struct uw_roster *roster, struct server *s, struct uw_cache *cache)
{
    struct shown *now = NULL;

    if (s->count) {
        now = look_at(s, cache);
        if (!now)
            return UW_ERROR_NO_MEMORY;
        if (s->told && is_equal(now, s->told)) {
            free(now);
            now = s->told;
        }
    }
    set_now(s, now);
    if (!now && !s->told)
        drop(roster, s);
    return 0;
}

int
uw_roster_update(struct uw_roster *roster, struct uw_cache *cache, const struct uw_dns_name *type,
                 const struct uw_link *const *links, int count)
{
    struct uw_list *pos, *tmp;
    int r = 0;

    uw_list_each(pos, tmp, &roster->servers) UW_CONTAINER(pos, struct server, list)->count = 0;
    uw_list_each(pos, tmp, &cache->records)
    {
        const struct uw_cached *c = UW_CONTAINER(pos, struct uw_cached, list);
        const struct uw_link *link = find_link(links, count, c->link);

        if (r == 0 && link && c->record.type == UW_DNS_PTR &&
            uw_dns_name_equal(&c->record.name, type))
            r = note_instance(roster, cache, c, link);
    }
    uw_list_each(pos, tmp, &roster->servers) if (r == 0) r =
        renew(roster, UW_CONTAINER(pos, struct server, list), cache);
    return r;
}

static struct server *
find_changed(const struct uw_roster *roster)
{
    for (struct uw_list *pos = roster->servers.next; pos != &roster->servers; pos = pos->next) {
        struct server *s = UW_CONTAINER(pos, struct server, list);

        if (s->now != s->told)
            return s;
    }
    return NULL;
}

int
uw_roster_has_event(const struct uw_roster *roster)
{
    return find_changed(roster) != NULL;
}

int
uw_roster_next(struct uw_roster *roster, struct uw_discover_event *ret_event)
{
    struct server *s = find_changed(roster);
    struct shown *before;

    free(roster->given);
    roster->given = NULL;
    if (!s)
        return 0;
    before = s->told;
    s->told = s->now;
    if (!s->told) {
        /* What it last was lives until the next call. */
        *ret_event = (struct uw_discover_event){UW_DISCOVER_REMOVED, &before->server};
        roster->given = &before->server;
        s->now = NULL;
        drop(roster, s);
        return 1;
    }
    free(before);
    *ret_event = (struct uw_discover_event){before ? UW_DISCOVER_CHANGED : UW_DISCOVER_ADDED,
                                            &s->told->server};
    return 1;
}

/* ---- what users ask of a server ---- */

const char *
uw_discovered_get(const struct uw_discovered *server, const char *key)
{
    for (unsigned i = 0; i < server->num_txt; i++)
        if (strcasecmp(server->txt[i].key, key) == 0)
            return server->txt[i].value;
    return NULL;
}

int
uw_discovered_is_board(const struct uw_discovered *server, const char *board_id)
{
    const char *id = uw_discovered_get(server, "board_id");
    size_t n = strlen(board_id);

    if (id && strcasecmp(id, board_id) == 0)
        return 1;
    return n && strncasecmp(server->host, board_id, n) == 0 &&
           (server->host[n] == '\0' || strcasecmp(server->host + n, ".local") == 0);
}
