/*
 * advert.c - the records of the bench
 *
 * PTR _usbip._tcp.local -> instance, SRV instance -> host and port, TXT instance, A and AAAA host;
 * and the PTR by which those who look for kinds of services find this one (RFC 6763 9). TTLs are
 * those of the ESP bridge.
 */
#include <stdio.h>
#include <string.h>

#include "sim/advert.h"

#define TTL_LONG   4500u /* what names no host */
#define TTL_SHORT  120u
#define TTL_LEGACY 10u
#define RECORDS    (4u + 2u * SIM_ADDRESSES_MAX)

struct record_set {
    struct uw_dns_record at[RECORDS];
    unsigned count;
};

void
sim_advert_name(struct sim_advert *a)
{
    char label[UW_DNS_LABEL_MAX + 16];
    struct uw_dns_name local;
    int n;

    (void)uw_dns_name_parse("local", &local);
    (void)uw_dns_name_parse("_usbip._tcp.local", &a->type);
    (void)uw_dns_name_parse("_services._dns-sd._udp.local", &a->all_types);
    n = snprintf(label, sizeof(label), a->instance_number > 1 ? "%.55s (%u)" : "%s", a->label,
                 a->instance_number);
    (void)uw_dns_name_join(label, (size_t)n, &a->type, &a->instance);
    n = snprintf(label, sizeof(label), a->host_number > 1 ? "%.55s-%u" : "%s", a->host_label,
                 a->host_number);
    (void)uw_dns_name_join(label, (size_t)n, &local, &a->host);
}

void
sim_advert_txt(struct sim_advert *a, const char *key, const char *value)
{
    size_t n = strlen(key) + 1 + strlen(value);

    if (n > 255 || a->txt_size + 1 + n > sizeof(a->txt))
        return;
    a->txt[a->txt_size++] = (uint8_t)n;
    n = strlen(key);
    memcpy(a->txt + a->txt_size, key, n);
    a->txt[a->txt_size + n] = '=';
    memcpy(a->txt + a->txt_size + n + 1, value, strlen(value));
    a->txt_size += n + 1 + strlen(value);
}

static struct uw_dns_record *
add(struct record_set *set, const struct uw_dns_name *name, uint16_t type, uint32_t ttl, int flush)
{
    struct uw_dns_record *r = &set->at[set->count++];

    *r = (struct uw_dns_record){.name = *name, .type = type, .ttl = ttl, .flush = flush};
    return r;
}

static struct record_set
records(const struct sim_advert *a, const struct sim_reach *reach)
{
    struct record_set set = {.count = 0};
    struct uw_dns_record *r;

    add(&set, &a->type, UW_DNS_PTR, TTL_LONG, 0)->target = a->instance;
    add(&set, &a->all_types, UW_DNS_PTR, TTL_LONG, 0)->target = a->type;
    r = add(&set, &a->instance, UW_DNS_SRV, TTL_SHORT, 1);
    r->target = a->host;
    r->port = a->port;
    r = add(&set, &a->instance, UW_DNS_TXT, TTL_LONG, 1);
    r->data = a->txt;
    r->data_size = a->txt_size;
    for (unsigned i = 0; i < reach->count4; i++) {
        r = add(&set, &a->host, UW_DNS_A, TTL_SHORT, 1);
        r->data = reach->v4[i];
        r->data_size = 4;
    }
    for (unsigned i = 0; i < reach->count6; i++) {
        r = add(&set, &a->host, UW_DNS_AAAA, TTL_SHORT, 1);
        r->data = reach->v6[i];
        r->data_size = 16;
    }
    return set;
}

size_t
sim_advert_announce(const struct sim_advert *a, const struct sim_reach *reach, int farewell,
                    uint8_t *packet, size_t room)
{
    struct record_set set = records(a, reach);
    struct uw_dns_writer w;

    uw_encode_dns_packet(&w, packet, room, 0, UW_DNS_RESPONSE | UW_DNS_AUTHORITATIVE);
    for (unsigned i = 0; i < set.count; i++) {
        /* Other servers may still be of the type. */
        if (farewell && uw_dns_name_equal(&set.at[i].name, &a->all_types))
            continue;
        if (farewell)
            set.at[i].ttl = 0;
        uw_dns_add_record(&w, UW_DNS_ANSWER, &set.at[i]);
    }
    return uw_dns_finish(&w);
}

size_t
sim_advert_probe(const struct sim_advert *a, const struct sim_reach *reach, uint8_t *packet,
                 size_t room)
{
    struct record_set set = records(a, reach);
    /* Not asking for unicast answers: they would not reach a socket that is bound to the group. */
    struct uw_dns_question q = {.name = a->instance, .type = UW_DNS_ANY};
    struct uw_dns_writer w;

    uw_encode_dns_packet(&w, packet, room, 0, 0);
    uw_dns_add_question(&w, &q);
    q.name = a->host;
    uw_dns_add_question(&w, &q);
    for (unsigned i = 0; i < set.count; i++) {
        set.at[i].flush = 0; /* RFC 6762 10.2: not in probes */
        if (set.at[i].type != UW_DNS_PTR)
            uw_dns_add_record(&w, UW_DNS_AUTHORITY, &set.at[i]);
    }
    return uw_dns_finish(&w);
}

/* ---- what others send ---- */

static int
matches(const struct uw_dns_question *q, const struct uw_dns_record *r)
{
    return (q->type == r->type || q->type == UW_DNS_ANY) && uw_dns_name_equal(&q->name, &r->name);
}

static int
is_same_data(const struct uw_dns_record *a, const struct uw_dns_record *b)
{
    if (a->type != b->type)
        return 0;
    if (a->type == UW_DNS_SRV)
        return a->port == b->port && uw_dns_name_equal(&a->target, &b->target);
    if (a->type == UW_DNS_PTR)
        return uw_dns_name_equal(&a->target, &b->target);
    return a->data_size == b->data_size && memcmp(a->data, b->data, a->data_size) == 0;
}

/* Which of two has the "lexicographically later" SRV data (RFC 6762 8.2). */
static int
compare_srv(const struct uw_dns_record *a, const struct uw_dns_record *b)
{
    size_t n = a->target.size < b->target.size ? a->target.size : b->target.size;
    int r;

    if (a->port != b->port)
        return a->port < b->port ? -1 : 1;
    r = memcmp(a->target.bytes, b->target.bytes, n);
    return r ? r : (int)a->target.size - (int)b->target.size;
}

/* A known answer, fresh enough, is not repeated (RFC 6762 7.1). */
static int
is_known(const struct uw_dns_record *ours, const uint8_t *query, size_t size)
{
    struct uw_dns_reader reader;
    struct uw_dns_question q;
    struct uw_dns_record r;
    int more = uw_decode_dns_packet(query, size, &reader) == 0;
    unsigned answers = more ? reader.sections[UW_DNS_ANSWER] : 0;

    while (more && uw_dns_next_question(&reader, &q) > 0)
        continue;
    for (; answers && uw_dns_next_record(&reader, &r) > 0; answers--)
        if (uw_dns_name_equal(&r.name, &ours->name) && is_same_data(&r, ours) &&
            r.ttl >= ours->ttl / 2)
            return 1;
    return 0;
}

struct sim_asked
sim_advert_read_query(const struct sim_advert *a, const uint8_t *packet, size_t size)
{
    static const struct sim_reach nowhere;
    struct record_set set = records(a, &nowhere);
    struct sim_asked asked = {.unicast = 1};
    struct uw_dns_reader reader;
    struct uw_dns_question q;
    struct uw_dns_record r;

    if (uw_decode_dns_packet(packet, size, &reader) < 0 || (reader.flags & UW_DNS_RESPONSE))
        return asked;
    while (uw_dns_next_question(&reader, &q) > 0) {
        int ours = uw_dns_name_equal(&q.name, &a->host) || uw_dns_name_equal(&q.name, &a->instance);

        for (unsigned i = 0; i < set.count; i++)
            ours |= matches(&q, &set.at[i]) && !is_known(&set.at[i], packet, size);
        asked.is_ours |= ours;
        asked.unicast &= q.unicast || !ours;
    }
    if (!reader.sections[UW_DNS_AUTHORITY])
        return asked;
    while (uw_dns_next_record(&reader, &r) > 0)
        if (r.type == UW_DNS_SRV && uw_dns_name_equal(&r.name, &a->instance)) {
            struct uw_dns_record mine = {.target = a->host, .port = a->port};

            asked.is_probe = 1;
            asked.rival = compare_srv(&mine, &r);
        }
    return asked;
}

size_t
sim_advert_answer(const struct sim_advert *a, const struct sim_reach *reach, const uint8_t *query,
                  size_t query_size, int legacy, uint8_t *packet, size_t room)
{
    struct record_set set = records(a, reach);
    struct uw_dns_reader reader;
    struct uw_dns_question q;
    struct uw_dns_writer w;
    unsigned asked[RECORDS] = {0};

    if (uw_decode_dns_packet(query, query_size, &reader) < 0)
        return 0;
    uw_encode_dns_packet(&w, packet, room, legacy ? reader.id : 0,
                         UW_DNS_RESPONSE | UW_DNS_AUTHORITATIVE);
    while (uw_dns_next_question(&reader, &q) > 0) {
        for (unsigned i = 0; i < set.count; i++)
            asked[i] |= (unsigned)matches(&q, &set.at[i]);
        q.unicast = 0;
        if (legacy)
            uw_dns_add_question(&w, &q);
    }
    for (int additional = 0; additional < 2; additional++)
        for (unsigned i = 0; i < set.count; i++) {
            struct uw_dns_record *r = &set.at[i];

            if (asked[i] == (unsigned)additional)
                continue;
            if (legacy)
                r->flush = 0;
            if (legacy && r->ttl > TTL_LEGACY)
                r->ttl = TTL_LEGACY;
            uw_dns_add_record(&w, additional ? UW_DNS_ADDITIONAL : UW_DNS_ANSWER, r);
        }
    return uw_dns_finish(&w);
}

static int
is_reach(const struct sim_reach *reach, const struct uw_dns_record *r)
{
    for (unsigned i = 0; i < reach->count4; i++)
        if (r->type == UW_DNS_A && memcmp(reach->v4[i], r->data, 4) == 0)
            return 1;
    for (unsigned i = 0; i < reach->count6; i++)
        if (r->type == UW_DNS_AAAA && memcmp(reach->v6[i], r->data, 16) == 0)
            return 1;
    return 0;
}

int
sim_advert_conflicts(const struct sim_advert *a, const struct sim_reach *reach,
                     const uint8_t *packet, size_t size)
{
    struct uw_dns_reader reader;
    struct uw_dns_question q;
    struct uw_dns_record r;
    int conflicts = 0;

    if (uw_decode_dns_packet(packet, size, &reader) < 0 || !uw_dns_is_answer(&reader))
        return 0;
    while (uw_dns_next_question(&reader, &q) > 0)
        continue;
    while (uw_dns_next_record(&reader, &r) > 0) {
        if (r.ttl && r.type == UW_DNS_SRV && uw_dns_name_equal(&r.name, &a->instance) &&
            (r.port != a->port || !uw_dns_name_equal(&r.target, &a->host)))
            conflicts |= SIM_CONFLICT_INSTANCE;
        if (r.ttl && (r.type == UW_DNS_A || r.type == UW_DNS_AAAA) &&
            uw_dns_name_equal(&r.name, &a->host) && !is_reach(reach, &r))
            conflicts |= SIM_CONFLICT_HOST;
    }
    return conflicts;
}
