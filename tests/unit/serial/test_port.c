/*
 * The port on a CDC-ACM device that echoes: opening, settings, reading, writing, waiting, ends.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

static int
set_up(void **state)
{
    *state = rig_new("acm-echo", NULL);
    return 0;
}

static int
tear_down(void **state)
{
    rig_free((struct rig *)*state);
    return 0;
}

static void
test_echo(void **state)
{
    struct uw_serial *p = rig_open((struct rig *)*state, "baud=9600&format=7E1");
    struct uw_serial_config c;
    struct uw_serial_info info;

    rig_echo(p, "hello");
    rig_echo(p, "again");
    uw_serial_get_config(p, &c);
    assert_int_equal(c.baud, 9600);
    assert_int_equal(c.data_bits, 7);
    assert_int_equal(c.parity, UW_PARITY_EVEN);
    assert_int_equal(c.stop_bits, UW_STOP_1);
    assert_int_equal(c.dtr, 1);
    uw_serial_info(p, &info);
    assert_string_equal(info.driver, "cdc-acm");
    assert_int_equal(info.interface, 0);
    assert_int_equal(uw_serial_status(p), 0);
    uw_serial_free(p);
}

static void
test_read_rules(void **state)
{
    struct uw_serial *p = rig_open((struct rig *)*state, "");
    struct uw_usec begin;
    char buf[16];

    assert_int_equal(uw_serial_read(p, buf, sizeof(buf), 1, uw_usec(0), NULL), 0);
    begin = uw_now();
    assert_int_equal(uw_serial_read(p, buf, sizeof(buf), 1, uw_msec(30), NULL), 0);
    assert_true(uw_now().us - begin.us >= 30000);
    assert_int_equal(uw_serial_write(p, "abcdef", 6, SOON, NULL), 6);
    assert_int_equal(uw_serial_read(p, buf, 2, 2, SOON, NULL), 2);
    assert_memory_equal(buf, "ab", 2);
    /* Less than `least` only after the timeout, and then nothing is lost. */
    assert_int_equal(uw_serial_read(p, buf, sizeof(buf), sizeof(buf), uw_msec(50), NULL), 4);
    assert_memory_equal(buf, "cdef", 4);
    assert_int_equal(uw_serial_input_waiting(p), 0);
    assert_int_equal(uw_serial_read(p, buf, 0, 0, SOON, NULL), 0);
    uw_serial_free(p);
}

static void
test_one_read_of_more_than_the_buffer(void **state)
{
    /* The device waits while there is no room, so the buffer is never full; the read goes on. */
    enum { SIZE = 20000 };
    static uint8_t out[SIZE], in[SIZE];
    struct uw_serial_config c;
    struct uw_serial *p;

    for (size_t i = 0; i < SIZE; i++)
        out[i] = (uint8_t)(i * 7 + i / 251);
    for (int buffer = 4096; buffer <= 16384; buffer *= 2) {
        uw_serial_config_init(&c);
        c.buffer = buffer;
        assert_int_equal(uw_serial_open(((struct rig *)*state)->loop,
                                        rig_url((struct rig *)*state, ""), &c, &p, NULL),
                         0);
        assert_int_equal(uw_serial_write(p, out, SIZE, SOON, NULL), SIZE);
        assert_int_equal(uw_serial_read(p, in, SIZE, SIZE, SOON, NULL), SIZE);
        assert_memory_equal(in, out, SIZE);
        uw_serial_free(p);
    }
}

static void
test_much(void **state)
{
    struct uw_serial *p = rig_open((struct rig *)*state, "");
    enum { SIZE = 300000 };
    uint8_t *out = malloc(SIZE), *in = malloc(SIZE);
    struct uw_serial_counts counts;
    size_t sent = 0, got = 0;

    assert_non_null(out);
    assert_non_null(in);
    for (size_t i = 0; i < SIZE; i++)
        out[i] = (uint8_t)(i * 7 + i / 251);
    while (got < SIZE) {
        long n = uw_serial_write(p, out + sent, SIZE - sent, uw_usec(0), NULL);

        assert_true(n >= 0);
        sent += (size_t)n;
        n = uw_serial_read(p, in + got, SIZE - got, 1, SOON, NULL);
        assert_true(n > 0);
        got += (size_t)n;
    }
    assert_memory_equal(in, out, SIZE);
    assert_int_equal(uw_serial_drain(p, SOON, NULL), 0);
    assert_int_equal(uw_serial_output_waiting(p), 0);
    uw_serial_counts(p, &counts);
    assert_int_equal(counts.received, SIZE);
    assert_int_equal(counts.sent, SIZE);
    assert_int_equal(counts.lost, 0);
    free(out);
    free(in);
    uw_serial_free(p);
}

static void
test_small_buffer_waits(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_serial_config c;
    struct uw_serial *p = NULL;
    struct uw_serial_counts counts;
    static char out[30000], in[30000];

    uw_serial_config_init(&c);
    c.buffer = 4096;
    assert_int_equal(uw_serial_open(r->loop, rig_url(r, ""), &c, &p, NULL), 0);
    memset(out, 'x', sizeof(out));
    assert_int_equal(uw_serial_write(p, out, sizeof(out), SOON, NULL), sizeof(out));
    assert_int_equal(uw_serial_drain(p, SOON, NULL), 0);
    assert_int_equal(uw_serial_read(p, in, sizeof(in), sizeof(in), SOON, NULL), sizeof(in));
    assert_memory_equal(in, out, sizeof(in));
    uw_serial_counts(p, &counts);
    assert_int_equal(counts.lost, 0);
    uw_serial_free(p);
}

static void
test_lines(void **state)
{
    struct uw_serial *p = rig_open((struct rig *)*state, "dtr=0&rts=0");
    struct uw_serial_counts counts;

    assert_int_equal(uw_serial_lines(p, NULL), UW_LINE_CTS);
    assert_int_equal(uw_serial_set_lines(p, 1, 1, NULL), 0);
    /* The echo's other end connects DTR to DSR and DCD. */
    while (!(uw_serial_lines(p, NULL) & UW_LINE_DSR))
        assert_int_equal(uw_serial_wait(p, UW_SERIAL_CHANGED, SOON), UW_SERIAL_CHANGED);
    assert_int_equal(uw_serial_lines(p, NULL),
                     UW_LINE_DTR | UW_LINE_RTS | UW_LINE_CTS | UW_LINE_DSR | UW_LINE_DCD);
    uw_serial_counts(p, &counts);
    assert_int_equal(counts.dsr, 1);
    assert_int_equal(counts.dcd, 1);
    assert_int_equal(uw_serial_wait(p, UW_SERIAL_CHANGED, uw_usec(0)), 0);
    assert_int_equal(uw_serial_set_break(p, 1, NULL), 0);
    assert_int_equal(uw_serial_wait(p, UW_SERIAL_CHANGED, SOON), UW_SERIAL_CHANGED);
    uw_serial_counts(p, &counts);
    assert_int_equal(counts.breaks, 1);
    assert_int_equal(uw_serial_set_break(p, 0, NULL), 0);
    uw_serial_free(p);
}

static void
test_descriptor(void **state)
{
    struct uw_serial *p = rig_open((struct rig *)*state, "dtr=0&rts=0");
    struct pollfd fd = {.fd = uw_serial_fd(p), .events = POLLIN};
    char c;

    assert_true(fd.fd >= 0);
    assert_int_equal(poll(&fd, 1, 0), 0);
    assert_int_equal(uw_serial_write(p, "x", 1, SOON, NULL), 1);
    assert_int_equal(poll(&fd, 1, 20000), 1);
    assert_int_equal(uw_serial_read(p, &c, 1, 1, uw_usec(0), NULL), 1);
    assert_int_equal(c, 'x');
    assert_int_equal(poll(&fd, 1, 0), 0);
    uw_serial_free(p);
}

static void *
cancel(void *arg)
{
    uw_serial_cancel((struct uw_serial *)arg);
    return NULL;
}

static void
test_cancel(void **state)
{
    struct uw_serial *p = rig_open((struct rig *)*state, "");
    pthread_t thread;
    long n = 0;
    char c;

    /* It ends waits that are in progress: as often as it takes to meet one. */
    while (n != UW_ERROR_CANCELLED) {
        assert_int_equal(pthread_create(&thread, NULL, cancel, p), 0);
        n = uw_serial_read(p, &c, 1, 1, uw_msec(100), NULL);
        pthread_join(thread, NULL);
        assert_true(n == 0 || n == UW_ERROR_CANCELLED);
    }
    rig_echo(p, "still there");
    uw_serial_free(p);
}

static void
test_flush(void **state)
{
    struct uw_serial *p = rig_open((struct rig *)*state, "");
    char c;

    assert_int_equal(uw_serial_write(p, "old", 3, SOON, NULL), 3);
    assert_int_equal(uw_serial_drain(p, SOON, NULL), 0);
    assert_int_equal(uw_serial_flush(p, UW_SERIAL_INPUT | UW_SERIAL_OUTPUT, NULL), 0);
    assert_int_equal(uw_serial_read(p, &c, 1, 1, uw_usec(0), NULL), 0);
    rig_echo(p, "new");
    uw_serial_free(p);
}

static void
test_refusals(void **state)
{
    static const struct {
        const char *query;
        int error;
        const char *says;
    } rows[] = {
        {"baud=0", UW_ERROR_INVALID, "the baud rate is 0"},
        {"baud=12x", UW_ERROR_INVALID, "'baud=12x' makes no sense"},
        {"format=9N1", UW_ERROR_INVALID, "'format=9N1' makes no sense"},
        {"format=8%201", UW_ERROR_INVALID, "'format=8%201' makes no sense"},
        {"format=8", UW_ERROR_INVALID, "'format=8' makes no sense"},
        {"colour=red", UW_ERROR_INVALID, "'colour=red' makes no sense"},
        {"serial=%4", UW_ERROR_INVALID, "'serial=%4' makes no sense"},
        {"vid=1234", UW_ERROR_NOT_FOUND, ""},
        {"interface=1", UW_ERROR_NOT_FOUND, "that interface is none"},
        {"flow=rtscts", UW_ERROR_NOT_SUPPORTED, "no flow control"},
    };
    struct rig *r = (struct rig *)*state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct uw_serial *p = NULL;
        struct uw_fault fault = {0};

        assert_int_equal(uw_serial_open(r->loop, rig_url(r, rows[i].query), NULL, &p, &fault),
                         rows[i].error);
        assert_null(p);
        assert_int_equal(fault.code, rows[i].error);
        assert_non_null(strstr(rig_sentence(&fault), rows[i].says));
    }
}

static void
test_twice(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_serial *p = rig_open(r, ""), *second = NULL;
    struct uw_fault fault;

    assert_int_equal(uw_serial_open_device(uw_serial_device(p), NULL, &second, &fault),
                     UW_ERROR_BUSY);
    assert_non_null(strstr(rig_sentence(&fault), "a program of this user has it open already"));
    rig_echo(p, "not disturbed");
    uw_serial_free(p);
    p = rig_open(r, "");
    rig_echo(p, "and free again");
    uw_serial_free(p);
}

static void
test_config_changes(void **state)
{
    struct uw_serial *p = rig_open((struct rig *)*state, "baud=9600");
    struct uw_serial_config c;

    uw_serial_config_init(&c);
    c.baud = 460800;
    assert_int_equal(uw_serial_set_config(p, &c, NULL), 0);
    uw_serial_get_config(p, &c);
    assert_int_equal(c.baud, 460800);
    assert_int_equal(c.data_bits, 8);
    uw_serial_config_init(&c);
    c.flow = UW_FLOW_RTS_CTS;
    assert_int_equal(uw_serial_set_config(p, &c, NULL), UW_ERROR_NOT_SUPPORTED);
    c.size = 0;
    assert_int_equal(uw_serial_set_config(p, &c, NULL), UW_ERROR_INVALID);
    uw_serial_get_config(p, &c);
    assert_int_equal(c.flow, UW_FLOW_NONE);
    assert_int_equal(uw_serial_actual_baud(p), 460800);
    uw_serial_free(p);
}

static void
test_server_gone(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_serial *p = rig_open(r, "");
    struct pollfd fd = {.fd = uw_serial_fd(p), .events = POLLIN};
    struct uw_fault fault = {0};
    char c;

    rig_stop_server(r);
    assert_int_equal(uw_serial_wait(p, 0, SOON), UW_SERIAL_ENDED);
    assert_int_equal(poll(&fd, 1, 0), 1);
    assert_int_equal(uw_serial_status(p), UW_ERROR_CONNECTION_LOST);
    assert_int_equal(uw_serial_read(p, &c, 1, 1, SOON, &fault), UW_ERROR_CONNECTION_LOST);
    assert_int_equal(fault.code, UW_ERROR_CONNECTION_LOST);
    assert_int_equal(uw_serial_write(p, "x", 1, SOON, NULL), UW_ERROR_CONNECTION_LOST);
    assert_int_equal(uw_serial_set_lines(p, 1, 0, NULL), UW_ERROR_CONNECTION_LOST);
    assert_int_equal(uw_serial_reopen(p, uw_msec(10), &fault), UW_ERROR_CONNECT);
    uw_serial_free(p);
}

static void
test_reopen_alive(void **state)
{
    struct uw_serial *p = rig_open((struct rig *)*state, "baud=19200");
    struct uw_serial_config c;
    char buf[8];

    assert_int_equal(uw_serial_write(p, "kept", 4, SOON, NULL), 4);
    assert_int_equal(uw_serial_wait(p, UW_SERIAL_READABLE, SOON), UW_SERIAL_READABLE);
    assert_int_equal(uw_serial_reopen(p, SOON, NULL), 0);
    assert_int_equal(uw_serial_read(p, buf, 4, 4, SOON, NULL), 4);
    rig_echo(p, "back");
    uw_serial_get_config(p, &c);
    assert_int_equal(c.baud, 19200);
    uw_serial_free(p);
}

static void
expect_text(struct uw_serial *p, const char *text)
{
    char buf[256] = "";
    size_t n = 0;

    while (!strstr(buf, text)) {
        assert_int_equal(uw_serial_read(p, buf + n, 1, 1, SOON, NULL), 1);
        assert_true(++n < sizeof(buf) - 1);
    }
}

/* A board that its lines take off the bus: what is set meanwhile counts, and the line that did it
 * does not do it again. */
static void
test_reopen_after_a_reset(void **state)
{
    struct rig *rig = rig_new("esp32c3", NULL);
    struct uw_serial *p = rig_open(rig, "baud=115200");
    struct uw_serial_config c;

    (void)state;
    assert_int_equal(uw_serial_set_lines(p, 1, 0, NULL), 0);
    assert_int_equal(uw_serial_set_lines(p, 0, 1, NULL), 0);
    assert_int_equal(uw_serial_wait(p, UW_SERIAL_ENDED, SOON), UW_SERIAL_ENDED);
    assert_true(uw_serial_set_lines(p, 0, 0, NULL) < 0);
    assert_int_equal(uw_serial_reopen(p, SOON, NULL), 0);
    expect_text(p, "waiting for download\r\n");
    uw_serial_get_config(p, &c);
    assert_int_equal(c.dtr, 0);
    assert_int_equal(c.rts, 0);

    assert_int_equal(uw_serial_set_lines(p, 0, 1, NULL), 0);
    assert_int_equal(uw_serial_wait(p, UW_SERIAL_ENDED, SOON), UW_SERIAL_ENDED);
    assert_int_equal(uw_serial_reopen(p, SOON, NULL), 0);
    expect_text(p, "hello\r\n");
    assert_int_equal(uw_serial_wait(p, UW_SERIAL_ENDED, uw_msec(100)), 0);
    assert_int_equal(uw_serial_set_lines(p, -1, 0, NULL), 0);
    rig_echo(p, "the same run");
    uw_serial_free(p);
    rig_free(rig);
}

/* What is set on a port that is away counts when it is back. */
static void
test_settings_of_a_port_that_ended(void **state)
{
    struct rig *rig = rig_new("esp32c3", NULL);
    struct uw_serial *p = rig_open(rig, "baud=115200");
    struct uw_serial_config c;

    (void)state;
    assert_int_equal(uw_serial_set_lines(p, 0, 1, NULL), 0);
    assert_int_equal(uw_serial_wait(p, UW_SERIAL_ENDED, SOON), UW_SERIAL_ENDED);
    uw_serial_config_init(&c);
    c.baud = 921600;
    c.data_bits = 7;
    c.rts = 0;
    assert_int_equal(uw_serial_set_config(p, &c, NULL), uw_serial_status(p));
    uw_serial_config_init(&c);
    c.flow = UW_FLOW_RTS_CTS;
    assert_int_equal(uw_serial_set_config(p, &c, NULL), UW_ERROR_NOT_SUPPORTED);
    assert_int_equal(uw_serial_reopen(p, SOON, NULL), 0);
    uw_serial_get_config(p, &c);
    assert_int_equal(c.baud, 921600);
    assert_int_equal(c.data_bits, 7);
    assert_int_equal(c.flow, UW_FLOW_NONE);
    assert_int_equal(c.rts, 0);
    assert_int_equal(uw_serial_actual_baud(p), 921600);
    uw_serial_free(p);
    rig_free(rig);
}

/* A rate that is none of the chip's is refused, not rounded to something else. */
static void
test_rates_between(void **state)
{
    static const struct {
        const char *device;
        int near, between;
        const char *nearest;
    } rows[] = {
        {"ft232r", 1520000, 2500000, "the nearest rate that it makes is 2000000 bits/s"},
        {"ch340", 1520000, 2500000, "the nearest rate that it makes is 3000000 bits/s"},
        {"cp2102", 74880, 100000, "the nearest rate that it makes is 115200 bits/s"},
        {"cp2102n", 74880, 2500000, "the nearest rate that it makes is 2400000 bits/s"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *rig = rig_new(rows[i].device, NULL);
        struct uw_serial *p = rig_open(rig, "baud=115200");
        struct uw_serial_config c;
        struct uw_fault fault = {0};

        uw_serial_config_init(&c);
        c.baud = rows[i].near;
        assert_int_equal(uw_serial_set_config(p, &c, &fault), 0);
        c.baud = rows[i].between;
        assert_int_equal(uw_serial_set_config(p, &c, &fault), UW_ERROR_NOT_SUPPORTED);
        assert_non_null(strstr(rig_sentence(&fault), rows[i].nearest));
        uw_serial_get_config(p, &c);
        assert_int_equal(c.baud, rows[i].near);
        uw_serial_free(p);
        rig_free(rig);
    }
}

static void
test_a_break_ends_with_the_port(void **state)
{
    static const char *const chips[] = {"cp2102", "ft232r", "ch340", "ch340:limited=1", "pl2303hx"};

    (void)state;
    for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]); i++) {
        struct rig *rig = rig_new(chips[i], NULL);
        struct uw_device *device = NULL;
        struct uw_serial *p = NULL;

        /* One import: the end of one resets the device. */
        assert_int_equal(uw_device_import(rig->server, "1-1", SOON, &device, NULL), 0);
        assert_int_equal(uw_serial_open_device(device, NULL, &p, NULL), 0);
        assert_int_equal(uw_serial_set_break(p, 1, NULL), 0);
        uw_serial_free(p);
        assert_int_equal(uw_serial_open_device(device, NULL, &p, NULL), 0);
        assert_int_equal(uw_serial_flush(p, UW_SERIAL_INPUT, NULL), 0);
        rig_echo(p, "heard");
        uw_serial_free(p);
        uw_device_free(device);
        rig_free(rig);
    }
}

/* It has the length of a byte at the lowest rate, and nothing else goes out before its end. */
static void
test_a_break_that_is_a_byte(void **state)
{
    struct rig *rig = rig_new("ch340:limited=1,baud=19200,format=7E1", NULL);
    struct uw_serial *p = rig_open(rig, "baud=19200&format=7E1&dtr=1&rts=0");
    struct uw_usec begun;

    (void)state;
    rig_echo(p, "before");
    begun = uw_now();
    assert_int_equal(uw_serial_set_break(p, 1, NULL), 0);
    assert_int_equal(rig->breaks, 1);
    assert_int_equal(uw_serial_write(p, "behind it", 9, SOON, NULL), 9);
    assert_int_equal(uw_serial_set_break(p, 1, NULL), 0);
    assert_int_equal(uw_serial_drain(p, uw_msec(1), NULL), UW_ERROR_TIMEOUT);
    assert_int_equal(uw_serial_set_break(p, 0, NULL), 0);
    assert_true(uw_usec_sub(uw_now(), begun).us >= 9 * 1000000 / 46);
    assert_int_equal(rig->breaks, 1);
    rig_expect(p, "behind it");
    assert_int_equal(uw_serial_actual_baud(p), 19231);
    uw_serial_free(p);
    rig_free(rig);
}

/* Another user of the device does what a chip forgets its line by. */
static void
test_a_chip_that_was_reset(void **state)
{
    static const char *const chips[] = {"cp2102n", "ft232r", "ch340", "pl2303hx", "pl2303gc"};

    (void)state;
    for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]); i++) {
        struct uw_device *device;
        struct uw_serial *p;
        struct rig *rig;
        char model[64];

        snprintf(model, sizeof(model), "%s:baud=19200,format=7E1", chips[i]);
        rig = rig_new(model, NULL);
        p = rig_open(rig, "baud=19200&format=7E1&dtr=1&rts=0");
        device = uw_serial_device(p);
        rig_echo(p, "before");
        assert_int_equal(uw_device_reset(device, SOON, NULL), 0);
        rig_echo(p, "after a reset");
        assert_int_equal(uw_device_set_configuration(device, 1, SOON, NULL), 0);
        rig_echo(p, "after the configuration");
        assert_int_equal(uw_serial_lines(p, NULL) & (UW_LINE_DTR | UW_LINE_RTS), UW_LINE_DTR);
        uw_serial_free(p);
        rig_free(rig);
    }
}

/* A server that stopped is not waited for as long as one that is slow. */
static void
test_closing_at_a_server_that_stopped(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_serial *p = rig_open(r, "dtr=1");
    struct uw_usec start = uw_now();

    pthread_mutex_lock(&r->gate);
    uw_serial_free(p); /* DTR is to be dropped, which stops the bench */
    pthread_mutex_unlock(&r->gate);
    assert_true(uw_usec_sub(uw_now(), start).us < 5000000); /* a request's own patience */
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_echo),
        ROW(test_read_rules),
        ROW(test_one_read_of_more_than_the_buffer),
        ROW(test_much),
        ROW(test_small_buffer_waits),
        ROW(test_lines),
        ROW(test_descriptor),
        ROW(test_cancel),
        ROW(test_flush),
        ROW(test_refusals),
        ROW(test_twice),
        ROW(test_config_changes),
        ROW(test_server_gone),
        ROW(test_reopen_alive),
        ROW(test_closing_at_a_server_that_stopped),
        cmocka_unit_test(test_reopen_after_a_reset),
        cmocka_unit_test(test_settings_of_a_port_that_ended),
        cmocka_unit_test(test_rates_between),
        cmocka_unit_test(test_a_break_ends_with_the_port),
        cmocka_unit_test(test_a_break_that_is_a_byte),
        cmocka_unit_test(test_a_chip_that_was_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
