/*
 * inflate.c - zlib's format (RFC 1950) with DEFLATE inside (RFC 1951)
 *
 * One step decodes a header, a stored piece or a symbol. It reads bits as if there were enough of
 * them; if there were not, nothing has changed, and it is tried again when more has come.
 */
#include <string.h>

#include "sim/inflate.h"

#define BITS_MAX 15u
#define STOP     256u /* ends a block */
#define FIRST    257u /* of the lengths */
#define SUM_BASE 65521u

/* ---- bits ---- */

static unsigned
bits(struct sim_inflate *z, unsigned count)
{
    unsigned value = 0;

    if (z->bit + count > z->size * 8)
        z->starved = 1;
    for (unsigned i = 0; i < count && !z->starved; i++, z->bit++)
        value |= (unsigned)(z->in[z->bit / 8] >> z->bit % 8 & 1) << i;
    return value;
}

static void
skip_to_byte(struct sim_inflate *z)
{
    z->bit = (z->bit + 7) / 8 * 8;
}

/* ---- codes ---- */

/* 0 when there are more codes than fit. */
static int
make_code(struct sim_inflate_code *c, const uint8_t *lengths, unsigned count)
{
    uint16_t next[BITS_MAX + 1] = {0};
    int room = 1;

    memset(c->count, 0, sizeof(c->count));
    for (unsigned i = 0; i < count; i++)
        c->count[lengths[i]]++;
    c->count[0] = 0;
    for (unsigned n = 1; n <= BITS_MAX; n++) {
        room = 2 * room - c->count[n];
        if (room < 0)
            return 0;
        next[n] = (uint16_t)(next[n - 1] + c->count[n - 1]);
    }
    for (unsigned i = 0; i < count; i++)
        if (lengths[i])
            c->symbols[next[lengths[i]]++] = (uint16_t)i;
    return 1;
}

/* A symbol; -1 when there is none with these bits. Codes of a length are consecutive numbers. */
static int
symbol(struct sim_inflate *z, const struct sim_inflate_code *c)
{
    unsigned code = 0, first = 0, before = 0;

    for (unsigned n = 1; n <= BITS_MAX; n++) {
        code = code << 1 | bits(z, 1);
        if (code < first + c->count[n])
            return c->symbols[before + code - first];
        before += c->count[n];
        first = (first + c->count[n]) << 1;
    }
    return -1;
}

static void
usual_codes(struct sim_inflate *z)
{
    uint8_t lengths[SIM_INFLATE_LENGTHS];

    for (unsigned i = 0; i < SIM_INFLATE_LENGTHS; i++)
        lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    (void)make_code(&z->literals, lengths, SIM_INFLATE_LENGTHS);
    memset(lengths, 5, SIM_INFLATE_FARS);
    (void)make_code(&z->fars, lengths, SIM_INFLATE_FARS);
}

/* The lengths of a block's own codes, coded themselves: 16 repeats the last, 17 and 18 are zeros.
 */
static int
read_lengths(struct sim_inflate *z, const struct sim_inflate_code *c, uint8_t *lengths,
             unsigned count)
{
    static const struct {
        uint8_t bits, times;
    } repeats[] = {{2, 3}, {3, 3}, {7, 11}};
    unsigned n = 0;

    while (n < count && !z->starved) {
        int s = symbol(z, c);
        unsigned times = 1;
        uint8_t length = s < 16 ? (uint8_t)s : 0;

        if (s < 0 || (s == 16 && n == 0))
            return 0;
        if (s == 16)
            length = lengths[n - 1];
        if (s >= 16)
            times = repeats[s - 16].times + bits(z, repeats[s - 16].bits);
        if (times > count - n)
            return 0;
        memset(lengths + n, length, times);
        n += times;
    }
    return 1;
}

static int
own_codes(struct sim_inflate *z)
{
    static const uint8_t order[] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                    11, 4,  12, 3, 13, 2, 14, 1, 15};
    unsigned literals = 257 + bits(z, 5), fars = 1 + bits(z, 5), given = 4 + bits(z, 4);
    uint8_t lengths[SIM_INFLATE_LENGTHS + SIM_INFLATE_FARS] = {0};
    struct sim_inflate_code code;

    if (literals > 286 || fars > 30)
        return 0;
    for (unsigned i = 0; i < given; i++)
        lengths[order[i]] = (uint8_t)bits(z, 3);
    if (!make_code(&code, lengths, sizeof(order)))
        return 0;
    memset(lengths, 0, sizeof(order));
    return read_lengths(z, &code, lengths, literals + fars) && lengths[STOP] &&
           make_code(&z->literals, lengths, literals) &&
           make_code(&z->fars, lengths + literals, fars);
}

/* ---- what comes out ---- */

static void
tell(struct sim_inflate *z)
{
    size_t at = z->told % SIM_INFLATE_WINDOW, size = z->made - z->told;

    z->told = z->made;
    for (size_t i = 0; i < size; i++) {
        z->sum_a = (z->sum_a + z->window[at + i]) % SUM_BASE;
        z->sum_b = (z->sum_b + z->sum_a) % SUM_BASE;
    }
    if (size > 0)
        z->out(z, z->window + at, size);
}

static void
put(struct sim_inflate *z, uint8_t byte)
{
    z->window[z->made++ % SIM_INFLATE_WINDOW] = byte;
    if (z->made % SIM_INFLATE_WINDOW == 0)
        tell(z);
}

/* ---- steps: each returns the next state ---- */

static enum sim_inflate_state
header(struct sim_inflate *z)
{
    unsigned method = bits(z, 8), flags = bits(z, 8);

    return (method << 8 | flags) % 31 == 0 && (method & 15) == 8 && method >> 4 <= 7 &&
                   !(flags & 0x20)
               ? SIM_INFLATE_BLOCK
               : SIM_INFLATE_BAD;
}

static enum sim_inflate_state
after_block(const struct sim_inflate *z)
{
    return z->last ? SIM_INFLATE_SUM : SIM_INFLATE_BLOCK;
}

static enum sim_inflate_state
block(struct sim_inflate *z)
{
    unsigned last = bits(z, 1), type = bits(z, 2), size;

    z->last = (int)last;
    switch (type) {
    case 0:
        skip_to_byte(z);
        size = bits(z, 16);
        z->stored = size;
        return bits(z, 16) == (~size & 0xffff) ? SIM_INFLATE_STORED : SIM_INFLATE_BAD;
    case 1: usual_codes(z); return SIM_INFLATE_CODED;
    case 2: return own_codes(z) ? SIM_INFLATE_CODED : SIM_INFLATE_BAD;
    default: return SIM_INFLATE_BAD;
    }
}

static enum sim_inflate_state
stored(struct sim_inflate *z)
{
    uint8_t byte;

    if (z->stored == 0)
        return after_block(z);
    byte = (uint8_t)bits(z, 8);
    if (!z->starved) {
        put(z, byte);
        z->stored--;
    }
    return SIM_INFLATE_STORED;
}

static enum sim_inflate_state
copy(struct sim_inflate *z, unsigned coded)
{
    static const uint16_t lengths[] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                       15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                       67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint16_t distances[] = {
        1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
        193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    unsigned length, far, distance;
    int s;

    if (coded >= sizeof(lengths) / sizeof(lengths[0]))
        return SIM_INFLATE_BAD;
    length = lengths[coded] + bits(z, coded < 8 || coded == 28 ? 0 : coded / 4 - 1);
    s = symbol(z, &z->fars);
    if (s < 0 || s >= (int)(sizeof(distances) / sizeof(distances[0])))
        return SIM_INFLATE_BAD;
    far = (unsigned)s;
    distance = distances[far] + bits(z, far < 4 ? 0 : far / 2 - 1);
    if (distance > z->made)
        return SIM_INFLATE_BAD;
    for (unsigned i = 0; i < length && !z->starved; i++)
        put(z, z->window[(z->made - distance) % SIM_INFLATE_WINDOW]);
    return SIM_INFLATE_CODED;
}

static enum sim_inflate_state
coded(struct sim_inflate *z)
{
    int s = symbol(z, &z->literals);

    if (s < 0)
        return SIM_INFLATE_BAD;
    if (s == (int)STOP)
        return after_block(z);
    if (s > (int)STOP)
        return copy(z, (unsigned)s - FIRST);
    if (!z->starved)
        put(z, (uint8_t)s);
    return SIM_INFLATE_CODED;
}

static enum sim_inflate_state
sum(struct sim_inflate *z)
{
    uint32_t told = 0;

    skip_to_byte(z);
    for (int i = 0; i < 4; i++)
        told = told << 8 | bits(z, 8);
    tell(z);
    return told == (z->sum_b << 16 | z->sum_a) ? SIM_INFLATE_DONE : SIM_INFLATE_BAD;
}

/* ---- all of them ---- */

void
sim_inflate_begin(struct sim_inflate *z,
                  void (*out)(struct sim_inflate *z, const uint8_t *bytes, size_t size))
{
    z->out = out;
    z->state = SIM_INFLATE_HEADER;
    z->size = z->bit = z->made = z->told = 0;
    z->sum_a = 1;
    z->sum_b = 0;
}

static void
step_on(struct sim_inflate *z)
{
    static enum sim_inflate_state (*const steps[])(struct sim_inflate *) = {
        [SIM_INFLATE_HEADER] = header, [SIM_INFLATE_BLOCK] = block, [SIM_INFLATE_STORED] = stored,
        [SIM_INFLATE_CODED] = coded,   [SIM_INFLATE_SUM] = sum,
    };

    z->starved = 0;
    while (z->state < SIM_INFLATE_DONE) {
        size_t before = z->bit;
        enum sim_inflate_state next = steps[z->state](z);

        if (z->starved) {
            z->bit = before;
            return;
        }
        z->state = next;
    }
}

void
sim_inflate_take(struct sim_inflate *z, const uint8_t *bytes, size_t size)
{
    while (size > 0 && z->state < SIM_INFLATE_DONE) {
        size_t done = z->bit / 8, n;

        memmove(z->in, z->in + done, z->size - done);
        z->size -= done;
        z->bit %= 8;
        n = sizeof(z->in) - z->size;
        n = n < size ? n : size;
        memcpy(z->in + z->size, bytes, n);
        z->size += n;
        bytes += n;
        size -= n;
        step_on(z);
    }
    tell(z);
}
