#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "number.h"

static void
numbers_are_decimal_or_hexadecimal(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0},         {"18", 18},       {"0x12", 0x12},
                {"0XfF", 255},    {"007", 7},       {"0x00000000000000000001", 1},
                {"65535", 65535}, {"0xffff", 65535}};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t value = UINT64_MAX;
        assert_int_equal(number_parse(good[i].text, 0, 65535, &value), 1);
        assert_int_equal(value, good[i].value);
    }
}

static void
what_is_no_number_is_refused_and_leaves_the_result(void **state)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "0x",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1k",
                                      "0x1g",
                                      "1.5",
                                      "65536",
                                      "0x10000",
                                      "g",
                                      "18446744073709551616",
                                      "0x10000000000000000"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t value = 77;
        assert_int_equal(number_parse(bad[i], 0, 65535, &value), 0);
        assert_int_equal(value, 77);
    }
}

static void
bounds_of_64_bits(void **state)
{
    uint64_t value = 0;

    (void)state;
    assert_int_equal(number_parse("18446744073709551615", 0, UINT64_MAX, &value), 1);
    assert_true(value == UINT64_MAX);
    assert_int_equal(number_parse("18446744073709551616", 0, UINT64_MAX, &value), 0);
    assert_int_equal(number_parse("0", 1, 5, &value), 0);
    assert_int_equal(number_parse("6", 1, 5, &value), 0);
}

static void
vendor_and_product_are_hexadecimal_always(void **state)
{
    uint64_t value = 0;

    (void)state;
    assert_int_equal(number_parse_hex16("303a", &value), 1);
    assert_int_equal(value, 0x303a);
    assert_int_equal(number_parse_hex16("0x4004", &value), 1);
    assert_int_equal(value, 0x4004);
    assert_int_equal(number_parse_hex16("10", &value), 1);
    assert_int_equal(value, 0x10);
    assert_int_equal(number_parse_hex16("12345", &value), 0);
    assert_int_equal(number_parse_hex16("0x", &value), 0);
    assert_int_equal(number_parse_hex16("303a:4004", &value), 0);
}

static void
times_have_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t us;
    } good[] = {{"5", 5000000},    {"0.5", 500000}, {"20ms", 20000}, {"250us", 250},
                {"1.5s", 1500000}, {"2.5ms", 2500}, {"0", 0},        {"0.000001", 1}};
    static const char *const bad[] = {"",   "s",   ".5",        "5.",     "5m",
                                      "-1", "1e3", "0.0000001", "864001", "18446744073709551615"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t us = 99;
        assert_int_equal(number_parse_time(good[i].text, &us), 1);
        assert_int_equal(us, good[i].us);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t us = 99;
        assert_int_equal(number_parse_time(bad[i], &us), 0);
        assert_int_equal(us, 99);
    }
}

static void
words_by_their_place(void **state)
{
    uint64_t index = 0;

    (void)state;
    assert_int_equal(number_parse_word("out", "in|out", &index), 1);
    assert_int_equal(index, 1);
    assert_int_equal(number_parse_word("ctrl", "ctrl|in|out", &index), 1);
    assert_int_equal(index, 0);
    assert_int_equal(number_parse_word("o", "in|out", &index), 0);
    assert_int_equal(number_parse_word("", "in|out", &index), 0);
    assert_int_equal(number_parse_word("in|out", "in|out", &index), 0);
}

static void
bytes_with_blanks_and_colons(void **state)
{
    static const char *const good[] = {"01ff7f",         "01 ff 7f",     "01:FF:7f",
                                       "0x01 0xff 0x7f", " 01\n\tff7f ", "0x01ff 7f"};
    uint8_t bytes[3];
    size_t bad;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(number_parse_bytes(good[i], bytes, sizeof(bytes), &bad), 3);
        assert_memory_equal(bytes, "\x01\xff\x7f", 3);
    }
    assert_int_equal(number_parse_bytes("", bytes, sizeof(bytes), &bad), 0);
    assert_int_equal(number_parse_bytes("010203040506", bytes, 2, &bad), 6);
}

static void
bad_bytes_say_where(void **state)
{
    static const struct {
        const char *text;
        size_t bad;
    } cases[] = {{"0", 0},      {"01 2", 3}, {"01 zz", 3}, {"0102xx", 4},
                 {"010x02", 2}, {"0x", 2},   {"1 2", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[8];
        size_t bad = 99;
        assert_int_equal(number_parse_bytes(cases[i].text, bytes, sizeof(bytes), &bad), -1);
        assert_int_equal(bad, cases[i].bad);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_decimal_or_hexadecimal),
        cmocka_unit_test(what_is_no_number_is_refused_and_leaves_the_result),
        cmocka_unit_test(bounds_of_64_bits),
        cmocka_unit_test(vendor_and_product_are_hexadecimal_always),
        cmocka_unit_test(times_have_units),
        cmocka_unit_test(words_by_their_place),
        cmocka_unit_test(bytes_with_blanks_and_colons),
        cmocka_unit_test(bad_bytes_say_where),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
