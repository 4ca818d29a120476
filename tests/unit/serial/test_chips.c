/*
 * Each driver against a simulated chip that goes by its registers: bytes come back only where what
 * the driver wrote there makes the rate and format of the far end.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "client/import.h"
#include "rig.h"

static const struct chip {
    const char *device, *driver, *chip;
    unsigned ports;
    int asked;         /* tells its inputs when asked */
    int short_formats; /* has 5 and 6 data bits */
    int errors;        /* tells of errors on the line */
} chips[] = {
    {"cp2102", "cp210x", "CP2102", 1, 1, 1, 1},     {"cp2102n", "cp210x", "CP2102N", 1, 1, 1, 1},
    {"cp2104", "cp210x", "CP2104", 1, 1, 1, 1},     {"cp2105", "cp210x", "CP2105", 2, 1, 1, 1},
    {"cp2108", "cp210x", "CP2108", 4, 1, 1, 1},     {"ft232r", "ftdi", "FT232R", 1, 0, 0, 1},
    {"ft2232h", "ftdi", "FT2232H", 2, 0, 0, 1},     {"ft4232h", "ftdi", "FT4232H", 4, 0, 0, 1},
    {"ft232h", "ftdi", "FT232H", 1, 0, 0, 1},       {"ft230x", "ftdi", "FT-X", 1, 0, 0, 1},
    {"ch340", "ch341", "CH340", 1, 0, 1, 0},        {"ch341", "ch341", "CH341", 1, 0, 1, 0},
    {"pl2303hx", "pl2303", "PL2303HX", 1, 0, 1, 1}, {"pl2303gc", "pl2303", "PL2303G", 1, 0, 1, 1},
};

#define CHIPS (sizeof(chips) / sizeof(chips[0]))

/* A bench with the chip, its far end as the options say; and a port on it. */
static struct uw_serial *
open_chip(struct rig **r, const struct chip *c, const char *options, const char *query)
{
    char device[128];

    snprintf(device, sizeof(device), "%s%s", c->device, options);
    *r = rig_new(device, NULL);
    return rig_open(*r, query);
}

static void
close_chip(struct rig *r, struct uw_serial *p)
{
    uw_serial_free(p);
    rig_free(r);
}

static void
test_rates_and_formats(void **state)
{
    static const struct {
        unsigned baud;
        const char *format;
        int is_short;
    } rows[] = {{300, "8N1", 0},    {9600, "8N1", 0},   {9600, "7E1", 0},   {19200, "8O2", 0},
                {74880, "8N1", 0},  {115200, "8N1", 0}, {115200, "7M1", 0}, {250000, "8S1", 0},
                {460800, "8N1", 0}, {921600, "8N1", 0}, {57600, "5N1", 1},  {38400, "6E2", 1}};

    (void)state;
    for (size_t i = 0; i < CHIPS; i++)
        for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
            char options[64], query[64];
            struct rig *r;
            struct uw_serial *p;

            if (rows[k].is_short && !chips[i].short_formats)
                continue;
            snprintf(options, sizeof(options), ":baud=%u,format=%s", rows[k].baud, rows[k].format);
            snprintf(query, sizeof(query), "interface=0&baud=%u&format=%s", rows[k].baud,
                     rows[k].format);
            p = open_chip(&r, &chips[i], options, query);
            rig_echo(p, "the quick brown fox");
            close_chip(r, p);
        }
}

static void
test_disagreement_is_silence(void **state)
{
    static const char *const queries[] = {"interface=0&baud=9600", "interface=0&baud=112000",
                                          "interface=0&format=7E1", "interface=0&format=8E1"};

    (void)state;
    for (size_t i = 0; i < CHIPS; i++) {
        struct rig *r;
        struct uw_serial_config c;
        struct uw_serial *p = open_chip(&r, &chips[i], ":baud=115200,format=8N1", queries[i % 4]);
        char byte;

        assert_int_equal(uw_serial_write(p, "lost", 4, SOON, NULL), 4);
        assert_int_equal(uw_serial_drain(p, SOON, NULL), 0);
        uw_serial_config_init(&c);
        c.baud = 115200;
        c.data_bits = 8;
        c.parity = UW_PARITY_NONE;
        assert_int_equal(uw_serial_set_config(p, &c, NULL), 0);
        rig_echo(p, "found");
        assert_int_equal(uw_serial_read(p, &byte, 1, 1, uw_usec(0), NULL), 0);
        close_chip(r, p);
    }
}

static void
wait_for_lines(struct uw_serial *p, unsigned expected)
{
    int lines;

    while ((lines = uw_serial_lines(p, NULL)) != (int)expected) {
        assert_true(lines >= 0);
        assert_int_equal(uw_serial_wait(p, UW_SERIAL_CHANGED, SOON), UW_SERIAL_CHANGED);
        uw_serial_counts(p, &(struct uw_serial_counts){0});
    }
}

static void
test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHIPS; i++) {
        struct rig *r;
        struct uw_serial *p = open_chip(&r, &chips[i], "", "interface=0");

        wait_for_lines(p, 0);
        assert_int_equal(uw_serial_set_lines(p, 1, 0, NULL), 0);
        wait_for_lines(p, UW_LINE_DTR | UW_LINE_DSR | UW_LINE_DCD);
        assert_int_equal(uw_serial_set_lines(p, 0, 1, NULL), 0);
        wait_for_lines(p, UW_LINE_RTS | UW_LINE_CTS);
        assert_int_equal(uw_serial_set_lines(p, 1, -1, NULL), 0);
        wait_for_lines(p, UW_LINE_DTR | UW_LINE_DSR | UW_LINE_DCD | UW_LINE_RTS | UW_LINE_CTS);
        close_chip(r, p);
    }
}

/* Nobody has time for the loop while the first change waits for another: it goes alone all the
 * same. */
static void
test_lines_of_a_busy_program(void **state)
{
    struct rig *r = rig_new("cp2102n", NULL);
    struct uw_serial *p = rig_open(r, "");
    const struct timespec pause = {.tv_nsec = 5000000};

    (void)state;
    for (int i = 0; i < 10; i++) {
        unsigned before;

        assert_int_equal(uw_serial_set_lines(p, 0, 0, NULL), 0);
        before = r->moves;
        assert_int_equal(uw_serial_set_lines(p, 1, -1, NULL), 0);
        uw_loop_lock(r->loop);
        nanosleep(&pause, NULL);
        uw_loop_unlock(r->loop);
        assert_int_equal(uw_serial_set_lines(p, -1, 1, NULL), 0);
        assert_true(uw_serial_lines(p, NULL) >= 0);
        assert_int_equal(r->moves - before, 2);
    }
    close_chip(r, p);
}

static void
test_break(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHIPS; i++) {
        struct uw_serial_counts counts = {0};
        struct rig *r;
        struct uw_serial *p = open_chip(&r, &chips[i], "", "interface=0");

        assert_int_equal(uw_serial_set_break(p, 1, NULL), 0);
        /* While it lasts nothing gets through. */
        assert_int_equal(uw_serial_write(p, "x", 1, SOON, NULL), 1);
        assert_int_equal(uw_serial_drain(p, SOON, NULL), 0);
        if (chips[i].asked)
            assert_true(uw_serial_lines(p, NULL) >= 0);
        while (chips[i].errors && counts.breaks == 0) {
            assert_int_equal(uw_serial_wait(p, UW_SERIAL_CHANGED, SOON), UW_SERIAL_CHANGED);
            uw_serial_counts(p, &counts);
        }
        assert_int_equal(uw_serial_set_break(p, 0, NULL), 0);
        assert_int_equal(uw_serial_flush(p, UW_SERIAL_INPUT, NULL), 0);
        rig_echo(p, "on again");
        close_chip(r, p);
    }
}

static void
test_ports(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHIPS; i++) {
        struct uw_serial *ports[4] = {NULL};
        struct uw_serial_info info;
        struct uw_device *device = NULL;
        struct rig *r = rig_new(chips[i].device, NULL);
        unsigned n = 0;

        assert_int_equal(uw_device_import(r->server, "1-1", SOON, &device, NULL), 0);
        while (uw_serial_port_at(device, n, &info)) {
            struct uw_serial_config c;

            assert_string_equal(info.driver, chips[i].driver);
            assert_int_equal(info.index, n);
            uw_serial_config_init(&c);
            c.interface = (int)info.interface;
            assert_int_equal(uw_serial_open_device(device, &c, &ports[n], NULL), 0);
            uw_serial_info(ports[n++], &info);
            assert_string_equal(info.chip, chips[i].chip);
        }
        assert_int_equal(n, chips[i].ports);
        uw_device_free(device);
        for (unsigned k = 0; k < n; k++)
            assert_int_equal(uw_serial_write(ports[k], &"abcd"[k], 1, SOON, NULL), 1);
        for (unsigned k = 0; k < n; k++) {
            char byte = 0;

            assert_int_equal(uw_serial_read(ports[k], &byte, 1, 1, SOON, NULL), 1);
            assert_int_equal(byte, 'a' + (int)k);
        }
        for (unsigned k = 0; k < n; k++)
            uw_serial_free(ports[k]);
        rig_free(r);
    }
}

static void
test_much(void **state)
{
    enum { SIZE = 65536 };
    uint8_t *out = malloc(SIZE), *in = malloc(SIZE);

    (void)state;
    assert_non_null(out);
    assert_non_null(in);
    for (size_t i = 0; i < SIZE; i++)
        out[i] = (uint8_t)(i * 5 + i / 256);
    for (size_t i = 0; i < CHIPS; i++) {
        struct rig *r;
        struct uw_serial *p = open_chip(&r, &chips[i], "", "interface=0&baud=921600");

        memset(in, 0, SIZE);
        assert_int_equal(uw_serial_write(p, out, SIZE, SOON, NULL), SIZE);
        assert_int_equal(uw_serial_read(p, in, SIZE, SIZE, SOON, NULL), SIZE);
        assert_memory_equal(in, out, SIZE);
        close_chip(r, p);
    }
    free(in);
    free(out);
}

static void
test_one_transfer_at_a_time(void **state)
{
    /* Servers on which an open read blocks all others: chips that answer by themselves or can be
     * asked are read in the background, and writes are in nobody's way. */
    (void)state;
    for (size_t i = 0; i < CHIPS; i++) {
        struct rig *r = rig_new(chips[i].device, "g0");
        struct uw_serial *p = rig_open(r, "interface=0");
        char byte = 0;

        rig_echo(p, "one at a time");
        /* What was written makes an answer certain: the read that waits for it may be open. */
        assert_int_equal(uw_serial_write(p, "x", 1, SOON, NULL), 1);
        assert_int_equal(uw_serial_read(p, &byte, 1, 1, SOON, NULL), 1);
        assert_int_equal(byte, 'x');
        close_chip(r, p);
    }
}

/* Reads by its descriptor alone, and never waits in a call. */
static void
polled_echo(struct uw_serial *p, const char *text)
{
    struct pollfd fd = {.fd = uw_serial_fd(p), .events = POLLIN};
    struct uw_serial_counts counts;
    char back[16] = "";
    size_t got = 0, n = strlen(text);

    assert_int_equal(uw_serial_write(p, text, n, uw_usec(0), NULL), n);
    while (got < n) {
        long r;

        assert_int_equal(poll(&fd, 1, 20000), 1);
        uw_serial_counts(p, &counts); /* the descriptor shows changes until they are looked at */
        r = uw_serial_read(p, back + got, n - got, 1, uw_usec(0), NULL);
        assert_true(r >= 0);
        got += (size_t)r;
    }
    assert_string_equal(back, text);
}

/* Whoever polls is answered on those servers, too; and nothing is open meanwhile that would be in
 * the next write's way. */
static void
test_one_who_polls(void **state)
{
    static const char *const chips_to_poll[] = {"ch340", "acm-echo", "pl2303hx"};
    static const char *const servers[] = {"g0", "g1", "g3"};

    (void)state;
    for (size_t i = 0; i < 9; i++) {
        struct rig *r = rig_new(chips_to_poll[i / 3], servers[i % 3]);
        struct uw_serial *p = rig_open(r, "");

        (void)uw_serial_fd(p);
        polled_echo(p, "first");
        polled_echo(p, "second");
        assert_int_equal(uw_serial_set_lines(p, 1, 0, NULL), 0);
        polled_echo(p, "third");
        close_chip(r, p);
    }
}

/* What is said unasked is heard by who wants that, and then what is written has to wait for it. */
static void
test_who_reads_ahead(void **state)
{
    static const char *const devices[] = {"ch340:far=source,baud=9600",
                                          "acm-echo:far=source,baud=9600"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct rig *r = rig_new(devices[i], "g0");
        struct uw_serial *p = rig_open(r, "baud=9600&dtr=1&readahead=1");
        struct pollfd fd = {.fd = uw_serial_fd(p), .events = POLLIN};
        struct uw_serial_config off;
        struct uw_serial_info info;
        char in[4];

        uw_serial_info(p, &info);
        assert_int_equal(info.reads_ahead, 1);
        assert_int_equal(poll(&fd, 1, 20000), 1);
        assert_int_equal(uw_serial_read(p, in, sizeof(in), sizeof(in), SOON, NULL), sizeof(in));
        assert_int_equal(uw_serial_write(p, "x", 1, SOON, NULL), 1);
        assert_int_equal(uw_serial_drain(p, SOON, NULL), 0);
        uw_serial_config_init(&off);
        off.read_ahead = 0;
        assert_int_equal(uw_serial_set_config(p, &off, NULL), 0);
        uw_serial_info(p, &info);
        assert_int_equal(info.reads_ahead, 0);
        close_chip(r, p);
    }
}

static void
test_held(void **state)
{
    struct rig *r = rig_new("ch340", "g0");
    struct uw_serial *p = rig_open(r, "");
    struct uw_fault fault = {0};
    char byte;

    (void)state;
    assert_int_equal(uw_serial_read(p, &byte, 1, 1, uw_msec(20), NULL), 0);
    assert_int_equal(uw_serial_write(p, "x", 1, uw_msec(50), &fault), UW_ERROR_HELD);
    assert_non_null(strstr(rig_sentence(&fault), "IN 0x82"));
    close_chip(r, p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates_and_formats),
        cmocka_unit_test(test_disagreement_is_silence),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_lines_of_a_busy_program),
        cmocka_unit_test(test_break),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_much),
        cmocka_unit_test(test_one_transfer_at_a_time),
        cmocka_unit_test(test_one_who_polls),
        cmocka_unit_test(test_who_reads_ahead),
        cmocka_unit_test(test_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
