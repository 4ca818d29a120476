/*
 * fifo.c - packets on their way to the host
 *
 * What the device sends is a row of transfers. A read takes packets until it is full or one is
 * short; the end of a transfer ends a read that has room left, as a zero-length packet would.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/device.h"

struct message {
    struct uw_list link;
    size_t size, off;
    uint8_t bytes[];
};

void
sim_fifo_init(struct sim_fifo *f)
{
    uw_list_init(&f->messages);
    f->bytes = 0;
}

static void
drop(struct sim_fifo *f, struct message *m)
{
    f->bytes -= m->size;
    uw_list_remove(&m->link);
    free(m);
}

void
sim_fifo_clear(struct sim_fifo *f)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &f->messages) drop(f, UW_CONTAINER(pos, struct message, link));
}

int
sim_fifo_put(struct sim_fifo *f, const void *bytes, size_t size)
{
    struct message *m;

    if (f->bytes + size > SIM_FIFO_MAX || !(m = malloc(sizeof(*m) + size)))
        return 0;
    m->size = size;
    m->off = 0;
    if (size)
        memcpy(m->bytes, bytes, size);
    f->bytes += size;
    uw_list_insert(&f->messages, &m->link);
    return 1;
}

/* One packet into a read. 1: the read goes on; 0: it is over, with *status. */
static int
packet(struct sim_fifo *f, struct message *m, unsigned max_packet, struct uw_request *r,
       uint32_t *actual, int32_t *status)
{
    size_t n = m->size - m->off, room = r->length - *actual;
    int last;

    if (n > max_packet)
        n = max_packet;
    last = m->off + n == m->size;
    if (n > room) {
        /* The device babbles: what has no room is lost. */
        memcpy(r->buffer + *actual, m->bytes + m->off, room);
        *actual += (uint32_t)room;
        *status = SIM_OVERFLOW;
    } else if (n) {
        memcpy(r->buffer + *actual, m->bytes + m->off, n);
        *actual += (uint32_t)n;
    }
    m->off += n;
    if (last)
        drop(f, m);
    return !last && !*status && *actual < r->length;
}

void
sim_fifo_serve(struct sim_fifo *f, struct sim_device *d, uint8_t endpoint)
{
    unsigned max_packet = sim_max_packet(d, endpoint);
    struct uw_request *r;

    while (max_packet && !uw_list_empty(&f->messages) && (r = sim_waiting(d, endpoint))) {
        uint32_t actual = 0;
        int32_t status = 0;
        struct message *m;

        do
            m = UW_CONTAINER(f->messages.next, struct message, link);
        while (packet(f, m, max_packet, r, &actual, &status));
        sim_reply(d, r, status, actual);
    }
}
