/*
 * rx.c - bytes from the server: header, payload, packet table; each to where it belongs
 *
 * Replies are known by sequence number alone: servers echo, invert or clear every other field. One
 * that nobody knows is drained, its payload framed by the low bit of its sequence number.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/internal.h"

/* Answers in a row saying "no such device" that are believed. */
#define GONE_AFTER 3u

void
uw_rx_reset(struct uw_rx *rx)
{
    if (rx->post)
        rx->post->receiving = 0;
    free(rx->chunk);
    free(rx->table);
    free(rx->shown);
    memset(rx, 0, sizeof(*rx));
}

static void
log_reply(struct uw_engine *e, const char *what)
{
    char text[160];

    if (uw_log_wants(e->params.log, UW_LOG_WARNING))
        uw_log(e->params.log, UW_LOG_WARNING, "%s: %s: %s", e->params.name, what,
               uw_pdu_text(&e->rx.pdu, text, sizeof(text)));
}

/* The server took a post back, or says that it was too late for that. */
static void
unlinked(struct uw_engine *e, const struct uw_pdu *pdu, struct uw_usec now)
{
    struct uw_post *u = uw_post_find(e, pdu->seqnum), *p;

    if (!u || !u->is_unlink) {
        uw_tell_unlinked(e, pdu->seqnum, NULL, pdu->status, now);
        return;
    }
    uw_tell_unlinked(e, pdu->seqnum, u->unlink, pdu->status, now);
    p = uw_post_unlinked(e, u);
    if (pdu->status == 0) {
        /* Its answer was sent before, or is just behind, or never comes. */
        if (p->xfer && p->xfer->state == XFER_ENDING)
            uw_heap_set(
                &e->timers, &p->xfer->timer,
                uw_usec_min(p->xfer->timer.at, uw_usec_add(now, uw_usec(UW_UNLINK_LATE_US))));
        return;
    }
    uw_tell_concluded(e, p, pdu->status, now);
    if (p->dead)
        uw_post_resolve(e, p);
    else if (p->stream)
        uw_in_unlinked(e, p, now);
    else
        uw_out_unlinked(e, p, pdu->status, now);
}

static void
count_gone(struct uw_engine *e, const struct uw_post *p)
{
    int error = uw_status_error(e->profile->dialect, p->ep->address & 0x0fu, e->rx.pdu.status);

    if (error == UW_ERROR_STALL)
        e->stalled = 1;
    if (error == UW_OK)
        e->gone = 0;
    if (error != UW_ERROR_NO_DEVICE || ++e->gone < GONE_AFTER || e->status)
        return;
    e->status = e->stalled && (e->profile->flags & UW_PROF_GONE_AFTER_STALL) ? UW_ERROR_REENUMERATE
                                                                             : UW_ERROR_NO_DEVICE;
}

/* All of a reply is here. */
static void
finish(struct uw_engine *e, struct uw_usec now)
{
    struct uw_rx *rx = &e->rx;
    struct uw_post *p = rx->post;

    uw_tell_complete(e, p, now);
    rx->post = NULL;
    if (!p) {
        e->late++;
        uw_rx_reset(rx);
        return;
    }
    p->receiving = 0;
    count_gone(e, p);
    if (p->dead) {
        e->late++;
        uw_post_resolve(e, p);
    } else if (p->stream) {
        uw_in_finish(e, p, now);
    } else {
        uw_out_finish(e, p, now);
    }
    uw_rx_reset(rx);
}

/* Control and isochronous IN: into the caller's buffer, at most what it has room for. */
static void
begin_single(struct uw_engine *e, struct uw_post *p, size_t size)
{
    struct uw_rx *rx = &e->rx;
    struct uw_xfer *x = p->xfer;

    rx->xfer = x;
    rx->part[0].left = size < p->length ? size : p->length;
    if (rx->part[0].left)
        rx->part[0].p = x->buffer + p->offset;
    rx->part[2].left = size - rx->part[0].left;
    rx->overlong = rx->part[2].left > 0;
}

static int
begin_table(struct uw_engine *e, struct uw_post *p)
{
    struct uw_rx *rx = &e->rx;
    uint32_t count = (uint32_t)rx->pdu.packets;

    /* A server that failed the whole URB may leave the table out. */
    if (!p->iso_count || rx->pdu.packets == 0)
        return 0;
    if (count != p->iso_count) {
        log_reply(e, "another number of isochronous packets than was asked for");
        return UW_ERROR_PROTOCOL;
    }
    rx->table_size = (size_t)count * UW_ISO_SIZE;
    rx->table = malloc(rx->table_size);
    return rx->table ? 0 : UW_ERROR_NO_MEMORY;
}

/* A header is complete. */
static int
begin(struct uw_engine *e, const uint8_t *bytes, struct uw_usec now)
{
    struct uw_rx *rx = &e->rx;
    struct uw_post *p;
    size_t size = 0;
    int r = uw_decode_pdu(bytes, &rx->pdu);

    rx->have = 0;
    if (r == 0 && rx->pdu.command == UW_RET_UNLINK) {
        unlinked(e, &rx->pdu, now);
        uw_turn_pump(e, now);
        return 0;
    }
    if (r < 0 || rx->pdu.command != UW_RET_SUBMIT) {
        log_reply(e, "not a reply");
        return UW_ERROR_PROTOCOL;
    }
    p = uw_post_find(e, rx->pdu.seqnum);
    if (p && (p->is_unlink || p->answered || p->sent == 0))
        p = NULL;
    if (rx->pdu.length < 0 || (uint32_t)rx->pdu.length > e->params.limits.max_reply) {
        log_reply(e, "an impossible length");
        return UW_ERROR_PROTOCOL;
    }
    if (rx->pdu.seqnum & 1)
        size = (size_t)rx->pdu.length;
    rx->post = p;
    if (p) {
        p->receiving = 1;
        if ((r = begin_table(e, p)) < 0)
            return r;
    } else {
        log_reply(e, "drained, nobody waits for it");
    }
    if (size && (!p || p->dead)) {
        rx->part[0].p = uw_tell_room(e, size);
        rx->part[0].left = rx->part[0].p ? rx->shown_size : 0;
        rx->part[2].left = size - rx->part[0].left;
    } else if (p && p->stream && !p->dead) {
        uw_in_begin(e, p, size);
    } else if (size) {
        begin_single(e, p, size);
    }
    rx->state = RX_PAYLOAD;
    return 0;
}

/* `n` bytes of the present part are in place. */
static void
advance(struct uw_rx *rx, unsigned i, size_t n)
{
    rx->part[i].left -= n;
    if (rx->part[i].p)
        rx->part[i].p += n;
    if (i == 0 && rx->xfer) {
        rx->taken += n;
        if (rx->stream)
            rx->xfer->actual += n;
    }
}

static unsigned
present_part(const struct uw_rx *rx)
{
    unsigned i = 0;

    while (i < 3 && rx->part[i].left == 0)
        i++;
    return i;
}

/* Moves on over what is complete. */
static void
settle(struct uw_engine *e, struct uw_usec now)
{
    struct uw_rx *rx = &e->rx;

    if (rx->state == RX_PAYLOAD && present_part(rx) == 3)
        rx->state = RX_TABLE;
    if (rx->state != RX_TABLE || rx->table_have < rx->table_size)
        return;
    finish(e, now);
    uw_turn_pump(e, now);
}

int
uw_engine_rx_target(struct uw_engine *e, struct iovec *ret_iov)
{
    struct uw_rx *rx = &e->rx;
    unsigned i = present_part(rx);

    if (rx->state != RX_PAYLOAD || i == 3 || !rx->part[i].p)
        return 0;
    ret_iov->iov_base = rx->part[i].p;
    ret_iov->iov_len = rx->part[i].left;
    return 1;
}

int
uw_engine_rx_done(struct uw_engine *e, size_t n, struct uw_usec now)
{
    if (e->ended)
        return e->status;
    advance(&e->rx, present_part(&e->rx), n);
    settle(e, now);
    return 0;
}

static size_t
take_payload(struct uw_rx *rx, const uint8_t *bytes, size_t size)
{
    unsigned i = present_part(rx);
    size_t n = size < rx->part[i].left ? size : rx->part[i].left;

    if (rx->part[i].p)
        memcpy(rx->part[i].p, bytes, n);
    advance(rx, i, n);
    return n;
}

static size_t
take(uint8_t *dst, size_t want, size_t *have, const uint8_t *bytes, size_t size)
{
    size_t n = want - *have < size ? want - *have : size;

    memcpy(dst + *have, bytes, n);
    *have += n;
    return n;
}

int
uw_engine_feed(struct uw_engine *e, const uint8_t *bytes, size_t size, struct uw_usec now)
{
    struct uw_rx *rx = &e->rx;
    int r = 0;

    while (size > 0 && r == 0) {
        size_t n;

        if (e->ended)
            return e->status;
        if (rx->state == RX_HEADER && rx->have == 0 && size >= UW_PDU_SIZE) {
            n = UW_PDU_SIZE;
            r = begin(e, bytes, now);
        } else if (rx->state == RX_HEADER) {
            n = take(rx->header, UW_PDU_SIZE, &rx->have, bytes, size);
            if (rx->have == UW_PDU_SIZE)
                r = begin(e, rx->header, now);
        } else if (rx->state == RX_PAYLOAD) {
            n = take_payload(rx, bytes, size);
        } else {
            n = take(rx->table, rx->table_size, &rx->table_have, bytes, size);
        }
        bytes += n;
        size -= n;
        if (r == 0)
            settle(e, now);
    }
    return r;
}
