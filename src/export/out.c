/*
 * out.c - what a session has to send
 */
#include <assert.h>
#include <stdlib.h>

#include "export/internal.h"

void
export_queue(struct uw_session *s, struct out *o)
{
    uw_list_insert(&s->tx, &o->link);
    s->unsent += o->head_size + o->body_size + o->tail_size;
}

/* A message of its own with `size` bytes of body behind the head; NULL without memory. */
struct out *
export_new_out(size_t size)
{
    struct out *o = calloc(1, sizeof(*o) + size);

    if (!o)
        return NULL;
    uw_list_init(&o->link);
    o->owner = o;
    o->body = (const uint8_t *)(o + 1);
    o->body_size = size;
    return o;
}

static int
piece(struct iovec *iov, const uint8_t *bytes, size_t size, size_t from, size_t sent)
{
    size_t gone = sent > from ? sent - from : 0;

    if (gone >= size)
        return 0;
    iov->iov_base = (void *)(uintptr_t)(bytes + gone);
    iov->iov_len = size - gone;
    return 1;
}

int
uw_session_tx(struct uw_session *s, struct iovec *iov, int max)
{
    struct uw_list *pos;
    int n = 0;

    for (pos = s->tx.next; pos != &s->tx && max - n >= 3; pos = pos->next) {
        const struct out *o = UW_CONTAINER(pos, struct out, link);

        n += piece(iov + n, o->head, o->head_size, 0, o->sent);
        n += piece(iov + n, o->body, o->body_size, o->head_size, o->sent);
        n += piece(iov + n, o->tail, o->tail_size, o->head_size + o->body_size, o->sent);
    }
    return n;
}

void
uw_session_tx_done(struct uw_session *s, size_t n)
{
    s->unsent -= n;
    while (n > 0) {
        struct out *o = uw_list_first(&s->tx, struct out, link);
        size_t left;

        assert(o);
        left = o->head_size + o->body_size + o->tail_size - o->sent;
        if (n < left) {
            o->sent += n;
            return;
        }
        n -= left;
        uw_list_remove(&o->link);
        if (o->owner)
            free(o->owner);
        else
            export_free_request(s, UW_CONTAINER(o, struct pending, out));
    }
}

size_t
uw_session_unsent(const struct uw_session *s)
{
    return s->unsent;
}
