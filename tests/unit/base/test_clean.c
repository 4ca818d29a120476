/*
 * Text from the network for a terminal. Ill-formed sequences are those of the Unicode standard,
 * section 3.9, and of Kuhn's "UTF-8 decoder capability and stress test"; escape sequences those of
 * ECMA-48 and of xterm's control sequences.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clean.h"

#define FFFD "\xef\xbf\xbd"

static const struct {
    const char *name, *in, *out;
} rows[] = {
    {"plain", "abc", "abc"},
    {"tab and newline stay", "a\tb\nc", "a\tb\nc"},
    {"other controls go",
     "a\rb\ac\x7f"
     "d\x01",
     "abcd"},
    {"UTF-8 stays", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x8c",
     "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x8c"},
    {"C1 goes",
     "a\xc2\x9b"
     "31mb\xc2\x85",
     "a31mb"},
    {"a raw C1 byte",
     "\x9b"
     "31m",
     FFFD "31m"},
    {"colours", "\x1b[0;31mE (1) x: y\x1b[0m", "E (1) x: y"},
    {"cursor movement", "a\x1b[2Jb\x1b[?25lc\x1b[ qd", "abcd"},
    {"window title, BEL", "\x1b]0;evil\atext", "text"},
    {"window title, ST", "\x1b]0;evil\x1b\\text", "text"},
    {"device control string", "a\x1bP1$tq\x1b\\b", "ab"},
    {"character set",
     "a\x1b(0b\x1b"
     "cc",
     "abc"},
    {"unfinished CSI", "a\x1b[31", "a"},
    {"unfinished OSC", "a\x1b]52;c;QUJD", "a"},
    {"lone escape at the end", "a\x1b", "a"},
    {"escape in a sequence", "\x1b[3\x1b[31mx", "x"},
    {"escape before a letter that is no final byte", "\x1b\xc3\xbcx", "\xc3\xbcx"},
    {"a continuation byte", "a\x80z", "a" FFFD "z"},
    {"overlong slash", "\xc0\xaf", FFFD FFFD},
    {"surrogate", "\xed\xa0\x80", FFFD FFFD FFFD},
    {"beyond U+10FFFF", "\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD},
    {"cut character", "a\xe2\x82", "a" FFFD FFFD},
};

static void
cleans(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[128];
        size_t n = uw_clean_text(out, sizeof(out), rows[i].in, strlen(rows[i].in));

        if (strcmp(out, rows[i].out) != 0 || n != strlen(out))
            fail_msg("%s: \"%s\"", rows[i].name, out);
    }
}

/* What was cleaned is clean. */
static void
is_stable(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            char in[4] = {'[', (char)a, (char)b, 'm'}, once[32], twice[32];
            size_t n = uw_clean_text(once, sizeof(once), in, sizeof(in));

            assert_int_equal(uw_clean_text(twice, sizeof(twice), once, n), n);
            assert_memory_equal(once, twice, n + 1);
        }
}

static void
cuts_at_characters(void **state)
{
    char out[6];

    (void)state;
    assert_int_equal(uw_clean_text(out, sizeof(out), "abc\xe2\x82\xac", 6), 3);
    assert_string_equal(out, "abc");
    assert_int_equal(uw_clean_text(out, sizeof(out), "ab\xe2\x82\xac", 5), 5);
    assert_int_equal(uw_clean_text(out, 1, "ab", 2), 0);
    assert_string_equal(out, "");
    out[0] = 'x';
    assert_int_equal(uw_clean_text(out, 0, "ab", 2), 0);
    assert_int_equal(out[0], 'x');
}

static void
nul_is_a_control(void **state)
{
    char out[8];

    (void)state;
    assert_int_equal(uw_clean_text(out, sizeof(out), "a\0b", 3), 2);
    assert_string_equal(out, "ab");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cleans),
        cmocka_unit_test(is_stable),
        cmocka_unit_test(cuts_at_characters),
        cmocka_unit_test(nul_is_a_control),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
