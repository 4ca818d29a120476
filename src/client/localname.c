/*
 * localname.c - addresses of NAME.local
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/localname.h"
#include "client/mdns.h"
#include "mdns/packet.h"
#include "transport/listen.h"

#define GIVE_UP_MS 3000u
#define SETTLE_MS  150u /* after an IPv6 address, for the IPv4 one: many boards serve only that */

/* IPv4 of the link, other IPv4, IPv6: boards often listen on IPv4 only. */
enum rank { RANK_NEAR_V4, RANK_V4, RANK_V6 };

struct uw_local_lookup {
    struct uw_grave grave;
    struct uw_loop *loop;
    struct uw_mdns *mdns;
    struct uw_dns_name name;
    uint16_t port;
    void (*found)(void *arg, const struct uw_hosts *hosts, struct uw_usec now);
    void *arg;
    struct uw_timer ask_timer, end_timer;
    struct uw_usec end_at;
    unsigned asked;
    struct uw_hosts hosts;
    enum rank ranks[UW_HOSTS_MAX];
};

static const uint32_t ask_again_ms[] = {250, 1000, 1500}; /* after the last time */

int
uw_is_local_name(const char *host)
{
    size_t n = strlen(host);

    if (n && host[n - 1] == '.')
        n--;
    return n > 6 && strncasecmp(host + n - 6, ".local", 6) == 0;
}

static void
free_lookup(struct uw_grave *grave)
{
    free(UW_CONTAINER(grave, struct uw_local_lookup, grave));
}

void
uw_local_lookup_abandon(struct uw_local_lookup *l)
{
    if (!l)
        return;
    uw_mdns_close(l->mdns);
    uw_loop_set_timer(l->loop, &l->ask_timer, uw_never());
    uw_loop_set_timer(l->loop, &l->end_timer, uw_never());
    uw_loop_bury(l->loop, &l->grave);
}

static void
end_at(struct uw_local_lookup *l, struct uw_usec at)
{
    if (at.us >= l->end_at.us)
        return;
    l->end_at = at;
    uw_loop_set_timer(l->loop, &l->end_timer, at);
}

/* Not from a packet, whose sockets this closes: the timer calls it. */
static void
conclude(struct uw_timer *timer, struct uw_usec now)
{
    struct uw_local_lookup *l = UW_CONTAINER(timer, struct uw_local_lookup, end_timer);

    l->found(l->arg, l->hosts.count ? &l->hosts : NULL, now);
    uw_local_lookup_abandon(l);
}

static void
ask(struct uw_timer *timer, struct uw_usec now)
{
    struct uw_local_lookup *l = UW_CONTAINER(timer, struct uw_local_lookup, ask_timer);
    struct uw_dns_question q = {.name = l->name};
    const struct uw_link *link;
    struct uw_dns_writer w;
    uint8_t packet[600];

    for (unsigned from = UW_MDNS_LISTENER; from <= UW_MDNS_ASKER; from++) {
        size_t size;

        q.unicast = from == UW_MDNS_ASKER;
        uw_encode_dns_packet(&w, packet, sizeof(packet), 0, 0);
        q.type = UW_DNS_A;
        uw_dns_add_question(&w, &q);
        q.type = UW_DNS_AAAA;
        uw_dns_add_question(&w, &q);
        size = uw_dns_finish(&w);
        for (unsigned i = 0; (link = uw_mdns_link(l->mdns, i)); i++)
            uw_mdns_ask(l->mdns, link, (enum uw_mdns_from)from, packet, size);
    }
    if (l->asked < sizeof(ask_again_ms) / sizeof(ask_again_ms[0]))
        uw_loop_set_timer(l->loop, &l->ask_timer,
                          uw_usec_add(now, uw_msec(ask_again_ms[l->asked++])));
}

/* ---- answers ---- */

static void
insert(struct uw_local_lookup *l, const struct uw_host *host, enum rank rank)
{
    unsigned at = l->hosts.count;

    for (unsigned i = 0; i < l->hosts.count; i++)
        if (l->hosts.at[i].size == host->size &&
            memcmp(&l->hosts.at[i].address, &host->address, host->size) == 0)
            return;
    if (at == UW_HOSTS_MAX)
        return;
    for (l->hosts.count++; at > 0 && l->ranks[at - 1] > rank; at--) {
        l->hosts.at[at] = l->hosts.at[at - 1];
        l->ranks[at] = l->ranks[at - 1];
    }
    l->hosts.at[at] = *host;
    l->ranks[at] = rank;
}

static void
take(struct uw_local_lookup *l, const struct uw_link *link, const struct uw_dns_record *record)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct uw_host host = {0};

    if (record->type == UW_DNS_A) {
        host.size = uw_socket_address("0.0.0.0", l->port, &host.address);
        memcpy(&v4, &host.address, sizeof(v4));
        memcpy(&v4.sin_addr, record->data, 4);
        memcpy(&host.address, &v4, sizeof(v4));
        insert(l, &host, uw_link_has_neighbour(link, v4.sin_addr) ? RANK_NEAR_V4 : RANK_V4);
    } else {
        host.size = uw_socket_address("::", l->port, &host.address);
        memcpy(&v6, &host.address, sizeof(v6));
        memcpy(&v6.sin6_addr, record->data, 16);
        if (IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr))
            v6.sin6_scope_id = link->index;
        memcpy(&host.address, &v6, sizeof(v6));
        insert(l, &host, RANK_V6);
    }
}

static void
receive(void *arg, const struct uw_link *link, const uint8_t *bytes, size_t size,
        struct uw_usec now)
{
    struct uw_local_lookup *l = (struct uw_local_lookup *)arg;
    struct uw_dns_reader reader;
    struct uw_dns_question q;
    struct uw_dns_record record;
    int r;

    if (uw_decode_dns_packet(bytes, size, &reader) < 0 || !uw_dns_is_answer(&reader))
        return;
    while ((r = uw_dns_next_question(&reader, &q)) > 0)
        continue;
    while (r == 0 && uw_dns_next_record(&reader, &record) > 0)
        if (record.ttl && (record.type == UW_DNS_A || record.type == UW_DNS_AAAA) &&
            uw_dns_name_equal(&record.name, &l->name))
            take(l, link, &record);
    if (l->hosts.count)
        end_at(l, l->ranks[0] < RANK_V6 ? now : uw_usec_add(now, uw_msec(SETTLE_MS)));
}

int
uw_local_lookup_start(struct uw_loop *loop, const char *host, uint16_t port,
                      void (*found)(void *arg, const struct uw_hosts *hosts, struct uw_usec now),
                      void *arg, struct uw_local_lookup **ret_lookup)
{
    struct uw_local_lookup *l = calloc(1, sizeof(*l));
    struct uw_mdns_user user = {.packet = receive, .arg = l};
    struct uw_usec now = uw_now();
    int r;

    if (!l)
        return UW_ERROR_NO_MEMORY;
    r = uw_dns_name_parse(host, &l->name);
    if (r == 0)
        r = uw_mdns_open(loop, NULL, &user, &l->mdns);
    if (r < 0) {
        free(l);
        return r;
    }
    l->grave.free = free_lookup;
    uw_list_init(&l->grave.link);
    l->loop = loop;
    l->port = port;
    l->found = found;
    l->arg = arg;
    l->ask_timer.fire = ask;
    l->end_timer.fire = conclude;
    uw_loop_set_timer(loop, &l->ask_timer, now);
    l->end_at = uw_never();
    end_at(l, uw_usec_add(now, uw_msec(GIVE_UP_MS)));
    *ret_lookup = l;
    return 0;
}
