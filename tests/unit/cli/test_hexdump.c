#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hexdump.h"

static void
check(uint64_t offset, const void *bytes, size_t size, const char *expected)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);

    assert_non_null(out);
    hexdump(out, offset, bytes, size);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void
nothing_for_no_bytes(void **state)
{
    (void)state;
    check(0, "", 0, "");
}

static void
short_lines_keep_their_columns(void **state)
{
    (void)state;
    check(0, "A\0\x7f~", 4, "00000000  41 00 7f 7e                                       |A..~|\n");
}

static void
full_lines_and_offsets(void **state)
{
    (void)state;
    check(0x100, "0123456789abcdefg", 17,
          "00000100  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n"
          "00000110  67                                                |g|\n");
}

static void
line_of_digits(void **state)
{
    char buf[16], small[4];

    (void)state;
    assert_string_equal(hexdump_line(buf, sizeof(buf), (const uint8_t *)"\x01\xab", 2, ":"),
                        "01:ab");
    assert_string_equal(hexdump_line(buf, sizeof(buf), NULL, 0, ":"), "");
    /* cut, and still terminated */
    assert_string_equal(hexdump_line(small, sizeof(small), (const uint8_t *)"\x01\xab\xcd", 3, ""),
                        "01a");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_for_no_bytes),
        cmocka_unit_test(short_lines_keep_their_columns),
        cmocka_unit_test(full_lines_and_offsets),
        cmocka_unit_test(line_of_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
