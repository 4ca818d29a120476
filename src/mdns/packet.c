/*
 * packet.c - multicast DNS packets
 */
#include <usbwire/error.h>

#include "mdns/packet.h"

#define CLASS_IN  1u
#define OPCODE    0x7800u
#define RCODE     0x000fu
#define CLASS_BIT 0x8000u /* of a question: QU; of a record: cache flush */

int
uw_decode_dns_packet(const uint8_t *packet, size_t size, struct uw_dns_reader *ret_reader)
{
    struct uw_reader r = uw_reader(packet, size);
    struct uw_dns_reader reader = {.packet = packet, .size = size, .offset = UW_DNS_HEADER_SIZE};

    reader.id = uw_rd_be16(&r);
    reader.flags = uw_rd_be16(&r);
    reader.questions = uw_rd_be16(&r);
    for (int i = 0; i < 3; i++) {
        reader.sections[i] = uw_rd_be16(&r);
        reader.records += reader.sections[i];
    }
    if (r.failed)
        return UW_ERROR_PROTOCOL;
    *ret_reader = reader;
    return 0;
}

int
uw_dns_is_answer(const struct uw_dns_reader *reader)
{
    return (reader->flags & (UW_DNS_RESPONSE | OPCODE | RCODE)) == UW_DNS_RESPONSE;
}

int
uw_dns_next_question(struct uw_dns_reader *reader, struct uw_dns_question *ret_question)
{
    struct uw_dns_question q = {0};
    struct uw_reader r;
    uint16_t class;

    while (reader->questions) {
        if (uw_decode_dns_name(reader->packet, reader->size, &reader->offset, &q.name) < 0)
            return UW_ERROR_PROTOCOL;
        r = uw_reader(reader->packet + reader->offset, reader->size - reader->offset);
        q.type = uw_rd_be16(&r);
        class = uw_rd_be16(&r);
        if (r.failed)
            return UW_ERROR_PROTOCOL;
        reader->offset += 4;
        reader->questions--;
        q.unicast = (class & CLASS_BIT) != 0;
        if ((class & ~CLASS_BIT) == CLASS_IN || (class & ~CLASS_BIT) == UW_DNS_ANY) {
            *ret_question = q;
            return 1;
        }
    }
    return 0;
}

/* The target, whose name has to end where the data does. */
static int
read_target(const struct uw_dns_reader *reader, size_t offset, size_t end,
            struct uw_dns_name *ret_target)
{
    return uw_decode_dns_name(reader->packet, end, &offset, ret_target) == 0 && offset == end;
}

/* 1 when the data, of `length` bytes at the reader's offset, is what the type demands. */
static int
read_data(const struct uw_dns_reader *reader, size_t length, struct uw_dns_record *record)
{
    size_t at = reader->offset;
    struct uw_reader r = uw_reader(reader->packet + at, length);

    record->data = reader->packet + at;
    record->data_size = length;
    switch (record->type) {
    case UW_DNS_A: return length == 4;
    case UW_DNS_AAAA: return length == 16;
    case UW_DNS_PTR: return read_target(reader, at, at + length, &record->target);
    case UW_DNS_SRV:
        record->priority = uw_rd_be16(&r);
        record->weight = uw_rd_be16(&r);
        record->port = uw_rd_be16(&r);
        return !r.failed && read_target(reader, at + 6, at + length, &record->target);
    default: return 1;
    }
}

int
uw_dns_next_record(struct uw_dns_reader *reader, struct uw_dns_record *ret_record)
{
    while (reader->records) {
        struct uw_dns_record record = {0};
        struct uw_reader r;
        uint16_t class, length;
        int fits;

        if (uw_decode_dns_name(reader->packet, reader->size, &reader->offset, &record.name) < 0)
            return UW_ERROR_PROTOCOL;
        r = uw_reader(reader->packet + reader->offset, reader->size - reader->offset);
        record.type = uw_rd_be16(&r);
        class = uw_rd_be16(&r);
        record.ttl = uw_rd_be32(&r);
        length = uw_rd_be16(&r);
        if (r.failed || r.left < length)
            return UW_ERROR_PROTOCOL;
        reader->offset += 10;
        reader->records--;
        record.flush = (class & CLASS_BIT) != 0;
        fits = (class & ~CLASS_BIT) == CLASS_IN && read_data(reader, length, &record);
        reader->offset += length;
        if (fits) {
            *ret_record = record;
            return 1;
        }
    }
    return 0;
}

/* ---- writing ---- */

void
uw_encode_dns_packet(struct uw_dns_writer *writer, void *packet, size_t size, uint16_t id,
                     uint16_t flags)
{
    *writer = (struct uw_dns_writer){.w = uw_writer(packet, size)};
    uw_wr_be16(&writer->w, id);
    uw_wr_be16(&writer->w, flags);
    for (int i = 0; i < 4; i++)
        uw_wr_be16(&writer->w, 0);
}

/* Counts what was written since `before`, or takes it back. */
static int
settle(struct uw_dns_writer *writer, struct uw_writer before, unsigned section)
{
    if (writer->w.failed) {
        writer->w = before;
        return 0;
    }
    writer->counts[section]++;
    return 1;
}

int
uw_dns_add_question(struct uw_dns_writer *writer, const struct uw_dns_question *question)
{
    struct uw_writer before = writer->w;

    uw_encode_dns_name(&writer->w, &question->name);
    uw_wr_be16(&writer->w, question->type);
    uw_wr_be16(&writer->w, (uint16_t)(CLASS_IN | (question->unicast ? CLASS_BIT : 0)));
    return settle(writer, before, 0);
}

int
uw_dns_add_record(struct uw_dns_writer *writer, enum uw_dns_section section,
                  const struct uw_dns_record *record)
{
    struct uw_writer before = writer->w;
    int is_srv = record->type == UW_DNS_SRV, is_named = is_srv || record->type == UW_DNS_PTR;
    size_t length = is_named ? record->target.size + (is_srv ? 6u : 0u) : record->data_size;

    uw_encode_dns_name(&writer->w, &record->name);
    uw_wr_be16(&writer->w, record->type);
    uw_wr_be16(&writer->w, (uint16_t)(CLASS_IN | (record->flush ? CLASS_BIT : 0)));
    uw_wr_be32(&writer->w, record->ttl);
    uw_wr_be16(&writer->w, (uint16_t)length);
    if (is_srv) {
        uw_wr_be16(&writer->w, record->priority);
        uw_wr_be16(&writer->w, record->weight);
        uw_wr_be16(&writer->w, record->port);
    }
    if (is_named)
        uw_encode_dns_name(&writer->w, &record->target);
    else
        uw_wr_bytes(&writer->w, record->data, record->data_size);
    return settle(writer, before, 1u + section);
}

size_t
uw_dns_finish(struct uw_dns_writer *writer)
{
    struct uw_writer counts = uw_writer(writer->w.p + 4, 8);

    for (int i = 0; i < 4; i++)
        uw_wr_be16(&counts, writer->counts[i]);
    return writer->w.len;
}
