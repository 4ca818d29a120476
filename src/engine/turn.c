/*
 * turn.c - who may post next
 *
 * Limits come from the profile (for the connection, for the endpoint, or - through the gate - for
 * the whole server). Posts that nobody waits for any more count too: the server is still busy with
 * them. What gets no place waits in engine->blocked and goes by order of arrival.
 */
#include <stdio.h>

#include "engine/internal.h"

static int
gate_is_open(struct uw_engine *e)
{
    struct uw_gate *g = e->gate;

    if (!e->profile->in_flight || e->profile->scope != UW_SCOPE_SERVER) {
        uw_list_remove(&e->gate_link); /* it may have had to wait before the profile was refined */
        return 1;
    }
    /* Places go to engines in the order in which they asked. */
    if (g->inside < e->profile->in_flight &&
        (e->granted || uw_list_empty(&g->waiting) || g->waiting.next == &e->gate_link)) {
        uw_list_remove(&e->gate_link);
        return 1;
    }
    if (uw_list_empty(&e->gate_link) && !e->granted)
        uw_list_insert(&g->waiting, &e->gate_link);
    return 0;
}

/* Somebody else waits for a place, and it is not this endpoint's turn: who asked first is for the
 * pump to say. */
static int
has_to_queue(const struct uw_engine *e, const struct uw_ep *ep)
{
    if (e->turn == ep || uw_list_empty(&e->blocked))
        return 0;
    return e->blocked.next != &ep->blocked || e->blocked.prev != &ep->blocked;
}

int
uw_turn_is_full(const struct uw_engine *e)
{
    const struct uw_profile *pr = e->profile;

    return pr->in_flight &&
           (pr->scope == UW_SCOPE_SERVER ? e->gate->inside : e->occupied) >= pr->in_flight;
}

/* 1 when there is a place for one more post on the endpoint. */
int
uw_turn_free(struct uw_engine *e, struct uw_ep *ep)
{
    const struct uw_profile *pr = e->profile;

    if (has_to_queue(e, ep))
        return 0;
    if (e->occupied >= e->params.limits.max_in_flight)
        return 0;
    if (pr->scope == UW_SCOPE_CONNECTION && uw_turn_is_full(e))
        return 0;
    if (ep->stream && pr->in_per_endpoint && ep->occupied >= pr->in_per_endpoint)
        return 0;
    return gate_is_open(e);
}

/* Takes the place that uw_turn_free showed. */
void
uw_turn_take(struct uw_engine *e, struct uw_ep *ep, struct uw_post *p)
{
    e->occupied++;
    ep->occupied++;
    e->turn = NULL; /* it is good for one */
    if (e->profile->in_flight && e->profile->scope == UW_SCOPE_SERVER) {
        struct uw_gate *g = e->gate;

        p->gated = 1;
        e->granted = 0;
        if (++g->inside >= e->profile->in_flight)
            snprintf(g->holder, sizeof(g->holder), "%s 0x%02x of %s", p->in ? "IN" : "OUT",
                     ep->address, e->params.name);
    }
}

void
uw_turn_give(struct uw_engine *e, struct uw_ep *ep, struct uw_post *p)
{
    e->occupied--;
    ep->occupied--;
    if (p->gated) {
        p->gated = 0;
        e->gate->inside--;
    }
}

void
uw_turn_block(struct uw_engine *e, struct uw_ep *ep)
{
    if (uw_list_empty(&ep->blocked))
        uw_list_insert(&e->blocked, &ep->blocked);
    ep->round = e->round;
}

/* When the caller arrived whose post is the next to be made. */
static uint64_t
next_ticket(struct uw_ep *ep)
{
    struct uw_list *pos = ep->callers.next;

    if (pos == &ep->callers)
        return UINT64_MAX;
    if (ep->stream)
        for (unsigned i = 0; i < ep->live && pos->next != &ep->callers; i++)
            pos = pos->next;
    return UW_CONTAINER(pos, struct uw_xfer, link)->ticket;
}

void
uw_turn_pump(struct uw_engine *e, struct uw_usec now)
{
    e->round++;
    while (!uw_list_empty(&e->blocked) && !e->status) {
        struct uw_list *pos, *tmp;
        struct uw_ep *best = NULL;

        uw_list_each(pos, tmp, &e->blocked)
        {
            struct uw_ep *ep = UW_CONTAINER(pos, struct uw_ep, blocked);

            if (ep->round != e->round && (!best || next_ticket(ep) < next_ticket(best)))
                best = ep;
        }
        if (!best)
            break;
        uw_list_remove(&best->blocked);
        e->turn = best;
        if (best->stream)
            uw_in_post(e, best, now);
        else
            uw_out_post(e, best, now);
        /* Who got a place and wants another is asked again; who did not, in the next round. */
        best->round = e->turn ? e->round : e->round - 1;
        e->turn = NULL;
    }
    /* Nothing left to do with a place the gate gave: the next engine may have it. */
    e->granted = 0;
}

/* Remembers for a message what keeps others from their turn. */
void
uw_turn_name_holder(struct uw_engine *e)
{
    struct uw_ep *busy = NULL;

    if (e->profile->scope == UW_SCOPE_SERVER && e->profile->in_flight) {
        snprintf(e->holder, sizeof(e->holder), "%s", e->gate->holder);
        return;
    }
    for (unsigned i = 0; i < 32 && !busy; i++)
        if (e->eps[i] && e->eps[i]->occupied)
            busy = e->eps[i];
    if (busy)
        snprintf(e->holder, sizeof(e->holder), "%s 0x%02x of %s",
                 busy->address & 0x80 ? "IN" : "OUT", busy->address, e->params.name);
}
