/*
 * inflate.c - anything, as if it were compressed
 *
 * In one piece or in many, the same comes out, and it ends the same way.
 */
#include <string.h>

#include "fuzz.h"
#include "sim/inflate.h"

struct out {
    struct sim_inflate inflate;
    uint64_t hash;
    size_t size;
};

static void
note(struct sim_inflate *inflate, const uint8_t *bytes, size_t size)
{
    struct out *o = (struct out *)(void *)inflate;

    FUZZ_CHECK(size > 0 && size <= SIM_INFLATE_WINDOW);
    for (size_t i = 0; i < size; i++)
        o->hash = (o->hash ^ bytes[i]) * 0x100000001b3u;
    o->size += size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct out whole, split;

    memset(&whole, 0, sizeof(whole));
    memset(&split, 0, sizeof(split));
    sim_inflate_begin(&whole.inflate, note);
    sim_inflate_begin(&split.inflate, note);
    sim_inflate_take(&whole.inflate, bytes, size);
    for (size_t i = 0; i < size; i++)
        sim_inflate_take(&split.inflate, bytes + i, 1);
    FUZZ_CHECK(whole.inflate.state == split.inflate.state);
    FUZZ_CHECK(whole.size == split.size && whole.hash == split.hash);
    FUZZ_CHECK(whole.size <= 1032 * size); /* no symbol makes more of its bits */
    return 0;
}
