#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "printable.h"

static void
check(const char *text, const char *wanted)
{
    char buf[64];

    assert_ptr_equal(printable(text, buf, sizeof(buf)), buf);
    assert_string_equal(buf, wanted);
}

static void
test_text_stays(void **state)
{
    (void)state;
    check("", "");
    check("plain text, 0..~", "plain text, 0..~");
    check("h\xc3\xa4 \xe2\x82\xac \xf0\x9f\x94\x8c", "h\xc3\xa4 \xe2\x82\xac \xf0\x9f\x94\x8c");
}

static void
test_what_acts_does_not(void **state)
{
    (void)state;
    check("a\x1b[31mb", "a?[31mb");
    check("\a\b\t\n\r\x7f", "??????");
    check("\xc2\x9b"
          "31m",
          "?31m"); /* C1: CSI */
    check("\xe2\x80\xae"
          "abc\xe2\x81\xa6",
          "?abc?"); /* right-to-left override, isolate */
    check("\xef\xbb\xbf", "?");
}

/* RFC 3629, section 3 and 10. */
static void
test_what_is_no_utf8(void **state)
{
    (void)state;
    check("\x80", "?");
    check("\xc3", "?");
    check("\xc3(", "?(");
    check("\xe2\x82", "??");
    check("\xc0\xaf", "??");           /* overlong */
    check("\xe0\x80\xaf", "???");      /* overlong */
    check("\xed\xa0\x80", "???");      /* surrogate */
    check("\xf4\x90\x80\x80", "????"); /* beyond U+10FFFF */
    check("\xff\xfe", "??");
}

static void
test_cut(void **state)
{
    char buf[4];

    (void)state;
    assert_string_equal(printable("abcdef", buf, sizeof(buf)), "abc");
    assert_string_equal(printable("ab\xc3\xa4", buf, sizeof(buf)), "ab"); /* no half characters */
    assert_string_equal(printable("abc", buf, 1), "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_stays),
        cmocka_unit_test(test_what_acts_does_not),
        cmocka_unit_test(test_what_is_no_utf8),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
