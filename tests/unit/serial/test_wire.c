/*
 * A wire on which bytes take their time: flow control, a source that never pauses, and what is lost
 * when nobody reads in time - said as often as it happened.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

#define XON  0x11
#define XOFF 0x13

static void
test_bytes_take_their_time(void **state)
{
    /* 96 bytes of ten bits at 9600 bits/s: a tenth of a second. */
    static const char *const chips[] = {"cp2102n", "ft232r", "ch340", "pl2303hx", "acm-echo"};
    char out[97], in[96];

    (void)state;
    memset(out, 'x', sizeof(out));
    for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]); i++) {
        char device[64];
        struct rig *r;
        struct uw_serial *p;
        struct uw_usec start;

        snprintf(device, sizeof(device), "%s:baud=9600,pace=1", chips[i]);
        r = rig_new(device, NULL);
        p = rig_open(r, "baud=9600");
        start = uw_now();
        assert_int_equal(uw_serial_write(p, out, sizeof(out), SOON, NULL), sizeof(out));
        assert_int_equal(uw_serial_read(p, in, sizeof(in), sizeof(in), SOON, NULL), sizeof(in));
        assert_true(uw_usec_sub(uw_now(), start).us >= 98000);
        uw_serial_free(p);
        rig_free(r);
    }
}

static void
test_xoff_holds(void **state)
{
    static const char *const chips[] = {"cp2102n", "ft232r", "pl2303hx", "pl2303gc"};

    (void)state;
    for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]); i++) {
        struct rig *r = rig_new(chips[i], NULL);
        struct uw_serial *p = rig_open(r, "flow=xonxoff");
        struct uw_serial_config c;
        struct uw_fault fault;
        uint8_t byte = XOFF;
        char in[4];

        /* The plug brings the XOFF back, and from then on the chip keeps what it is given. */
        assert_int_equal(uw_serial_write(p, &byte, 1, SOON, NULL), 1);
        assert_int_equal(uw_serial_drain(p, SOON, NULL), 0);
        assert_int_equal(uw_serial_write(p, "held", 4, SOON, NULL), 4);
        assert_int_equal(uw_serial_drain(p, uw_msec(50), &fault), UW_ERROR_TIMEOUT);
        assert_int_equal(uw_serial_read(p, in, 1, 1, uw_usec(0), NULL), 0);
        uw_serial_config_init(&c);
        c.flow = UW_FLOW_NONE;
        assert_int_equal(uw_serial_set_config(p, &c, NULL), 0);
        assert_int_equal(uw_serial_read(p, in, 4, 4, SOON, NULL), 4);
        assert_memory_equal(in, "held", 4);
        uw_serial_free(p);
        rig_free(r);
    }
}

static void
test_nothing_is_lost_with_rts_cts(void **state)
{
    /* The port's buffer is small and read late: the chip lowers RTS, which the plug brings to CTS.
     */
    enum { SIZE = 100000 };
    static const char *const chips[] = {"cp2102n", "ft232r", "pl2303gc"};
    uint8_t *out = malloc(SIZE), *in = malloc(SIZE);

    (void)state;
    assert_non_null(out);
    assert_non_null(in);
    for (size_t i = 0; i < SIZE; i++)
        out[i] = (uint8_t)(i % RIG_MODULUS);
    for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]); i++) {
        char device[64];
        struct uw_serial_config c;
        struct uw_serial_counts counts;
        struct uw_serial *p;
        struct rig *r;

        snprintf(device, sizeof(device), "%s:baud=3000000,pace=1", chips[i]);
        r = rig_new(device, NULL);
        uw_serial_config_init(&c);
        c.buffer = 8192;
        assert_int_equal(
            uw_serial_open(r->loop, rig_url(r, "baud=3000000&flow=rtscts"), &c, &p, NULL), 0);
        assert_true(uw_serial_write(p, out, SIZE, uw_msec(100), NULL) > 60000);
        assert_int_equal(uw_serial_read(p, in, 60000, 60000, SOON, NULL), 60000);
        assert_memory_equal(in, out, 60000);
        uw_serial_counts(p, &counts);
        assert_int_equal(counts.lost, 0);
        assert_int_equal(counts.overrun, 0);
        uw_serial_free(p);
        rig_free(r);
    }
    free(in);
    free(out);
}

/* Reads for so long, or until nothing more comes; returns how often the count did not go on. */
static unsigned
read_count(struct uw_serial *p, struct uw_usec duration, uint8_t *next)
{
    struct uw_usec now = uw_now(), end = uw_usec_add(now, duration);
    uint8_t bytes[8192];
    unsigned gaps = 0;

    for (; now.us < end.us; now = uw_now()) {
        long n = uw_serial_read(p, bytes, sizeof(bytes), 1, uw_usec_sub(end, now), NULL);

        assert_true(n >= 0);
        for (long i = 0; i < n; i++) {
            gaps += bytes[i] != *next;
            *next = (uint8_t)((bytes[i] + 1u) % RIG_MODULUS);
        }
    }
    return gaps;
}

/* For so long as make soak wants, else less than half a second. */
static uint64_t
bytes_to_read(void)
{
    const char *seconds = getenv("USBWIRE_TEST_SECONDS");

    return seconds ? strtoull(seconds, NULL, 10) * 300000u : 120000u;
}

/* What the source still said when its line went down: until every loss that the chip tells of has
 * been seen as a gap. No other gap is there. */
static void
read_to_the_end(struct rig *r, struct uw_serial *p, unsigned gaps, uint8_t *next)
{
    struct uw_usec end = uw_usec_add(uw_now(), SOON);

    assert_int_equal(uw_serial_set_lines(p, 0, 0, NULL), 0);
    while (gaps != r->losses - r->hidden) {
        assert_true(uw_now().us < end.us);
        gaps += read_count(p, uw_msec(100), next);
    }
}

/* Returns how often the chip lost something because nobody fetched it in time. */
static unsigned
follow(struct rig *r, struct uw_serial *p, uint64_t wanted)
{
    struct uw_serial_counts counts;
    unsigned gaps = 0;
    uint8_t next = 0;

    assert_int_equal(read_count(p, uw_msec(1), &next), 0); /* from here on it reads */
    assert_int_equal(uw_serial_set_lines(p, 1, 0, NULL), 0);
    do {
        gaps += read_count(p, uw_msec(50), &next);
        uw_serial_counts(p, &counts);
    } while (counts.received < wanted);
    read_to_the_end(r, p, gaps, &next);
    uw_serial_counts(p, &counts);
    assert_int_equal(counts.lost, 0);
    if (!r->losses)
        assert_int_equal(counts.overrun, 0);
    return r->losses;
}

/* The source does not wait when others have the machine, so of many times one has to be without a
 * loss. */
static void
follow_without_loss(const char *device, struct uw_usec latency, uint64_t wanted)
{
    unsigned losses = 1;

    for (unsigned i = 0; i < 20 && losses; i++) {
        struct rig *r = rig_new_far(device, latency);
        struct uw_serial *p = rig_open(r, "baud=3000000&dtr=0");

        losses = follow(r, p, wanted);
        uw_serial_free(p);
        rig_free(r);
    }
    if (losses)
        fail_msg("%s: bytes are lost every time", device);
}

static void
test_a_fast_source_without_a_byte_lost(void **state)
{
    static const char *const chips[] = {"cp2102n", "ft232r", "ft232h", "pl2303gc", "acm-echo"};

    (void)state;
    for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]); i++) {
        char device[64];

        snprintf(device, sizeof(device), "%s:far=source,baud=3000000", chips[i]);
        follow_without_loss(device, uw_usec(0), bytes_to_read());
    }
}

/* Enough reads are open for what comes during a long round trip. */
static void
test_a_fast_source_from_far_away(void **state)
{
    (void)state;
    follow_without_loss("cp2102n:far=source,baud=3000000", uw_msec(200), 200000);
}

/* Until the count is `expected`. */
static void
await_overruns(struct uw_serial *p, unsigned expected)
{
    struct uw_serial_counts counts;

    uw_serial_counts(p, &counts);
    while (counts.overrun != expected) {
        assert_int_equal(uw_serial_wait(p, UW_SERIAL_CHANGED, SOON), UW_SERIAL_CHANGED);
        uw_serial_counts(p, &counts);
    }
    assert_int_equal(counts.lost, 0);
}

/* For so long, and until the chip has lost something. Returns how often the count did not go on. */
static unsigned
read_until_lost(struct rig *r, struct uw_serial *p, struct uw_usec duration, uint8_t *next)
{
    struct uw_usec end = uw_usec_add(uw_now(), SOON);
    unsigned gaps = 0;

    do {
        assert_true(uw_now().us < end.us);
        gaps += read_count(p, duration, next);
    } while (!r->losses);
    return gaps;
}

static void
test_every_overrun_is_counted(void **state)
{
    /* Fetched late, the bytes overflow the chip's buffer, and each time it says so once. */
    static const char *const chips[] = {"ft232h", "acm-echo"};

    (void)state;
    for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]); i++) {
        char device[64];
        struct uw_serial *p;
        struct rig *r;
        uint8_t next = 0;
        unsigned gaps;

        snprintf(device, sizeof(device), "%s:far=source,baud=12000000", chips[i]);
        r = rig_new_far(device, uw_msec(200));
        p = rig_open(r, "baud=12000000&dtr=1");
        gaps = read_until_lost(r, p, uw_msec(500), &next);
        read_to_the_end(r, p, gaps, &next);
        await_overruns(p, r->losses);
        uw_serial_free(p);
        rig_free(r);
    }
}

static void
test_an_overrun_is_told_when_asked(void **state)
{
    struct rig *r = rig_new_far("cp2102n:far=source,baud=3000000", uw_msec(400));
    struct uw_serial *p = rig_open(r, "baud=3000000&dtr=1");
    struct uw_serial_counts counts;
    uint8_t next = 0;

    (void)state;
    (void)read_until_lost(r, p, uw_msec(1000), &next);
    uw_serial_counts(p, &counts);
    assert_int_equal(counts.overrun, 0);
    assert_true(uw_serial_lines(p, NULL) >= 0);
    uw_serial_counts(p, &counts);
    assert_int_equal(counts.overrun, 1);
    uw_serial_free(p);
    rig_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_take_their_time),
        cmocka_unit_test(test_xoff_holds),
        cmocka_unit_test(test_nothing_is_lost_with_rts_cts),
        cmocka_unit_test(test_a_fast_source_without_a_byte_lost),
        cmocka_unit_test(test_a_fast_source_from_far_away),
        cmocka_unit_test(test_every_overrun_is_counted),
        cmocka_unit_test(test_an_overrun_is_told_when_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
