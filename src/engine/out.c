/*
 * out.c - OUT, control and isochronous transfers: those whose answers belong to one caller
 *
 * A large OUT is several posts, all under way at once, and so are more isochronous packets than one
 * message may have. What counts as moved is what was acknowledged in order. When one fails, the
 * later ones are taken back, and the transfer completes when they are answered or when waiting for
 * that has lasted long enough.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

/* Below this an answer "too large" is not about the size. */
#define LEARN_MIN 512u

static int
is_clear_halt(const struct uw_xfer *x)
{
    return x->type == UW_CONTROL && x->setup[0] == 0x02 && x->setup[1] == 0x01 &&
           x->setup[2] == 0 && x->setup[3] == 0;
}

/* CLEAR_FEATURE(ENDPOINT_HALT) would let chunks through that are just being taken back: it waits
 * for their answers. */
static int
held_by_unlinks(struct uw_engine *e, struct uw_ep *ep, const struct uw_xfer *x, struct uw_usec now)
{
    struct uw_ep *target;

    if (!is_clear_halt(x))
        return 0;
    target = e->eps[(x->setup[4] & 0x0fu) | (x->setup[4] & 0x80 ? 16u : 0u)];
    if (!target || target->withdrawn == 0 || target == ep)
        return 0;
    if (uw_is_never(ep->settle_until)) {
        ep->settle_until = uw_usec_add(now, uw_usec(UW_UNLINK_PATIENCE_US));
        uw_heap_set(&e->ep_timers, &ep->timer, ep->settle_until);
    }
    return now.us < ep->settle_until.us;
}

static int
wants_zlp(const struct uw_engine *e, const struct uw_xfer *x)
{
    return x->type == UW_BULK && !(x->endpoint & 0x80) && (x->flags & UW_URB_ZERO_PACKET) &&
           x->length && x->length % x->max_packet == 0 && !(e->profile->flags & UW_PROF_NO_ZLP);
}

static size_t
chunk_size(const struct uw_engine *e, const struct uw_xfer *x)
{
    size_t left = x->length - x->posted, max = e->max_out;

    if (x->type == UW_CONTROL)
        return left;
    if (max > x->max_packet)
        max -= max % x->max_packet;
    return left < max ? left : max;
}

/* The next packets: as many as go into one message, and at least one. Returns their bytes. */
static size_t
take_packets(const struct uw_engine *e, struct uw_xfer *x, struct uw_post *p)
{
    size_t max = x->endpoint & 0x80 ? e->profile->max_in : e->max_out, size = 0;

    p->iso_first = x->iso_posted;
    while (x->iso_posted < x->iso_count && p->iso_count < e->params.limits.max_iso_packets) {
        const struct uw_iso_packet *packet = &x->iso[x->iso_posted];
        size_t end = packet->offset + packet->length - x->posted;

        if (p->iso_count && end > max)
            break;
        size = end;
        p->iso_count++;
        x->iso_posted++;
    }
    return x->iso_posted < x->iso_count ? size : x->length - x->posted;
}

/* The packets of a post as they are on the wire: offsets count from its own first byte. Room for
 * the answer's is behind them. */
static struct uw_iso_packet *
packets_of(const struct uw_post *p, const struct uw_xfer *x)
{
    struct uw_iso_packet *packets = calloc(2 * (size_t)p->iso_count, sizeof(*packets));

    for (uint32_t i = 0; packets && i < p->iso_count; i++) {
        packets[i] = x->iso[p->iso_first + i];
        packets[i].offset -= (uint32_t)p->offset;
    }
    return packets;
}

static int
iso_table(struct uw_post *p, const struct uw_xfer *x)
{
    struct uw_iso_packet *packets = packets_of(p, x);

    p->table = malloc((size_t)p->iso_count * UW_ISO_SIZE);
    if (packets && p->table) {
        uw_encode_iso(p->table, packets, p->iso_count);
        p->table_size = (size_t)p->iso_count * UW_ISO_SIZE;
    }
    free(packets);
    return p->table_size ? 0 : UW_ERROR_NO_MEMORY;
}

static int
post_chunk(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, struct uw_usec now)
{
    int in = x->endpoint & 0x80 ? 1 : 0, own_zlp;
    struct uw_pdu pdu = {.command = UW_CMD_SUBMIT, .direction = in ? UW_DIR_IN : UW_DIR_OUT};
    struct uw_post *p = uw_post_new(e, ep, in);
    size_t n;

    if (!p)
        return UW_ERROR_NO_MEMORY;
    p->offset = x->posted;
    p->length = n = x->iso_count ? take_packets(e, x, p) : chunk_size(e, x);
    if (x->iso_count && iso_table(p, x) < 0) {
        uw_post_withdraw(e, p, now);
        return UW_ERROR_NO_MEMORY;
    }
    p->xfer = x;
    p->type = x->type;
    if (!in && n) {
        p->data = x->buffer + x->posted;
        p->data_size = n;
    }
    own_zlp = wants_zlp(e, x) && (e->profile->flags & UW_PROF_OWN_ZLP);
    x->whole = x->posted + n == x->length && x->iso_posted == x->iso_count && !(own_zlp && n);
    if (wants_zlp(e, x) && !own_zlp && x->whole)
        pdu.flags |= UW_WIRE_ZERO_PACKET;
    if (x->type == UW_ISOCHRONOUS && (x->flags & UW_URB_ISO_ASAP))
        pdu.flags |= UW_WIRE_ISO_ASAP;
    x->posted += n;
    x->posts++;
    pdu.seqnum = p->seqnum;
    pdu.devid = e->params.devid;
    pdu.ep = x->endpoint & 0x0fu;
    pdu.length = (int32_t)n;
    pdu.packets = (int32_t)p->iso_count;
    pdu.start_frame = (int32_t)((uint32_t)x->start_frame + p->iso_first * (uint32_t)x->interval);
    pdu.interval = x->interval;
    memcpy(pdu.setup, x->setup, sizeof(pdu.setup));
    uw_encode_pdu(p->header, &pdu);
    uw_post_send(e, p);
    return 0;
}

void
uw_out_post(struct uw_engine *e, struct uw_ep *ep, struct uw_usec now)
{
    struct uw_xfer *x;

    while (!e->status && (x = uw_list_first(&ep->callers, struct uw_xfer, link))) {
        int r = 0;

        if (held_by_unlinks(e, ep, x, now))
            return;
        ep->settle_until = uw_never();
        while (!x->whole && r == 0) {
            if (x->posts >= UW_OUT_WINDOW)
                return;
            if (!uw_turn_free(e, ep)) {
                uw_turn_block(e, ep);
                return;
            }
            r = post_chunk(e, ep, x, now);
        }
        if (r < 0) {
            uw_out_end(e, ep, x, r, uw_usec_add(now, uw_usec(UW_UNLINK_PATIENCE_US)), now);
        } else {
            uw_list_remove(&x->link);
            uw_list_insert(&ep->underway, &x->link);
        }
    }
}

int
uw_out_submit(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, struct uw_usec now)
{
    uw_list_insert(&ep->callers, &x->link);
    uw_out_post(e, ep, now);
    return 0;
}

/* Takes back what is still under way of a transfer. */
static void
withdraw_posts(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, struct uw_usec now)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &ep->posts)
    {
        struct uw_post *p = UW_CONTAINER(pos, struct uw_post, link);

        if (p->xfer == x && !p->answered && !p->receiving && uw_post_withdraw(e, p, now))
            x->posts--;
    }
}

/* No answer will come of taking it back. */
static int
is_out_of_reach(const struct uw_engine *e, struct uw_ep *ep, const struct uw_xfer *x)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &ep->posts)
    {
        const struct uw_post *p = UW_CONTAINER(pos, struct uw_post, link);

        if (p->xfer == x && p->foreign)
            return 1;
    }
    return (e->profile->flags & UW_PROF_UNLINK_USELESS) != 0;
}

void
uw_out_end(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, int verdict,
           struct uw_usec until, struct uw_usec now)
{
    if (verdict == UW_ERROR_TIMEOUT && x->posts == 0 && x->posted == 0 && !x->whole &&
        !uw_list_empty(&ep->blocked)) {
        uw_turn_name_holder(e);
        verdict = UW_ERROR_HELD;
    }
    x->verdict = verdict;
    x->state = XFER_ENDING;
    uw_list_remove(&x->link);
    uw_list_insert(&ep->underway, &x->link);
    withdraw_posts(e, ep, x, now);
    if (x->posts == 0)
        uw_xfer_complete(e, x, x->verdict, x->raw_status);
    else if (is_out_of_reach(e, ep, x))
        uw_out_force(e, ep, x, now);
    else
        uw_heap_set(&e->timers, &x->timer, until);
}

/* Waiting for the answers is over. */
void
uw_out_force(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, struct uw_usec now)
{
    struct uw_list *pos, *tmp;

    (void)now;
    uw_list_each(pos, tmp, &ep->posts)
    {
        struct uw_post *p = UW_CONTAINER(pos, struct uw_post, link);

        if (p->xfer != x)
            continue;
        if (p->answered) {
            uw_post_resolve(e, p);
            continue;
        }
        if (e->rx.xfer == x) {
            uw_tell_leaving(e);
            e->rx.xfer = NULL;
            e->rx.part[0].p = NULL;
        }
        uw_post_bury(e, p);
    }
    x->posts = 0;
    if (x->type == UW_CONTROL && x->verdict == UW_ERROR_TIMEOUT &&
        (e->profile->flags & UW_PROF_REPLACE) && e->status == UW_OK)
        e->status = UW_ERROR_WEDGED;
    uw_xfer_complete(e, x, x->verdict, x->raw_status);
}

/* A chunk was too large for the server: half of that from now on. The transfer starts again there
 * if nothing behind it can have been accepted. 1 when it does. */
static int
learn(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x)
{
    struct uw_xfer *next = uw_list_first(&ep->callers, struct uw_xfer, link);
    size_t half = x->refused / 2;

    if (half >= x->max_packet)
        half -= half % x->max_packet;
    if (half < e->max_out)
        e->max_out = (uint32_t)half;
    return !x->beyond && (!next || !next->posts) && ep->underway.next == &x->link &&
           ep->underway.prev == &x->link;
}

/* Adds up what was acknowledged without a gap. */
static void
settle(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, struct uw_usec now)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &ep->posts)
    {
        struct uw_post *p = UW_CONTAINER(pos, struct uw_post, link);

        if (p->xfer != x)
            continue;
        if (!p->answered && !x->verdict)
            break;
        if (!p->answered)
            continue;
        if (p->offset == x->settled) {
            x->settled += p->iso_count ? p->length : p->acked;
            x->actual += p->acked;
        } else if (p->acked)
            x->beyond = 1;
        x->posts--;
        uw_post_resolve(e, p);
    }
    if (x->posts) {
        if (!x->verdict)
            uw_out_post(e, ep, now);
        return;
    }
    if (!x->whole && !x->verdict) {
        uw_out_post(e, ep, now);
        return;
    }
    if (x->verdict == UW_ERROR_LIMIT && x->refused > LEARN_MIN && learn(e, ep, x)) {
        x->refused = 0;
        x->verdict = UW_OK;
        x->state = XFER_QUEUED;
        x->posted = x->settled;
        x->whole = 0;
        uw_heap_set(&e->timers, &x->timer, x->deadline);
        uw_list_remove(&x->link);
        uw_list_insert(ep->callers.next, &x->link);
        uw_out_post(e, ep, now);
        return;
    }
    uw_xfer_complete(e, x, x->verdict, x->raw_status);
}

/* What an OUT packet is said to have moved counts as far as it makes sense. */
static void
take_acknowledged(struct uw_iso_packet *asked, const struct uw_iso_packet *got, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        asked[i].actual = got[i].actual <= asked[i].length ? got[i].actual : 0;
        asked[i].status = got[i].status;
    }
}

static int
iso_result(struct uw_engine *e, struct uw_post *p, struct uw_xfer *x)
{
    struct uw_rx *rx = &e->rx;
    struct uw_iso_packet *asked, *got;
    int r = 0;

    if (rx->table_size == 0)
        return rx->pdu.status ? 0 : UW_ERROR_PROTOCOL;
    asked = packets_of(p, x);
    if (!asked)
        return UW_ERROR_NO_MEMORY;
    got = asked + p->iso_count;
    uw_decode_iso(rx->table, got, p->iso_count);
    if (p->in)
        r = uw_spread_iso(x->buffer + p->offset, p->length, rx->taken,
                          !(e->profile->flags & UW_PROF_ISO_IN_PLACE), asked, got, p->iso_count);
    else
        take_acknowledged(asked, got, p->iso_count);
    for (uint32_t i = 0; i < p->iso_count; i++) {
        struct uw_iso_packet *packet = &x->iso[p->iso_first + i];

        packet->actual = asked[i].actual;
        packet->status = uw_status_error(e->profile->dialect, x->endpoint & 0x0fu, asked[i].status);
    }
    free(asked);
    if (p->iso_first == 0)
        x->start_frame = rx->pdu.start_frame;
    x->error_count += rx->pdu.error_count;
    return r;
}

/* What an answer says of its post: status, and acked of OUT. */
static int
result(struct uw_engine *e, struct uw_post *p, struct uw_xfer *x)
{
    struct uw_rx *rx = &e->rx;
    int error = uw_status_error(e->profile->dialect, p->ep->address & 0x0fu, rx->pdu.status);
    size_t actual = (size_t)rx->pdu.length;

    if (x->type == UW_ISOCHRONOUS) {
        int r = iso_result(e, p, x);

        p->acked = p->in ? rx->taken : actual < p->length ? actual : p->length;
        return r ? r : error;
    }
    if (p->in) {
        p->acked = rx->taken;
        if (error == UW_ERROR_SHORT)
            error = UW_OK;
        if (error == UW_OK && rx->overlong && !(e->profile->flags & UW_PROF_OVERLONG))
            error = UW_ERROR_OVERFLOW;
        return error;
    }
    /* Several servers say 0 for all of it. */
    if (error == UW_OK && actual == 0)
        actual = p->length;
    else if (error == UW_OK && p->length)
        e->profile = uw_profile_refine(e->profile, UW_SEEN_OUT_LENGTH);
    p->acked = actual < p->length ? actual : p->length;
    return error;
}

/* The answer to a post came in. */
void
uw_out_finish(struct uw_engine *e, struct uw_post *p, struct uw_usec now)
{
    struct uw_ep *ep = p->ep;
    struct uw_xfer *x = p->xfer;
    int error;

    e->rx.xfer = NULL;
    error = result(e, p, x);
    p->answered = 1;
    /* An end that was asked for lost the race against the last answer. */
    if (error == UW_OK && (x->verdict == UW_ERROR_CANCELLED || x->verdict == UW_ERROR_TIMEOUT) &&
        x->whole && x->posts == 1 && p->offset == x->settled && (p->in || p->acked == p->length))
        x->verdict = UW_OK;
    if (x->verdict == UW_OK || !p->withdrawn)
        x->raw_status = e->rx.pdu.status;
    if (!x->verdict && error == UW_OK && p->acked < p->length && !p->in && !x->iso_count &&
        (!x->whole || x->posts > 1))
        error = UW_ERROR_SHORT;
    if (error && !x->verdict) {
        struct uw_usec until = uw_usec_add(now, uw_usec(UW_UNLINK_PATIENCE_US));

        x->verdict = error;
        x->state = XFER_ENDING;
        if (error == UW_ERROR_LIMIT && !p->in && (x->type == UW_BULK || x->type == UW_INTERRUPT))
            x->refused = p->length;
        if (!x->whole) {
            uw_list_remove(&x->link);
            uw_list_insert(&ep->underway, &x->link);
        }
        uw_heap_set(&e->timers, &x->timer, uw_usec_min(until, x->deadline));
        withdraw_posts(e, ep, x, now);
    }
    settle(e, ep, x, now);
}

/* The server took a post back. */
void
uw_out_unlinked(struct uw_engine *e, struct uw_post *p, int32_t status, struct uw_usec now)
{
    struct uw_ep *ep = p->ep;
    struct uw_xfer *x = p->xfer;

    x->raw_status = status;
    x->posts--;
    uw_post_resolve(e, p);
    settle(e, ep, x, now);
}
