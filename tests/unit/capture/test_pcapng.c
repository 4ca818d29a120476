/*
 * Blocks of a capture file (src/capture/pcapng.c). Expected bytes are written from the figures of
 * draft-ietf-opsawg-pcapng-02, section 4.
 */
#include <stdlib.h>
#include <string.h>

#include "capture/pcapng.h"
#include "support/peer.h"

static uint8_t block[UW_SMALL_BLOCK_MAX];

static void
test_section(void **state)
{
    /* clang-format off */
    static const uint8_t expected[] = {
        0x0a, 0x0d, 0x0d, 0x0a,  52, 0, 0, 0,  0x4d, 0x3c, 0x2b, 0x1a,  1, 0, 0, 0,
        0xff, 0xff, 0xff, 0xff,  0xff, 0xff, 0xff, 0xff,
        3, 0, 5, 0,  'L', 'i', 'n', 'u', 'x', 0, 0, 0, /* shb_os */
        4, 0, 4, 0,  't', 'e', 's', 't', /* shb_userappl */
        0, 0, 0, 0,
        52, 0, 0, 0};
    /* clang-format on */
    struct uw_writer w = uw_writer(block, sizeof(block));

    (void)state;
    uw_encode_section(&w, NULL, NULL, "Linux", "test");
    assert_int_equal(w.failed, 0);
    assert_int_equal(w.len, sizeof(expected));
    assert_memory_equal(block, expected, sizeof(expected));
}

static void
test_interface(void **state)
{
    /* clang-format off */
    static const uint8_t expected[] = {
        1, 0, 0, 0,  52, 0, 0, 0,  220, 0, 0, 0,  0x00, 0xfc, 0x03, 0x00, /* snaplen 261120 */
        2, 0, 6, 0,  'u', 's', 'b', 'i', 'p', '0', 0, 0,
        3, 0, 1, 0,  'd', 0, 0, 0,
        9, 0, 1, 0,  9, 0, 0, 0, /* 10^-9 s */
        0, 0, 0, 0,
        52, 0, 0, 0};
    /* clang-format on */
    struct uw_writer w = uw_writer(block, sizeof(block));

    (void)state;
    uw_encode_interface(&w, 220, "usbip0", "d", NULL);
    assert_int_equal(w.len, sizeof(expected));
    assert_memory_equal(block, expected, sizeof(expected));
}

static void
test_packet(void **state)
{
    /* clang-format off */
    static const uint8_t expected[] = {
        6, 0, 0, 0,  52, 0, 0, 0,  1, 0, 0, 0,  4, 3, 2, 1,  8, 7, 6, 5,
        5, 0, 0, 0,  9, 0, 0, 0,  'h', 'e', 'l', 'l', 'o', 0, 0, 0,
        1, 0, 2, 0,  'o', 'k', 0, 0,
        0, 0, 0, 0,
        52, 0, 0, 0};
    /* clang-format on */
    struct uw_writer w = uw_writer(block, uw_packet_block_size(5, "ok"));
    uint8_t *packet = uw_encode_packet(&w, 1, 0x0102030405060708u, 5, 9, "ok");

    (void)state;
    assert_non_null(packet);
    for (size_t i = 0; i < 5; i++)
        packet[i] = (uint8_t) "hello"[i];
    assert_int_equal(w.len, sizeof(expected));
    assert_int_equal(uw_packet_block_size(5, "ok"), sizeof(expected));
    assert_memory_equal(block, expected, sizeof(expected));
}

static void
test_name(void **state)
{
    /* clang-format off */
    static const uint8_t expected[] = {
        4, 0, 0, 0,  32, 0, 0, 0,  1, 0, 10, 0,  192, 168, 4, 20,  'e', '.', 'l', 'a', 'n', 0, 0, 0,
        0, 0, 0, 0,
        32, 0, 0, 0};
    /* clang-format on */
    static const uint8_t address[] = {192, 168, 4, 20};
    struct uw_writer w = uw_writer(block, sizeof(block));

    (void)state;
    uw_encode_name(&w, address, 4, "e.lan");
    assert_int_equal(w.len, sizeof(expected));
    assert_memory_equal(block, expected, sizeof(expected));
}

static void
test_statistics(void **state)
{
    /* clang-format off */
    static const uint8_t expected[] = {
        5, 0, 0, 0,  88, 0, 0, 0,  2, 0, 0, 0,  0, 0, 0, 0,  9, 0, 0, 0,
        2, 0, 8, 0,  1, 0, 0, 0,  2, 0, 0, 0, /* times: the high half first */
        3, 0, 8, 0,  0, 0, 0, 0,  9, 0, 0, 0,
        4, 0, 8, 0,  7, 0, 0, 0,  0, 0, 0, 0, /* counters do not */
        5, 0, 8, 0,  3, 0, 0, 0,  0, 0, 0, 0,
        8, 0, 8, 0,  4, 0, 0, 0,  0, 0, 0, 0,
        0, 0, 0, 0,
        88, 0, 0, 0};
    /* clang-format on */
    struct uw_statistics s = {0x0000000100000002u, 9, 7, 3, 4};
    struct uw_writer w = uw_writer(block, sizeof(block));

    (void)state;
    uw_encode_statistics(&w, 2, &s);
    assert_int_equal(w.len, sizeof(expected));
    assert_memory_equal(block, expected, sizeof(expected));
}

/* However long a string is, the largest packet with it fits what dumpcap accepts; and it is not cut
 * in the middle of a character. */
static void
test_long_strings(void **state)
{
    static char long_text[5000];
    uint8_t *bytes = malloc(UW_BLOCK_MAX);
    struct uw_writer w = uw_writer(bytes, UW_BLOCK_MAX);
    size_t comment = UW_EPB_HEADER + UW_SNAPLEN;

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i + 1 < sizeof(long_text); i++)
        long_text[i] = i == 0 ? 'x' : (char)(i % 2 ? 0xc3 : 0xa4); /* "x" and many of U+00E4 */
    assert_true(uw_packet_block_size(UW_SNAPLEN, long_text) <= UW_BLOCK_MAX);
    assert_non_null(uw_encode_packet(&w, 0, 0, UW_SNAPLEN, UW_SNAPLEN, long_text));
    assert_int_equal(w.len, uw_packet_block_size(UW_SNAPLEN, long_text));
    assert_int_equal(bytes[comment], 1);
    assert_int_equal(bytes[comment + 2] | bytes[comment + 3] << 8, 511);
    w = uw_writer(block, sizeof(block));
    uw_encode_section(&w, long_text, long_text, long_text, long_text);
    assert_int_equal(w.failed, 0);
    free(bytes);
}

static void
test_no_room(void **state)
{
    struct uw_writer w;

    (void)state;
    for (size_t n = 0; n < 52; n++) {
        uint8_t *small = malloc(n ? n : 1); /* for the sanitizer */

        w = uw_writer(small, n);
        assert_null(uw_encode_packet(&w, 1, 2, 5, 9, "ok"));
        free(small);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_section),    cmocka_unit_test(test_interface),
        cmocka_unit_test(test_packet),     cmocka_unit_test(test_name),
        cmocka_unit_test(test_statistics), cmocka_unit_test(test_long_strings),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
