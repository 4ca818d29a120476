/*
 * mdns.c - multicast DNS on all links, as far as sockets go
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "client/mdns.h"

#define RESCAN_US   5000000u
#define PACKET_MAX  9000u
#define PACKETS_MAX 32 /* of one socket before others have their turn */

struct channel {
    struct uw_source source; /* fd -1: there is none */
    struct uw_mdns *mdns;
};

struct place {
    struct uw_grave grave;
    struct uw_list list; /* the owner's */
    struct uw_link link;
    int joined;
    struct channel listen6, ask4, ask6;
};

struct uw_mdns {
    struct uw_grave grave;
    struct uw_loop *loop;
    struct uw_mdns_user user;
    char only[IF_NAMESIZE];
    struct uw_list places;
    struct channel listen4;
    struct uw_timer rescan;
    uint8_t packet[PACKET_MAX];
};

static struct place *
find_place(struct uw_mdns *m, unsigned index)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &m->places)
    {
        struct place *p = UW_CONTAINER(pos, struct place, list);

        if (p->link.index == index)
            return p;
    }
    return NULL;
}

static void
ready(struct uw_source *source, unsigned events, struct uw_usec now)
{
    struct uw_mdns *m = UW_CONTAINER(source, struct channel, source)->mdns;
    struct uw_mdns_packet packet;

    (void)events;
    for (int i = 0; i < PACKETS_MAX; i++) {
        int r = uw_mdns_receive(source->fd, m->packet, sizeof(m->packet), &packet);
        struct place *p = r == 1 ? find_place(m, packet.link) : NULL;

        if (r == UW_AGAIN)
            return;
        if (p && packet.from_mdns && uw_mdns_is_near(&p->link, &packet.from))
            m->user.packet(m->user.arg, &p->link, m->packet, packet.size, now);
    }
}

/* ---- places ---- */

static void
open_channel(struct uw_mdns *m, struct channel *c, int fd)
{
    c->mdns = m;
    c->source.fd = fd;
    c->source.events = UW_POLL_IN;
    c->source.ready = ready;
    uw_list_init(&c->source.link);
    if (fd >= 0 && uw_loop_add_source(m->loop, &c->source) < 0) {
        close(fd);
        c->source.fd = -1;
    }
}

static void
close_channel(struct uw_mdns *m, struct channel *c)
{
    if (c->source.fd < 0)
        return;
    uw_loop_remove_source(m->loop, &c->source);
    close(c->source.fd);
    c->source.fd = -1;
}

static void
free_place(struct uw_grave *grave)
{
    free(UW_CONTAINER(grave, struct place, grave));
}

static struct place *
add_place(struct uw_mdns *m, const struct uw_link *link)
{
    struct place *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->grave.free = free_place;
    uw_list_init(&p->grave.link);
    p->link = *link;
    if (link->count4 && m->listen4.source.fd >= 0)
        p->joined = uw_mdns_join_v4(m->listen4.source.fd, link) == 0;
    open_channel(m, &p->ask4, link->count4 ? uw_mdns_ask_v4(link) : -1);
    open_channel(m, &p->ask6, link->has_v6 ? uw_mdns_ask_v6(link) : -1);
    open_channel(m, &p->listen6, link->has_v6 ? uw_mdns_listen_v6(link) : -1);
    uw_list_insert(&m->places, &p->list);
    return p;
}

static void
remove_place(struct uw_mdns *m, struct place *p)
{
    if (p->joined)
        uw_mdns_leave_v4(m->listen4.source.fd, &p->link);
    close_channel(m, &p->listen6);
    close_channel(m, &p->ask4);
    close_channel(m, &p->ask6);
    uw_list_remove(&p->list);
    uw_loop_bury(m->loop, &p->grave);
}

static const struct uw_link *
among(const struct uw_link *links, int count, unsigned index)
{
    for (int i = 0; i < count; i++)
        if (links[i].index == index)
            return &links[i];
    return NULL;
}

/* Makes the places be those of the links there are; tells the user unless it is the first time. */
static void
scan(struct uw_mdns *m, int tell, struct uw_usec now)
{
    struct uw_link links[UW_LINKS_MAX];
    int count = uw_links_list(m->only[0] ? m->only : NULL, links);
    struct uw_list *pos, *tmp;

    if (count < 0)
        return;
    uw_list_each(pos, tmp, &m->places)
    {
        struct place *p = UW_CONTAINER(pos, struct place, list);
        const struct uw_link *link = among(links, count, p->link.index);

        if (link && uw_link_equal(link, &p->link))
            continue;
        if (tell && !link && m->user.link_down)
            m->user.link_down(m->user.arg, &p->link, now);
        remove_place(m, p);
    }
    for (int i = 0; i < count; i++) {
        struct place *p;

        if (find_place(m, links[i].index))
            continue;
        p = add_place(m, &links[i]);
        if (p && tell && m->user.link_up)
            m->user.link_up(m->user.arg, &p->link, now);
    }
}

static void
rescan(struct uw_timer *timer, struct uw_usec now)
{
    struct uw_mdns *m = UW_CONTAINER(timer, struct uw_mdns, rescan);

    scan(m, 1, now);
    uw_loop_set_timer(m->loop, &m->rescan, uw_usec_add(now, uw_usec(RESCAN_US)));
}

/* ---- opening and closing ---- */

static void
free_mdns(struct uw_grave *grave)
{
    free(UW_CONTAINER(grave, struct uw_mdns, grave));
}

int
uw_mdns_open(struct uw_loop *loop, const char *only, const struct uw_mdns_user *user,
             struct uw_mdns **ret_mdns)
{
    struct uw_mdns *m;
    struct uw_usec now = uw_now();

    if (only && (strlen(only) >= IF_NAMESIZE || !if_nametoindex(only)))
        return UW_ERROR_NOT_FOUND;
    m = calloc(1, sizeof(*m));
    if (!m)
        return UW_ERROR_NO_MEMORY;
    m->grave.free = free_mdns;
    uw_list_init(&m->grave.link);
    uw_list_init(&m->places);
    m->loop = loop;
    m->user = *user;
    m->rescan.fire = rescan;
    if (only)
        memcpy(m->only, only, strlen(only));
    open_channel(m, &m->listen4, uw_mdns_listen_v4());
    if (m->listen4.source.fd < 0)
        uw_log(&loop->log, UW_LOG_INFO,
               "UDP port 5353 cannot be shared: announcements of mDNS are "
               "not heard, only answers");
    scan(m, 0, now);
    if (uw_list_empty(&m->places)) {
        uw_mdns_close(m);
        return UW_ERROR_NOT_FOUND;
    }
    uw_loop_set_timer(loop, &m->rescan, uw_usec_add(now, uw_usec(RESCAN_US)));
    *ret_mdns = m;
    return 0;
}

void
uw_mdns_close(struct uw_mdns *m)
{
    struct uw_list *pos, *tmp;

    if (!m)
        return;
    uw_list_each(pos, tmp, &m->places) remove_place(m, UW_CONTAINER(pos, struct place, list));
    close_channel(m, &m->listen4);
    uw_loop_set_timer(m->loop, &m->rescan, uw_never());
    uw_loop_bury(m->loop, &m->grave);
}

const struct uw_link *
uw_mdns_link(const struct uw_mdns *m, unsigned index)
{
    for (struct uw_list *pos = m->places.next; pos != &m->places; pos = pos->next)
        if (index-- == 0)
            return &UW_CONTAINER(pos, struct place, list)->link;
    return NULL;
}

void
uw_mdns_ask(struct uw_mdns *m, const struct uw_link *link, enum uw_mdns_from from,
            const void *bytes, size_t size)
{
    struct place *p = find_place(m, link->index);
    int fd4, fd6;

    if (!p)
        return;
    fd4 = from == UW_MDNS_ASKER ? p->ask4.source.fd : p->joined ? m->listen4.source.fd : -1;
    fd6 = from == UW_MDNS_ASKER ? p->ask6.source.fd : p->listen6.source.fd;
    if (fd4 >= 0)
        uw_mdns_send(fd4, AF_INET, &p->link, bytes, size);
    if (fd6 >= 0)
        uw_mdns_send(fd6, AF_INET6, &p->link, bytes, size);
}
