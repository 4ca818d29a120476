/*
 * Packets. The answer is made by hand by the format of RFC 1035 section 4.1, with the records that
 * the ESP bridge announces (PTR, SRV, TXT, A; names compressed as ESP-IDF's mdns component does).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <usbwire/error.h>

#include "mdns/packet.h"

/* clang-format off */
static const uint8_t answer[] = {
    0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 3,                                  /* header */
    6, '_', 'u', 's', 'b', 'i', 'p', 4, '_', 't', 'c', 'p', 5, 'l', 'o', 'c', 'a', 'l', 0, /* 12 */
    0, 12, 0, 1, 0, 0, 0x11, 0x94, 0, 6, 3, 'E', 'S', 'P', 0xc0, 12,        /* PTR; ESP at 41 */
    0xc0, 41, 0, 33, 0x80, 1, 0, 0, 0, 120, 0, 16,                          /* SRV */
        0, 0, 0, 0, 0x0c, 0xa8, 7, 'u', 's', 'b', 'i', 'p', '-', '1', 0xc0, 24,
    0xc0, 41, 0, 16, 0x80, 1, 0, 0, 0x11, 0x94, 0, 8, 7, 'c', 'o', 'u', 'n', 't', '=', '1',
    0xc0, 65, 0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 192, 0, 2, 7,              /* A */
};
/* clang-format on */

static struct uw_dns_reader
open_packet(const uint8_t *bytes, size_t size)
{
    struct uw_dns_reader r;

    assert_int_equal(uw_decode_dns_packet(bytes, size, &r), 0);
    return r;
}

static void
expect_record(struct uw_dns_reader *r, struct uw_dns_record *record, uint16_t type, uint32_t ttl,
              int flush, const char *name)
{
    char buf[UW_DNS_TEXT_SIZE];

    assert_int_equal(uw_dns_next_record(r, record), 1);
    assert_int_equal(record->type, type);
    assert_int_equal(record->ttl, ttl);
    assert_int_equal(record->flush, flush);
    assert_string_equal(uw_dns_name_text(&record->name, buf, sizeof(buf)), name);
}

static void
reads_an_announcement(void **state)
{
    struct uw_dns_reader r = open_packet(answer, sizeof(answer));
    struct uw_dns_record record;
    struct uw_dns_question q;
    char buf[UW_DNS_TEXT_SIZE];

    (void)state;
    assert_true(uw_dns_is_answer(&r));
    assert_int_equal(r.sections[UW_DNS_ANSWER], 1);
    assert_int_equal(r.sections[UW_DNS_ADDITIONAL], 3);
    assert_int_equal(uw_dns_next_question(&r, &q), 0);
    expect_record(&r, &record, UW_DNS_PTR, 4500, 0, "_usbip._tcp.local");
    assert_string_equal(uw_dns_name_text(&record.target, buf, sizeof(buf)),
                        "ESP._usbip._tcp.local");
    expect_record(&r, &record, UW_DNS_SRV, 120, 1, "ESP._usbip._tcp.local");
    assert_int_equal(record.port, 3240);
    assert_string_equal(uw_dns_name_text(&record.target, buf, sizeof(buf)), "usbip-1.local");
    expect_record(&r, &record, UW_DNS_TXT, 4500, 1, "ESP._usbip._tcp.local");
    assert_int_equal(record.data_size, 8);
    assert_memory_equal(record.data, "\7count=1", 8);
    expect_record(&r, &record, UW_DNS_A, 120, 1, "usbip-1.local");
    assert_memory_equal(record.data, "\xc0\0\2\7", 4);
    assert_int_equal(uw_dns_next_record(&r, &record), 0);
}

/* Cut anywhere, it ends in an error or earlier, and never beyond its end. */
static void
cut_anywhere(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof(answer); size++) {
        uint8_t *exact = malloc(size ? size : 1);
        struct uw_dns_reader r;
        struct uw_dns_record record;
        int n;

        memcpy(exact, answer, size);
        if (size < 12) {
            assert_int_equal(uw_decode_dns_packet(exact, size, &r), UW_ERROR_PROTOCOL);
        } else {
            r = open_packet(exact, size);
            while ((n = uw_dns_next_record(&r, &record)) == 1)
                continue;
            assert_int_equal(n, UW_ERROR_PROTOCOL);
        }
        free(exact);
    }
}

static void
what_is_an_answer(void **state)
{
    static const struct {
        uint16_t flags;
        int is;
    } rows[] = {{0x8400, 1}, {0x8000, 1}, {0x0000, 0}, {0x8403, 0}, {0x8c00, 0}, {0x8600, 1}};
    uint8_t packet[12] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct uw_dns_reader r;

        packet[2] = (uint8_t)(rows[i].flags >> 8);
        packet[3] = (uint8_t)rows[i].flags;
        r = open_packet(packet, sizeof(packet));
        assert_int_equal(uw_dns_is_answer(&r), rows[i].is);
    }
}

/* Data of a wrong size, and classes that are not ours, are left out; what follows is read. */
static void
leaves_out(void **state)
{
    /* clang-format off */
    static const uint8_t packet[] = {
        0, 0, 0x84, 0, 0, 0, 0, 8, 0, 0, 0, 0,
        0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 3, 1, 2, 3,            /* A of three bytes */
        0, 0, 28, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4,        /* AAAA of four */
        0, 0, 12, 0, 1, 0, 0, 0, 1, 0, 2, 0, 0,              /* PTR with a byte behind its name */
        0, 0, 12, 0, 1, 0, 0, 0, 1, 0, 2, 1, 'a',            /* whose name does not end in it */
        0, 0, 33, 0, 1, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0,  /* SRV without a target */
        0, 0, 33, 0, 1, 0, 0, 0, 1, 0, 2, 0, 0,              /* shorter still */
        0, 0, 1, 0, 3, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4,         /* class CH */
        0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4,
    };
    /* clang-format on */
    struct uw_dns_reader r = open_packet(packet, sizeof(packet));
    struct uw_dns_record record;

    (void)state;
    expect_record(&r, &record, UW_DNS_A, 9, 0, "");
    assert_int_equal(uw_dns_next_record(&r, &record), 0);
}

static void
writes_what_it_reads(void **state)
{
    struct uw_dns_reader r = open_packet(answer, sizeof(answer)), again;
    struct uw_dns_question q = {.type = UW_DNS_PTR, .unicast = 1}, q2;
    struct uw_dns_record record, record2;
    struct uw_dns_writer w;
    uint8_t packet[512];
    size_t size;

    (void)state;
    assert_int_equal(uw_dns_name_parse("_usbip._tcp.local", &q.name), 0);
    uw_encode_dns_packet(&w, packet, sizeof(packet), 7, UW_DNS_RESPONSE);
    assert_int_equal(uw_dns_add_question(&w, &q), 1);
    while (uw_dns_next_record(&r, &record) == 1)
        assert_int_equal(uw_dns_add_record(&w, UW_DNS_ADDITIONAL, &record), 1);
    size = uw_dns_finish(&w);
    again = open_packet(packet, size);
    assert_int_equal(again.id, 7);
    assert_int_equal(uw_dns_next_question(&again, &q2), 1);
    assert_true(uw_dns_name_equal(&q.name, &q2.name) && q2.unicast && q2.type == UW_DNS_PTR);
    assert_int_equal(uw_dns_next_question(&again, &q2), 0);
    r = open_packet(answer, sizeof(answer));
    while (uw_dns_next_record(&r, &record) == 1) {
        assert_int_equal(uw_dns_next_record(&again, &record2), 1);
        assert_true(uw_dns_name_equal(&record.name, &record2.name));
        assert_int_equal(record.type, record2.type);
        assert_int_equal(record.ttl, record2.ttl);
        assert_int_equal(record.flush, record2.flush);
        assert_int_equal(record.port, record2.port);
        assert_int_equal(record.target.size, record2.target.size);
        assert_memory_equal(record.target.bytes, record2.target.bytes, record.target.size);
        if (!record.target.size) {
            assert_int_equal(record.data_size, record2.data_size);
            assert_memory_equal(record.data, record2.data, record.data_size);
        }
    }
    assert_int_equal(uw_dns_next_record(&again, &record2), 0);
    assert_int_equal(again.offset, size);
}

/* What does not fit is not there, and what was there stays whole. */
static void
writes_no_half(void **state)
{
    struct uw_dns_record record = {
        .type = UW_DNS_TXT, .data = (const uint8_t *)"\3abc", .data_size = 4};
    struct uw_dns_reader r;

    (void)state;
    assert_int_equal(uw_dns_name_parse("a.local", &record.name), 0);
    for (size_t room = 12; room < 80; room++) {
        uint8_t *packet = malloc(room);
        struct uw_dns_writer w;
        size_t size;
        int n = 0, read = 0;

        uw_encode_dns_packet(&w, packet, room, 0, 0);
        while (uw_dns_add_record(&w, UW_DNS_ANSWER, &record))
            n++;
        assert_int_equal(uw_dns_add_record(&w, UW_DNS_ANSWER, &record), 0);
        size = uw_dns_finish(&w);
        assert_int_equal(size, 12 + n * 23);
        r = open_packet(packet, size);
        while (uw_dns_next_record(&r, &(struct uw_dns_record){0}) == 1)
            read++;
        assert_int_equal(read, n);
        free(packet);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_an_announcement), cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(what_is_an_answer),     cmocka_unit_test(leaves_out),
        cmocka_unit_test(writes_what_it_reads),  cmocka_unit_test(writes_no_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
