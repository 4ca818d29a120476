/*
 * mdns.c - the bench makes itself known by multicast DNS (RFC 6762, RFC 6763), as the ESP bridge
 * does
 *
 *     PROBING ──3 times, 250 ms apart──► ANNOUNCING ──twice, 1 s apart──► UP
 *        ▲   somebody has the names: others are tried        │             │
 *        └───────────────────────── a conflict ──────────────┴─────────────┘
 *
 * It speaks on the links on which the server can be reached. On each it names the addresses of that
 * link. Its end is said to all.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "sim/advert.h"
#include "sim/sim.h"

#define PROBES        3u
#define PROBE_MS      250u
#define ANNOUNCEMENTS 2u
#define ANNOUNCE_MS   1000u
#define DEFER_MS      1000u /* to somebody who asks for the same names with better right */
#define DELAY_MS      20u   /* of an answer to all, so that others may say the same: 20..120 */
#define DELAY_MORE_MS 100u
#define PACKET_ROOM   1400u /* of what is sent: no fragments */

enum state { PROBING, ANNOUNCING, UP };

struct place {
    struct sim_source listen6; /* fd -1: none */
    struct sim_mdns *mdns;
    struct uw_link link;
    struct sim_reach reach;
    int joined;
    int owed; /* an answer to all */
};

struct sim_mdns {
    struct uw_sim *sim;
    struct sim_source listen4;
    struct sim_advert advert;
    char board_id[64];
    unsigned offered; /* devices, as last described, and the last of them */
    const struct sim_device *last;
    enum state state;
    unsigned sent; /* probes, or announcements */
    struct sim_timer step_timer, answer_timer;
    struct place places[UW_LINKS_MAX];
    int count;
};

/* ---- sending ---- */

static void
send_to_all(struct sim_mdns *m, const struct place *p, const uint8_t *packet, size_t size)
{
    if (p->joined)
        uw_mdns_send(m->listen4.fd, AF_INET, &p->link, packet, size);
    if (p->listen6.fd >= 0)
        uw_mdns_send(p->listen6.fd, AF_INET6, &p->link, packet, size);
}

static void
announce(struct sim_mdns *m, int farewell)
{
    uint8_t packet[PACKET_ROOM];

    for (int i = 0; i < m->count; i++) {
        struct place *p = &m->places[i];
        size_t n = sim_advert_announce(&m->advert, &p->reach, farewell, packet, sizeof(packet));

        send_to_all(m, p, packet, n);
        p->owed = 0;
    }
}

static void
probe(struct sim_mdns *m)
{
    uint8_t packet[PACKET_ROOM];

    for (int i = 0; i < m->count; i++) {
        size_t n = sim_advert_probe(&m->advert, &m->places[i].reach, packet, sizeof(packet));

        send_to_all(m, &m->places[i], packet, n);
    }
}

static void
plan_step(struct sim_mdns *m, uint32_t ms)
{
    sim_set_timer(m->sim, &m->step_timer, uw_usec_add(m->sim->now, uw_msec(ms)));
}

static void
step(struct sim_timer *timer, struct uw_usec now)
{
    struct sim_mdns *m = UW_CONTAINER(timer, struct sim_mdns, step_timer);

    (void)now;
    if (m->state == PROBING && m->sent < PROBES) {
        probe(m);
        m->sent++;
        plan_step(m, PROBE_MS);
        return;
    }
    if (m->state == PROBING) {
        m->state = ANNOUNCING;
        m->sent = 0;
    }
    announce(m, 0);
    if (++m->sent < ANNOUNCEMENTS) {
        plan_step(m, ANNOUNCE_MS);
        return;
    }
    m->state = UP;
    uw_log(&m->sim->log, UW_LOG_DEBUG, "mDNS: known on %d links", m->count);
}

static void
start_probing(struct sim_mdns *m, uint32_t delay_ms)
{
    m->state = PROBING;
    m->sent = 0;
    plan_step(m, delay_ms);
}

static void
answer_all(struct sim_timer *timer, struct uw_usec now)
{
    struct sim_mdns *m = UW_CONTAINER(timer, struct sim_mdns, answer_timer);
    uint8_t packet[PACKET_ROOM];

    (void)now;
    for (int i = 0; i < m->count; i++) {
        struct place *p = &m->places[i];
        size_t n;

        if (!p->owed || m->state == PROBING)
            continue;
        n = sim_advert_announce(&m->advert, &p->reach, 0, packet, sizeof(packet));
        send_to_all(m, p, packet, n);
        p->owed = 0;
    }
}

/* ---- receiving ---- */

static void
rename_after(struct sim_mdns *m, int conflicts)
{
    char name[UW_DNS_TEXT_SIZE];

    if (conflicts & SIM_CONFLICT_INSTANCE)
        m->advert.instance_number++;
    if (conflicts & SIM_CONFLICT_HOST)
        m->advert.host_number++;
    sim_advert_name(&m->advert);
    uw_log(&m->sim->log, UW_LOG_WARNING, "mDNS: the name is taken; trying %s",
           uw_dns_name_text(&m->advert.instance, name, sizeof(name)));
}

static void
take_answer(struct sim_mdns *m, const uint8_t *packet, size_t size)
{
    struct sim_reach all = {0};
    int conflicts;

    for (int i = 0; i < m->count; i++) {
        const struct sim_reach *r = &m->places[i].reach;

        for (unsigned j = 0; j < r->count4 && all.count4 < SIM_ADDRESSES_MAX; j++)
            memcpy(all.v4[all.count4++], r->v4[j], 4);
        for (unsigned j = 0; j < r->count6 && all.count6 < SIM_ADDRESSES_MAX; j++)
            memcpy(all.v6[all.count6++], r->v6[j], 16);
    }
    conflicts = sim_advert_conflicts(&m->advert, &all, packet, size);
    if (!conflicts)
        return;
    /* In use elsewhere: while probing it is theirs; later both ask anew, and one has better right.
     */
    if (m->state == PROBING)
        rename_after(m, conflicts);
    start_probing(m, m->state == PROBING ? PROBE_MS : 0);
}

static void
take_query(struct sim_mdns *m, struct place *p, int fd, const struct uw_mdns_packet *from,
           const uint8_t *query)
{
    struct sim_asked asked = sim_advert_read_query(&m->advert, query, from->size);
    uint8_t packet[PACKET_ROOM];
    size_t n;

    if (m->state == PROBING) {
        if (asked.is_probe && asked.rival < 0)
            start_probing(m, DEFER_MS);
        return;
    }
    if (!asked.is_ours)
        return;
    if (asked.unicast || !from->from_mdns) {
        n = sim_advert_answer(&m->advert, &p->reach, query, from->size, !from->from_mdns, packet,
                              sizeof(packet));
        uw_mdns_reply(fd, &from->from, &p->link, packet, n);
        return;
    }
    p->owed = 1;
    if (!uw_heap_contains(&m->answer_timer.node))
        sim_set_timer(m->sim, &m->answer_timer,
                      uw_usec_add(m->sim->now,
                                  uw_msec(DELAY_MS + sim_random(&m->sim->random) % DELAY_MORE_MS)));
}

static struct place *
find_place(struct sim_mdns *m, unsigned link)
{
    for (int i = 0; i < m->count; i++)
        if (m->places[i].link.index == link)
            return &m->places[i];
    return NULL;
}

static void
receive(struct sim_mdns *m, int fd)
{
    uint8_t packet[UW_DNS_PACKET_MAX];
    struct uw_mdns_packet from;
    int r;

    while ((r = uw_mdns_receive(fd, packet, sizeof(packet), &from)) != UW_AGAIN) {
        struct place *p = r == 1 ? find_place(m, from.link) : NULL;

        if (!p || from.size < UW_DNS_HEADER_SIZE || !uw_mdns_is_near(&p->link, &from.from))
            continue;
        if (packet[2] & (UW_DNS_RESPONSE >> 8)) {
            if (from.from_mdns)
                take_answer(m, packet, from.size);
        } else {
            take_query(m, p, fd, &from, packet);
        }
    }
}

static void
ready4(struct uw_sim *sim, struct sim_source *source, unsigned events)
{
    (void)sim;
    (void)events;
    receive(UW_CONTAINER(source, struct sim_mdns, listen4), source->fd);
}

static void
ready6(struct uw_sim *sim, struct sim_source *source, unsigned events)
{
    (void)sim;
    (void)events;
    receive(UW_CONTAINER(source, struct place, listen6)->mdns, source->fd);
}

/* ---- what there is to say ---- */

static void
describe(struct sim_mdns *m)
{
    struct sim_advert *a = &m->advert;
    struct uw_device_info one = {0};
    unsigned count = m->offered = sim_offered(m->sim, &m->last);
    char text[16];

    if (count == 1)
        sim_describe_device(m->last, &one);
    a->txt_size = 0;
    sim_advert_txt(a, "transport", "usbip");
    sim_advert_txt(a, "state", count ? "exporting" : "idle");
    snprintf(text, sizeof(text), "%u", count);
    sim_advert_txt(a, "count", text);
    sim_advert_txt(a, "busid", count == 0 ? "-" : count == 1 ? one.busid : "multi");
    snprintf(text, sizeof(text), count == 1 ? "%04x" : "-", one.vid);
    sim_advert_txt(a, "vid", text);
    snprintf(text, sizeof(text), count == 1 ? "%04x" : "-", one.pid);
    sim_advert_txt(a, "pid", text);
    sim_advert_txt(a, "target", "sim");
    if (m->board_id[0])
        sim_advert_txt(a, "board_id", m->board_id);
}

void
sim_mdns_refresh(struct sim_mdns *m)
{
    const struct sim_device *last;

    if (sim_offered(m->sim, &last) == m->offered && last == m->last)
        return;
    describe(m);
    if (m->state != PROBING)
        announce(m, 0);
}

/* ---- starting and ending ---- */

/* The addresses of a link that reach the server bound to `bound`. */
static struct sim_reach
reach_of(const struct uw_link *link, const struct sockaddr_storage *bound)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)bound;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)bound;
    struct sim_reach reach = {0};

    if (bound->ss_family == AF_INET) {
        for (unsigned i = 0; i < link->count4 && reach.count4 < SIM_ADDRESSES_MAX; i++)
            if (v4->sin_addr.s_addr == INADDR_ANY || v4->sin_addr.s_addr == link->v4[i].s_addr)
                memcpy(reach.v4[reach.count4++], &link->v4[i], 4);
        return reach;
    }
    for (unsigned i = 0; i < link->count6 && reach.count6 < SIM_ADDRESSES_MAX; i++)
        if (memcmp(&v6->sin6_addr, &in6addr_any, 16) == 0 ||
            memcmp(&v6->sin6_addr, &link->v6[i], 16) == 0)
            memcpy(reach.v6[reach.count6++], &link->v6[i], 16);
    return reach;
}

static void
add_place(struct sim_mdns *m, const struct uw_link *link, const struct sim_reach *reach)
{
    struct place *p = &m->places[m->count];

    p->mdns = m;
    p->link = *link;
    p->reach = *reach;
    p->joined = m->listen4.fd >= 0 && link->count4 && uw_mdns_join_v4(m->listen4.fd, link) == 0;
    p->listen6 = (struct sim_source){link->has_v6 ? uw_mdns_listen_v6(link) : -1, ready6};
    if (p->listen6.fd >= 0 && sim_watch(m->sim, &p->listen6) < 0) {
        close(p->listen6.fd);
        p->listen6.fd = -1;
    }
    if (p->joined || p->listen6.fd >= 0)
        m->count++;
}

static void
find_places(struct sim_mdns *m)
{
    struct uw_link links[UW_LINKS_MAX];
    struct sockaddr_storage bound = {0};
    socklen_t size = sizeof(bound);
    int count;

    memset(links, 0, sizeof(links));
    count = uw_links_list(NULL, links);
    (void)getsockname(m->sim->listener.fd, (struct sockaddr *)(void *)&bound, &size);
    for (int i = 0; i < count; i++) {
        struct sim_reach reach = reach_of(&links[i], &bound);

        if (reach.count4 || reach.count6)
            add_place(m, &links[i], &reach);
    }
}

/* "usbip-" and three bytes, as the ESP bridge makes it of its MAC address: the same each time for
 * the same place. */
static void
name_host(struct sim_advert *a, const char *machine)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (const char *p = machine; *p; p++)
        hash = (hash ^ (uint8_t)*p) * 16777619u;
    hash = (hash ^ (a->port & 0xffu)) * 16777619u;
    hash = (hash ^ (a->port >> 8)) * 16777619u;
    snprintf(a->host_label, sizeof(a->host_label), "usbip-%06x", (hash ^ hash >> 24) & 0xffffffu);
}

static int
refuse(struct uw_fault *fault, int code, const char *came, const char *advice)
{
    uw_fault_set(fault, code, "make the bench known by multicast DNS");
    uw_fault_came(fault, 0, "%s", came);
    uw_fault_advice(fault, "%s", advice);
    return code;
}

int
uw_sim_advertise(struct uw_sim *sim, const char *instance, const char *board_id,
                 struct uw_fault *fault)
{
    struct utsname machine = {.nodename = ""};
    struct sim_mdns *m;

    if (sim->listener.fd < 0 || sim->mdns)
        return refuse(fault, UW_ERROR_INVALID, "it is not listening, or is known already", "");
    if (instance && (!*instance || strlen(instance) > UW_DNS_LABEL_MAX))
        return refuse(fault, UW_ERROR_INVALID, "the name is empty or longer than 63 bytes", "");
    m = calloc(1, sizeof(*m));
    if (!m)
        return refuse(fault, UW_ERROR_NO_MEMORY, "", "");
    (void)uname(&machine);
    m->sim = sim;
    m->advert.port = sim->port;
    m->advert.instance_number = m->advert.host_number = 1;
    name_host(&m->advert, machine.nodename);
    if (instance)
        snprintf(m->advert.label, sizeof(m->advert.label), "%s", instance);
    else
        snprintf(m->advert.label, sizeof(m->advert.label), "usbwire bench (%.32s:%u)",
                 machine.nodename, m->advert.port);
    snprintf(m->board_id, sizeof(m->board_id), "%s", board_id ? board_id : "");
    sim_advert_name(&m->advert);
    describe(m);
    m->listen4 = (struct sim_source){uw_mdns_listen_v4(), ready4};
    m->step_timer.fire = step;
    m->answer_timer.fire = answer_all;
    find_places(m);
    sim->mdns = m;
    if (m->count == 0 || (m->listen4.fd >= 0 && sim_watch(sim, &m->listen4) < 0)) {
        sim_mdns_close(sim);
        return refuse(fault, UW_ERROR_CONNECT,
                      "no link with the address it listens on lets UDP port 5353 be shared",
                      "another mDNS program may hold the port for itself; listen on an address of "
                      "this machine with --bind");
    }
    sim->now = uw_now();
    start_probing(m, sim_random(&sim->random) % PROBE_MS);
    return 0;
}

void
sim_mdns_close(struct uw_sim *sim)
{
    struct sim_mdns *m = sim->mdns;

    if (!m)
        return;
    if (m->state != PROBING)
        announce(m, 1);
    sim_set_timer(sim, &m->step_timer, uw_never());
    sim_set_timer(sim, &m->answer_timer, uw_never());
    for (int i = 0; i < m->count; i++)
        if (m->places[i].listen6.fd >= 0)
            close(m->places[i].listen6.fd);
    if (m->listen4.fd >= 0)
        close(m->listen4.fd);
    free(m);
    sim->mdns = NULL;
}
