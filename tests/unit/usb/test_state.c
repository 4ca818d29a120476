/*
 * Configuration, alternate settings, claims: what is in force, whoever asked for it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

#define SOON uw_msec(20000)

static void
import_as(struct rig *r, const char *vector, uint32_t speed)
{
    rig_replace(r, vector, speed);
    rig_import(r);
}

/* A read that times out stays at the server; n_unlinks of them are taken back later. */
static void
park(struct rig *r, uint8_t endpoint)
{
    uint8_t buf[64];

    assert_int_equal(uw_transfer(r->device, endpoint, buf, sizeof(buf), uw_msec(1), NULL, NULL),
                     UW_ERROR_TIMEOUT);
    peer_wait_urbs(r->peer, endpoint, 1);
    assert_int_equal(peer_unlinks(r->peer), 0);
}

static int
refuse_all_out(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    (void)arg;
    if (pdu->command != UW_CMD_SUBMIT || pdu->ep != 0 || pdu->direction != UW_DIR_OUT)
        return 0;
    peer_reply(c, pdu, -EPIPE, NULL, 0);
    return 1;
}

/* ---- configuration ---- */

static void
test_set_configuration(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;

    import_as(r, "gadget-zero-zerohs-high", 3);
    assert_int_equal(uw_device_configuration(r->device), 1);
    assert_int_equal(uw_device_set_configuration(r->device, 2, SOON, NULL), 0);
    assert_int_equal(uw_device_configuration(r->device), 2);
    assert_ptr_equal(uw_device_active_config(r->device), uw_device_config(r->device, 1));
    assert_int_equal(r->model->configuration, 2);
    assert_int_equal(uw_device_set_configuration(r->device, 7, SOON, &fault), UW_ERROR_NOT_FOUND);
    assert_non_null(strstr(rig_sentence(&fault), "set configuration 7"));
    assert_int_equal(uw_device_set_configuration(r->device, -1, SOON, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_set_configuration(r->device, 258, SOON, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_configuration(r->device), 2);
}

static void
test_unconfigure(void **state)
{
    struct rig *r = (struct rig *)*state;

    rig_import(r);
    assert_non_null(uw_device_endpoint(r->device, 0x81));
    assert_int_equal(uw_device_set_configuration(r->device, 0, SOON, NULL), 0);
    assert_int_equal(uw_device_configuration(r->device), 0);
    assert_null(uw_device_active_config(r->device));
    assert_null(uw_device_endpoint(r->device, 0x81));
    assert_int_equal(uw_device_altsetting(r->device, 0), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_claim(r->device, 0, r), UW_ERROR_NOT_FOUND);
}

static void
test_set_configuration_that_fails(void **state)
{
    struct rig *r = (struct rig *)*state;

    import_as(r, "gadget-zero-zerohs-high", 3);
    peer_script(r->peer, refuse_all_out, NULL);
    assert_int_equal(uw_device_set_configuration(r->device, 2, SOON, NULL), UW_ERROR_STALL);
    assert_int_equal(uw_device_configuration(r->device), 1);
}

static void
test_set_configuration_while_claimed(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;
    unsigned before;

    import_as(r, "gadget-zero-zerohs-high", 3);
    before = peer_requests(r->peer, 0x00, 0x09);
    assert_int_equal(uw_device_claim(r->device, 0, r), 0);
    assert_int_equal(uw_device_set_configuration(r->device, 2, SOON, &fault), UW_ERROR_BUSY);
    assert_non_null(strstr(rig_sentence(&fault), "an interface is claimed"));
    assert_int_equal(peer_requests(r->peer, 0x00, 0x09), before);
    /* The value in force is a light reset, and allowed. */
    assert_int_equal(uw_device_set_configuration(r->device, 1, SOON, NULL), 0);
    assert_int_equal(peer_requests(r->peer, 0x00, 0x09), before + 1);
    assert_int_equal(uw_device_release(r->device, 0, r), 0);
    assert_int_equal(uw_device_set_configuration(r->device, 2, SOON, NULL), 0);
}

static void
test_set_configuration_resets_altsettings(void **state)
{
    struct rig *r = (struct rig *)*state;

    import_as(r, "composite-acm-serial-midi-ncm-high", 3);
    assert_int_equal(uw_device_set_altsetting(r->device, 6, 1, SOON, NULL), 0);
    assert_non_null(uw_device_endpoint(r->device, 0x82));
    assert_int_equal(uw_device_set_configuration(r->device, 1, SOON, NULL), 0);
    assert_int_equal(uw_device_altsetting(r->device, 6), 0);
    assert_null(uw_device_endpoint(r->device, 0x82));
}

static void
test_set_configuration_drops_parked_reads(void **state)
{
    struct rig *r = (struct rig *)*state;

    rig_import(r);
    park(r, 0x81);
    assert_int_equal(uw_device_set_configuration(r->device, 1, SOON, NULL), 0);
    peer_wait_unlinks(r->peer, 1);
    assert_int_equal(peer_requests(r->peer, 0x00, 0x09), 2);
}

/* ---- alternate settings ---- */

static void
test_altsettings(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;

    import_as(r, "composite-acm-serial-midi-ncm-high", 3);
    assert_int_equal(uw_device_altsetting(r->device, 6), 0);
    assert_null(uw_device_endpoint(r->device, 0x82));
    assert_int_equal(uw_device_set_altsetting(r->device, 6, 1, SOON, NULL), 0);
    assert_int_equal(uw_device_altsetting(r->device, 6), 1);
    assert_int_equal(uw_device_endpoint(r->device, 0x82)->wMaxPacketSize, 512);
    assert_int_equal(peer_last(r->peer, 0x00).setup[2], 1);
    assert_int_equal(peer_last(r->peer, 0x00).setup[4], 6);
    assert_int_equal(uw_device_set_altsetting(r->device, 6, 2, SOON, &fault), UW_ERROR_NOT_FOUND);
    assert_non_null(strstr(rig_sentence(&fault), "alternate setting 2 of interface 6"));
    assert_int_equal(uw_device_set_altsetting(r->device, 7, 0, SOON, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_set_altsetting(r->device, 256, 0, SOON, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_altsetting(r->device, 300), UW_ERROR_NOT_FOUND);
    assert_int_equal(peer_requests(r->peer, 0x01, 0x0b), 1);
}

static void
test_altsetting_that_fails(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;

    import_as(r, "composite-acm-serial-midi-ncm-high", 3);
    peer_script(r->peer, refuse_all_out, NULL);
    assert_int_equal(uw_device_set_altsetting(r->device, 6, 1, SOON, &fault), UW_ERROR_STALL);
    assert_int_equal(fault.code, UW_ERROR_STALL);
    assert_int_equal(uw_device_altsetting(r->device, 6), 0);
    assert_null(uw_device_endpoint(r->device, 0x82));
}

static int
refuse_set_interface(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    (void)arg;
    if (!peer_is(pdu, 0x01, 0x0b))
        return 0;
    peer_reply(c, pdu, -EPIPE, NULL, 0);
    return 1;
}

/* An interface with one setting may refuse (USB 2.0 9.4.10): its endpoints are restarted instead.
 */
static void
test_only_altsetting_refused(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault = {0};

    rig_import(r);
    peer_script(r->peer, refuse_set_interface, NULL);
    assert_int_equal(uw_device_set_altsetting(r->device, 0, 0, SOON, &fault), 0);
    assert_int_equal(fault.code, 0);
    assert_int_equal(peer_requests(r->peer, 0x02, 0x01), 2);
}

/* Requests that are sent as they are have the same effects. */
static void
test_raw_requests_are_followed(void **state)
{
    struct rig *r = (struct rig *)*state;

    import_as(r, "composite-acm-serial-midi-ncm-high", 3);
    assert_int_equal(uw_control(r->device, 0x01, 0x0b, 1, 6, NULL, 0, SOON, NULL, NULL), 0);
    assert_int_equal(uw_device_altsetting(r->device, 6), 1);
    assert_non_null(uw_device_endpoint(r->device, 0x82));
    assert_int_equal(uw_control(r->device, 0x00, 0x09, 0, 0, NULL, 0, SOON, NULL, NULL), 0);
    assert_int_equal(uw_device_configuration(r->device), 0);
    assert_int_equal(uw_control(r->device, 0x00, 0x09, 1, 0, NULL, 0, SOON, NULL, NULL), 0);
    assert_int_equal(uw_device_configuration(r->device), 1);
    peer_script(r->peer, refuse_all_out, NULL);
    assert_int_equal(uw_control(r->device, 0x01, 0x0b, 1, 6, NULL, 0, SOON, NULL, NULL),
                     UW_ERROR_STALL);
    assert_int_equal(uw_device_altsetting(r->device, 6), 0);
    assert_int_equal(uw_control(r->device, 0x00, 0x09, 0, 0, NULL, 0, SOON, NULL, NULL),
                     UW_ERROR_STALL);
    assert_int_equal(uw_device_configuration(r->device), 1);
}

/* A vendor's request with the same number is none of them. */
static void
test_other_requests_are_not(void **state)
{
    struct rig *r = (struct rig *)*state;

    rig_import(r);
    park(r, 0x81);
    assert_int_equal(uw_control(r->device, 0x40, 0x09, 0, 0, NULL, 0, SOON, NULL, NULL), 0);
    assert_int_equal(uw_control(r->device, 0x21, 0x09, 0, 0, NULL, 0, SOON, NULL, NULL), 0);
    assert_int_equal(uw_control(r->device, 0x02, 0x03, 0, 0x81, NULL, 0, SOON, NULL, NULL), 0);
    assert_int_equal(uw_device_configuration(r->device), 1);
    assert_int_equal(peer_unlinks(r->peer), 0);
}

/* ---- claims ---- */

static void
test_claims(void **state)
{
    struct rig *r = (struct rig *)*state;
    int a, b;

    rig_import(r);
    assert_int_equal(uw_device_claim(r->device, 0, &a), 0);
    assert_int_equal(uw_device_claim(r->device, 0, &a), 0);
    assert_int_equal(uw_device_claim(r->device, 0, &b), UW_ERROR_BUSY);
    assert_int_equal(uw_device_claim(r->device, 1, &b), 0);
    assert_int_equal(uw_device_claim(r->device, 2, &b), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_claim(r->device, 256, &b), UW_ERROR_INVALID);
    assert_int_equal(uw_device_claim(r->device, 0, NULL), UW_ERROR_INVALID);
    assert_int_equal(uw_device_release(r->device, 0, &b), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_release(r->device, 0, &a), 0);
    assert_int_equal(uw_device_release(r->device, 0, &a), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_claim(r->device, 0, &b), 0);
}

static void
test_release_drops_its_parked_reads(void **state)
{
    struct rig *r = (struct rig *)*state;
    uint8_t buf[64];
    size_t n = 0;

    rig_import(r);
    assert_int_equal(uw_device_claim(r->device, 0, r), 0);
    assert_int_equal(uw_device_claim(r->device, 1, r), 0);
    park(r, 0x81);
    assert_int_equal(uw_transfer(r->device, 0x85, buf, 4, uw_msec(1), NULL, NULL),
                     UW_ERROR_TIMEOUT);
    assert_int_equal(uw_device_release(r->device, 0, r), 0);
    peer_wait_unlinks(r->peer, 1);
    /* The other interface's read is where it was, and loses nothing. */
    peer_give(r->peer, 0x85, 0, "wxyz", 4);
    assert_int_equal(uw_transfer(r->device, 0x85, buf, 4, SOON, &n, NULL), 0);
    assert_int_equal(n, 4);
    assert_memory_equal(buf, "wxyz", 4);
    assert_int_equal(peer_urbs(r->peer, 0x85), 1);
    assert_int_equal(peer_unlinks(r->peer), 1);
}

static void
test_ended(void **state)
{
    struct rig *r = (struct rig *)*state;
    uint8_t b;

    rig_import(r);
    peer_cut(r->peer);
    assert_int_equal(uw_control(r->device, 0x80, 8, 0, 0, &b, 1, SOON, NULL, NULL),
                     UW_ERROR_CONNECTION_LOST);
    assert_int_equal(uw_device_claim(r->device, 0, r), UW_ERROR_CONNECTION_LOST);
    assert_int_equal(uw_device_set_configuration(r->device, 1, SOON, NULL),
                     UW_ERROR_CONNECTION_LOST);
}

/* ---- halts ---- */

static void
test_clear_halt(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_pdu pdu;

    rig_import(r);
    park(r, 0x81);
    assert_int_equal(uw_device_clear_halt(r->device, 0x81, SOON, NULL), 0);
    peer_wait_unlinks(r->peer, 1);
    pdu = peer_last(r->peer, 0x00);
    assert_int_equal(pdu.setup[0], 0x02);
    assert_int_equal(pdu.setup[1], 0x01);
    assert_int_equal(pdu.setup[4], 0x81);
    assert_int_equal(uw_device_clear_halt(r->device, 0x82, SOON, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_clear_halt(r->device, 0x91, SOON, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_clear_halt(r->device, 0x10, SOON, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(peer_requests(r->peer, 0x02, 0x01), 1);
    assert_int_equal(uw_device_clear_halt(r->device, 0x00, SOON, NULL), 0);
}

static void
test_raw_clear_halt(void **state)
{
    struct rig *r = (struct rig *)*state;

    rig_import(r);
    park(r, 0x81);
    assert_int_equal(uw_control(r->device, 0x02, 0x01, 0, 0x81, NULL, 0, SOON, NULL, NULL), 0);
    peer_wait_unlinks(r->peer, 1);
}

/* ---- a replaced connection ---- */

static int
never_answer_vendor(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    (void)arg;
    if (!peer_is(pdu, 0xc0, 0x77))
        return 0;
    c->model->configuration = 0; /* as the next import will find it */
    return 1;
}

/* Where an unanswered control transfer costs the connection, the new one finds the device as
 * freshly imported: what was in force is sent before what waited. */
static void
test_replaced_connection(void **state)
{
    struct rig *r = (struct rig *)*state;
    uint8_t b[4] = {0};
    int configured;

    assert_int_equal(uw_server_set_profile(r->server, "esp-bridge"), 0);
    import_as(r, "composite-acm-serial-midi-ncm-high", 3);
    assert_int_equal(uw_device_set_altsetting(r->device, 6, 1, SOON, NULL), 0);
    peer_script(r->peer, never_answer_vendor, NULL);
    assert_int_equal(uw_control(r->device, 0xc0, 0x77, 0, 0, b, 4, uw_msec(50), NULL, NULL),
                     UW_ERROR_TIMEOUT);
    /* This one waits for the new connection, or comes right behind it. */
    assert_int_equal(uw_transfer(r->device, 0x02, b, 4, SOON, NULL, NULL), 0);
    assert_int_equal(peer_imports(r->peer), 2);
    configured = peer_position(r->peer, 0x00, 0x09);
    assert_true(configured > peer_position(r->peer, 0xc0, 0x77));
    assert_true(peer_position(r->peer, 0x01, 0x0b) > configured);
    assert_true(peer_urb_position(r->peer, 0x02) > peer_position(r->peer, 0x01, 0x0b));
    assert_int_equal(uw_device_configuration(r->device), 1);
    assert_int_equal(uw_device_altsetting(r->device, 6), 1);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_set_configuration),
        ROW(test_unconfigure),
        ROW(test_set_configuration_that_fails),
        ROW(test_set_configuration_while_claimed),
        ROW(test_set_configuration_resets_altsettings),
        ROW(test_set_configuration_drops_parked_reads),
        ROW(test_altsettings),
        ROW(test_altsetting_that_fails),
        ROW(test_only_altsetting_refused),
        ROW(test_raw_requests_are_followed),
        ROW(test_other_requests_are_not),
        ROW(test_claims),
        ROW(test_release_drops_its_parked_reads),
        ROW(test_ended),
        ROW(test_clear_halt),
        ROW(test_raw_clear_halt),
        ROW(test_replaced_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
