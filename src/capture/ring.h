/*
 * ring.h - finished blocks between who makes them and who takes them
 *
 * A block lies in one piece; where it does not fit before the end of the memory it starts over at
 * the beginning. What a reader has in hand (uw_ring_peek) stays where it is until it gives it back,
 * so it can be written without a lock. An empty ring starts at its beginning again, which keeps a
 * fast reader's blocks in the processor's cache.
 */
#ifndef UW_CAPTURE_RING_H
#define UW_CAPTURE_RING_H

#include <stddef.h>
#include <stdint.h>

struct uw_ring {
    uint8_t *bytes;
    size_t size;
    size_t head;  /* where the next block goes */
    size_t tail;  /* first byte not yet given back */
    size_t wrap;  /* head < tail: where the bytes before the end of the memory stop */
    size_t taken; /* bytes a reader has in hand, from tail on */
    int wrapped;  /* head has started over and tail has not */
};

/* NO_MEMORY. */
int uw_ring_init(struct uw_ring *ring, size_t size);
void uw_ring_free(struct uw_ring *ring);

/* Room for a block of n bytes, or NULL. It belongs to the ring with uw_ring_commit. */
uint8_t *uw_ring_reserve(struct uw_ring *ring, size_t n);
void uw_ring_commit(struct uw_ring *ring, size_t n);

/* The bytes to be taken next, as many as lie together; the reader has them in hand until it gives
 * back how many it took. */
size_t uw_ring_peek(struct uw_ring *ring, const uint8_t **ret_bytes);
void uw_ring_give_back(struct uw_ring *ring, size_t n);

/* Bytes in it. */
size_t uw_ring_used(const struct uw_ring *ring);

/* Throws everything away; nothing is in hand. */
void uw_ring_clear(struct uw_ring *ring);

#endif
