/*
 * in.c - bulk and interrupt IN: a stream of packets that callers take their parts of
 *
 * Reads posted at the server and callers waiting are two queues. A reply goes to the first caller,
 * chosen when its header is read; what that caller has no room for is kept for the next ones, cut
 * at packets, with the knowledge of where a short packet ended it. A caller whose time is up leaves
 * its post where it is; the next caller needs one post less.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

/* Servers that cancel a read nobody cancelled, over and over: after this many it is an error. Not
 * where a time-out of theirs explains it, which ends all reads of an endpoint on some. */
#define IDLE_CANCELS_MAX 50u

static struct uw_xfer *
first_caller(struct uw_ep *ep)
{
    return uw_list_first(&ep->callers, struct uw_xfer, link);
}

/* The post that was to be taken back for this caller has nobody to tell any more. */
static struct uw_post *
cut_tie(struct uw_ep *ep, const struct uw_xfer *x)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &ep->posts)
    {
        struct uw_post *p = UW_CONTAINER(pos, struct uw_post, link);

        if (p->xfer == x) {
            p->xfer = NULL;
            return p;
        }
    }
    return NULL;
}

static void
complete(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, int status, int32_t raw)
{
    if (x->state == XFER_QUEUED)
        ep->waiting--;
    else
        cut_tie(ep, x);
    if (e->rx.xfer == x)
        e->rx.xfer = NULL;
    uw_xfer_complete(e, x, status, raw);
}

/* How many bytes to ask for on behalf of the caller who has no post yet. */
static size_t
request_size(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer **ret_x)
{
    struct uw_list *pos, *tmp;
    unsigned i = 0;
    size_t max = e->profile->max_in, want;

    *ret_x = NULL;
    uw_list_each(pos, tmp, &ep->callers)
    {
        struct uw_xfer *x = UW_CONTAINER(pos, struct uw_xfer, link);

        if (x->state == XFER_QUEUED && i++ == ep->live) {
            *ret_x = x;
            break;
        }
    }
    assert(*ret_x);
    want = (*ret_x)->length - (*ret_x)->actual;
    want = (want + ep->max_packet - 1) / ep->max_packet * ep->max_packet;
    if (max > ep->max_packet)
        max -= max % ep->max_packet;
    return want < max ? want : max;
}

/* Makes the posts that are missing for the callers there are. */
void
uw_in_post(struct uw_engine *e, struct uw_ep *ep, struct uw_usec now)
{
    (void)now;
    while (ep->live < ep->waiting && !e->status && !uw_heap_contains(&ep->timer)) {
        struct uw_pdu pdu = {.command = UW_CMD_SUBMIT, .direction = UW_DIR_IN};
        struct uw_xfer *x;
        struct uw_post *p;
        size_t size;

        if (!uw_turn_free(e, ep)) {
            uw_turn_block(e, ep);
            return;
        }
        size = request_size(e, ep, &x);
        p = uw_post_new(e, ep, 1);
        if (!p) {
            complete(e, ep, x, UW_ERROR_NO_MEMORY, 0);
            continue;
        }
        p->stream = 1;
        p->type = x->type;
        ep->live++;
        p->length = size;
        pdu.seqnum = p->seqnum;
        pdu.devid = e->params.devid;
        pdu.ep = ep->address & 0x0fu;
        pdu.length = (int32_t)size;
        pdu.interval = x->interval;
        uw_encode_pdu(p->header, &pdu);
        uw_post_send(e, p);
    }
}

/* The caller is full; `chunk` is what comes behind its last byte. When that is nothing, the reply's
 * `error` is this caller's: a device that babbled behind the last byte. Else, on a bus the device
 * would have sent the rest of that packet too: OVERFLOW. */
static void
complete_full(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, struct uw_chunk *chunk,
              int error, int32_t raw)
{
    size_t in_packet = chunk ? (chunk->base + chunk->off) % ep->max_packet : 0;
    int is_last = !chunk || chunk->off == chunk->size;

    if (is_last || in_packet == 0) {
        complete(e, ep, x, is_last ? error : UW_OK, raw);
        return;
    }
    in_packet = ep->max_packet - in_packet;
    if (in_packet > chunk->size - chunk->off)
        in_packet = chunk->size - chunk->off;
    chunk->off += in_packet;
    complete(e, ep, x, UW_ERROR_OVERFLOW, raw);
}

/* 0 when nothing is kept. */
static int
drop_first_kept(struct uw_ep *ep)
{
    struct uw_list *node = uw_list_pop(&ep->kept);
    struct uw_chunk *c;

    if (!node)
        return 0;
    c = UW_CONTAINER(node, struct uw_chunk, link);
    ep->kept_bytes -= c->size;
    free(c);
    return 1;
}

/* Whether there is something left to give. A reply of whole packets that ended short ended in a
 * zero-length packet, which is a read of its own; so is an error. */
static int
has_rest(const struct uw_ep *ep, const struct uw_chunk *c)
{
    return c->off < c->size || c->error || (c->end && (c->base + c->size) % ep->max_packet == 0);
}

/* Gives the first caller its part of the first chunk. */
static void
serve(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, struct uw_chunk *c)
{
    size_t room = x->length - x->actual, n = c->size - c->off;

    if (n > room)
        n = room;
    if (n)
        memcpy(x->buffer + x->actual, c->data + c->off, n);
    c->off += n;
    x->actual += n;
    if (x->actual == x->length) {
        int zero = x->length == 0, told = c->error && c->off == c->size;

        complete_full(e, ep, x, c, c->error, c->raw);
        if (told || !has_rest(ep, c) || (zero && c->off == c->size))
            drop_first_kept(ep);
        return;
    }
    if (c->error || c->end)
        complete(e, ep, x, c->error, c->raw);
    drop_first_kept(ep);
}

static void
deliver(struct uw_engine *e, struct uw_ep *ep)
{
    for (;;) {
        struct uw_xfer *x = first_caller(ep);
        struct uw_chunk *c = uw_list_first(&ep->kept, struct uw_chunk, link);

        if (!x || x == e->rx.xfer || (!c && !ep->lost))
            return;
        if (c) {
            serve(e, ep, x, c);
        } else {
            int lost = ep->lost;

            ep->lost = UW_OK;
            complete(e, ep, x, lost, 0);
        }
    }
}

void
uw_in_submit(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, struct uw_usec now)
{
    uw_list_insert(&ep->callers, &x->link);
    ep->waiting++;
    deliver(e, ep);
    uw_in_post(e, ep, now);
}

static struct uw_chunk *
chunk_new(size_t size, size_t base)
{
    struct uw_chunk *c = malloc(sizeof(*c) + size);

    if (!c)
        return NULL;
    memset(c, 0, sizeof(*c));
    uw_list_init(&c->link);
    c->size = size;
    c->base = base;
    return c;
}

/* The header of a reply was read: decides where its `size` bytes of payload go. */
void
uw_in_begin(struct uw_engine *e, struct uw_post *p, size_t size)
{
    struct uw_rx *rx = &e->rx;
    struct uw_ep *ep = p->ep;
    struct uw_xfer *x = first_caller(ep);
    size_t room, keep;

    if (x) {
        room = x->length - x->actual;
        rx->xfer = x;
        rx->stream = 1;
        rx->part[0].left = size < room ? size : room;
        if (rx->part[0].left)
            rx->part[0].p = x->buffer + x->actual;
        size -= rx->part[0].left;
    }
    if (size == 0)
        return;
    room = e->params.limits.max_parked > ep->kept_bytes
               ? e->params.limits.max_parked - ep->kept_bytes
               : 0;
    keep = size < room ? size : room;
    /* Of a read that was taken back only a waiting caller gets something. */
    if (p->withdrawn && !x)
        keep = 0;
    else if (keep < size)
        ep->lost = UW_ERROR_LIMIT;
    if (keep) {
        rx->chunk = chunk_new(keep, rx->part[0].left);
        if (rx->chunk) {
            rx->part[1].p = rx->chunk->data;
        } else {
            ep->lost = UW_ERROR_NO_MEMORY;
        }
    }
    rx->part[1].left = keep;
    rx->part[2].left = size - keep;
}

/* The caller that the reply is just being read for is leaving: the rest goes to memory of ours. */
void
uw_in_redirect(struct uw_engine *e, struct uw_xfer *x)
{
    struct uw_rx *rx = &e->rx;
    struct uw_chunk *c;
    size_t left = rx->part[0].left;

    if (rx->xfer != x)
        return;
    uw_tell_leaving(e);
    rx->xfer = NULL;
    if (left == 0)
        return;
    c = chunk_new(left + rx->part[1].left, rx->taken);
    if (!c)
        rx->post->ep->lost = UW_ERROR_NO_MEMORY;
    free(rx->chunk);
    rx->chunk = c;
    rx->part[0].p = c ? c->data : NULL;
    rx->part[1].p = c ? c->data + left : NULL;
}

static void
keep(struct uw_ep *ep, struct uw_chunk *c, int end, int error, int32_t raw)
{
    c->end = end;
    c->error = error;
    c->raw = raw;
    if (!has_rest(ep, c)) {
        free(c);
        return;
    }
    ep->kept_bytes += c->size;
    uw_list_insert(&ep->kept, &c->link);
}

/* Nothing came, which is not the caller's business: asks again after a while. */
static void
ask_again(struct uw_engine *e, struct uw_ep *ep, struct uw_usec now)
{
    ep->idle_us = ep->idle_us ? ep->idle_us * 2 : UW_IDLE_MIN_US;
    if (ep->idle_us > UW_IDLE_MAX_US)
        ep->idle_us = UW_IDLE_MAX_US;
    if (ep->waiting)
        uw_heap_set(&e->ep_timers, &ep->timer, uw_usec_add(now, uw_usec(ep->idle_us)));
}

static int
is_idle(struct uw_engine *e, const struct uw_post *p, int error, size_t size)
{
    struct uw_ep *ep = p->ep;

    if (p->withdrawn || size || p->length == 0)
        return 0;
    if (error == UW_OK)
        return (e->profile->flags & UW_PROF_EMPTY_IS_IDLE) != 0;
    /* The server's own time-out, or a sibling's, is not ours. */
    if (error == UW_ERROR_TIMEOUT) {
        e->profile = uw_profile_refine(e->profile, UW_SEEN_READ_TIMEOUT);
        ep->idle_count = 0;
    }
    return error == UW_ERROR_TIMEOUT ||
           (error == UW_ERROR_CANCELLED && ++ep->idle_count <= IDLE_CANCELS_MAX);
}

/* All of a reply came in. */
void
uw_in_finish(struct uw_engine *e, struct uw_post *p, struct uw_usec now)
{
    struct uw_rx *rx = &e->rx;
    struct uw_ep *ep = p->ep;
    struct uw_xfer *x = rx->xfer, *cancelled = p->xfer;
    struct uw_chunk *c = rx->chunk;
    size_t size = (size_t)rx->pdu.length;
    int32_t raw = rx->pdu.status;
    int error = uw_status_error(e->profile->dialect, ep->address & 0x0fu, raw);
    int end = size < p->length, taken_back = p->withdrawn;

    rx->xfer = NULL;
    rx->chunk = NULL;
    if (is_idle(e, p, error, size)) {
        uw_post_resolve(e, p);
        ask_again(e, ep, now);
        return;
    }
    if (size || error == UW_OK) {
        ep->idle_us = 0;
        ep->idle_count = 0;
    }
    /* Short is what the end of a read looks like; a time-out with data is one too; and what a read
     * that was taken back says besides its data is about the taking back. */
    if (error == UW_ERROR_SHORT || (error == UW_ERROR_TIMEOUT && size))
        error = UW_OK;
    if (taken_back && error) {
        error = UW_OK;
        end = 0;
    }
    uw_post_resolve(e, p);

    if (x && x->actual < x->length) {
        /* All of it went to the caller, and there was room for more. */
        if (error || end)
            complete(e, ep, x, error, raw);
    } else {
        if (x)
            complete_full(e, ep, x, c, error, raw);
        if (!c &&
            ((error && !x) || (end && !taken_back && (!x || (size && size % ep->max_packet == 0)))))
            c = chunk_new(0, size);
        if (c)
            keep(ep, c, end, error, raw);
    }
    if (cancelled && cancelled->state == XFER_ENDING)
        complete(e, ep, cancelled, UW_ERROR_CANCELLED, raw);
    deliver(e, ep);
    uw_in_post(e, ep, now);
}

void
uw_in_unlinked(struct uw_engine *e, struct uw_post *p, struct uw_usec now)
{
    struct uw_ep *ep = p->ep;
    struct uw_xfer *x = p->xfer;

    uw_post_resolve(e, p);
    if (x && x->state == XFER_ENDING)
        complete(e, ep, x, UW_ERROR_CANCELLED, WIRE_ECONNRESET);
    uw_in_post(e, ep, now);
}

static struct uw_post *
newest_live(struct uw_ep *ep)
{
    for (struct uw_list *pos = ep->posts.prev; pos != &ep->posts; pos = pos->prev) {
        struct uw_post *p = UW_CONTAINER(pos, struct uw_post, link);

        if (!p->withdrawn)
            return p;
    }
    return NULL;
}

void
uw_in_cancel(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, struct uw_usec now)
{
    struct uw_post *p = NULL;

    ep->waiting--;
    x->state = XFER_ENDING;
    if (ep->live > ep->waiting && !(e->profile->flags & UW_PROF_UNLINK_USELESS))
        p = newest_live(ep);
    if (!p || p->foreign || (!p->receiving && uw_post_withdraw(e, p, now))) {
        uw_in_redirect(e, x);
        complete(e, ep, x, UW_ERROR_CANCELLED, 0);
        return;
    }
    p->xfer = x;
    uw_heap_set(&e->timers, &x->timer, uw_usec_add(now, uw_usec(UW_UNLINK_PATIENCE_US)));
}

/* More is parked than may be kept: takes the newest back. */
static void
bound_parked(struct uw_engine *e, struct uw_ep *ep, struct uw_usec now)
{
    struct uw_list *pos, *tmp;
    size_t sum = ep->kept_bytes;

    uw_list_each(pos, tmp, &ep->posts) sum += UW_CONTAINER(pos, struct uw_post, link)->length;
    while (ep->live > ep->waiting && ep->live > 1 && sum > e->params.limits.max_parked) {
        struct uw_post *p = newest_live(ep);

        if (!p || p->receiving)
            return;
        sum -= p->length;
        if (!uw_post_withdraw(e, p, now))
            uw_post_bury(e, p);
    }
}

void
uw_in_timeout(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, struct uw_usec now)
{
    int status = UW_ERROR_TIMEOUT;

    if (x->state == XFER_ENDING) {
        struct uw_post *p = cut_tie(ep, x);

        if (p && p->withdrawn)
            uw_post_bury(e, p);
        uw_in_redirect(e, x);
        complete(e, ep, x, UW_ERROR_CANCELLED, 0);
        return;
    }
    if (e->rx.xfer == x && e->rx.part[0].left == 0 && x->actual == x->length) {
        uw_in_redirect(e, x);
        complete_full(e, ep, x, e->rx.chunk, UW_OK, 0);
        return;
    }
    if (ep->live == 0 && x->actual == 0 && !uw_list_empty(&ep->blocked)) {
        uw_turn_name_holder(e);
        status = UW_ERROR_HELD;
    }
    uw_in_redirect(e, x);
    complete(e, ep, x, status, 0);
    bound_parked(e, ep, now);
}

void
uw_in_drop_kept(struct uw_ep *ep)
{
    while (drop_first_kept(ep))
        ;
    ep->lost = UW_OK;
}

/* Callers are cancelled, posts taken back, kept data dropped. */
void
uw_in_forget(struct uw_engine *e, struct uw_ep *ep, struct uw_usec now)
{
    struct uw_list *pos, *tmp;

    uw_in_drop_kept(ep);
    uw_heap_remove(&e->ep_timers, &ep->timer);
    uw_list_remove(&ep->blocked);
    uw_list_each(pos, tmp, &ep->callers)
    {
        struct uw_xfer *x = UW_CONTAINER(pos, struct uw_xfer, link);

        if (x->state == XFER_QUEUED)
            uw_in_cancel(e, ep, x, now);
    }
    uw_list_each(pos, tmp, &ep->posts)
    {
        struct uw_post *p = UW_CONTAINER(pos, struct uw_post, link);

        if (!p->xfer && !uw_post_withdraw(e, p, now))
            uw_post_bury(e, p);
    }
}
