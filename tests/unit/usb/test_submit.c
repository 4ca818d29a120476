/*
 * URBs are checked against the descriptors before anything is sent, and sent as servers want them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

#define SOON uw_msec(20000)

static void
import_as(struct rig *r, const char *vector, uint32_t speed)
{
    rig_replace(r, vector, speed);
    rig_import(r);
}

static int
transfer(struct rig *r, uint8_t endpoint, size_t length, struct uw_fault *fault)
{
    static uint8_t buf[65536];

    return uw_transfer(r->device, endpoint, buf, length, SOON, NULL, fault);
}

/* ---- control ---- */

static void
test_control_direction(void **state)
{
    struct rig *r = (struct rig *)*state;
    uint8_t b[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct uw_pdu pdu;
    unsigned before;

    rig_import(r);
    assert_int_equal(uw_control(r->device, 0x40, 1, 0x1234, 0x5678, b, 8, SOON, NULL, NULL), 0);
    pdu = peer_last(r->peer, 0x00);
    assert_memory_equal(pdu.setup, ((uint8_t[]){0x40, 1, 0x34, 0x12, 0x78, 0x56, 8, 0}), 8);
    assert_int_equal(pdu.length, 8);
    assert_int_equal(pdu.interval, 0);
    assert_int_equal(pdu.packets, 0);
    assert_memory_equal(r->peer->out, b, 8);
    /* Nothing to be read makes an OUT of it, whatever bit 7 says. */
    before = peer_urbs(r->peer, 0x00);
    assert_int_equal(uw_control(r->device, 0xc0, 1, 0, 0, NULL, 0, SOON, NULL, NULL), 0);
    assert_int_equal(peer_urbs(r->peer, 0x00), before + 1);
    assert_int_equal(peer_last(r->peer, 0x00).setup[0], 0xc0);
    assert_int_equal(uw_control(r->device, 0xc0, 1, 0, 0, NULL, 8, SOON, NULL, NULL),
                     UW_ERROR_INVALID);
}

/* Endpoint 0 is reached with a setup packet only. */
static void
test_transfer_on_endpoint_0(void **state)
{
    struct rig *r = (struct rig *)*state;
    unsigned in, out;

    rig_import(r);
    in = peer_urbs(r->peer, 0x80);
    out = peer_urbs(r->peer, 0x00);
    assert_int_equal(transfer(r, 0x00, 8, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(transfer(r, 0x80, 8, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(peer_urbs(r->peer, 0x80), in);
    assert_int_equal(peer_urbs(r->peer, 0x00), out);
}

/* ---- endpoints ---- */

static void
test_no_such_endpoint(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;
    unsigned before;

    import_as(r, "composite-acm-serial-midi-ncm-high", 3);
    before = r->peer->logged;
    assert_int_equal(transfer(r, 0x82, 8, &fault), UW_ERROR_NOT_FOUND);
    assert_int_equal(fault.code, UW_ERROR_NOT_FOUND);
    assert_non_null(strstr(rig_sentence(&fault), "0x82"));
    assert_non_null(strstr(rig_sentence(&fault), "alternate settings in force"));
    assert_int_equal(transfer(r, 0x8f, 8, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(transfer(r, 0x01, 8, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(transfer(r, 0x91, 8, NULL), UW_ERROR_NOT_FOUND); /* 0x81 with reserved bits */
    assert_int_equal(r->peer->logged, before);
    assert_int_equal(uw_device_set_altsetting(r->device, 6, 1, SOON, NULL), 0);
    assert_int_equal(transfer(r, 0x01, 8, NULL), 0);
}

static void
test_unconfigured(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;

    rig_import(r);
    assert_int_equal(uw_device_set_configuration(r->device, 0, SOON, NULL), 0);
    assert_int_equal(transfer(r, 0x81, 8, &fault), UW_ERROR_NOT_FOUND);
    assert_non_null(strstr(rig_sentence(&fault), "the device is not configured"));
    assert_non_null(strstr(rig_sentence(&fault), "set-config"));
}

static void
test_no_buffer(void **state)
{
    struct rig *r = (struct rig *)*state;

    rig_import(r);
    assert_int_equal(uw_transfer(r->device, 0x02, NULL, 8, SOON, NULL, NULL), UW_ERROR_INVALID);
    assert_int_equal(uw_transfer(r->device, 0x02, NULL, 0, SOON, NULL, NULL), 0);
}

/* The type and so the interval come from the descriptor; usbipd-win tells bulk from interrupt by
 * it, and Linux drops the connection for an interrupt without one. */
static void
test_interval_on_the_wire(void **state)
{
    struct rig *r = (struct rig *)*state;

    rig_import(r);
    assert_int_equal(transfer(r, 0x02, 8, NULL), 0);
    assert_int_equal(peer_last(r->peer, 0x02).interval, 8); /* high speed, bInterval 4 */
    uw_device_free(r->device);
    import_as(r, "gadget-zero-zerofs-full", 2);
    assert_int_equal(transfer(r, 0x02, 8, NULL), 0);
    assert_int_equal(peer_last(r->peer, 0x02).interval, 0); /* bulk */
    assert_int_equal(peer_last(r->peer, 0x02).packets, 0);
    assert_int_equal(peer_last(r->peer, 0x02).flags, 0);
}

static void
test_full_speed_interval(void **state)
{
    struct rig *r = (struct rig *)*state;
    uint8_t b[8];

    import_as(r, "qemu-usb-tablet-full", 2);
    assert_int_equal(uw_transfer(r->device, 0x81, b, 8, uw_msec(1), NULL, NULL), UW_ERROR_TIMEOUT);
    peer_wait_urbs(r->peer, 0x81, 1);
    assert_int_equal(peer_last(r->peer, 0x81).interval, 10); /* milliseconds, as in bInterval */
}

/* A large OUT goes in chunks that are multiples of the packet size. */
static void
test_chunks(void **state)
{
    struct rig *r = (struct rig *)*state;
    static uint8_t buf[300000];
    size_t n = 0;

    import_as(r, "gadget-zero-zerohs-high", 3);
    assert_int_equal(uw_transfer(r->device, 0x02, buf, sizeof(buf), SOON, &n, NULL), 0);
    assert_int_equal(n, sizeof(buf));
    assert_int_equal(peer_urbs(r->peer, 0x02), 3);
    pthread_mutex_lock(&r->peer->lock);
    for (unsigned i = 0; i + 1 < r->peer->logged; i++)
        if (r->peer->log[i].ep == 2)
            assert_int_equal(r->peer->log[i].length % 512, 0);
    pthread_mutex_unlock(&r->peer->lock);
}

/* ---- flags ---- */

static void
test_flags(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_urb *urb;
    uint8_t buf[1024] = {0};

    import_as(r, "gadget-zero-zerohs-high", 3);
    assert_int_equal(uw_urb_new(0, &urb), 0);
    uw_urb_set_transfer(urb, r->device, 0x02, buf, 1024);
    uw_urb_set_flags(urb, UW_URB_ZERO_PACKET);
    assert_int_equal(uw_urb_run(urb), 0);
    assert_int_equal(peer_last(r->peer, 0x02).flags, UW_WIRE_ZERO_PACKET);
    uw_urb_set_transfer(urb, r->device, 0x02, buf, 1000);
    assert_int_equal(uw_urb_run(urb), 0);
    assert_int_equal(peer_last(r->peer, 0x02).flags, 0); /* it ends short by itself */
    uw_urb_free(urb);
}

static void
test_short_not_ok(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;
    struct uw_queue *queue;
    struct uw_urb *urb;
    uint8_t buf[64];

    rig_import(r);
    assert_int_equal(uw_queue_new(r->loop, &queue), 0);
    assert_int_equal(uw_urb_new(0, &urb), 0);
    uw_urb_set_transfer(urb, r->device, 0x81, buf, 64);
    uw_urb_set_flags(urb, UW_URB_SHORT_NOT_OK);
    assert_int_equal(uw_urb_submit(urb, queue), 0);
    assert_int_equal(uw_urb_submit(urb, queue), UW_ERROR_BUSY);
    assert_int_equal(uw_urb_run(urb), UW_ERROR_BUSY);
    peer_give(r->peer, 0x81, 0, "abc", 3);
    assert_int_equal(uw_queue_wait(queue, SOON), 1);
    assert_int_equal(uw_urb_submit(urb, queue), UW_ERROR_BUSY); /* not yet taken out */
    assert_ptr_equal(uw_queue_pop(queue), urb);
    assert_int_equal(uw_urb_status(urb), UW_ERROR_SHORT);
    assert_int_equal(uw_urb_actual_length(urb), 3);
    uw_urb_fault(urb, &fault);
    assert_non_null(strstr(rig_sentence(&fault), "after 3 bytes"));
    uw_urb_free(urb);
    uw_queue_free(queue);
}

/* ---- cancelling ---- */

static void
test_cancel(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_queue *queue;
    struct uw_urb *urb;
    uint8_t buf[64];

    rig_import(r);
    assert_int_equal(uw_queue_new(r->loop, &queue), 0);
    assert_int_equal(uw_urb_new(0, &urb), 0);
    assert_int_equal(uw_urb_cancel(urb), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_urb_submit(urb, queue), UW_ERROR_INVALID); /* for nothing yet */
    assert_int_equal(uw_urb_run(urb), UW_ERROR_INVALID);
    uw_urb_set_transfer(urb, r->device, 0x81, buf, 64);
    assert_int_equal(uw_urb_cancel(urb), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_urb_submit(urb, queue), 0);
    assert_int_equal(uw_urb_cancel(urb), 0);
    assert_int_equal(uw_queue_wait(queue, SOON), 1);
    assert_ptr_equal(uw_queue_pop(queue), urb);
    assert_int_equal(uw_urb_status(urb), UW_ERROR_CANCELLED);
    assert_int_equal(uw_urb_cancel(urb), UW_ERROR_NOT_FOUND);
    uw_urb_free(urb);
    uw_queue_free(queue);
}

/* ---- isochronous ---- */

static int
answer_iso(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    struct uw_iso_packet packets[8] = {{0}};
    uint8_t bytes[8 * UW_ISO_SIZE];

    (void)arg;
    if (pdu->command != UW_CMD_SUBMIT || pdu->packets <= 0 || pdu->packets > 8)
        return 0;
    peer_reply(c, pdu, 0, NULL, (size_t)pdu->length);
    uw_encode_iso(bytes, packets, (uint32_t)pdu->packets);
    if (write(c->fd, bytes, (size_t)pdu->packets * UW_ISO_SIZE) < 0)
        peer_hang_up(c);
    return 1;
}

static void
test_iso(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_urb *urb;
    static uint8_t buf[4096];

    import_as(r, "qemu-usb-audio-full", 2);
    peer_script(r->peer, answer_iso, NULL);
    assert_int_equal(uw_device_set_altsetting(r->device, 1, 1, SOON, NULL), 0);
    assert_int_equal(uw_urb_new(8, &urb), 0);
    uw_urb_set_transfer(urb, r->device, 0x01, buf, sizeof(buf));
    assert_int_equal(uw_urb_run(urb), UW_ERROR_INVALID); /* no packets */
    assert_int_equal(uw_urb_set_iso_lengths(urb, 9, 192), UW_ERROR_INVALID);
    assert_int_equal(uw_urb_set_iso_lengths(urb, 8, 193), 0);
    assert_int_equal(uw_urb_run(urb), UW_ERROR_INVALID); /* larger than the endpoint's */
    assert_int_equal(uw_urb_set_iso_lengths(urb, 8, 192), 0);
    assert_int_equal(uw_urb_set_iso_length(urb, 3, 180), 0);
    assert_int_equal(uw_urb_run(urb), 0);
    /* What is announced is what the packets hold, not what the buffer has room for. */
    assert_int_equal(peer_last(r->peer, 0x01).length, 7 * 192 + 180);
    assert_int_equal(peer_last(r->peer, 0x01).packets, 8);
    assert_int_equal(peer_last(r->peer, 0x01).interval, 1);
    /* More of them again: the room is that of the buffer. */
    assert_int_equal(uw_urb_set_iso_lengths(urb, 8, 192), 0);
    assert_int_equal(uw_urb_run(urb), 0);
    assert_int_equal(peer_last(r->peer, 0x01).length, 8 * 192);
    uw_urb_set_transfer(urb, r->device, 0x01, buf, 8 * 192 - 1);
    assert_int_equal(uw_urb_run(urb), UW_ERROR_INVALID);
    uw_urb_free(urb);
}

static void
test_iso_where_there_is_none(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;
    struct uw_urb *urb;
    uint8_t buf[192];

    assert_int_equal(uw_server_set_profile(r->server, "esp-bridge"), 0);
    import_as(r, "qemu-usb-audio-full", 2);
    assert_int_equal(uw_device_set_altsetting(r->device, 1, 1, SOON, NULL), 0);
    assert_int_equal(uw_urb_new(1, &urb), 0);
    uw_urb_set_transfer(urb, r->device, 0x01, buf, sizeof(buf));
    assert_int_equal(uw_urb_set_iso_lengths(urb, 1, 192), 0);
    assert_int_equal(uw_urb_run(urb), UW_ERROR_NOT_SUPPORTED);
    uw_urb_fault(urb, &fault);
    assert_non_null(strstr(rig_sentence(&fault), "this server has no isochronous transfers"));
    uw_urb_free(urb);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_control_direction),
        ROW(test_transfer_on_endpoint_0),
        ROW(test_no_such_endpoint),
        ROW(test_unconfigured),
        ROW(test_no_buffer),
        ROW(test_interval_on_the_wire),
        ROW(test_full_speed_interval),
        ROW(test_chunks),
        ROW(test_flags),
        ROW(test_short_not_ok),
        ROW(test_cancel),
        ROW(test_iso),
        ROW(test_iso_where_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
