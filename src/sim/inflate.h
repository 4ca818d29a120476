/*
 * inflate.h - what zlib compressed (RFC 1950, RFC 1951), in pieces as they come
 */
#ifndef UW_SIM_INFLATE_H
#define UW_SIM_INFLATE_H

#include <stddef.h>
#include <stdint.h>

#define SIM_INFLATE_WINDOW  32768u
#define SIM_INFLATE_INPUT   2048u /* more than what has to be there at once, a block's tables */
#define SIM_INFLATE_LENGTHS 288u  /* codes there are for lengths and literals, and for distances */
#define SIM_INFLATE_FARS    32u

enum sim_inflate_state {
    SIM_INFLATE_HEADER,
    SIM_INFLATE_BLOCK,
    SIM_INFLATE_STORED,
    SIM_INFLATE_CODED,
    SIM_INFLATE_SUM,
    SIM_INFLATE_DONE,
    SIM_INFLATE_BAD
};

/* A canonical code: how many codes each length has, and what they stand for, in their order. */
struct sim_inflate_code {
    uint16_t count[16], symbols[SIM_INFLATE_LENGTHS];
};

struct sim_inflate {
    void (*out)(struct sim_inflate *inflate, const uint8_t *bytes, size_t size);

    enum sim_inflate_state state;
    uint8_t in[SIM_INFLATE_INPUT];
    size_t size, bit; /* of the input: how much there is, and where reading stands */
    int starved;      /* a step needs more than there is */
    int last;         /* the block is */
    uint32_t stored;  /* so much of it is left */
    struct sim_inflate_code literals, fars;
    uint8_t window[SIM_INFLATE_WINDOW];
    size_t made, told; /* of the output, since the beginning */
    uint32_t sum_a, sum_b;
};

void sim_inflate_begin(struct sim_inflate *inflate,
                       void (*out)(struct sim_inflate *inflate, const uint8_t *bytes, size_t size));

/* Says by `state` whether it was the end, or no good. All that can be made of it has been given out
 * on return; of what is behind the end, nothing is. */
void sim_inflate_take(struct sim_inflate *inflate, const uint8_t *bytes, size_t size);

#endif
