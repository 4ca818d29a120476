/*
 * engine.c - the engine's public face: transfers in, transfers out, time
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

#define DEFAULT_MAX_REPLY       (64u * 1024u * 1024u)
#define DEFAULT_MAX_ISO_PACKETS 1024u
#define DEFAULT_MAX_IN_FLIGHT   4096u
#define DEFAULT_MAX_PARKED      (1024u * 1024u)

static uint32_t
or_default(uint32_t value, uint32_t otherwise)
{
    return value ? value : otherwise;
}

int
uw_engine_new(const struct uw_engine_params *params, struct uw_engine **ret_engine)
{
    struct uw_engine *e = calloc(1, sizeof(*e));
    struct uw_limits *l;

    if (!e)
        return UW_ERROR_NO_MEMORY;
    e->params = *params;
    l = &e->params.limits;
    l->max_reply = or_default(l->max_reply, DEFAULT_MAX_REPLY);
    l->max_iso_packets = or_default(l->max_iso_packets, DEFAULT_MAX_ISO_PACKETS);
    l->max_in_flight = or_default(l->max_in_flight, DEFAULT_MAX_IN_FLIGHT);
    l->max_parked = or_default(l->max_parked, DEFAULT_MAX_PARKED);
    e->profile = params->profile;
    e->max_out = params->profile->max_out;
    uw_gate_init(&e->own_gate, 0);
    e->gate = params->gate ? params->gate : &e->own_gate;
    if (e->profile->scope == UW_SCOPE_SERVER)
        e->gate->limit = e->profile->in_flight;
    uw_list_init(&e->gate_link);
    uw_list_init(&e->spare);
    uw_list_init(&e->tombs);
    uw_list_init(&e->tx_queue);
    uw_list_init(&e->done);
    uw_list_init(&e->blocked);
    e->table = e->first_buckets;
    e->table_bits = 4;
    *ret_engine = e;
    return 0;
}

void
uw_engine_free(struct uw_engine *e)
{
    if (!e)
        return;
    assert(uw_list_empty(&e->done) && !uw_heap_first(&e->timers));
    uw_rx_reset(&e->rx);
    uw_post_free_all(e);
    uw_list_remove(&e->gate_link);
    for (unsigned i = 0; i < 32; i++)
        if (e->eps[i]) {
            assert(uw_list_empty(&e->eps[i]->callers) && uw_list_empty(&e->eps[i]->underway));
            uw_in_drop_kept(e->eps[i]);
            free(e->eps[i]);
        }
    free(e);
}

void
uw_engine_set_tap(struct uw_engine *e, void (*tap)(void *data, const struct uw_tap_event *event),
                  void *data)
{
    e->params.tap = tap;
    e->params.tap_data = data;
}

static unsigned
ep_index(uint8_t address)
{
    unsigned n = address & 0x0fu;

    return n && (address & 0x80) ? n + 16 : n;
}

struct uw_ep *
uw_engine_ep(struct uw_engine *e, const struct uw_xfer *x)
{
    struct uw_ep **slot = &e->eps[ep_index(x->endpoint)], *ep = *slot;

    if (!ep) {
        ep = calloc(1, sizeof(*ep));
        if (!ep)
            return NULL;
        uw_list_init(&ep->callers);
        uw_list_init(&ep->underway);
        uw_list_init(&ep->posts);
        uw_list_init(&ep->kept);
        uw_list_init(&ep->blocked);
        ep->engine = e;
        ep->address = x->endpoint & 0x0fu ? x->endpoint : 0;
        ep->settle_until = uw_never();
        *slot = ep;
    }
    return ep;
}

static int
check(const struct uw_engine *e, const struct uw_xfer *x)
{
    int control = (x->endpoint & 0x0fu) == 0;

    if (control != (x->type == UW_CONTROL) || (x->length && !x->buffer) || x->length > INT32_MAX)
        return UW_ERROR_INVALID;
    if (x->type == UW_CONTROL && x->length > UINT16_MAX)
        return UW_ERROR_INVALID;
    if ((x->type == UW_BULK || x->type == UW_INTERRUPT) && x->max_packet == 0)
        return UW_ERROR_INVALID;
    if ((x->type == UW_INTERRUPT || x->type == UW_ISOCHRONOUS) && x->interval <= 0)
        return UW_ERROR_INVALID;
    if (x->type != UW_ISOCHRONOUS)
        return x->iso_count ? UW_ERROR_INVALID : UW_OK;
    if (!(e->profile->flags & UW_PROF_ISO))
        return UW_ERROR_NOT_SUPPORTED;
    return x->iso_count && x->iso ? UW_OK : UW_ERROR_INVALID;
}

/* What the last time has left. */
static void
reset(struct uw_xfer *x)
{
    x->status = x->verdict = UW_OK;
    x->raw_status = 0;
    x->actual = x->posted = x->settled = x->refused = 0;
    x->posts = x->iso_posted = 0;
    x->whole = x->beyond = 0;
    x->error_count = 0;
    for (uint32_t i = 0; i < x->iso_count; i++) {
        x->iso[i].actual = 0;
        x->iso[i].status = UW_OK;
    }
}

int
uw_engine_submit(struct uw_engine *e, struct uw_xfer *x, struct uw_usec now)
{
    int r = e->status ? e->status : check(e, x);
    struct uw_ep *ep = r < 0 ? NULL : uw_engine_ep(e, x);

    assert(x->state == XFER_IDLE);
    if (!ep) {
        r = r < 0 ? r : UW_ERROR_NO_MEMORY;
        uw_tell_refused(e, x, r, now);
        return r;
    }
    ep->stream = (x->endpoint & 0x80) && (x->type == UW_BULK || x->type == UW_INTERRUPT);
    if (x->max_packet)
        ep->max_packet = x->max_packet;
    reset(x);
    x->state = XFER_QUEUED;
    x->ticket = ++e->ticket;
    uw_heap_set(&e->timers, &x->timer, x->deadline);
    if (ep->stream)
        uw_in_submit(e, ep, x, now);
    else
        uw_out_submit(e, ep, x, now);
    uw_turn_pump(e, now);
    return 0;
}

void
uw_xfer_complete(struct uw_engine *e, struct uw_xfer *x, int status, int32_t raw)
{
    assert(e->rx.xfer != x);
    if (status == UW_OK && (x->endpoint & 0x80) && (x->flags & UW_URB_SHORT_NOT_OK) &&
        x->type != UW_ISOCHRONOUS && x->actual < x->length)
        status = UW_ERROR_SHORT;
    x->status = status;
    x->raw_status = raw;
    x->state = XFER_IDLE;
    uw_heap_remove(&e->timers, &x->timer);
    uw_list_remove(&x->link);
    uw_list_insert(&e->done, &x->link);
}

struct uw_xfer *
uw_engine_completed(struct uw_engine *e)
{
    struct uw_xfer *x = uw_list_first(&e->done, struct uw_xfer, link);

    if (x)
        uw_list_remove(&x->link);
    return x;
}

int
uw_engine_cancel(struct uw_engine *e, struct uw_xfer *x, struct uw_usec now)
{
    struct uw_ep *ep;

    if (x->state != XFER_QUEUED)
        return UW_ERROR_NOT_FOUND;
    ep = uw_engine_ep(e, x);
    if (ep->stream)
        uw_in_cancel(e, ep, x, now);
    else
        uw_out_end(e, ep, x, UW_ERROR_CANCELLED, uw_usec_add(now, uw_usec(UW_UNLINK_PATIENCE_US)),
                   now);
    uw_turn_pump(e, now);
    return 0;
}

int
uw_engine_time_out(struct uw_engine *e, struct uw_xfer *x, struct uw_usec now)
{
    if (x->state != XFER_QUEUED)
        return UW_ERROR_NOT_FOUND;
    uw_heap_set(&e->timers, &x->timer, now);
    uw_engine_expire(e, now);
    return 0;
}

static void
flush(struct uw_engine *e, struct uw_ep *ep, struct uw_usec now)
{
    struct uw_list *pos, *tmp, *lists[] = {&ep->callers, &ep->underway};

    if (ep->stream) {
        uw_in_forget(e, ep, now);
        return;
    }
    for (unsigned i = 0; i < 2; i++)
        uw_list_each(pos, tmp, lists[i])
        {
            struct uw_xfer *x = UW_CONTAINER(pos, struct uw_xfer, link);

            if (x->state == XFER_QUEUED)
                uw_out_end(e, ep, x, UW_ERROR_CANCELLED,
                           uw_usec_add(now, uw_usec(UW_UNLINK_PATIENCE_US)), now);
        }
}

void
uw_engine_flush(struct uw_engine *e, uint32_t endpoints, struct uw_usec now)
{
    for (unsigned i = 1; i < 32; i++)
        if (e->eps[i] && !e->ended && endpoints & UINT32_C(1) << i)
            flush(e, e->eps[i], now);
    uw_turn_pump(e, now);
}

void
uw_engine_drop_kept(struct uw_engine *e, uint32_t endpoints)
{
    for (unsigned i = 1; i < 32; i++)
        if (e->eps[i] && endpoints & UINT32_C(1) << i)
            uw_in_drop_kept(e->eps[i]);
}

/* Every transfer is handed back with `error`; posts are left without their callers. */
static void
complete_all(struct uw_engine *e, int error)
{
    struct uw_list *pos, *tmp;

    for (unsigned i = 0; i < 32; i++) {
        struct uw_ep *ep = e->eps[i];
        struct uw_list *lists[] = {ep ? &ep->underway : NULL, ep ? &ep->callers : NULL};

        if (!ep)
            continue;
        uw_list_each(pos, tmp, &ep->posts) uw_post_bury(e, UW_CONTAINER(pos, struct uw_post, link));
        for (unsigned j = 0; j < 2; j++)
            uw_list_each(pos, tmp, lists[j])
                uw_xfer_complete(e, UW_CONTAINER(pos, struct uw_xfer, link), error, 0);
        ep->waiting = 0;
        uw_list_remove(&ep->blocked);
        uw_heap_remove(&e->ep_timers, &ep->timer);
    }
}

static void
conclude_posts(struct uw_engine *e, struct uw_list *posts, struct uw_usec now)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, posts)
    {
        struct uw_post *p = UW_CONTAINER(pos, struct uw_post, link);

        if (!p->answered)
            uw_tell_concluded(e, p, WIRE_ESHUTDOWN, now);
    }
}

void
uw_engine_abort(struct uw_engine *e, int error, struct uw_usec now)
{
    if (e->ended)
        return;
    for (unsigned i = 0; i < 32; i++)
        if (e->eps[i])
            conclude_posts(e, &e->eps[i]->posts, now);
    conclude_posts(e, &e->tombs, now);
    uw_rx_reset(&e->rx);
    complete_all(e, error);
    uw_post_free_all(e);
    uw_list_remove(&e->gate_link);
    e->ended = 1;
    e->status = error;
}

void
uw_engine_forked(struct uw_engine *e)
{
    struct uw_list *pos, *tmp;

    for (unsigned i = 0; i < 32; i++)
        if (e->eps[i])
            uw_list_each(pos, tmp, &e->eps[i]->posts) UW_CONTAINER(pos, struct uw_post, link)
                ->foreign = 1;
}

void
uw_engine_close(struct uw_engine *e, struct uw_usec now)
{
    struct uw_list *pos, *tmp;

    if (e->ended)
        return;
    if (e->rx.xfer) {
        uw_tell_leaving(e);
        e->rx.xfer = NULL;
        e->rx.part[0].p = NULL;
    }
    for (unsigned i = 0; i < 32; i++)
        if (e->eps[i])
            uw_list_each(pos, tmp, &e->eps[i]->posts)
                uw_post_withdraw(e, UW_CONTAINER(pos, struct uw_post, link), now);
    complete_all(e, UW_ERROR_CANCELLED);
    if (e->status == UW_OK)
        e->status = UW_ERROR_CANCELLED;
}

static void
expire_xfer(struct uw_engine *e, struct uw_xfer *x, struct uw_usec now)
{
    struct uw_ep *ep = uw_engine_ep(e, x);

    uw_heap_remove(&e->timers, &x->timer);
    if (ep->stream)
        uw_in_timeout(e, ep, x, now);
    else if (x->state == XFER_QUEUED)
        uw_out_end(e, ep, x, UW_ERROR_TIMEOUT, uw_usec_add(now, uw_usec(UW_UNLINK_GRACE_US)), now);
    else
        uw_out_force(e, ep, x, now);
}

struct uw_usec
uw_engine_deadline(const struct uw_engine *e)
{
    return uw_usec_min(uw_heap_at(&e->timers), uw_heap_at(&e->ep_timers));
}

void
uw_engine_expire(struct uw_engine *e, struct uw_usec now)
{
    struct uw_heap_node *node;

    while ((node = uw_heap_first(&e->timers)) && node->at.us <= now.us)
        expire_xfer(e, UW_CONTAINER(node, struct uw_xfer, timer), now);
    while ((node = uw_heap_first(&e->ep_timers)) && node->at.us <= now.us) {
        struct uw_ep *ep = UW_CONTAINER(node, struct uw_ep, timer);

        uw_heap_remove(&e->ep_timers, node);
        if (ep->stream)
            uw_in_post(e, ep, now);
        else
            uw_out_post(e, ep, now);
    }
    uw_turn_pump(e, now);
}

int
uw_engine_status(const struct uw_engine *e)
{
    return e->status;
}

int
uw_engine_is_mid_message(const struct uw_engine *e)
{
    return e->rx.state != RX_HEADER || e->rx.have > 0;
}

const struct uw_profile *
uw_engine_profile(const struct uw_engine *e)
{
    return e->profile;
}

const char *
uw_engine_holder(const struct uw_engine *e)
{
    return e->holder;
}

const char *
uw_engine_holder_of(struct uw_engine *e, uint8_t endpoint)
{
    const struct uw_ep *ep = e->eps[ep_index(endpoint)];

    if ((ep && ep->occupied) || !uw_turn_is_full(e))
        return "";
    uw_turn_name_holder(e);
    return e->holder;
}

void
uw_engine_stats(const struct uw_engine *e, struct uw_engine_stats *ret_stats)
{
    struct uw_engine_stats s = {.tombstones = e->tombs_count,
                                .in_flight = e->occupied - e->tombs_count,
                                .late = e->late,
                                .gone = e->gone,
                                .max_out = e->max_out};

    for (unsigned i = 0; i < 32; i++)
        if (e->eps[i] && e->eps[i]->stream) {
            s.kept += e->eps[i]->kept_bytes;
            s.parked +=
                e->eps[i]->live > e->eps[i]->waiting ? e->eps[i]->live - e->eps[i]->waiting : 0;
        }
    *ret_stats = s;
}
