/*
 * framer.c - a stream of syslog frames from anywhere
 *
 * Whole, byte by byte, and in pieces as long as the first byte says: the same frames, no byte
 * twice, none longer than allowed, and always room to go on.
 */
#include <string.h>

#include "syslog/framer.h"

#include "fuzz.h"

/* FNV-1a over all that came out. */
struct result {
    uint64_t hash;
    size_t bytes;
    unsigned long frames;
};

static void
mix(struct result *r, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        r->hash = (r->hash ^ p[i]) * 1099511628211u;
}

static void
note(struct result *r, const struct uw_frame *f)
{
    uint8_t head[] = {(uint8_t)f->kind, (uint8_t)f->cut, (uint8_t)f->size, (uint8_t)(f->size >> 8)};

    FUZZ_CHECK(f->size > 0 || f->kind == UW_FRAME_JUNK);
    FUZZ_CHECK(f->size <= UW_SYSLOG_MAX);
    FUZZ_CHECK((f->kind == UW_FRAME_JUNK) == (f->bytes[0] != '<'));
    mix(r, head, sizeof(head));
    mix(r, f->bytes, f->size);
    r->bytes += f->size;
    r->frames++;
}

static struct result
run(const uint8_t *bytes, size_t size, size_t piece)
{
    static struct uw_framer framer;
    struct result r = {14695981039346656037u, 0, 0};
    struct uw_frame frame;

    uw_framer_init(&framer);
    for (size_t at = 0; at < size;) {
        size_t n = size - at < piece ? size - at : piece, taken;

        taken = uw_framer_put(&framer, bytes + at, n);
        FUZZ_CHECK(taken > 0);
        at += taken;
        while (uw_framer_next(&framer, &frame))
            note(&r, &frame);
    }
    if (uw_framer_finish(&framer, &frame))
        note(&r, &frame);
    FUZZ_CHECK(r.bytes <= size);
    return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct result whole, single, pieces;

    if (size == 0)
        return 0;
    whole = run(bytes, size, size);
    single = run(bytes, size, 1);
    pieces = run(bytes, size, bytes[0] + 1u);
    FUZZ_CHECK(whole.hash == single.hash && whole.frames == single.frames);
    FUZZ_CHECK(whole.hash == pieces.hash && whole.frames == pieces.frames);
    return 0;
}
