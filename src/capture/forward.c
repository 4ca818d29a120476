/*
 * forward.c - records that another program captured
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <usbwire/monitor.h>

#include "capture/capture.h"
#include "capture/usbmon.h"

#define BUS_OFFSET 12u

/* The same server has the same buses, whichever program uses it; other servers have others. */
static struct uw_capture_host *
find_host(struct uw_capture *c, const char *name)
{
    struct uw_list *pos, *tmp;
    struct uw_capture_host *h;
    uint16_t count = 0;

    uw_list_each(pos, tmp, &c->hosts)
    {
        h = UW_CONTAINER(pos, struct uw_capture_host, link);
        if (strcmp(h->name, name) == 0)
            return h;
        count++;
    }
    h = calloc(1, sizeof(*h));
    if (!h)
        return NULL;
    h->number = count;
    snprintf(h->name, sizeof(h->name), "%s", name);
    uw_list_insert(&c->hosts, &h->link);
    return h;
}

static uint32_t
interface_of(struct uw_capture *c, const struct uw_monitor_record *r)
{
    char program[600];

    snprintf(program, sizeof(program), "used by %s (%ld)", *r->program ? r->program : "a program",
             r->process);
    return uw_section_server_locked(c, &uw_section_foreign, r->stream << 8 | r->interface,
                                    r->server, program);
}

/* Submissions and completions stay together, also where one was left out. 1 when the record may
 * come. */
static int
belongs(struct uw_capture *c, const struct uw_monitor_record *r, uint64_t id, uint32_t interface)
{
    struct uw_flight_entry entry;

    if (r->kind == UW_USBMON_SUBMIT)
        return 1;
    if (!uw_flight_take(&c->flight, id, &entry))
        return 0;
    if (entry.dropped)
        uw_section_leave_out_locked(c, interface);
    return !entry.dropped;
}

static void
put(struct uw_capture *c, const struct uw_monitor_record *r, uint32_t interface, uint64_t id,
    uint16_t bus)
{
    struct uw_flight_entry entry = {.id = id};
    uint8_t *dst;

    if (!belongs(c, r, id, interface))
        return;
    dst = uw_section_packet_locked(c, interface, r->stamp, (uint32_t)r->packet_size,
                                   r->packet_original, r->comment);
    if (dst) {
        struct uw_writer start = uw_writer(dst, 8), place = uw_writer(dst + BUS_OFFSET, 2);

        memcpy(dst, r->packet, r->packet_size);
        uw_wr_le32(&start, (uint32_t)id);
        uw_wr_le32(&start, (uint32_t)(id >> 32));
        uw_wr_le16(&place, bus);
    }
    entry.dropped = !dst;
    if (r->kind == UW_USBMON_SUBMIT)
        (void)uw_flight_add(&c->flight, &entry); /* no memory: its end is left out */
}

int
uw_capture_forward(struct uw_capture *c, const struct uw_monitor_record *r)
{
    const struct uw_capture_host *host;
    uint32_t interface;
    int result = 0;

    pthread_mutex_lock(&c->lock);
    host = find_host(c, r->server);
    interface = host ? interface_of(c, r) : UINT32_MAX;
    if (interface == UINT32_MAX)
        result = UW_ERROR_NO_MEMORY;
    else if (!c->closed && r->packet_size <= UW_SNAPLEN && r->packet_size >= UW_USBMON_HEADER)
        put(c, r, interface, r->id ^ (uint64_t)(r->stream & 0xff) << 48,
            (uint16_t)((r->bus & 0xff) | host->number << 8));
    pthread_mutex_unlock(&c->lock);
    return result;
}
