/*
 * seq.c - sequence numbers
 */
#include "engine/engine.h"

void
uw_seq_init(struct uw_seq *seq, uint32_t random)
{
    seq->next = random;
}

uint32_t
uw_seq_take(struct uw_seq *seq, int in)
{
    uint32_t n = seq->next & 0x7fffffffu;

    /* 0 is no sequence number in the kernel's client: leave out both that would begin with it. */
    if (n == 0)
        n = 1;
    seq->next = n + 1;
    return n << 1 | (in ? 1u : 0u);
}
