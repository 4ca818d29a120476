/*
 * capture.c - what a tap may be told becomes blocks, and the blocks say the same
 *
 * The input is a script of events, with every field free. Whatever they are: the stream reads back,
 * each completion has its submission, stamps go up, records decode to what was told and no packet
 * is larger than it may be.
 */
#include <string.h>

#include <usbwire/capture.h>
#include <usbwire/tap.h>

#include "base/bytes.h"
#include "capture/capture.h"
#include "capture/stream.h"
#include "capture/usbmon.h"
#include "fuzz.h"

#define PACKETS_MAX 8
#define OPEN_MAX    256

static struct uw_capture *capture;
static struct uw_attachment attachment;
static struct uw_stream stream;
static uint8_t blocks[UW_CAPTURE_BLOCK_MAX];

/* Ids seen submitted and not completed; a script may use one several times. */
static uint64_t open_ids[OPEN_MAX];
static unsigned open_count;
static int too_many;
static uint64_t last_stamp;

static void
submitted(uint64_t id)
{
    if (open_count < OPEN_MAX)
        open_ids[open_count++] = id;
    else
        too_many = 1;
}

static void
completed(uint64_t id)
{
    for (unsigned i = 0; i < open_count; i++)
        if (open_ids[i] == id) {
            open_ids[i] = open_ids[--open_count];
            return;
        }
    FUZZ_CHECK(too_many);
}

static void
check_packet(const struct uw_stream_packet *p)
{
    struct uw_usbmon_view v;

    FUZZ_CHECK(p->size <= UW_SNAPLEN && p->size <= p->original);
    FUZZ_CHECK(p->stamp > last_stamp);
    last_stamp = p->stamp;
    FUZZ_CHECK(uw_usbmon_decode(p->bytes, p->size, &v) == 0);
    FUZZ_CHECK(v.record.address >= 1 && v.record.address <= 127);
    FUZZ_CHECK(v.payload_size + v.record.iso_count * UW_USBMON_PACKET <= v.data_length);
    if (v.record.kind == UW_USBMON_SUBMIT)
        submitted(v.record.id);
    else
        completed(v.record.id);
}

/* Takes everything and reads it back. */
static void
drain(void)
{
    struct uw_stream_packet packet;
    long n;

    while ((n = uw_capture_pull(capture, blocks, sizeof(blocks), uw_usec(0))) > 0) {
        for (long done = 0; done < n;) {
            size_t room, part = (size_t)(n - done);
            uint8_t *dst = uw_stream_room(&stream, &room);

            if (part > room)
                part = room;
            memcpy(dst, blocks + done, part);
            uw_stream_added(&stream, part);
            done += (long)part;
            while (uw_stream_next(&stream, &packet) == 1)
                check_packet(&packet);
        }
        FUZZ_CHECK(stream.start == stream.end); /* whole blocks, all understood */
    }
}

static void
tell(struct uw_reader *r)
{
    static uint8_t data[512];
    static struct uw_iso_packet iso[PACKETS_MAX];
    struct uw_tap_source source = {.host = "h:1", .busid = "1-1"};
    struct uw_tap_event e = {.source = &source};
    struct iovec pieces[2];

    e.kind = (enum uw_tap_kind)(uw_rd_u8(r) % 10);
    source.connection = uw_rd_u8(r) % 4;
    source.server = uw_rd_u8(r) % 3;
    source.address = uw_rd_u8(r);
    source.bus = source.vid = uw_rd_u8(r);
    e.id = 1 + uw_rd_u8(r) % 32;
    e.endpoint = uw_rd_u8(r);
    e.type = uw_rd_u8(r) & 3;
    e.local = uw_rd_u8(r) & 1;
    uw_rd_bytes(r, e.setup, sizeof(e.setup));
    e.status = (int32_t)uw_rd_le32(r);
    e.length = uw_rd_le32(r);
    pieces[0] = (struct iovec){data, uw_rd_u8(r)};
    pieces[1] = (struct iovec){data + 256, uw_rd_u8(r)};
    uw_rd_bytes(r, data, pieces[0].iov_len < r->left ? pieces[0].iov_len : 0);
    e.data = pieces;
    e.data_count = uw_rd_u8(r) % 3;
    e.iso_count = uw_rd_u8(r) % (PACKETS_MAX + 1);
    for (uint32_t i = 0; i < e.iso_count; i++)
        iso[i] = (struct uw_iso_packet){uw_rd_le32(r), uw_rd_le32(r), uw_rd_le32(r), uw_rd_u8(r)};
    e.iso = e.iso_count ? iso : NULL;
    uw_record_event(&attachment, &e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct uw_capture_options options = {.size = sizeof(options), .ring = 1 << 20};
    struct uw_reader r = uw_reader(bytes, size);

    open_count = 0;
    too_many = 0;
    last_stamp = 0;
    if (uw_capture_new(&options, &capture) < 0 || uw_stream_init(&stream) < 0)
        abort();
    attachment = (struct uw_attachment){.capture = capture};
    while (r.left && !r.failed) {
        if (uw_rd_u8(&r) == 0xff) {
            drain();
            pthread_mutex_lock(&capture->lock);
            uw_section_begin_locked(capture);
            pthread_mutex_unlock(&capture->lock);
            open_count = 0;
        }
        tell(&r);
        drain();
    }
    uw_capture_close(capture, NULL);
    drain();
    uw_capture_free(capture);
    uw_stream_free(&stream);
    return 0;
}
