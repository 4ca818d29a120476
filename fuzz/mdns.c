/*
 * mdns.c - multicast DNS packets from anywhere
 *
 * Whatever can be read can be written, and reads the same again; nothing lies outside the packet.
 */
#include <string.h>

#include <usbwire/error.h>

#include "mdns/packet.h"

#include "fuzz.h"

static void
check_name(const struct uw_dns_name *name)
{
    char text[UW_DNS_TEXT_SIZE];
    struct uw_dns_name again;

    FUZZ_CHECK(name->size >= 1 && name->bytes[name->size - 1] == 0);
    uw_dns_name_text(name, text, sizeof(text));
    FUZZ_CHECK(uw_dns_name_parse(text, &again) == 0);
    FUZZ_CHECK(again.size == name->size && memcmp(again.bytes, name->bytes, name->size) == 0);
}

static void
check_record(const uint8_t *bytes, size_t size, const struct uw_dns_record *record)
{
    check_name(&record->name);
    if (record->type == UW_DNS_PTR || record->type == UW_DNS_SRV)
        check_name(&record->target);
    FUZZ_CHECK(record->data >= bytes && record->data + record->data_size <= bytes + size);
    FUZZ_CHECK(record->type != UW_DNS_A || record->data_size == 4);
    FUZZ_CHECK(record->type != UW_DNS_AAAA || record->data_size == 16);
}

static void
check_again(const uint8_t *packet, size_t size, const struct uw_dns_record *record)
{
    struct uw_dns_reader reader;
    struct uw_dns_record again;

    FUZZ_CHECK(uw_decode_dns_packet(packet, size, &reader) == 0);
    FUZZ_CHECK(uw_dns_next_record(&reader, &again) == 1 && reader.offset == size);
    FUZZ_CHECK(uw_dns_name_equal(&again.name, &record->name));
    FUZZ_CHECK(again.type == record->type && again.ttl == record->ttl &&
               again.flush == record->flush && again.port == record->port);
    if (record->target.size)
        FUZZ_CHECK(uw_dns_name_equal(&again.target, &record->target));
    else
        FUZZ_CHECK(again.data_size == record->data_size &&
                   memcmp(again.data, record->data, record->data_size) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static uint8_t packet[70000];
    struct uw_dns_reader reader;
    struct uw_dns_question question;
    struct uw_dns_record record;
    struct uw_dns_writer writer;
    int r = uw_decode_dns_packet(bytes, size, &reader);

    FUZZ_CHECK((r == 0) == (size >= UW_DNS_HEADER_SIZE));
    while (r == 0 && (r = uw_dns_next_question(&reader, &question)) == 1) {
        check_name(&question.name);
        r = 0;
    }
    while (r == 0 && (r = uw_dns_next_record(&reader, &record)) == 1) {
        check_record(bytes, size, &record);
        uw_encode_dns_packet(&writer, packet, sizeof(packet), 0, UW_DNS_RESPONSE);
        FUZZ_CHECK(uw_dns_add_record(&writer, UW_DNS_ANSWER, &record) == 1);
        check_again(packet, uw_dns_finish(&writer), &record);
        r = 0;
    }
    FUZZ_CHECK(r == 0 || r == UW_ERROR_PROTOCOL);
    FUZZ_CHECK(size < UW_DNS_HEADER_SIZE || reader.offset <= size);
    return 0;
}
