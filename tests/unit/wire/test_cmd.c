/*
 * URB headers and packet tables, byte by byte. The first vectors are the interrupt transfers at the
 * end of Linux' Documentation/usb/usbip_protocol.rst; the others follow its tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <usbwire/error.h>

#include "wire/cmd.h"

struct vector {
    const char *words; /* 12 big-endian words */
    struct uw_pdu pdu;
};

static const struct vector vectors[] = {
    {"00000001 00000d05 0001000f 00000001 00000001 00000200 00000040 ffffffff 00000000 00000004 "
     "00000000 00000000",
     {.command = UW_CMD_SUBMIT,
      .seqnum = 0xd05,
      .devid = 0x1000f,
      .direction = UW_DIR_IN,
      .ep = 1,
      .flags = 0x200,
      .length = 64,
      .start_frame = -1,
      .interval = 4}},
    {"00000003 00000d05 00000000 00000000 00000000 00000000 00000040 ffffffff 00000000 00000000 "
     "00000000 00000000",
     {.command = UW_RET_SUBMIT, .seqnum = 0xd05, .length = 64, .start_frame = -1}},
    {"00000001 00000002 00010002 00000001 00000000 00000000 00000012 00000000 00000000 00000000 "
     "80060001 00001200",
     {.command = UW_CMD_SUBMIT,
      .seqnum = 2,
      .devid = 0x10002,
      .direction = UW_DIR_IN,
      .length = 18,
      .setup = {0x80, 0x06, 0x00, 0x01, 0x00, 0x00, 0x12, 0x00}}},
    {"00000003 00000007 00000000 00000000 00000000 ffffffe0 00000000 00000005 00000008 00000003 "
     "00000000 00000000",
     {.command = UW_RET_SUBMIT,
      .seqnum = 7,
      .status = -32,
      .start_frame = 5,
      .packets = 8,
      .error_count = 3}},
    {"00000002 00000008 00010002 00000000 00000000 00000007 00000000 00000000 00000000 00000000 "
     "00000000 00000000",
     {.command = UW_CMD_UNLINK, .seqnum = 8, .devid = 0x10002, .target = 7}},
    {"00000004 00000008 00000000 00000000 00000000 ffffff98 00000000 00000000 00000000 00000000 "
     "00000000 00000000",
     {.command = UW_RET_UNLINK, .seqnum = 8, .status = -104}},
};

static unsigned
digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void
parse(const char *words, uint8_t *bytes)
{
    size_t n = 0;

    for (; *words; words++) {
        if (*words == ' ')
            continue;
        bytes[n++] = (uint8_t)(digit(words[0]) << 4 | digit(words[1]));
        words++;
    }
    assert_int_equal(n, UW_PDU_SIZE);
}

static void
test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        uint8_t golden[UW_PDU_SIZE], encoded[UW_PDU_SIZE];
        struct uw_pdu pdu;

        parse(vectors[i].words, golden);
        memset(encoded, 0xee, sizeof(encoded));
        uw_encode_pdu(encoded, &vectors[i].pdu);
        assert_memory_equal(encoded, golden, UW_PDU_SIZE);
        assert_int_equal(uw_decode_pdu(golden, &pdu), 0);
        assert_memory_equal(&pdu, &vectors[i].pdu, sizeof(pdu));
    }
}

static void
test_unknown_command(void **state)
{
    uint8_t bytes[UW_PDU_SIZE] = {0, 0, 0, 5, 0, 0, 0, 9};
    struct uw_pdu pdu;
    char text[100];

    (void)state;
    assert_int_equal(uw_decode_pdu(bytes, &pdu), UW_ERROR_PROTOCOL);
    assert_int_equal(pdu.command, 5);
    assert_int_equal(pdu.seqnum, 9);
    assert_string_equal(uw_pdu_text(&pdu, text, sizeof(text)), "unknown command 0x5 seq 9");
}

static void
test_iso_table(void **state)
{
    static const uint8_t golden[] = {0,  0,  0, 0, 0, 0, 0,    100,  0,    0,   0,
                                     10, 0,  0, 0, 0, 0, 0,    0,    100,  0,   0,
                                     0,  50, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xee};
    const struct uw_iso_packet packets[] = {{0, 100, 10, 0}, {100, 50, 0, -18}};
    struct uw_iso_packet decoded[2];
    uint8_t encoded[sizeof(golden)];

    (void)state;
    uw_encode_iso(encoded, packets, 2);
    assert_memory_equal(encoded, golden, sizeof(golden));
    uw_decode_iso(golden, decoded, 2);
    assert_memory_equal(decoded, packets, sizeof(packets));
}

/* Compacted payload goes where it was asked for; tables that disagree are refused. */
static void
test_spread(void **state)
{
    struct uw_iso_packet asked[3] = {{0, 4, 0, 0}, {4, 4, 0, 0}, {8, 4, 0, 0}};
    const struct uw_iso_packet got[3] = {{0, 4, 2, 0}, {4, 4, 0, -18}, {8, 4, 4, 0}};
    struct uw_iso_packet long_one[3], in_place[3] = {{0, 4, 2, 0}, {4, 4, 0, 0}, {8, 4, 4, 0}};
    uint8_t buffer[12] = {1, 2, 3, 4, 5, 6, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee};

    (void)state;
    assert_int_equal(uw_spread_iso(buffer, 12, 6, 1, asked, got, 3), 0);
    assert_memory_equal(buffer, "\1\2", 2);
    assert_memory_equal(buffer + 8, "\3\4\5\6", 4);
    assert_int_equal(asked[0].actual, 2);
    assert_int_equal(asked[1].status, -18);
    assert_int_equal(asked[2].actual, 4);
    assert_int_equal(uw_spread_iso(buffer, 12, 12, 0, asked, in_place, 3), 0);
    assert_memory_equal(buffer + 8, "\3\4\5\6", 4);
    assert_int_equal(uw_spread_iso(buffer, 12, 7, 1, asked, got, 3), UW_ERROR_PROTOCOL);
    assert_int_equal(uw_spread_iso(buffer, 12, 5, 1, asked, got, 3), UW_ERROR_PROTOCOL);
    memcpy(long_one, got, sizeof(got));
    long_one[0].actual = 5;
    assert_int_equal(uw_spread_iso(buffer, 12, 9, 1, asked, long_one, 3), UW_ERROR_PROTOCOL);
    long_one[0].actual = UINT32_MAX;
    assert_int_equal(uw_spread_iso(buffer, 12, 9, 1, asked, long_one, 3), UW_ERROR_PROTOCOL);
    assert_int_equal(uw_spread_iso(buffer, 11, 6, 1, asked, got, 3), UW_ERROR_PROTOCOL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_unknown_command),
        cmocka_unit_test(test_iso_table),
        cmocka_unit_test(test_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
