/*
 * tx.c - what is to be sent, as iovecs
 */
#include <assert.h>

#include "engine/internal.h"

/* Adds what is left of one piece of a message that starts at byte `from` of it. */
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

static int
message(struct uw_post *p, struct iovec *iov)
{
    int n = 0;

    n += piece(iov + n, p->header, UW_PDU_SIZE, 0, p->sent);
    if (p->data_size)
        n += piece(iov + n, p->data, p->data_size - p->data_skip, UW_PDU_SIZE + p->data_skip,
                   p->sent);
    n += piece(iov + n, p->table, p->table_size, UW_PDU_SIZE + p->data_size, p->sent);
    return n;
}

int
uw_engine_tx(struct uw_engine *e, struct iovec *iov, int max, struct uw_usec now)
{
    struct uw_list *pos;
    int n = 0;

    if (e->ended || e->status == UW_ERROR_NO_MEMORY)
        return 0;
    uw_turn_pump(e, now);
    for (pos = e->tx_queue.next; pos != &e->tx_queue && max - n >= 3; pos = pos->next) {
        struct uw_post *p = UW_CONTAINER(pos, struct uw_post, tx);

        if (!p->tapped && e->params.tap) {
            if (p->is_unlink)
                uw_tell_unlink(e, p, now);
            else
                uw_tell_submit(e, p, now);
        }
        p->tapped = 1;
        n += message(p, iov + n);
        if (e->profile->flags & UW_PROF_ONE_PDU)
            break;
    }
    return n;
}

void
uw_engine_tx_done(struct uw_engine *e, size_t n)
{
    while (n > 0) {
        struct uw_post *p = uw_list_first(&e->tx_queue, struct uw_post, tx);
        size_t left;

        assert(p);
        left = UW_PDU_SIZE + p->data_size + p->table_size - p->sent;
        if (n < left) {
            p->sent += n;
            return;
        }
        p->sent += left;
        n -= left;
        uw_post_was_sent(e, p);
    }
}
