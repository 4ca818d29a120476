/*
 * pcapng.c - writing the blocks of a capture file
 */
#include <string.h>

#include "capture/pcapng.h"

/* A string longer than this is cut: no comment may make a block too large. */
#define STRING_MAX 512u

static size_t
padded(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

static void
wr_le64(struct uw_writer *w, uint64_t v)
{
    uw_wr_le32(w, (uint32_t)v);
    uw_wr_le32(w, (uint32_t)(v >> 32));
}

/* A 64-bit time or counter of an older layout: the high half first. */
static void
wr_high_low(struct uw_writer *w, uint64_t v)
{
    uw_wr_le32(w, (uint32_t)(v >> 32));
    uw_wr_le32(w, (uint32_t)v);
}

static void
wr_padding(struct uw_writer *w)
{
    while (w->len % 4 && !w->failed)
        uw_wr_u8(w, 0);
}

/* ---- options ---- */

/* Cut where a UTF-8 sequence ends. */
static size_t
string_size(const char *s)
{
    size_t n = strnlen(s, STRING_MAX + 1);

    if (n <= STRING_MAX)
        return n;
    n = STRING_MAX;
    while (n > 0 && ((uint8_t)s[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static void
wr_option(struct uw_writer *w, enum uw_block_option code, const void *bytes, size_t size)
{
    uw_wr_le16(w, (uint16_t)code);
    uw_wr_le16(w, (uint16_t)size);
    uw_wr_bytes(w, bytes, size);
    wr_padding(w);
}

static void
wr_string_option(struct uw_writer *w, enum uw_block_option code, const char *s)
{
    if (s)
        wr_option(w, code, s, string_size(s));
}

static void
wr_end_of_options(struct uw_writer *w)
{
    uw_wr_le32(w, 0);
}

/* ---- a block: type, length, body, length ---- */

static size_t
begin(struct uw_writer *w, enum uw_block_type type)
{
    size_t start = w->len;

    uw_wr_le32(w, (uint32_t)type);
    uw_wr_le32(w, 0);
    return start;
}

static void
end(struct uw_writer *w, size_t start)
{
    struct uw_writer length = uw_writer(w->p + start + 4, 4);

    uw_wr_le32(w, (uint32_t)(w->len + 4 - start));
    if (!w->failed)
        uw_wr_le32(&length, (uint32_t)(w->len - start));
}

void
uw_encode_section(struct uw_writer *w, const char *comment, const char *hardware, const char *os,
                  const char *application)
{
    size_t start = begin(w, UW_BLOCK_SECTION);

    uw_wr_le32(w, UW_BYTE_ORDER_MAGIC);
    uw_wr_le16(w, 1); /* version 1.0 */
    uw_wr_le16(w, 0);
    wr_le64(w, UINT64_MAX); /* length not known beforehand */
    wr_string_option(w, UW_OPT_COMMENT, comment);
    wr_string_option(w, UW_SHB_HARDWARE, hardware);
    wr_string_option(w, UW_SHB_OS, os);
    wr_string_option(w, UW_SHB_USERAPPL, application);
    wr_end_of_options(w);
    end(w, start);
}

void
uw_encode_interface(struct uw_writer *w, uint16_t link_type, const char *name,
                    const char *description, const char *os)
{
    static const uint8_t nanoseconds = 9; /* stamps count 10^-9 s */
    size_t start = begin(w, UW_BLOCK_INTERFACE);

    uw_wr_le16(w, link_type);
    uw_wr_le16(w, 0);
    uw_wr_le32(w, UW_SNAPLEN);
    wr_string_option(w, UW_IF_NAME, name);
    wr_string_option(w, UW_IF_DESCRIPTION, description);
    wr_option(w, UW_IF_TSRESOL, &nanoseconds, 1);
    wr_string_option(w, UW_IF_OS, os);
    wr_end_of_options(w);
    end(w, start);
}

void
uw_encode_name(struct uw_writer *w, const void *address, size_t address_size, const char *name)
{
    size_t start = begin(w, UW_BLOCK_NAMES), size = string_size(name);

    uw_wr_le16(w, address_size == 4 ? 1 : 2); /* nrb_record_ipv4, nrb_record_ipv6 */
    uw_wr_le16(w, (uint16_t)(address_size + size + 1));
    uw_wr_bytes(w, address, address_size);
    uw_wr_bytes(w, name, size);
    uw_wr_u8(w, 0);
    wr_padding(w);
    uw_wr_le32(w, 0); /* nrb_record_end */
    end(w, start);
}

void
uw_encode_statistics(struct uw_writer *w, uint32_t interface, const struct uw_statistics *s)
{
    const struct {
        enum uw_block_option code;
        uint64_t value;
    } counters[] = {{UW_ISB_IFRECV, s->received},
                    {UW_ISB_IFDROP, s->dropped},
                    {UW_ISB_USRDELIV, s->delivered}},
      times[] = {{UW_ISB_STARTTIME, s->start}, {UW_ISB_ENDTIME, s->end}};
    size_t start = begin(w, UW_BLOCK_STATISTICS);

    uw_wr_le32(w, interface);
    wr_high_low(w, s->end);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        uw_wr_le16(w, (uint16_t)times[i].code);
        uw_wr_le16(w, 8);
        wr_high_low(w, times[i].value);
    }
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        uw_wr_le16(w, (uint16_t)counters[i].code);
        uw_wr_le16(w, 8);
        wr_le64(w, counters[i].value);
    }
    wr_end_of_options(w);
    end(w, start);
}

size_t
uw_packet_block_size(uint32_t captured, const char *comment)
{
    size_t size = UW_EPB_FRAME + padded(captured);

    return comment ? size + 4 + padded(string_size(comment)) + 4 : size;
}

uint8_t *
uw_encode_packet(struct uw_writer *w, uint32_t interface, uint64_t stamp, uint32_t captured,
                 uint32_t original, const char *comment)
{
    size_t start = begin(w, UW_BLOCK_PACKET);
    uint8_t *packet;

    uw_wr_le32(w, interface);
    wr_high_low(w, stamp);
    uw_wr_le32(w, captured);
    uw_wr_le32(w, original);
    packet = uw_wr_room(w, captured);
    wr_padding(w);
    if (comment) {
        wr_string_option(w, UW_OPT_COMMENT, comment);
        wr_end_of_options(w);
    }
    end(w, start);
    return w->failed ? NULL : packet;
}
