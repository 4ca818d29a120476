/*
 * A failure as a sentence: which device, what was tried, what came back, what to do.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

#define SOON uw_msec(20000)

static int
refuse(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    if (pdu->command != UW_CMD_SUBMIT)
        return 0;
    peer_reply(c, pdu, *(const int *)arg, NULL, 0);
    return 1;
}

/* What the server answers, and what is made of it. */
static void
check(struct rig *r, int raw, uint8_t endpoint, int code, const char *tried, const char *came,
      const char *advice)
{
    struct uw_fault fault = {0};
    uint8_t buf[64] = {0};
    int got;

    peer_script(r->peer, refuse, &raw);
    got = endpoint ? uw_transfer(r->device, endpoint, buf, sizeof(buf), SOON, NULL, &fault)
                   : uw_control(r->device, 0xc0, 0x12, 0x3456, 0x789a, buf, 64, SOON, NULL, &fault);
    assert_int_equal(got, code);
    assert_int_equal(fault.code, code);
    assert_int_equal(fault.raw, raw);
    assert_string_equal(fault.on, uw_device_name(r->device));
    assert_string_equal(fault.tried, tried);
    if (!strstr(fault.came, came) || !strstr(fault.advice, advice))
        fail_msg("%s", rig_sentence(&fault));
}

static void
test_statuses(void **state)
{
    struct rig *r = (struct rig *)*state;

    check(r, -EPIPE, 0, UW_ERROR_STALL, "control IN c0 12 wValue 3456 wIndex 789a, 64 bytes",
          "status -32", "does not know this request");
    check(r, -EPIPE, 0x81, UW_ERROR_STALL, "interrupt IN 0x81, 64 bytes", "-32", "clear-halt");
    check(r, -EPIPE, 0x02, UW_ERROR_STALL, "interrupt OUT 0x02, 64 bytes", "-32", "clear-halt");
    check(r, -EOVERFLOW, 0x81, UW_ERROR_OVERFLOW, "interrupt IN 0x81, 64 bytes", "-75",
          "multiple of the endpoint's packet size");
    check(r, -EPROTO, 0x02, UW_ERROR_IO, "interrupt OUT 0x02, 64 bytes", "-71", "cable");
    check(r, -12345, 0x02, UW_ERROR_IO, "interrupt OUT 0x02, 64 bytes", "-12345", "cable");
}

static void
test_name(void **state)
{
    struct rig *r = (struct rig *)*state;
    char expected[128];

    snprintf(expected, sizeof(expected), "%s 1-1 (0525:a4ac)", r->peer->address);
    assert_string_equal(uw_device_name(r->device), expected);
}

static int
never(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    (void)c;
    (void)arg;
    return pdu->command == UW_CMD_SUBMIT;
}

static void
test_timeouts(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;
    uint8_t buf[64] = {0};

    peer_script(r->peer, never, NULL);
    assert_int_equal(uw_transfer(r->device, 0x81, buf, 64, uw_msec(1), NULL, &fault),
                     UW_ERROR_TIMEOUT);
    assert_non_null(strstr(fault.advice, "the next read gets what comes late"));
    assert_int_equal(uw_transfer(r->device, 0x02, buf, 64, uw_msec(1), NULL, &fault),
                     UW_ERROR_TIMEOUT);
    assert_null(strstr(fault.advice, "the next read")); /* a write is taken back */
    assert_non_null(strstr(fault.advice, "takes no more"));
    assert_int_equal(uw_control(r->device, 0xc0, 1, 0, 0, buf, 1, uw_msec(1), NULL, &fault),
                     UW_ERROR_TIMEOUT);
    assert_non_null(strstr(fault.advice, "reset it"));
}

static int
hang_up(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    (void)arg;
    if (pdu->command == UW_CMD_SUBMIT)
        peer_hang_up(c);
    return 1;
}

static void
test_connection_lost(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;
    uint8_t buf[64];

    peer_script(r->peer, hang_up, NULL);
    assert_int_equal(uw_transfer(r->device, 0x81, buf, 64, SOON, NULL, &fault),
                     UW_ERROR_CONNECTION_LOST);
    assert_non_null(strstr(rig_sentence(&fault), "the server closed the connection"));
    assert_non_null(strstr(rig_sentence(&fault), "import the device again"));
    assert_int_equal(uw_transfer(r->device, 0x02, buf, 64, SOON, NULL, &fault),
                     UW_ERROR_CONNECTION_LOST);
    assert_non_null(strstr(rig_sentence(&fault), "the server closed the connection"));
    assert_non_null(strstr(rig_sentence(&fault), "0x02, 64 bytes"));
}

/* On a server that does one thing at a time, what it does is named. */
static void
test_held(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_queue *queue;
    struct uw_fault fault;
    struct uw_urb *urb;
    uint8_t buf[64];

    uw_device_free(r->device);
    assert_int_equal(uw_server_set_profile(r->server, "esp-bridge"), 0);
    rig_import(r);
    assert_int_equal(uw_queue_new(r->loop, &queue), 0);
    assert_int_equal(uw_urb_new(0, &urb), 0);
    uw_urb_set_transfer(urb, r->device, 0x81, buf, 64);
    assert_int_equal(uw_urb_submit(urb, queue), 0);
    assert_int_equal(uw_transfer(r->device, 0x02, buf, 8, uw_msec(30), NULL, &fault),
                     UW_ERROR_HELD);
    assert_non_null(strstr(fault.came, "IN 0x81 of 1-1 (0525:a4ac)"));
    assert_non_null(strstr(fault.advice, "wait until that is done"));
    peer_give(r->peer, 0x81, 0, "x", 1);
    assert_int_equal(uw_queue_wait(queue, SOON), 1);
    assert_ptr_equal(uw_queue_pop(queue), urb);
    uw_urb_free(urb);
    uw_queue_free(queue);
}

static void
test_nothing_set(void **state)
{
    struct uw_fault fault;
    struct uw_urb *urb;

    (void)state;
    assert_int_equal(uw_urb_new(0, &urb), 0);
    uw_urb_fault(urb, &fault);
    assert_string_equal(fault.tried, "transfer");
    uw_urb_free(urb);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, rig_set_up_imported, rig_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_statuses),        ROW(test_name), ROW(test_timeouts),
        ROW(test_connection_lost), ROW(test_held), cmocka_unit_test(test_nothing_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
