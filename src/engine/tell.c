/*
 * tell.c - what the tap is told
 */
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

/* Payload of replies nobody waits for that a tap is shown. */
#define SHOWN_MAX (256u * 1024u)

static uint64_t
id_of(const struct uw_engine *e, uint32_t seqnum)
{
    return (uint64_t)e->params.source->connection << 32 | seqnum;
}

static void
tell(struct uw_engine *e, struct uw_tap_event *ev, struct uw_usec now)
{
    ev->when = now;
    ev->source = e->params.source;
    e->params.tap(e->params.tap_data, ev);
}

static void
describe(struct uw_engine *e, struct uw_tap_event *ev, const struct uw_post *p)
{
    struct uw_pdu pdu;

    uw_decode_pdu(p->header, &pdu);
    ev->id = id_of(e, p->seqnum);
    ev->endpoint = (uint8_t)(pdu.ep | (p->in ? 0x80u : 0u));
    ev->type = p->type;
    ev->interval = pdu.interval;
}

/* A packet table as it is on the wire; ev->iso is to be freed. */
static void
show_packets(struct uw_tap_event *ev, const uint8_t *table, size_t size)
{
    struct uw_iso_packet *iso = size ? malloc(size / UW_ISO_SIZE * sizeof(*iso)) : NULL;

    if (!iso)
        return;
    ev->iso_count = (uint32_t)(size / UW_ISO_SIZE);
    uw_decode_iso(table, iso, ev->iso_count);
    ev->iso = iso;
}

void
uw_tell_submit(struct uw_engine *e, struct uw_post *p, struct uw_usec now)
{
    struct uw_tap_event ev = {.kind = UW_TAP_SUBMIT};
    struct iovec iov = {(void *)(uintptr_t)p->data, p->data_size};
    struct uw_pdu pdu;

    describe(e, &ev, p);
    uw_decode_pdu(p->header, &pdu);
    memcpy(ev.setup, pdu.setup, sizeof(ev.setup));
    ev.flags = pdu.flags;
    ev.start_frame = pdu.start_frame;
    ev.length = (uint32_t)p->length;
    show_packets(&ev, p->table, p->table_size);
    if (p->data_size) {
        ev.data = &iov;
        ev.data_count = 1;
    }
    tell(e, &ev, now);
    free((void *)(uintptr_t)ev.iso);
}

/* What the caller got out of the reply that is coming in. */
static uint8_t *
taken_part(const struct uw_rx *rx)
{
    return rx->xfer->buffer + (rx->stream ? rx->xfer->actual - rx->taken : rx->post->offset);
}

void
uw_tell_leaving(struct uw_engine *e)
{
    struct uw_rx *rx = &e->rx;

    if (!e->params.tap || !rx->taken || rx->shown)
        return;
    rx->shown = malloc(rx->taken);
    if (!rx->shown)
        return; /* the tap then sees less of this one */
    memcpy(rx->shown, taken_part(rx), rx->taken);
    rx->shown_size = rx->taken;
}

void
uw_tell_complete(struct uw_engine *e, struct uw_post *p, struct uw_usec now)
{
    struct uw_tap_event ev = {.kind = UW_TAP_COMPLETE};
    struct uw_rx *rx = &e->rx;
    struct iovec iov[2];
    int n = 0;

    if (!e->params.tap)
        return;
    if (p) {
        describe(e, &ev, p);
        ev.late = p->dead;
    } else {
        ev.id = id_of(e, rx->pdu.seqnum);
        ev.endpoint = (uint8_t)((rx->pdu.ep & 0x0fu) | (rx->pdu.seqnum & 1 ? 0x80u : 0u));
        ev.late = 1;
    }
    ev.status = rx->pdu.status;
    ev.length = (uint32_t)rx->pdu.length;
    ev.start_frame = rx->pdu.start_frame;
    ev.error_count = rx->pdu.error_count;
    if (rx->shown)
        iov[n++] = (struct iovec){rx->shown, rx->shown_size};
    else if (rx->xfer && rx->taken)
        iov[n++] = (struct iovec){taken_part(rx), rx->taken};
    if (rx->chunk)
        iov[n++] = (struct iovec){rx->chunk->data, rx->chunk->size};
    ev.data = n ? iov : NULL;
    ev.data_count = n;
    show_packets(&ev, rx->table, rx->table_size);
    tell(e, &ev, now);
    free((void *)(uintptr_t)ev.iso);
}

void
uw_tell_concluded(struct uw_engine *e, struct uw_post *p, int32_t status, struct uw_usec now)
{
    struct uw_tap_event ev = {.kind = UW_TAP_COMPLETE, .local = 1, .status = status};

    if (!e->params.tap || !p->tapped)
        return;
    describe(e, &ev, p);
    ev.late = p->dead;
    tell(e, &ev, now);
}

void
uw_tell_unlink(struct uw_engine *e, struct uw_post *unlink, struct uw_usec now)
{
    struct uw_tap_event ev = {.kind = UW_TAP_UNLINK};
    struct uw_pdu pdu;

    uw_decode_pdu(unlink->header, &pdu);
    ev.id = id_of(e, unlink->seqnum);
    ev.target = id_of(e, pdu.target);
    ev.endpoint = unlink->ep->address;
    tell(e, &ev, now);
}

void
uw_tell_unlinked(struct uw_engine *e, uint32_t seqnum, const struct uw_post *target, int32_t status,
                 struct uw_usec now)
{
    struct uw_tap_event ev = {.kind = UW_TAP_UNLINKED, .status = status};

    if (!e->params.tap)
        return;
    ev.id = id_of(e, seqnum);
    if (target) {
        ev.target = id_of(e, target->seqnum);
        ev.endpoint = target->ep->address;
    }
    tell(e, &ev, now);
}

void
uw_tell_refused(struct uw_engine *e, const struct uw_xfer *x, int status, struct uw_usec now)
{
    struct uw_tap_event ev = {.kind = UW_TAP_REFUSED, .status = status};

    if (!e->params.tap)
        return;
    ev.id = id_of(e, uw_seq_take(e->params.seq, x->endpoint & 0x80));
    ev.endpoint = x->endpoint;
    ev.type = x->type;
    memcpy(ev.setup, x->setup, sizeof(ev.setup));
    ev.interval = x->interval;
    ev.length = (uint32_t)x->length;
    tell(e, &ev, now);
}

/* Room for payload that only the tap wants to see. */
uint8_t *
uw_tell_room(struct uw_engine *e, size_t size)
{
    struct uw_rx *rx = &e->rx;

    if (!e->params.tap || !size)
        return NULL;
    if (size > SHOWN_MAX)
        size = SHOWN_MAX;
    rx->shown = malloc(size);
    rx->shown_size = rx->shown ? size : 0;
    return rx->shown;
}
