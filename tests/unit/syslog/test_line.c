/*
 * A message as a line; the time zone is UTC (meson.build).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <usbwire/syslog.h>

/* 2026-11-25T01:02:03.456Z */
#define WALL 1795568523456000u

static void
expect(const struct uw_syslog_message *m, int colour, const char *line)
{
    char buf[512];

    assert_int_equal(uw_syslog_line(m, colour, buf, sizeof(buf)), strlen(line));
    assert_string_equal(buf, line);
}

static void
lines(void **state)
{
    struct uw_syslog_message m = {.priority = 14,
                                  .level = 'E',
                                  .uptime = "13000",
                                  .tag = "usb",
                                  .hostname = "esp32",
                                  .app_name = "esp",
                                  .text = "STALL on EP0",
                                  .wall_us = WALL,
                                  .source = "bench1"};

    (void)state;
    expect(&m, 0, "01:02:03.456 bench1 E (13000) usb: STALL on EP0");
    expect(&m, 1, "\033[31m01:02:03.456 bench1 E (13000) usb: STALL on EP0\033[0m");
    m.level = 'W';
    expect(&m, 1, "\033[33m01:02:03.456 bench1 W (13000) usb: STALL on EP0\033[0m");
    m.level = 'I';
    expect(&m, 1, "\033[32m01:02:03.456 bench1 I (13000) usb: STALL on EP0\033[0m");
    m.level = 'D';
    expect(&m, 1, "01:02:03.456 bench1 D (13000) usb: STALL on EP0");
    m.tag = m.uptime = NULL;
    expect(&m, 0, "01:02:03.456 bench1 D esp: STALL on EP0");
    m.text = "one\ntwo\n";
    expect(&m, 0, "01:02:03.456 bench1 D esp: one\n    two\n    ");
    m.source = NULL;
    m.wall_us = 0;
    m.text = "x";
    expect(&m, 0, "esp32 D esp: x");
    m.app_name = m.hostname = NULL;
    m.level = 0;
    m.flags = UW_SYSLOG_JUNK | UW_SYSLOG_CUT;
    expect(&m, 0, "- (not a syslog message) x (cut)");
}

/* However little room there is: terminated, whole characters, colours switched off again. */
static void
cut(void **state)
{
    struct uw_syslog_message m = {
        .level = 'E', .text = "\xe2\x82\xac\xe2\x82\xac", .wall_us = WALL, .source = "b"};
    char all[64];
    size_t full = uw_syslog_line(&m, 1, all, sizeof(all));

    (void)state;
    for (size_t size = 0; size <= full + 1; size++) {
        char *buf = malloc(size ? size : 1);
        size_t n = uw_syslog_line(&m, 1, buf, size);

        assert_true(n < size || size == 0);
        if (size) {
            assert_int_equal(strlen(buf), n);
            if (n)
                assert_string_equal(buf + n - 4, "\033[0m");
            if (n > 5) /* the last character is whole or not there */
                assert_true((n - strlen("\033[31m01:02:03.456 b E \033[0m")) % 3 == 0 || n < 27);
        }
        free(buf);
    }
    assert_int_equal(full, strlen(all));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines), cmocka_unit_test(cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
