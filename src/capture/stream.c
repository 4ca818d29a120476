/*
 * stream.c - reading a capture back
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/error.h>

#include "capture/pcapng.h"
#include "capture/stream.h"

#define BLOCK_FRAME 12u /* type, length, length */

int
uw_stream_init(struct uw_stream *s)
{
    *s = (struct uw_stream){0};
    s->bytes = malloc(2 * UW_BLOCK_MAX);
    return s->bytes ? 0 : UW_ERROR_NO_MEMORY;
}

void
uw_stream_free(struct uw_stream *s)
{
    free(s->bytes);
    free(s->interfaces);
    *s = (struct uw_stream){0};
}

uint8_t *
uw_stream_room(struct uw_stream *s, size_t *ret_size)
{
    if (s->start == s->end) {
        s->start = s->end = 0;
    } else if (s->end > UW_BLOCK_MAX) {
        memmove(s->bytes, s->bytes + s->start, s->end - s->start);
        s->end -= s->start;
        s->start = 0;
    }
    *ret_size = 2 * UW_BLOCK_MAX - s->end;
    return s->bytes + s->end;
}

void
uw_stream_added(struct uw_stream *s, size_t size)
{
    s->end += size;
}

/* ---- options ---- */

/* The text of the first option of that code, or "". */
static void
find_text(struct uw_reader options, enum uw_block_option wanted, char *dst)
{
    dst[0] = '\0';
    while (options.left >= 4) {
        uint16_t code = uw_rd_le16(&options), size = uw_rd_le16(&options);
        const uint8_t *value = uw_rd_take(&options, size);

        if (!value || code == 0)
            return;
        if (code == wanted) {
            size_t n = size < UW_STREAM_TEXT_MAX - 1 ? size : UW_STREAM_TEXT_MAX - 1;

            memcpy(dst, value, n);
            dst[n] = '\0';
            return;
        }
        (void)uw_rd_take(&options, (4u - size % 4u) % 4u);
    }
}

/* ---- blocks; `body` is what stands between the lengths ---- */

static int
section(struct uw_stream *s, struct uw_reader body, struct uw_stream_packet *packet)
{
    uint32_t magic = uw_rd_le32(&body);
    uint16_t major = uw_rd_le16(&body);

    (void)packet;
    (void)uw_rd_take(&body, 10); /* minor version, length of the section */
    if (body.failed || magic != UW_BYTE_ORDER_MAGIC || major != 1)
        return UW_ERROR_PROTOCOL;
    find_text(body, UW_OPT_COMMENT, s->comment);
    s->section++;
    s->interface_count = 0;
    return 0;
}

static int
interface(struct uw_stream *s, struct uw_reader body, struct uw_stream_packet *packet)
{
    struct uw_stream_interface *more;
    uint16_t link_type = uw_rd_le16(&body);

    (void)packet;
    (void)uw_rd_take(&body, 6); /* reserved, snaplen */
    if (body.failed || s->interface_count == UW_STREAM_INTERFACES_MAX)
        return UW_ERROR_PROTOCOL;
    more = realloc(s->interfaces, (s->interface_count + 1) * sizeof(*more));
    if (!more)
        return UW_ERROR_NO_MEMORY;
    s->interfaces = more;
    more += s->interface_count++;
    more->link_type = link_type;
    find_text(body, UW_IF_DESCRIPTION, more->description);
    return 0;
}

static int
packet(struct uw_stream *s, struct uw_reader body, struct uw_stream_packet *p)
{
    uint64_t high;

    p->interface = uw_rd_le32(&body);
    high = uw_rd_le32(&body);
    p->stamp = high << 32 | uw_rd_le32(&body);
    p->size = uw_rd_le32(&body);
    p->original = uw_rd_le32(&body);
    p->bytes = uw_rd_take(&body, p->size);
    (void)uw_rd_take(&body, (4 - p->size % 4) % 4);
    if (body.failed || p->interface >= s->interface_count)
        return UW_ERROR_PROTOCOL;
    find_text(body, UW_OPT_COMMENT, s->packet_comment);
    p->comment = *s->packet_comment ? s->packet_comment : NULL;
    return 1;
}

int
uw_stream_next(struct uw_stream *s, struct uw_stream_packet *ret_packet)
{
    static const struct {
        enum uw_block_type type;
        int (*read)(struct uw_stream *s, struct uw_reader body, struct uw_stream_packet *packet);
    } kinds[] = {
        {UW_BLOCK_SECTION, section}, {UW_BLOCK_INTERFACE, interface}, {UW_BLOCK_PACKET, packet}};
    struct uw_stream_packet p = {0};

    while (s->end - s->start >= BLOCK_FRAME) {
        struct uw_reader r = uw_reader(s->bytes + s->start, s->end - s->start);
        uint32_t type = uw_rd_le32(&r), size = uw_rd_le32(&r);
        struct uw_reader body, tail;
        int result = 0;

        if (size < BLOCK_FRAME || size % 4 || size > UW_BLOCK_MAX ||
            (!s->section && type != UW_BLOCK_SECTION))
            return UW_ERROR_PROTOCOL;
        if (size > s->end - s->start)
            return 0;
        body = uw_reader(r.p, size - BLOCK_FRAME);
        tail = uw_reader(r.p + size - BLOCK_FRAME, 4);
        if (uw_rd_le32(&tail) != size)
            return UW_ERROR_PROTOCOL;
        s->start += size;
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
            if (type == kinds[i].type)
                result = kinds[i].read(s, body, &p);
        if (result == 1)
            *ret_packet = p;
        if (result != 0)
            return result;
    }
    return 0;
}
