/*
 * discover.c - asking for servers, and listening
 *
 * The question goes out at 0, 1, 3, 7 ... s, at last once an hour (RFC 6762 5.2): from an asker,
 * for unicast answers, and from the listener with what is known already. What an answer lacks - a
 * port, a text, an address - is asked for, ever more rarely while nobody answers; what is about to
 * expire is asked for again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "client/import.h"
#include "client/mdns.h"
#include "discover/roster.h"

#define FIRST_STEP_US    1000000u
#define LAST_STEP_US     3600000000u
#define MISSING_FIRST_US 300000u
#define MISSING_DOUBLES  8u /* 0.3 s to 77 s */
#define PACKET_ROOM      1400u

struct uw_discover {
    struct uw_grave grave;
    struct uw_loop *loop;
    struct uw_mdns *mdns;
    struct uw_dns_name type;
    struct uw_cache cache;
    struct uw_roster roster;
    struct uw_timer timer;
    struct uw_usec ask_at, step; /* instant; duration */
    int asked_once;
    int no_memory;
};

/* ---- asking ---- */

static void
add_known_answers(struct uw_discover *d, unsigned link, struct uw_dns_writer *w, struct uw_usec now)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &d->cache.records)
    {
        struct uw_cached *c = UW_CONTAINER(pos, struct uw_cached, list);
        struct uw_dns_record known = c->record;

        known.ttl = uw_cached_left(c, now);
        if (c->link == link && known.type == UW_DNS_PTR && known.ttl >= c->record.ttl / 2 &&
            !uw_dns_add_record(w, UW_DNS_ANSWER, &known))
            return;
    }
}

/* Asks on one link in both ways. */
static void
ask(struct uw_discover *d, const struct uw_link *link, const struct uw_dns_name *name,
    uint16_t type, int with_known, struct uw_usec now)
{
    struct uw_dns_question q = {.name = *name, .type = type};
    struct uw_dns_writer w;
    uint8_t packet[PACKET_ROOM];

    for (unsigned from = UW_MDNS_LISTENER; from <= UW_MDNS_ASKER; from++) {
        q.unicast = from == UW_MDNS_ASKER;
        uw_encode_dns_packet(&w, packet, sizeof(packet), 0, 0);
        uw_dns_add_question(&w, &q);
        if (with_known && from == UW_MDNS_LISTENER)
            add_known_answers(d, link->index, &w, now);
        uw_mdns_ask(d->mdns, link, (enum uw_mdns_from)from, packet, uw_dns_finish(&w));
    }
}

static const struct uw_link *
link_of(const struct uw_discover *d, unsigned index)
{
    const struct uw_link *link;

    for (unsigned i = 0; (link = uw_mdns_link(d->mdns, i)); i++)
        if (link->index == index)
            return link;
    return NULL;
}

static void
ask_for_all(struct uw_discover *d, struct uw_usec now)
{
    const struct uw_link *link;

    for (unsigned i = 0; (link = uw_mdns_link(d->mdns, i)); i++)
        ask(d, link, &d->type, UW_DNS_PTR, d->asked_once, now);
    d->asked_once = 1;
    d->ask_at = uw_usec_add(now, d->step);
    d->step = uw_usec_min(uw_usec(d->step.us * 2), uw_usec(LAST_STEP_US));
}

/* What an instance lacks: asks for it, if it is time to. Returns when it will be. */
static struct uw_usec
ask_for_missing(struct uw_discover *d, struct uw_cached *ptr, struct uw_usec now)
{
    const struct uw_link *link = link_of(d, ptr->link);
    const struct uw_dns_name *name = &ptr->record.target;
    struct uw_cached *srv = uw_cache_find(&d->cache, ptr->link, name, UW_DNS_SRV);
    struct uw_cached *txt = uw_cache_find(&d->cache, ptr->link, name, UW_DNS_TXT);
    const struct uw_dns_name *host = srv ? &srv->record.target : NULL;
    int has_address = host && (uw_cache_find(&d->cache, ptr->link, host, UW_DNS_A) ||
                               uw_cache_find(&d->cache, ptr->link, host, UW_DNS_AAAA));

    if (!link || (srv && txt && has_address)) {
        ptr->asks = 0;
        return uw_never();
    }
    if (ptr->asks == 0 && ptr->ask_at.us <= ptr->seen.us)
        ptr->ask_at = ptr->seen; /* at once: answers come whole, or not */
    if (ptr->ask_at.us > now.us)
        return ptr->ask_at;
    if (!srv)
        ask(d, link, name, UW_DNS_SRV, 0, now);
    if (!txt)
        ask(d, link, name, UW_DNS_TXT, 0, now);
    if (srv && !has_address) {
        ask(d, link, host, UW_DNS_A, 0, now);
        ask(d, link, host, UW_DNS_AAAA, 0, now);
    }
    ptr->ask_at = uw_usec_add(now, uw_usec((uint64_t)MISSING_FIRST_US << ptr->asks));
    if (ptr->asks < MISSING_DOUBLES)
        ptr->asks++;
    return ptr->ask_at;
}

/* Confirms a record in time. Returns when to come again for it. */
static struct uw_usec
confirm(struct uw_discover *d, struct uw_cached *c, struct uw_usec now)
{
    const struct uw_link *link = link_of(d, c->link);

    if (link && uw_cached_refresh_at(c).us <= now.us) {
        c->refreshes++;
        ask(d, link, &c->record.name, c->record.type, 0, now);
    }
    return uw_usec_min(c->expires, uw_cached_refresh_at(c));
}

/* Does what is due, and plans the next time. */
static void
attend(struct uw_discover *d, struct uw_usec now)
{
    struct uw_list *pos, *tmp;
    struct uw_usec next;

    uw_cache_expire(&d->cache, now);
    if (d->ask_at.us <= now.us)
        ask_for_all(d, now);
    next = d->ask_at;
    uw_list_each(pos, tmp, &d->cache.records)
    {
        struct uw_cached *c = UW_CONTAINER(pos, struct uw_cached, list);

        next = uw_usec_min(next, confirm(d, c, now));
        if (c->record.type == UW_DNS_PTR)
            next = uw_usec_min(next, ask_for_missing(d, c, now));
    }
    uw_loop_set_timer(d->loop, &d->timer, next);
}

/* ---- what comes ---- */

static void
update(struct uw_discover *d)
{
    const struct uw_link *links[UW_LINKS_MAX];
    int count = 0;

    if (!d->cache.changed)
        return;
    d->cache.changed = 0;
    while (count < UW_LINKS_MAX && (links[count] = uw_mdns_link(d->mdns, (unsigned)count)))
        count++;
    if (uw_roster_update(&d->roster, &d->cache, &d->type, links, count) < 0)
        d->no_memory = 1;
    uw_loop_wake_waiters(d->loop);
}

/* Of all that is said on the network, what belongs to our kind of service. Instances end in its
 * name; hosts are those that an instance names. */
static int
is_relevant(struct uw_discover *d, unsigned link, const struct uw_dns_record *record)
{
    struct uw_list *pos, *tmp;
    const uint8_t *label;

    if (record->type == UW_DNS_PTR)
        return uw_dns_name_equal(&record->name, &d->type) &&
               uw_dns_name_label(&record->target, &d->type, &label);
    if (record->type == UW_DNS_SRV || record->type == UW_DNS_TXT)
        return uw_dns_name_label(&record->name, &d->type, &label) != 0;
    if (record->type != UW_DNS_A && record->type != UW_DNS_AAAA)
        return 0;
    uw_list_each(pos, tmp, &d->cache.records)
    {
        const struct uw_cached *c = UW_CONTAINER(pos, struct uw_cached, list);

        if (c->link == link && c->record.type == UW_DNS_SRV &&
            uw_dns_name_equal(&c->record.target, &record->name))
            return 1;
    }
    return 0;
}

/* Addresses are judged by the SRV records, which may stand behind them: so twice. */
static void
take_records(struct uw_discover *d, unsigned link, struct uw_dns_reader reader, int addresses,
             struct uw_usec now)
{
    struct uw_dns_question q;
    struct uw_dns_record record;
    int r;

    while ((r = uw_dns_next_question(&reader, &q)) > 0)
        continue;
    while (r == 0 && uw_dns_next_record(&reader, &record) > 0) {
        int is_address = record.type == UW_DNS_A || record.type == UW_DNS_AAAA;

        if (is_address == addresses && is_relevant(d, link, &record) &&
            uw_cache_take(&d->cache, link, &record, now) < 0)
            d->no_memory = 1;
    }
}

static void
receive(void *arg, const struct uw_link *link, const uint8_t *bytes, size_t size,
        struct uw_usec now)
{
    struct uw_discover *d = (struct uw_discover *)arg;
    struct uw_dns_reader reader;

    if (uw_decode_dns_packet(bytes, size, &reader) < 0 || !uw_dns_is_answer(&reader))
        return;
    take_records(d, link->index, reader, 0, now);
    take_records(d, link->index, reader, 1, now);
    attend(d, now);
    update(d);
}

static void
link_up(void *arg, const struct uw_link *link, struct uw_usec now)
{
    struct uw_discover *d = (struct uw_discover *)arg;

    ask(d, link, &d->type, UW_DNS_PTR, 0, now);
    d->step = uw_usec(FIRST_STEP_US);
    d->ask_at = uw_usec_min(d->ask_at, uw_usec_add(now, d->step));
    attend(d, now);
}

static void
link_down(void *arg, const struct uw_link *link, struct uw_usec now)
{
    struct uw_discover *d = (struct uw_discover *)arg;

    uw_cache_forget_link(&d->cache, link->index);
    attend(d, now);
    update(d);
}

static void
fire(struct uw_timer *timer, struct uw_usec now)
{
    struct uw_discover *d = UW_CONTAINER(timer, struct uw_discover, timer);

    attend(d, now);
    update(d);
}

/* ---- the public face ---- */

static void
free_discover(struct uw_grave *grave)
{
    free(UW_CONTAINER(grave, struct uw_discover, grave));
}

static int
refuse(int code, const char *link, struct uw_fault *fault)
{
    uw_fault_set(fault, code, "look for servers on %s%s", link ? "interface " : "the network",
                 link ? link : "");
    if (code == UW_ERROR_NOT_FOUND) {
        uw_fault_came(fault, 0, "%s",
                      link ? "there is no such interface" : "there is no interface");
        uw_fault_advice(fault, "'ip link' shows the interfaces; or name the server by its address");
    }
    return code;
}

int
uw_discover_new(struct uw_loop *loop, const char *link, struct uw_discover **ret_discover,
                struct uw_fault *fault)
{
    struct uw_discover *d = calloc(1, sizeof(*d));
    struct uw_mdns_user user = {
        .packet = receive, .link_up = link_up, .link_down = link_down, .arg = d};
    int r;

    if (!d)
        return refuse(UW_ERROR_NO_MEMORY, link, fault);
    d->grave.free = free_discover;
    uw_list_init(&d->grave.link);
    d->loop = loop;
    d->timer.fire = fire;
    d->step = uw_usec(FIRST_STEP_US);
    (void)uw_dns_name_parse("_usbip._tcp.local", &d->type);
    uw_cache_init(&d->cache);
    uw_roster_init(&d->roster);
    uw_loop_lock(loop);
    r = uw_mdns_open(loop, link, &user, &d->mdns);
    if (r == 0)
        uw_loop_set_timer(loop, &d->timer, uw_usec(0));
    uw_loop_unlock(loop);
    if (r < 0) {
        free(d);
        return refuse(r, link, fault);
    }
    *ret_discover = d;
    return 0;
}

void
uw_discover_free(struct uw_discover *d)
{
    struct uw_loop *loop;

    if (!d)
        return;
    loop = d->loop;
    uw_loop_lock(loop);
    uw_mdns_close(d->mdns);
    uw_loop_set_timer(loop, &d->timer, uw_never());
    uw_cache_clear(&d->cache);
    uw_roster_clear(&d->roster);
    uw_loop_bury(loop, &d->grave);
    uw_loop_unlock(loop);
}

static int
has_event(void *arg)
{
    struct uw_discover *d = (struct uw_discover *)arg;

    return d->no_memory || uw_roster_has_event(&d->roster);
}

int
uw_discover_next(struct uw_discover *d, struct uw_usec timeout, struct uw_discover_event *ret_event)
{
    int r;

    uw_loop_lock(d->loop);
    r = uw_loop_until(d->loop, has_event, d, uw_usec_add(uw_now(), timeout), 1, NULL);
    if (r == 1 && d->no_memory) {
        d->no_memory = 0;
        r = UW_ERROR_NO_MEMORY;
    } else if (r == 1) {
        uw_roster_next(&d->roster, ret_event);
    }
    uw_loop_unlock(d->loop);
    return r;
}
