/*
 * Port reset: the same device with all that was in force, or none.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

#define SOON uw_msec(20000)

/* What happens to the device at a reset. */
enum fate { SAME, OTHER_DEVICE, OTHER_CONFIGURATION, REFUSED, GONE };

static int
is_reset(const struct uw_pdu *pdu)
{
    return peer_is(pdu, 0x23, 0x03) && peer_value(pdu) == 4;
}

static int
meet_fate(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    const enum fate *fate = (const enum fate *)arg;

    if (!is_reset(pdu))
        return 0;
    switch (*fate) {
    case SAME: c->model->configuration = 0; break;
    case OTHER_DEVICE: c->model->v.device[10] ^= 1; break;
    case OTHER_CONFIGURATION: c->model->v.configs[0][8] ^= 1; break;
    case REFUSED: peer_reply(c, pdu, -EPIPE, NULL, 0); return 1;
    case GONE: peer_hang_up(c); return 1;
    }
    peer_reply(c, pdu, 0, NULL, 0);
    return 1;
}

static int
reset(struct rig *r, enum fate *fate, struct uw_fault *fault)
{
    rig_replace(r, "composite-acm-serial-midi-ncm-high", 3);
    peer_script(r->peer, meet_fate, fate);
    rig_import(r);
    assert_int_equal(uw_device_set_altsetting(r->device, 6, 1, SOON, NULL), 0);
    return uw_device_reset(r->device, SOON, fault);
}

static void
test_same(void **state)
{
    struct rig *r = (struct rig *)*state;
    enum fate fate = SAME;
    uint8_t b[8] = {0};

    assert_int_equal(reset(r, &fate, NULL), 0);
    assert_int_equal(r->model->configuration, 1);
    assert_int_equal(peer_requests(r->peer, 0x00, 0x09), 2);
    assert_int_equal(peer_requests(r->peer, 0x01, 0x0b), 2);
    assert_true(peer_position(r->peer, 0x01, 0x0b) > peer_position(r->peer, 0x00, 0x09));
    assert_int_equal(uw_device_altsetting(r->device, 6), 1);
    assert_int_equal(uw_transfer(r->device, 0x01, b, 8, SOON, NULL, NULL), 0);
}

static void
test_parked_reads_are_dropped(void **state)
{
    struct rig *r = (struct rig *)*state;
    enum fate fate = SAME;
    uint8_t b[64];

    peer_script(r->peer, meet_fate, &fate);
    rig_import(r);
    assert_int_equal(uw_transfer(r->device, 0x81, b, 64, uw_msec(1), NULL, NULL), UW_ERROR_TIMEOUT);
    peer_wait_urbs(r->peer, 0x81, 1);
    assert_int_equal(uw_device_reset(r->device, SOON, NULL), 0);
    peer_wait_unlinks(r->peer, 1);
}

static void
test_unconfigured_stays_so(void **state)
{
    struct rig *r = (struct rig *)*state;
    enum fate fate = SAME;

    peer_script(r->peer, meet_fate, &fate);
    rig_import(r);
    assert_int_equal(uw_device_set_configuration(r->device, 0, SOON, NULL), 0);
    assert_int_equal(uw_device_reset(r->device, SOON, NULL), 0);
    assert_int_equal(uw_device_configuration(r->device), 0);
    assert_int_equal(r->model->configuration, 0);
}

static void
came_back_different(void **state, enum fate fate)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;

    assert_int_equal(reset(r, &fate, &fault), UW_ERROR_NOT_FOUND);
    assert_int_equal(fault.code, UW_ERROR_NOT_FOUND);
    assert_non_null(strstr(rig_sentence(&fault), "what is there now is another device, or none"));
}

static void
test_other_device(void **state)
{
    came_back_different(state, OTHER_DEVICE);
}

static void
test_other_configuration(void **state)
{
    came_back_different(state, OTHER_CONFIGURATION);
}

static void
test_gone(void **state)
{
    came_back_different(state, GONE);
}

static void
test_refused(void **state)
{
    struct rig *r = (struct rig *)*state;
    enum fate fate = REFUSED;
    struct uw_fault fault;

    assert_int_equal(reset(r, &fate, &fault), UW_ERROR_NOT_SUPPORTED);
    assert_int_equal(fault.code, UW_ERROR_NOT_SUPPORTED);
    assert_int_equal(uw_device_altsetting(r->device, 6), 1);
    assert_int_equal(uw_device_status(r->device), UW_OK);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_same),         ROW(test_parked_reads_are_dropped), ROW(test_unconfigured_stays_so),
        ROW(test_other_device), ROW(test_other_configuration),      ROW(test_gone),
        ROW(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
