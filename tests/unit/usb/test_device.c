/*
 * Importing: what is asked, what is believed, and who shares it.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"
#include "support/alloc.h"

static int
import(struct rig *r, uint32_t ms, struct uw_fault *fault)
{
    return uw_device_import(r->server, "1-1", uw_msec(ms), &r->device, fault);
}

/* ---- the ordinary case ---- */

static void
test_descriptors(void **state)
{
    struct rig *r = (struct rig *)*state;
    const uint8_t *bytes;
    size_t size = 0;

    rig_import(r);
    assert_int_equal(uw_device_descriptor(r->device)->idVendor, 0x0525);
    bytes = uw_device_config_bytes(r->device, 0, &size);
    assert_int_equal(size, 73);
    assert_memory_equal(bytes, r->model->v.configs[0], size);
    assert_null(uw_device_config_bytes(r->device, 1, &size));
    assert_int_equal(uw_device_config(r->device, 0)->bNumInterfaces, 2);
    assert_null(uw_device_config(r->device, 1));
    assert_ptr_equal(uw_device_active_config(r->device), uw_device_config(r->device, 0));
    assert_int_equal(uw_device_configuration(r->device), 1);
    assert_int_equal(uw_device_status(r->device), UW_OK);
    assert_ptr_equal(uw_device_server(r->device), r->server);
    assert_int_equal(uw_device_info(r->device)->num_interfaces, 2);
    assert_int_equal(uw_device_info(r->device)->interfaces[0].interface_class, 3);
}

/* Linux exports devices unconfigured: they are configured once, before anything else is sent. */
static void
test_configures(void **state)
{
    struct rig *r = (struct rig *)*state;

    rig_import(r);
    assert_int_equal(peer_requests(r->peer, 0x80, 0x08), 1);
    assert_int_equal(peer_requests(r->peer, 0x00, 0x09), 1);
    assert_int_equal(r->model->configuration, 1);
}

static void
test_configured_is_left_alone(void **state)
{
    struct rig *r = (struct rig *)*state;

    rig_replace(r, "gadget-zero-zerohs-high", 3);
    r->model->configuration = 2;
    rig_import(r);
    assert_int_equal(peer_requests(r->peer, 0x00, 0x09), 0);
    assert_int_equal(uw_device_configuration(r->device), 2);
    assert_ptr_equal(uw_device_active_config(r->device), uw_device_config(r->device, 1));
}

/* ... except on servers that claim interfaces only then. */
static void
test_profile_wants_set_configuration(void **state)
{
    struct rig *r = (struct rig *)*state;

    rig_replace(r, "gadget-zero-zerohs-high", 3);
    r->model->configuration = 2;
    assert_int_equal(uw_server_set_profile(r->server, "pyusbip"), 0);
    rig_import(r);
    assert_int_equal(peer_requests(r->peer, 0x00, 0x09), 1);
    assert_int_equal(r->model->configuration, 2);
}

static int
refuse_set_configuration(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    (void)arg;
    if (!peer_is(pdu, 0x00, 0x09))
        return 0;
    peer_reply(c, pdu, -EPIPE, NULL, 0);
    return 1;
}

static void
test_configuring_may_fail(void **state)
{
    struct rig *r = (struct rig *)*state;

    peer_script(r->peer, refuse_set_configuration, NULL);
    rig_import(r);
    assert_int_equal(uw_device_configuration(r->device), 1);
    assert_true(rig_said(r, "SET_CONFIGURATION 1: the endpoint is halted (stall); going on"));
}

/* The kernel's choice (drivers/usb/core/generic.c): RNDIS first of several is passed over. */
static void
test_choice_passes_over_rndis(void **state)
{
    struct rig *r = (struct rig *)*state;

    rig_replace(r, "rndis-qemu-usb-network-device-full", 2);
    rig_import(r);
    assert_int_equal(uw_device_configuration(r->device), 1); /* the second: CDC Ethernet */
}

static void
test_choice_prefers_standard_classes(void **state)
{
    struct rig *r = (struct rig *)*state;

    rig_replace(r, "gadget-zero-zerohs-high", 3);
    r->model->v.device[4] = 0;
    r->model->v.configs[1][9 + 5] = 3; /* the second configuration's first interface: HID */
    rig_import(r);
    assert_int_equal(uw_device_configuration(r->device), 2);
}

static void
test_choice_takes_the_first_of_vendors(void **state)
{
    struct rig *r = (struct rig *)*state;

    rig_replace(r, "gadget-zero-zerohs-high", 3);
    rig_import(r);
    assert_int_equal(uw_device_configuration(r->device), 1);
}

/* ---- servers and devices that answer strangely ---- */

/* A record without ids (poc's): the device's own descriptor counts. */
static void
test_empty_record(void **state)
{
    struct rig *r = (struct rig *)*state;

    r->model->empty_record = 1;
    rig_import(r);
    assert_int_equal(uw_device_info(r->device)->vid, 0x0525);
    assert_int_equal(uw_device_info(r->device)->pid, 0xa4ac);
    assert_int_equal(uw_device_info(r->device)->num_configurations, 1);
    assert_non_null(strstr(uw_device_name(r->device), " 1-1 (0525:a4ac)"));
}

static int
overlong(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    uint8_t bytes[64] = {0};

    (void)arg;
    if (!peer_is(pdu, 0x80, 0x06) || pdu->setup[3] != 1)
        return 0;
    memcpy(bytes, c->model->v.device, 18);
    peer_reply(c, pdu, 0, bytes, sizeof(bytes));
    return 1;
}

static void
test_more_than_asked_for(void **state)
{
    struct rig *r = (struct rig *)*state;

    peer_script(r->peer, overlong, NULL);
    rig_import(r);
    assert_int_equal(uw_device_descriptor(r->device)->idProduct, 0xa4ac);
}

static int
cut_device_descriptor(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    (void)arg;
    if (!peer_is(pdu, 0x80, 0x06) || pdu->setup[3] != 1)
        return 0;
    peer_reply(c, pdu, 0, c->model->v.device, 8);
    return 1;
}

static void
test_no_device_descriptor(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;

    peer_script(r->peer, cut_device_descriptor, NULL);
    assert_int_equal(import(r, 20000, &fault), UW_ERROR_PROTOCOL);
    assert_int_equal(fault.code, UW_ERROR_PROTOCOL);
    assert_non_null(strstr(rig_sentence(&fault), "1-1 (0525:a4ac): read the device descriptor: "));
    assert_non_null(strstr(rig_sentence(&fault), "8 bytes that are no device descriptor"));
    assert_null(r->device);
    peer_script(r->peer, NULL, NULL);
    rig_import(r); /* nothing of the first try is in the way */
}

/* Larger than the first read: it is read again, whole; and a server that gives less than it said.
 */
static void
test_large_configuration(void **state)
{
    struct rig *r = (struct rig *)*state;
    size_t size;

    rig_replace(r, "composite-acm-serial-midi-ncm-high", 3);
    rig_import(r);
    assert_memory_equal(uw_device_config_bytes(r->device, 0, &size), r->model->v.configs[0], 275);
    assert_int_equal(size, 275);
    assert_int_equal(uw_device_config(r->device, 0)->bNumInterfaces, 7);
}

static int
short_configuration(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    (void)arg;
    if (!peer_is(pdu, 0x80, 0x06) || pdu->setup[3] != 2)
        return 0;
    peer_reply(c, pdu, 0, c->model->v.configs[0], 41); /* one interface, whole */
    return 1;
}

static void
test_short_configuration(void **state)
{
    struct rig *r = (struct rig *)*state;
    size_t size;

    peer_script(r->peer, short_configuration, NULL);
    rig_import(r);
    assert_non_null(uw_device_config_bytes(r->device, 0, &size));
    assert_int_equal(size, 41);
    assert_int_equal(uw_device_config(r->device, 0)->bNumInterfaces, 1);
}

static int
refuse_configuration(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    const unsigned *index = (const unsigned *)arg;

    if (!peer_is(pdu, 0x80, 0x06) || pdu->setup[3] != 2 || pdu->setup[2] != *index)
        return 0;
    peer_reply(c, pdu, -EPIPE, NULL, 0);
    return 1;
}

/* A device is still good for the configurations that it can describe. */
static void
test_unreadable_configuration(void **state)
{
    struct rig *r = (struct rig *)*state;
    unsigned index = 0;

    rig_replace(r, "gadget-zero-zerohs-high", 3);
    peer_script(r->peer, refuse_configuration, &index);
    rig_import(r);
    assert_true(rig_said(r, "configuration descriptor 0: "));
    assert_int_equal(uw_device_config(r->device, 0)->bConfigurationValue, 2);
    assert_int_equal(uw_device_configuration(r->device), 2);
}

static int
silent_configuration(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    (void)c;
    (void)arg;
    return peer_is(pdu, 0x80, 0x06) && pdu->setup[3] == 2;
}

/* The timeout of an import holds for all of it, the descriptors too. */
static void
test_timeout_is_kept(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_usec before = uw_now();
    struct uw_fault fault;

    peer_script(r->peer, silent_configuration, NULL);
    assert_int_equal(import(r, 300, &fault), UW_ERROR_TIMEOUT);
    assert_in_range(uw_usec_sub(uw_now(), before).us, 300000, 20000000);
    assert_non_null(strstr(rig_sentence(&fault), "allow more time"));
}

static int
hang_up_at_configuration(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    (void)arg;
    if (!peer_is(pdu, 0x80, 0x06) || pdu->setup[3] != 2)
        return 0;
    peer_hang_up(c);
    return 1;
}

static void
test_lost_while_importing(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;

    peer_script(r->peer, hang_up_at_configuration, NULL);
    assert_int_equal(import(r, 20000, &fault), UW_ERROR_CONNECTION_LOST);
    assert_non_null(strstr(rig_sentence(&fault), "the server closed the connection"));
}

static void
test_busy(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;

    r->model->busy = UW_OP_ST_DEV_BUSY;
    assert_int_equal(import(r, 20000, &fault), UW_ERROR_BUSY);
    assert_int_equal(uw_device_import(r->server, "9-9", uw_msec(20000), &r->device, &fault),
                     UW_ERROR_NO_DEVICE);
    assert_null(r->device);
}

/* As a server is that still takes the device back from its last client. */
static void
test_busy_for_a_moment(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault = {.code = 42};

    r->model->busy = UW_OP_ST_DEV_BUSY;
    r->model->busy_times = 2;
    assert_int_equal(import(r, 20000, &fault), 0);
    assert_int_equal(fault.code, 42);
    assert_int_equal(peer_imports(r->peer), 3);
}

/* ---- one import a device ---- */

static void
test_shared(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_device *again = NULL;

    rig_import(r);
    assert_int_equal(uw_device_import(r->server, "1-1", uw_msec(20000), &again, NULL), 0);
    assert_ptr_equal(again, r->device);
    assert_int_equal(peer_imports(r->peer), 1);
    assert_ptr_equal(uw_device_ref(again), r->device);
    uw_device_free(again);
    uw_device_free(again);
    assert_int_equal(uw_device_status(r->device), UW_OK);
    uw_device_free(r->device);
    r->device = NULL;
    rig_import(r); /* the last reference ended the import: this is a new one */
    assert_int_equal(peer_imports(r->peer), 2);
}

/* What ended stays with those who hold it; who comes later gets a new one. */
static void
test_ended_is_not_shared(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_device *old;
    uint8_t b;

    rig_import(r);
    old = r->device;
    peer_cut(r->peer);
    assert_int_equal(uw_control(old, 0x80, 0x08, 0, 0, &b, 1, uw_msec(20000), NULL, NULL),
                     UW_ERROR_CONNECTION_LOST);
    assert_int_equal(uw_device_status(old), UW_ERROR_CONNECTION_LOST);
    rig_import(r);
    assert_ptr_not_equal(old, r->device);
    assert_int_equal(uw_device_status(r->device), UW_OK);
    assert_int_equal(uw_device_descriptor(old)->idVendor, 0x0525);
    uw_device_free(old);
}

#define THREADS 8

struct racer {
    pthread_t thread;
    pthread_barrier_t *start;
    struct uw_server *server;
    struct uw_device *device;
    int result;
};

static void *
race(void *arg)
{
    struct racer *me = (struct racer *)arg;

    pthread_barrier_wait(me->start);
    me->result = uw_device_import(me->server, "1-1", uw_msec(20000), &me->device, NULL);
    return NULL;
}

static void
test_concurrent_imports_are_one(void **state)
{
    struct rig *r = (struct rig *)*state;

    for (unsigned round = 1; round <= 10; round++) {
        struct racer racers[THREADS] = {0};
        pthread_barrier_t start;

        pthread_barrier_init(&start, NULL, THREADS);
        for (unsigned i = 0; i < THREADS; i++) {
            racers[i].start = &start;
            racers[i].server = r->server;
            assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
        }
        for (unsigned i = 0; i < THREADS; i++)
            pthread_join(racers[i].thread, NULL);
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_equal(racers[i].result, 0);
            assert_ptr_equal(racers[i].device, racers[0].device);
        }
        assert_int_equal(peer_imports(r->peer), round);
        for (unsigned i = 0; i < THREADS; i++)
            uw_device_free(racers[i].device);
        pthread_barrier_destroy(&start);
    }
}

/* ---- memory ---- */

static void
test_no_memory(void **state)
{
    struct rig *r = (struct rig *)*state;
    unsigned n;

    r->model->strings[3] = "0001";
    for (n = 0;; n++) {
        int result, failed;

        alloc_fail_at(n);
        result = import(r, 20000, NULL);
        failed = alloc_end();
        if (result < 0 && (!failed || result != UW_ERROR_NO_MEMORY))
            fail_msg("allocation %u: %s", n, uw_error_name(result));
        if (result == 0) {
            uw_device_free(r->device);
            r->device = NULL;
        }
        if (!failed)
            break;
    }
    assert_true(n > 5);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_descriptors),
        ROW(test_configures),
        ROW(test_configured_is_left_alone),
        ROW(test_profile_wants_set_configuration),
        ROW(test_configuring_may_fail),
        ROW(test_choice_passes_over_rndis),
        ROW(test_choice_prefers_standard_classes),
        ROW(test_choice_takes_the_first_of_vendors),
        ROW(test_empty_record),
        ROW(test_more_than_asked_for),
        ROW(test_no_device_descriptor),
        ROW(test_large_configuration),
        ROW(test_short_configuration),
        ROW(test_unreadable_configuration),
        ROW(test_timeout_is_kept),
        ROW(test_lost_while_importing),
        ROW(test_busy),
        ROW(test_busy_for_a_moment),
        ROW(test_shared),
        ROW(test_ended_is_not_shared),
        ROW(test_concurrent_imports_are_one),
        ROW(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
