/*
 * The reader and the writer: byte orders, bounds, the error that sticks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"

static void
test_orders(void **state)
{
    const uint8_t bytes[] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc,
                             0xde, 0xf0, 0x12, 0x34, 0x56, 0x78};
    struct uw_reader r = uw_reader(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(uw_rd_be16(&r), 0x1234);
    assert_int_equal(uw_rd_le16(&r), 0x7856);
    assert_int_equal(uw_rd_be32(&r), 0x9abcdef0);
    assert_int_equal(uw_rd_le32(&r), 0x78563412);
    assert_int_equal(r.left, 0);
    assert_int_equal(r.failed, 0);
}

static void
test_writer_is_the_readers_inverse(void **state)
{
    uint8_t bytes[1 + 2 + 2 + 4 + 4 + 3 + 5];
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));
    struct uw_reader r = uw_reader(bytes, sizeof(bytes));
    uint8_t out[3];

    (void)state;
    uw_wr_u8(&w, 0xfe);
    uw_wr_be16(&w, 0xfedc);
    uw_wr_le16(&w, 0xba98);
    uw_wr_be32(&w, 0xfedcba98);
    uw_wr_le32(&w, 0x76543210);
    uw_wr_bytes(&w, "abc", 3);
    uw_wr_string(&w, "hello world", 5);
    assert_int_equal(w.failed, 0);
    assert_int_equal(w.len, sizeof(bytes));
    assert_int_equal(uw_rd_u8(&r), 0xfe);
    assert_int_equal(uw_rd_be16(&r), 0xfedc);
    assert_int_equal(uw_rd_le16(&r), 0xba98);
    assert_int_equal(uw_rd_be32(&r), 0xfedcba98);
    assert_int_equal(uw_rd_le32(&r), 0x76543210);
    uw_rd_bytes(&r, out, 3);
    assert_memory_equal(out, "abc", 3);
    assert_memory_equal(uw_rd_take(&r, 5), "hell", 5); /* cut, with its NUL */
}

/* After what does not fit nothing fits, not even what would. */
static void
test_error_sticks(void **state)
{
    const uint8_t bytes[] = {1, 2, 3};
    struct uw_reader r = uw_reader(bytes, sizeof(bytes));
    uint8_t out[4] = {9, 9, 9, 9}, room[3] = {7, 7, 7};
    struct uw_writer w = uw_writer(room, sizeof(room));

    (void)state;
    assert_int_equal(uw_rd_u8(&r), 1);
    assert_int_equal(uw_rd_be32(&r), 0);
    assert_int_equal(r.failed, 1);
    assert_int_equal(uw_rd_u8(&r), 0);
    assert_null(uw_rd_take(&r, 0));
    uw_rd_bytes(&r, out, 4);
    assert_memory_equal(out, "\0\0\0\0", 4);
    uw_wr_be16(&w, 0x0102);
    uw_wr_be16(&w, 0x0304);
    assert_int_equal(w.failed, 1);
    uw_wr_u8(&w, 5);
    assert_int_equal(w.len, 2);
    assert_memory_equal(room, "\1\2\7", 3);
}

/* Sizes near the end of the address space are only too large. */
static void
test_huge_sizes(void **state)
{
    uint8_t bytes[4] = {0};
    struct uw_reader r = uw_reader(bytes, sizeof(bytes));
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));

    (void)state;
    uw_rd_u8(&r);
    assert_null(uw_rd_take(&r, SIZE_MAX));
    uw_wr_u8(&w, 1);
    assert_null(uw_wr_room(&w, SIZE_MAX));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_writer_is_the_readers_inverse),
        cmocka_unit_test(test_error_sticks),
        cmocka_unit_test(test_huge_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
