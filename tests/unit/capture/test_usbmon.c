/*
 * Records of usbmon (src/capture/usbmon.c). Expected bytes are written from struct mon_bin_hdr and
 * mon_bin_event() of Linux's drivers/usb/mon/mon_bin.c.
 */
#include <stdlib.h>
#include <string.h>

#include "capture/pcapng.h"
#include "capture/usbmon.h"
#include "support/peer.h"

#define STAMP 1700000001123456789u

static uint8_t *
encode(const struct uw_usbmon *r, struct uw_usbmon_size *size)
{
    uint8_t *bytes;

    uw_usbmon_measure(r, size);
    bytes = malloc(size->captured);
    assert_non_null(bytes);
    uw_usbmon_encode(r, size, bytes);
    return bytes;
}

static void
expect(const struct uw_usbmon *r, const uint8_t *expected, size_t n, uint32_t original)
{
    struct uw_usbmon_size size;
    struct uw_usbmon_view v;
    uint8_t *bytes = encode(r, &size);

    assert_int_equal(size.captured, n);
    assert_int_equal(size.original, original);
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != expected[i])
            fail_msg("byte %zu is %02x, not %02x", i, bytes[i], expected[i]);
    assert_int_equal(uw_usbmon_decode(bytes, n, &v), 0);
    assert_true(v.record.id == r->id);
    assert_int_equal(v.record.kind, r->kind);
    assert_int_equal(v.record.type, r->type);
    assert_int_equal(v.record.endpoint, r->endpoint);
    assert_int_equal(v.record.bus, r->bus);
    assert_int_equal(v.record.address, r->address);
    assert_true(v.record.stamp == r->stamp / 1000 * 1000);
    free(bytes);
}

/* GET_DESCRIPTOR: the setup packet is there, the data is still to come. */
static void
test_control_submit(void **state)
{
    /* clang-format off */
    static const uint8_t expected[] = {
        4, 3, 2, 1, 1, 0, 0, 0,  'S', 2, 0x80, 5,  1, 0,  0, '<',
        0x01, 0xf1, 0x53, 0x65, 0, 0, 0, 0,  0x40, 0xe2, 0x01, 0x00, /* 1700000001 s, 123456 us */
        0x8d, 0xff, 0xff, 0xff,  18, 0, 0, 0,  0, 0, 0, 0, /* -115 EINPROGRESS */
        0x80, 6, 0, 1, 0, 0, 18, 0,
        0, 0, 0, 0,  0, 0, 0, 0,  0, 2, 0, 0,  0, 0, 0, 0};
    /* clang-format on */
    struct uw_usbmon r = {.id = 0x101020304u,
                          .kind = UW_USBMON_SUBMIT,
                          .type = UW_CONTROL,
                          .endpoint = 0x80,
                          .address = 5,
                          .bus = 1,
                          .stamp = STAMP,
                          .length = 18,
                          .setup = {0x80, 6, 0, 1, 0, 0, 18, 0},
                          .flags = 0x200};

    (void)state;
    expect(&r, expected, sizeof(expected), 64 + 18);
}

/* Its answer, in two pieces. */
static void
test_control_complete(void **state)
{
    /* clang-format off */
    static const uint8_t expected[] = {
        9, 0, 0, 0, 0, 0, 0, 0,  'C', 2, 0x80, 5,  0x01, 0x02,  '-', 0,
        0x01, 0xf1, 0x53, 0x65, 0, 0, 0, 0,  0x40, 0xe2, 0x01, 0x00,
        0, 0, 0, 0,  4, 0, 0, 0,  4, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0,  0, 0, 0, 0,  0, 2, 0, 0,  0, 0, 0, 0,
        0x12, 0x01, 0x00, 0x02};
    /* clang-format on */
    uint8_t one[] = {0x12}, two[] = {0x01, 0x00, 0x02};
    struct iovec data[] = {{one, sizeof(one)}, {two, sizeof(two)}};
    struct uw_usbmon r = {.id = 9,
                          .kind = UW_USBMON_COMPLETE,
                          .type = UW_CONTROL,
                          .endpoint = 0x80,
                          .address = 5,
                          .bus = 0x0201,
                          .stamp = STAMP,
                          .length = 4,
                          .flags = 0x200,
                          .data = data,
                          .data_count = 2};

    (void)state;
    expect(&r, expected, sizeof(expected), 64 + 4);
}

/* A bulk OUT carries its data when it is submitted; its completion a status alone. */
static void
test_bulk_out(void **state)
{
    uint8_t bytes[] = {1, 2, 3};
    struct iovec data = {bytes, sizeof(bytes)};
    struct uw_usbmon r = {.id = 7,
                          .kind = UW_USBMON_SUBMIT,
                          .type = UW_BULK,
                          .endpoint = 2,
                          .length = 3,
                          .data = &data,
                          .data_count = 1};
    struct uw_usbmon_size size;
    uint8_t *p = encode(&r, &size);

    (void)state;
    assert_int_equal(size.captured, 67);
    assert_int_equal(size.original, 67);
    assert_int_equal(p[9], 3);
    assert_int_equal(p[14], '-');
    assert_int_equal(p[15], 0);
    assert_memory_equal(p + 64, bytes, 3);
    free(p);
    r.kind = UW_USBMON_COMPLETE;
    r.status = -32;
    r.length = 0;
    p = encode(&r, &size);
    assert_int_equal(size.captured, 64);
    assert_int_equal(p[15], '>');
    assert_int_equal(p[28], 0xe0); /* -32 */
    assert_int_equal(p[32], 0);
    free(p);
}

/* Refused here: no data, and the mark says so. */
static void
test_error(void **state)
{
    struct uw_usbmon r = {
        .kind = UW_USBMON_ERROR, .type = UW_BULK, .endpoint = 0x81, .length = 512, .status = -11};
    struct uw_usbmon_size size;
    uint8_t *p = encode(&r, &size);

    (void)state;
    assert_int_equal(size.original, 64);
    assert_int_equal(p[8], 'E');
    assert_int_equal(p[15], 'E');
    assert_int_equal(p[32] | p[33], 0);
    free(p);
}

/* USB/IP sends the packets' data compacted; in a record each lies at its offset. */
static void
test_iso_in(void **state)
{
    static const struct uw_iso_packet packets[] = {
        {0, 8, 2, 0}, {8, 8, 0, -18}, {16, 8, 3, 0}, {24, 8, 0, 0}};
    static const uint8_t expected[] = {1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 5};
    uint8_t bytes[] = {1, 2, 3, 4, 5};
    struct iovec data[] = {{bytes, 3}, {bytes + 3, 2}};
    struct uw_usbmon r = {.kind = UW_USBMON_COMPLETE,
                          .type = UW_ISOCHRONOUS,
                          .endpoint = 0x83,
                          .length = 5,
                          .error_count = 1,
                          .interval = 1,
                          .start_frame = 99,
                          .iso_count = 4,
                          .iso = packets,
                          .data = data,
                          .data_count = 2};
    struct uw_usbmon_size size;
    struct uw_usbmon_view v;
    uint8_t *p = encode(&r, &size);

    (void)state;
    assert_int_equal(size.captured, 64 + 4 * 16 + 19);
    assert_int_equal(size.original, size.captured);
    assert_int_equal(p[32], 5);           /* moved */
    assert_int_equal(p[36], 4 * 16 + 19); /* there */
    assert_int_equal(p[40], 1);           /* error_count */
    assert_int_equal(p[44], 4);
    assert_int_equal(p[60], 4);
    assert_int_equal(p[64 + 16], 0xee); /* -18 of the second */
    assert_int_equal(p[64 + 32 + 4], 16);
    assert_int_equal(p[64 + 32 + 8], 3);
    assert_memory_equal(p + 128, expected, sizeof(expected));
    assert_int_equal(uw_usbmon_decode(p, size.captured, &v), 0);
    assert_int_equal(v.record.iso_count, 4);
    assert_int_equal(v.record.error_count, 1);
    assert_int_equal(v.record.start_frame, 99);
    assert_ptr_equal(v.packets, p + 64);
    assert_int_equal(v.payload_size, 19);
    free(p);
}

/* Before its time a packet has the length asked for and the status of usbmon. */
static void
test_iso_submit(void **state)
{
    static const struct uw_iso_packet packets[] = {{0, 100, 0, 0}, {100, 200, 0, 0}};
    struct uw_usbmon r = {.kind = UW_USBMON_SUBMIT,
                          .type = UW_ISOCHRONOUS,
                          .endpoint = 0x83,
                          .length = 300,
                          .iso_count = 2,
                          .iso = packets};
    struct uw_usbmon_size size;
    uint8_t *p = encode(&r, &size);

    (void)state;
    assert_int_equal(size.captured, 64 + 32);
    assert_int_equal(size.original, 64 + 32 + 300);
    assert_int_equal(p[36], 32);
    assert_int_equal(p[64], 0xee);
    assert_int_equal(p[64 + 16 + 8], 200);
    free(p);
}

/* Offsets, lengths and counts that a server made up stay within the record. */
static void
test_iso_nonsense(void **state)
{
    static const struct uw_iso_packet packets[] = {
        {UINT32_MAX, 8, UINT32_MAX, 0}, {4, 8, 8, 0}, {0x7fffffff, 8, 1, 0}, {2, 8, 1, 0}};
    uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct iovec data = {bytes, sizeof(bytes)};
    struct uw_usbmon r = {.kind = UW_USBMON_COMPLETE,
                          .type = UW_ISOCHRONOUS,
                          .endpoint = 0x83,
                          .length = 8,
                          .iso_count = 4,
                          .iso = packets,
                          .data = &data,
                          .data_count = 1};
    struct uw_usbmon_size size;
    uint8_t *p = encode(&r, &size);

    (void)state;
    assert_int_equal(size.captured, UW_SNAPLEN);
    free(p);
    r.iso_count = UINT32_MAX / 16;
    r.kind = UW_USBMON_SUBMIT;
    r.iso = NULL;
    p = encode(&r, &size);
    assert_int_equal(size.captured, 64);
    free(p);
}

/* A payload that is too long is cut; the lengths stay true. */
static void
test_cut(void **state)
{
    size_t n = 1 << 20;
    uint8_t *bytes = calloc(1, n);
    struct iovec data = {bytes, n};
    struct uw_usbmon r = {.kind = UW_USBMON_COMPLETE,
                          .type = UW_BULK,
                          .endpoint = 0x81,
                          .length = (uint32_t)n,
                          .data = &data,
                          .data_count = 1};
    struct uw_usbmon_size size;
    uint8_t *p;

    (void)state;
    assert_non_null(bytes);
    p = encode(&r, &size);
    assert_int_equal(size.captured, UW_SNAPLEN);
    assert_int_equal(size.data, n);
    assert_int_equal(size.original, n + 64);
    free(p);
    data.iov_len = 10; /* the tap was shown less than came */
    p = encode(&r, &size);
    assert_int_equal(size.captured, 74);
    assert_int_equal(size.data, n);
    free(p);
    r.length = 4; /* or more than the header says */
    p = encode(&r, &size);
    assert_int_equal(size.captured, 68);
    free(p);
    free(bytes);
}

/* No prefix of a record, and no record that contradicts itself, is taken for one. */
static void
test_decode_refuses(void **state)
{
    struct uw_usbmon r = {.kind = UW_USBMON_COMPLETE, .type = UW_BULK, .endpoint = 0x81};
    struct uw_usbmon_size size;
    struct uw_usbmon_view v;
    uint8_t *p = encode(&r, &size);

    (void)state;
    for (size_t n = 0; n < 64; n++)
        assert_int_equal(uw_usbmon_decode(p, n, &v), UW_ERROR_PROTOCOL);
    assert_int_equal(uw_usbmon_decode(p, 64, &v), 0);
    p[60] = 1; /* packets of what is not isochronous */
    assert_int_equal(uw_usbmon_decode(p, 64, &v), UW_ERROR_PROTOCOL);
    p[60] = 0;
    p[8] = 'X';
    assert_int_equal(uw_usbmon_decode(p, 64, &v), UW_ERROR_PROTOCOL);
    p[8] = 'C';
    p[9] = 4;
    assert_int_equal(uw_usbmon_decode(p, 64, &v), UW_ERROR_PROTOCOL);
    free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_submit), cmocka_unit_test(test_control_complete),
        cmocka_unit_test(test_bulk_out),       cmocka_unit_test(test_error),
        cmocka_unit_test(test_iso_in),         cmocka_unit_test(test_iso_submit),
        cmocka_unit_test(test_iso_nonsense),   cmocka_unit_test(test_cut),
        cmocka_unit_test(test_decode_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
