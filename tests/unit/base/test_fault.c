/*
 * Errors as data: every code has a name, a text, an errno and a libusb code; a fault makes one
 * sentence, in any buffer, without a byte of the peer's that is not printable.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/log.h"

static void
test_every_code(void **state)
{
    (void)state;
    for (int code = -1; code >= -24; code--) {
        assert_non_null(strstr(uw_error_name(code), "UW_ERROR_"));
        assert_null(strchr(uw_error_name(code), '?'));
        assert_true(strlen(uw_error_text(code)) > 3);
        assert_true(uw_error_errno(code) > 0);
        assert_in_range(-uw_error_libusb(code), 1, 99);
        for (int other = -1; other > code; other--)
            assert_string_not_equal(uw_error_name(code), uw_error_name(other));
    }
    assert_string_equal(uw_error_name(-9999), "UW_ERROR_?");
    assert_string_equal(uw_error_name(0), "UW_OK");
    assert_int_equal(uw_error_errno(UW_ERROR_TIMEOUT), ETIMEDOUT);
    assert_int_equal(uw_error_libusb(UW_ERROR_STALL), -9); /* LIBUSB_ERROR_PIPE */
}

static void
test_sentence(void **state)
{
    struct uw_fault f;
    char text[UW_FAULT_TEXT_MAX], small[12];

    (void)state;
    assert_int_equal(uw_fault_set(&f, UW_ERROR_BUSY, "import %s", "1-1"), UW_ERROR_BUSY);
    uw_fault_on(&f, "%s", "host:3240");
    uw_fault_came(&f, 2, "status %d", 2);
    uw_fault_advice(&f, "wait");
    assert_string_equal(uw_fault_text(&f, text, sizeof(text)),
                        "host:3240: import 1-1: in use elsewhere (status 2); wait");
    assert_int_equal(f.raw, 2);
    uw_fault_text(&f, small, sizeof(small));
    assert_string_equal(small, "host:3240: ");
    assert_ptr_equal(uw_fault_text(&f, text, 0), text);
    uw_fault_set(&f, UW_ERROR_IO, "%s", "");
    assert_string_equal(uw_fault_text(&f, text, sizeof(text)), uw_error_text(UW_ERROR_IO));
    assert_int_equal(uw_fault_set(NULL, UW_ERROR_IO, "x"), UW_ERROR_IO); /* nobody wants it */
    uw_fault_on(NULL, "x");
    uw_fault_came(NULL, 0, "x");
    uw_fault_advice(NULL, "x");
}

/* Longer than any field: cut, never beyond. */
static void
test_long_parts(void **state)
{
    struct uw_fault f;
    char text[UW_FAULT_TEXT_MAX], a[3000];

    (void)state;
    memset(a, 'a', sizeof(a) - 1);
    a[sizeof(a) - 1] = '\0';
    uw_fault_set(&f, UW_ERROR_IO, "%s", a);
    uw_fault_on(&f, "%s", a);
    uw_fault_came(&f, 1, "%s", a);
    uw_fault_advice(&f, "%s", a);
    uw_fault_text(&f, text, sizeof(text));
    assert_in_range(strlen(text), 100, sizeof(text) - 1);
}

static void
test_printable(void **state)
{
    struct uw_fault f;
    char text[UW_FAULT_TEXT_MAX], small[4];

    (void)state;
    uw_fault_set(&f, UW_ERROR_IO, "say '%s'", "\x1b[31m\n\xff");
    uw_fault_text(&f, text, sizeof(text));
    for (size_t i = 0; text[i]; i++)
        assert_true((unsigned char)text[i] >= 0x20 && text[i] != 0x7f); /* UTF-8 passes */
    assert_string_equal(uw_printable(small, sizeof(small), "a\tbc", 4), "a?b");
    assert_string_equal(uw_printable(small, sizeof(small), "ab", 1), "a");
}

static int lines;

static void
count_lines(void *data, int level, const char *line)
{
    assert_ptr_equal(data, &lines);
    assert_int_equal(level, UW_LOG_WARNING);
    assert_string_equal(line, "n 5");
    lines++;
}

static void
test_log(void **state)
{
    struct uw_log log = {.level = UW_LOG_WARNING, .write = count_lines, .data = &lines};

    (void)state;
    uw_log(&log, UW_LOG_WARNING, "n %d", 5);
    uw_log(&log, UW_LOG_DEBUG, "not wanted");
    uw_log(NULL, UW_LOG_WARNING, "nobody");
    assert_int_equal(lines, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code), cmocka_unit_test(test_sentence),
        cmocka_unit_test(test_long_parts), cmocka_unit_test(test_printable),
        cmocka_unit_test(test_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
