/*
 * post.c - messages at the server: sequence numbers, unlinks, tombstones
 *
 * A post is known by its sequence number until its answer came. One that nobody waits for any more
 * becomes a tombstone: it has no pointer to a caller, and only makes its late answer be drained. If
 * too many gather, the oldest is forgotten; then the low bit of the sequence number still tells
 * whether an answer to it carries payload.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

#define SPARE_POSTS_MAX 64u

static struct uw_post **
bucket(struct uw_engine *e, uint32_t seqnum)
{
    return &e->table[(seqnum ^ seqnum >> 16) & ((1u << e->table_bits) - 1)];
}

/* Twice the buckets; staying small is only slower, so failure is no error. */
static void
grow(struct uw_engine *e)
{
    struct uw_post **old = e->table, **larger;
    unsigned n = 1u << e->table_bits;

    larger = calloc((size_t)n * 2, sizeof(struct uw_post *));
    if (!larger)
        return;
    e->table = larger;
    e->table_bits++;
    for (unsigned i = 0; i < n; i++)
        for (struct uw_post *p = old[i], *next; p; p = next) {
            struct uw_post **b = bucket(e, p->seqnum);

            next = p->hash_next;
            p->hash_next = *b;
            *b = p;
        }
    if (old != e->first_buckets)
        free(old);
}

static void
enter(struct uw_engine *e, struct uw_post *p)
{
    struct uw_post **b;

    if (e->table_entries++ >= 2u << e->table_bits)
        grow(e);
    b = bucket(e, p->seqnum);
    p->hash_next = *b;
    *b = p;
}

static void
leave(struct uw_engine *e, struct uw_post *p)
{
    for (struct uw_post **b = bucket(e, p->seqnum); *b; b = &(*b)->hash_next)
        if (*b == p) {
            *b = p->hash_next;
            e->table_entries--;
            return;
        }
}

struct uw_post *
uw_post_find(struct uw_engine *e, uint32_t seqnum)
{
    struct uw_post *p = *bucket(e, seqnum);

    while (p && p->seqnum != seqnum)
        p = p->hash_next;
    return p;
}

/* A post without a place in line yet; NULL without memory. */
static struct uw_post *
make(struct uw_engine *e, int in)
{
    struct uw_post *p = uw_list_first(&e->spare, struct uw_post, link);

    if (p) {
        uw_list_remove(&p->link);
        e->spare_count--;
        memset(p, 0, sizeof(*p));
    } else {
        p = calloc(1, sizeof(*p));
        if (!p)
            return NULL;
    }
    uw_list_init(&p->link);
    uw_list_init(&p->tx);
    p->in = in ? 1 : 0;
    p->seqnum = uw_seq_take(e->params.seq, in);
    enter(e, p);
    return p;
}

static void
destroy(struct uw_engine *e, struct uw_post *p)
{
    uw_list_remove(&p->link);
    uw_list_remove(&p->tx);
    free(p->owned);
    free(p->table);
    if (e->spare_count < SPARE_POSTS_MAX) {
        uw_list_insert(&e->spare, &p->link);
        e->spare_count++;
    } else {
        free(p);
    }
}

/* Cuts the tie between a SUBMIT and its UNLINK, whose answer no longer says anything. */
static void
untie(struct uw_engine *e, struct uw_post *p)
{
    struct uw_post *u = p->unlink;

    p->unlink = NULL;
    if (!u)
        return;
    u->unlink = NULL;
    leave(e, u);
    if (uw_post_is_sent(u))
        destroy(e, u);
    else
        u->orphan = 1;
}

struct uw_post *
uw_post_new(struct uw_engine *e, struct uw_ep *ep, int in)
{
    struct uw_post *p = make(e, in);

    if (!p)
        return NULL;
    p->ep = ep;
    uw_list_insert(&ep->posts, &p->link);
    uw_turn_take(e, ep, p);
    return p;
}

void
uw_post_send(struct uw_engine *e, struct uw_post *p)
{
    uw_list_insert(&e->tx_queue, &p->tx);
}

/* The caller's buffer is about to be the caller's again: what is still to be sent of it is copied.
 * Only a message that was begun has to be finished. */
static void
own_payload(struct uw_engine *e, struct uw_post *p)
{
    size_t gone = p->sent > UW_PDU_SIZE ? p->sent - UW_PDU_SIZE : 0;

    if (!p->data || p->owned)
        return;
    if (gone > p->data_size)
        gone = p->data_size; /* the packet table behind it was begun, too */
    if (gone < p->data_size) {
        p->owned = malloc(p->data_size - gone);
        if (!p->owned) {
            /* A message cannot be left half sent: the connection is lost with it. */
            p->data = NULL;
            e->status = UW_ERROR_NO_MEMORY;
            return;
        }
        memcpy(p->owned, p->data + gone, p->data_size - gone);
    }
    p->data = p->owned;
    p->data_skip = gone;
}

/* Out of line, table and counts; the memory goes once all of it was sent. */
static void
retire(struct uw_engine *e, struct uw_post *p)
{
    untie(e, p);
    leave(e, p);
    if (p->dead)
        e->tombs_count--;
    if (p->withdrawn)
        p->ep->withdrawn--;
    if (p->stream && !p->withdrawn && !p->dead)
        p->ep->live--;
    uw_turn_give(e, p->ep, p);
    p->xfer = NULL;
    if (uw_post_is_sent(p) || p->sent == 0) {
        destroy(e, p);
        return;
    }
    own_payload(e, p);
    uw_list_remove(&p->link);
    p->orphan = 1;
}

void
uw_post_resolve(struct uw_engine *e, struct uw_post *p)
{
    struct uw_ep *ep = p->ep;

    retire(e, p);
    /* CLEAR_HALT may have been waiting for this answer. */
    if (ep->withdrawn == 0 && e->eps[0] && !uw_list_empty(&e->eps[0]->callers))
        uw_turn_block(e, e->eps[0]);
}

static void
send_unlink(struct uw_engine *e, struct uw_post *p)
{
    struct uw_pdu pdu = {.command = UW_CMD_UNLINK, .devid = e->params.devid};
    struct uw_post *u = make(e, 0);

    if (!u)
        return; /* as if it stayed unanswered: the local deadline ends the wait */
    u->is_unlink = 1;
    u->ep = p->ep;
    pdu.seqnum = u->seqnum;
    pdu.target = p->seqnum;
    uw_encode_pdu(u->header, &pdu);
    if (e->profile->flags & UW_PROF_UNLINK_SILENT) {
        leave(e, u);
        u->orphan = 1;
        u->length = p->seqnum; /* what the tap is told as its target */
    } else {
        p->unlink = u;
        u->unlink = p;
    }
    uw_post_send(e, u);
}

int
uw_post_withdraw(struct uw_engine *e, struct uw_post *p, struct uw_usec now)
{
    if (p->withdrawn)
        return 0;
    if (p->sent == 0) {
        if (p->tapped)
            uw_tell_concluded(e, p, WIRE_ECONNRESET, now);
        uw_post_resolve(e, p);
        return 1;
    }
    if (p->stream && !p->dead)
        p->ep->live--;
    p->withdrawn = 1;
    p->ep->withdrawn++;
    if (!(e->profile->flags & UW_PROF_UNLINK_USELESS) && !p->foreign)
        send_unlink(e, p);
    return 0;
}

struct uw_post *
uw_post_unlinked(struct uw_engine *e, struct uw_post *unlink)
{
    struct uw_post *p = unlink->unlink;

    untie(e, p);
    return p;
}

void
uw_post_was_sent(struct uw_engine *e, struct uw_post *p)
{
    uw_list_remove(&p->tx);
    if (p->orphan)
        destroy(e, p);
}

static void
forget_oldest(struct uw_engine *e)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &e->tombs)
    {
        struct uw_post *p = UW_CONTAINER(pos, struct uw_post, link);

        if (!p->receiving) {
            uw_post_resolve(e, p);
            return;
        }
    }
}

void
uw_post_bury(struct uw_engine *e, struct uw_post *p)
{
    if (p->dead)
        return;
    if (p->stream && !p->withdrawn)
        p->ep->live--;
    p->dead = 1;
    p->xfer = NULL;
    own_payload(e, p);
    uw_list_remove(&p->link);
    uw_list_insert(&e->tombs, &p->link);
    if (++e->tombs_count > UW_TOMBSTONES_MAX)
        forget_oldest(e);
}

/* Everything, at the end of the engine: nothing is sent or answered any more. */
void
uw_post_free_all(struct uw_engine *e)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &e->tx_queue)
    {
        struct uw_post *p = UW_CONTAINER(pos, struct uw_post, tx);

        uw_list_remove(&p->tx);
        if (p->orphan)
            destroy(e, p);
        else
            p->sent = UW_PDU_SIZE + p->data_size + p->table_size;
    }
    for (unsigned i = 0; i < 32; i++)
        if (e->eps[i])
            uw_list_each(pos, tmp, &e->eps[i]->posts)
                retire(e, UW_CONTAINER(pos, struct uw_post, link));
    uw_list_each(pos, tmp, &e->tombs) retire(e, UW_CONTAINER(pos, struct uw_post, link));
    uw_list_each(pos, tmp, &e->spare) free(UW_CONTAINER(pos, struct uw_post, link));
    uw_list_init(&e->spare);
    e->spare_count = 0;
    if (e->table != e->first_buckets)
        free(e->table);
    e->table = e->first_buckets;
    memset(e->first_buckets, 0, sizeof(e->first_buckets));
    e->table_bits = 4;
    e->table_entries = 0;
}
