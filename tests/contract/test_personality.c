/*
 * test_personality.c - the client against every server there is to imitate
 *
 * For each personality: list, import, control, bulk both ways, a read that times out and the data
 * after it, an URB taken back, a stall, an unplugged device. What the server does wrong shows in
 * the expectations below and nowhere else; no call may take longer than its time-out and what a
 * loaded machine adds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <usbwire/usbwire.h>

#include "support/stand.h"

#define SLACK_MS 5000u /* of a loaded machine under a sanitizer */
#define LONG_MS  10000u
#define SHORT_MS 150u
#define HELD_MS  400u

struct expectation {
    const char *name;    /* of the personality */
    const char *profile; /* that the client has to recognise */
    const char *by_hand; /* or that a person has to name, as nothing tells the server */
    int held;            /* a read that waits holds the server: others are told so */
    int stuck;           /* a write that is not taken does */
    int late;  /* a cancel comes too late, if its answer is there before its own time is up */
    int stall; /* what a stalled bulk IN ends with */
    int control_stall; /* and a control request */
    int unplugged;     /* what the URB ends with that unplugs the device */
    uint32_t max_echo; /* what one read of the echo brings at most; 0: all */
};

static const struct expectation rows[] = {
    {"linux", "linux", .stall = UW_ERROR_STALL, .control_stall = UW_ERROR_STALL,
     .unplugged = UW_ERROR_NO_DEVICE},
    {"linux-hiding", "linux", .stall = UW_ERROR_STALL, .control_stall = UW_ERROR_STALL,
     .unplugged = UW_ERROR_NO_DEVICE},
    {"linux-race", "linux", .stall = UW_ERROR_STALL, .control_stall = UW_ERROR_STALL,
     .unplugged = UW_ERROR_NO_DEVICE},
    {"linux-late", "linux", .late = 1, .stall = UW_ERROR_STALL, .control_stall = UW_ERROR_STALL,
     .unplugged = UW_ERROR_NO_DEVICE},
    {"g0", "esp-bridge", .held = 1, .stall = UW_ERROR_STALL, .control_stall = UW_ERROR_STALL,
     .unplugged = UW_ERROR_NO_DEVICE},
    {"g0-virtual", "esp-virtual", .stuck = 1, .stall = UW_ERROR_STALL,
     .control_stall = UW_ERROR_STALL, .unplugged = UW_ERROR_NO_DEVICE, .max_echo = 64},
    {"g1", "esp-bridge-8", "esp-bridge-8", .stall = UW_ERROR_STALL, .control_stall = UW_ERROR_STALL,
     .unplugged = UW_ERROR_NO_DEVICE},
    {"g3", "esp-bridge-s31", "esp-bridge-s31", .stall = UW_ERROR_STALL,
     .control_stall = UW_ERROR_STALL, .unplugged = UW_ERROR_NO_DEVICE},
    {"windows", "windows", .stall = UW_ERROR_STALL, .control_stall = UW_ERROR_STALL,
     .unplugged = UW_ERROR_NO_DEVICE},
    {"pyusbip", "pyusbip", .stall = UW_ERROR_STALL, .control_stall = UW_ERROR_STALL,
     .unplugged = UW_ERROR_NO_DEVICE},
    /* A stall is an empty success there, which is also what a read without data is. */
    {"jiegec", "jiegec", .stuck = 1, .stall = UW_ERROR_TIMEOUT, .control_stall = 0,
     .unplugged = UW_ERROR_NO_DEVICE},
    {"usbipdcpp", "usbipdcpp", .stall = UW_ERROR_STALL, .control_stall = UW_ERROR_STALL,
     .unplugged = UW_ERROR_NO_DEVICE},
    {"dap", "dap", .held = 1, .stall = 0, .control_stall = UW_ERROR_TIMEOUT,
     .unplugged = UW_ERROR_NO_DEVICE},
    {"canokey", "canokey", .stall = UW_ERROR_STALL, .control_stall = UW_ERROR_STALL,
     .unplugged = UW_ERROR_NO_DEVICE},
    /* Every failure is -ETIME there, byte-swapped. */
    {"poc", "poc", .held = 1, .stall = UW_ERROR_TIMEOUT, .control_stall = UW_ERROR_TIMEOUT,
     .unplugged = UW_ERROR_TIMEOUT},
    {"hq", "hq", .held = 1, .stall = UW_ERROR_STALL, .control_stall = UW_ERROR_STALL,
     .unplugged = UW_ERROR_NO_DEVICE},
    {"p4", "p4", .stall = UW_ERROR_STALL, .control_stall = UW_ERROR_STALL,
     .unplugged = UW_ERROR_NO_DEVICE},
    {"renode", "renode", .held = 1, .stall = 0, .control_stall = 0,
     .unplugged = UW_ERROR_NO_DEVICE},
    {"slow", "linux", .stall = UW_ERROR_STALL, .control_stall = UW_ERROR_STALL,
     .unplugged = UW_ERROR_NO_DEVICE},
};

/* Those that are made to break the client have tests of their own below. */
static const char *const troublesome[] = {"p4-refusing", "garbage", "half-pdu", "vanish"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct setup {
    struct stand stand;
    struct uw_loop *loop;
    struct uw_server *server;
    struct uw_device *device;
};

static uint8_t data[8192];

static void
open_server(struct setup *s, const char *personality, const char *device)
{
    struct uw_fault fault;

    memset(s, 0, sizeof(*s));
    stand_new(&s->stand, personality);
    stand_add(&s->stand, device);
    stand_run(&s->stand);
    assert_int_equal(uw_loop_new(NULL, &s->loop), 0);
    assert_int_equal(uw_server_new(s->loop, "127.0.0.1", s->stand.port, &s->server, &fault), 0);
}

static int
import(struct setup *s)
{
    struct uw_device_info info;
    struct uw_fault fault;

    uw_sim_device_at(s->stand.sim, 0, &info);
    return uw_device_import(s->server, info.busid, uw_msec(LONG_MS), &s->device, &fault);
}

static void
open_setup(struct setup *s, const struct expectation *e, const char *device)
{
    open_server(s, e->name, device);
    if (e->by_hand)
        assert_int_equal(uw_server_set_profile(s->server, e->by_hand), 0);
    assert_int_equal(import(s), 0);
    assert_string_equal(uw_server_profile(s->server), e->profile);
}

static void
close_setup(struct setup *s)
{
    uw_device_free(s->device);
    uw_server_free(s->server);
    uw_loop_free(s->loop);
    stand_end(&s->stand);
}

/* Whatever a call came to, it did so in its time. */
static int
bounded(int r, struct uw_usec start, uint32_t ms)
{
    struct uw_usec took = uw_usec_sub(uw_now(), start);

    if (took.us > (uint64_t)(ms + SLACK_MS) * 1000u)
        fail_msg("%lu us for a time-out of %u ms", (unsigned long)took.us, ms);
    return r;
}

static int
transfer(struct setup *s, uint8_t endpoint, size_t length, uint32_t ms, size_t *ret_actual)
{
    struct uw_usec start = uw_now();

    return bounded(uw_transfer(s->device, endpoint, data, length, uw_msec(ms), ret_actual, NULL),
                   start, ms);
}

static int
control(struct setup *s, uint8_t type, uint8_t request, uint16_t value, uint16_t length,
        uint32_t ms)
{
    struct uw_usec start = uw_now();

    return bounded(
        uw_control(s->device, type, request, value, 0, data, length, uw_msec(ms), NULL, NULL),
        start, ms);
}

static int
get_descriptor(struct setup *s, uint32_t ms)
{
    return control(s, 0x80, 6, 0x0100, 18, ms);
}

/* For what is to end with that: a time-out is not waited for long, and nothing else becomes one. */
static uint32_t
patience(int expected)
{
    return expected == UW_ERROR_TIMEOUT ? HELD_MS : LONG_MS;
}

/* ---- what has to work everywhere ---- */

static void
check_list(const struct expectation *e)
{
    struct uw_device_list *list;
    struct uw_fault fault;
    struct setup s;

    open_server(&s, e->name, "esp");
    assert_int_equal(uw_server_list(s.server, uw_msec(LONG_MS), &list, &fault), 0);
    assert_int_equal(uw_device_list_count(list), 1);
    assert_int_equal(uw_device_list_get(list, 0)->vid, 0x303a);
    assert_int_equal(uw_device_list_get(list, 0)->num_interfaces, 1);
    uw_device_list_free(list);
    close_setup(&s);
}

/* Descriptors are the device's own, whatever the server puts into its records. */
static void
check_control(const struct expectation *e)
{
    struct setup s;
    size_t actual;

    open_setup(&s, e, "esp");
    assert_int_equal(uw_device_descriptor(s.device)->idVendor, 0x303a);
    assert_int_equal(uw_device_descriptor(s.device)->idProduct, 0x4004);
    assert_int_equal(get_descriptor(&s, LONG_MS), 0);
    assert_memory_equal(data + 8, "\x3a\x30\x04\x40", 4);
    for (int i = 0; i < 200; i++)
        data[i] = (uint8_t)(i ^ 0x55);
    assert_int_equal(control(&s, 0x40, 1, 0, 200, LONG_MS), 0);
    memset(data, 0, 256);
    assert_int_equal(
        uw_control(s.device, 0xc0, 1, 0, 0, data, 256, uw_msec(LONG_MS), &actual, NULL), 0);
    assert_int_equal(actual, 200);
    for (int i = 0; i < 200; i++)
        assert_int_equal(data[i], (uint8_t)(i ^ 0x55));
    close_setup(&s);
}

/* More than most of them take at once, out and back. */
static void
check_bulk(const struct expectation *e)
{
    const size_t size = 6000;
    size_t sum = 0, actual;
    struct setup s;

    open_setup(&s, e, "esp");
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 13 + (i >> 8));
    assert_int_equal(transfer(&s, 0x01, size, LONG_MS, &actual), 0);
    assert_int_equal(actual, size);
    memset(data, 0, size);
    while (sum < size) {
        uint8_t piece[8192];

        assert_int_equal(
            uw_transfer(s.device, 0x81, piece, size - sum, uw_msec(LONG_MS), &actual, NULL), 0);
        assert_true(actual > 0 && actual <= size - sum);
        assert_true(!e->max_echo || actual <= e->max_echo);
        memcpy(data + sum, piece, actual);
        sum += actual;
    }
    for (size_t i = 0; i < size; i++)
        if (data[i] != (uint8_t)(i * 13 + (i >> 8)))
            fail_msg("byte %zu is 0x%02x", i, data[i]);
    close_setup(&s);
}

/* ---- waiting ---- */

/* A read whose time is up loses nothing. Where it holds the server, whoever comes next is told that
 * within its own time. */
static void
check_timeout(const struct expectation *e)
{
    struct setup s;
    size_t actual;

    open_setup(&s, e, "esp");
    assert_int_equal(transfer(&s, 0x81, 64, SHORT_MS, &actual), UW_ERROR_TIMEOUT);
    assert_int_equal(actual, 0);
    memcpy(data, "later", 5);
    if (e->held) {
        assert_int_equal(transfer(&s, 0x01, 5, HELD_MS, &actual), UW_ERROR_HELD);
        assert_int_equal(get_descriptor(&s, HELD_MS), UW_ERROR_HELD);
    } else {
        assert_int_equal(transfer(&s, 0x01, 5, LONG_MS, &actual), 0);
        memset(data, 0, 5);
        assert_int_equal(transfer(&s, 0x81, 64, LONG_MS, &actual), 0);
        assert_int_equal(actual, 5);
        assert_memory_equal(data, "later", 5);
        assert_int_equal(get_descriptor(&s, LONG_MS), 0);
    }
    close_setup(&s);
}

/* A write that nobody takes, and a read that is taken back: both end, and where the server lets
 * them the others go on. */
static void
check_taken_back(const struct expectation *e)
{
    struct uw_queue *queue;
    struct uw_urb *urb;
    struct setup s;
    struct uw_usec start;
    int after;

    open_setup(&s, e, "faulty");
    assert_int_equal(uw_queue_new(s.loop, &queue), 0);
    assert_int_equal(uw_urb_new(0, &urb), 0);
    uw_urb_set_transfer(urb, s.device, 0x82, data, 64);
    assert_int_equal(uw_urb_submit(urb, queue), 0);
    assert_int_equal(uw_queue_wait(queue, uw_msec(SHORT_MS)), 0);
    start = uw_now();
    uw_urb_cancel(urb);
    assert_int_equal(bounded(uw_queue_wait(queue, uw_msec(LONG_MS)), start, 0), 1);
    assert_ptr_equal(uw_queue_pop(queue), urb);
    after = uw_urb_status(urb);
    assert_true(after == UW_ERROR_CANCELLED || (e->late && after == UW_OK));
    after = get_descriptor(&s, e->held ? HELD_MS : LONG_MS);
    if (e->held)
        assert_true(after < 0);
    else
        assert_int_equal(after, 0);
    uw_urb_free(urb);
    uw_queue_free(queue);
    close_setup(&s);
}

static void
check_refused_write(const struct expectation *e)
{
    struct setup s;
    size_t actual;
    int after;

    open_setup(&s, e, "faulty");
    after = transfer(&s, 0x02, 64, SHORT_MS, &actual);
    assert_true(after == UW_ERROR_TIMEOUT || (e->late && after == UW_OK));
    after = get_descriptor(&s, e->held || e->stuck ? HELD_MS : LONG_MS);
    if (e->held || e->stuck)
        assert_true(after < 0);
    else
        assert_int_equal(after, 0);
    close_setup(&s);
}

/* ---- failures ---- */

static void
check_stall(const struct expectation *e)
{
    struct uw_fault fault;
    struct setup s;
    size_t actual;

    open_setup(&s, e, "faulty");
    assert_int_equal(transfer(&s, 0x81, 64, patience(e->stall), &actual), e->stall);
    assert_int_equal(actual, 0);
    if (e->stall == UW_ERROR_STALL)
        assert_int_equal(uw_device_clear_halt(s.device, 0x81, uw_msec(LONG_MS), &fault), 0);
    assert_int_equal(control(&s, 0x40, 0x13, 0, 0, patience(e->control_stall)), e->control_stall);
    assert_int_equal(get_descriptor(&s, LONG_MS), 0);
    close_setup(&s);
}

static void
check_unplugged(const struct expectation *e)
{
    struct setup s;
    size_t actual;
    int after;

    open_setup(&s, e, "faulty");
    assert_int_equal(control(&s, 0x40, 0x10, 0, 0, LONG_MS), e->unplugged);
    after = get_descriptor(&s, LONG_MS);
    assert_true(after == UW_ERROR_NO_DEVICE || after == UW_ERROR_CONNECTION_LOST);
    after = transfer(&s, 0x84, 64, LONG_MS, &actual);
    assert_true(after == UW_ERROR_NO_DEVICE || after == UW_ERROR_CONNECTION_LOST);
    assert_int_equal(uw_device_status(s.device), after);
    close_setup(&s);
}

/* ---- those that are broken on purpose ---- */

static void
check_trouble(const char *personality, int expected)
{
    struct uw_usec start;
    struct setup s;
    int r = 0;

    open_server(&s, personality, "esp");
    assert_int_equal(import(&s), 0);
    for (int i = 0; r == 0 && i < 40; i++)
        r = get_descriptor(&s, patience(expected));
    assert_int_equal(r, expected);
    /* What comes after it ends as well, and so does the import. */
    assert_true(get_descriptor(&s, HELD_MS) < 0);
    start = uw_now();
    uw_device_free(s.device);
    s.device = NULL;
    bounded(0, start, 0);
    close_setup(&s);
}

static void
test_garbage(void **state)
{
    (void)state;
    check_trouble("garbage", UW_ERROR_PROTOCOL);
}

static void
test_half_pdu(void **state)
{
    (void)state;
    check_trouble("half-pdu", UW_ERROR_CONNECTION_LOST);
}

static void
test_vanish(void **state)
{
    (void)state;
    check_trouble("vanish", UW_ERROR_TIMEOUT);
}

/* An import that is granted and then refused after all. */
static void
test_refused_after_all(void **state)
{
    struct setup s;
    int r;

    (void)state;
    open_server(&s, "p4-refusing", "esp");
    r = import(&s);
    assert_true(r == UW_ERROR_BUSY || r == UW_ERROR_CONNECTION_LOST || r == UW_ERROR_PROTOCOL ||
                r == UW_ERROR_ACCESS);
    close_setup(&s);
}

/* A personality that is in neither list would go untested. */
static void
test_all_are_here(void **state)
{
    (void)state;
    for (unsigned i = 0; uw_sim_personality_name(i); i++) {
        const char *name = uw_sim_personality_name(i);
        int found = 0;

        for (size_t j = 0; j < COUNT(rows); j++)
            found |= strcmp(rows[j].name, name) == 0;
        for (size_t j = 0; j < COUNT(troublesome); j++)
            found |= strcmp(troublesome[j], name) == 0;
        if (!found)
            fail_msg("%s is not tested", name);
    }
}

static void
test_personality(void **state)
{
    static const struct {
        const char *name;
        void (*run)(const struct expectation *e);
    } checks[] = {
        {"list", check_list},         {"control", check_control},
        {"bulk", check_bulk},         {"time-out", check_timeout},
        {"cancel", check_taken_back}, {"refused write", check_refused_write},
        {"stall", check_stall},       {"unplugged", check_unplugged},
    };
    const struct expectation *e = *state;

    for (size_t i = 0; i < COUNT(checks); i++) {
        print_message("# %s: %s\n", e->name, checks[i].name);
        checks[i].run(e);
    }
}

int
main(void)
{
    struct CMUnitTest tests[COUNT(rows) + 5] = {
        cmocka_unit_test(test_all_are_here),      cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_half_pdu),          cmocka_unit_test(test_vanish),
        cmocka_unit_test(test_refused_after_all),
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[i + 5] = (struct CMUnitTest){.name = rows[i].name,
                                           .test_func = test_personality,
                                           .initial_state = (void *)(uintptr_t)&rows[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
