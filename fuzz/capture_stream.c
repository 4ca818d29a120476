/*
 * capture_stream.c - what a program sends to a monitor, from anywhere
 *
 * Whole or byte by byte, the same packets come out, and all that is shown lies within what came.
 */
#include <string.h>

#include <usbwire/error.h>

#include "capture/pcapng.h"
#include "capture/stream.h"
#include "capture/usbmon.h"
#include "fuzz.h"

#define PACKETS_MAX 1024

struct summary {
    unsigned count;
    uint64_t hash;
    int result;
};

static void
mix(struct summary *s, const void *bytes, size_t size)
{
    const uint8_t *p = (const uint8_t *)bytes;

    for (size_t i = 0; i < size; i++)
        s->hash = (s->hash ^ p[i]) * 0x100000001b3u;
}

static void
take(struct uw_stream *stream, struct summary *s)
{
    struct uw_stream_packet p;
    struct uw_usbmon_view v;

    while (s->result >= 0 && (s->result = uw_stream_next(stream, &p)) == 1) {
        s->count++;
        FUZZ_CHECK(p.interface < stream->interface_count);
        FUZZ_CHECK(p.bytes >= stream->bytes && p.bytes + p.size <= stream->bytes + stream->end);
        mix(s, &p.stamp, sizeof(p.stamp));
        mix(s, p.bytes, p.size);
        if (p.comment)
            mix(s, p.comment, strlen(p.comment));
        mix(s, stream->interfaces[p.interface].description,
            strlen(stream->interfaces[p.interface].description));
        if (uw_usbmon_decode(p.bytes, p.size, &v) == 0)
            mix(s, v.payload, v.payload_size);
    }
}

/* Feeds `step` bytes at a time; 0: as much as there is room for. */
static struct summary
feed(const uint8_t *bytes, size_t size, size_t step)
{
    struct summary s = {0};
    struct uw_stream stream;

    if (uw_stream_init(&stream) < 0)
        abort();
    while (size > 0 && s.result >= 0) {
        size_t room, n;
        uint8_t *dst = uw_stream_room(&stream, &room);

        FUZZ_CHECK(room > 0);
        n = step && step < room ? step : room;
        n = n < size ? n : size;
        memcpy(dst, bytes, n);
        uw_stream_added(&stream, n);
        bytes += n;
        size -= n;
        take(&stream, &s);
    }
    FUZZ_CHECK(stream.interface_count <= UW_STREAM_INTERFACES_MAX);
    uw_stream_free(&stream);
    return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct summary whole = feed(bytes, size, 0), single = feed(bytes, size, 1);

    FUZZ_CHECK(whole.count == single.count && whole.hash == single.hash);
    FUZZ_CHECK(whole.result == single.result);
    return 0;
}
