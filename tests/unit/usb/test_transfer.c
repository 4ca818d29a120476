/*
 * Synchronous transfers, from one thread and from many.
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

#define SOON uw_msec(20000)

static void
test_control(void **state)
{
    struct rig *r = (struct rig *)*state;
    uint8_t b[64];
    size_t n = 0;

    assert_int_equal(uw_control(r->device, 0x80, 6, 0x0100, 0, b, 64, SOON, &n, NULL), 0);
    assert_int_equal(n, 18);
    assert_memory_equal(b, r->model->v.device, 18);
    assert_int_equal(uw_control(r->device, 0x80, 6, 0x0100, 0, b, 8, SOON, NULL, NULL), 0);
}

static int
some_and_stall(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    (void)arg;
    if (pdu->command != UW_CMD_SUBMIT || pdu->direction != UW_DIR_IN)
        return 0;
    peer_reply(c, pdu, -EPIPE, "abc", 3);
    return 1;
}

/* What arrived before the failure is there, and counted. */
static void
test_actual_on_failure(void **state)
{
    struct rig *r = (struct rig *)*state;
    uint8_t b[64] = {0};
    struct uw_fault fault;
    size_t n = 0;

    peer_script(r->peer, some_and_stall, NULL);
    assert_int_equal(uw_transfer(r->device, 0x81, b, 64, SOON, &n, &fault), UW_ERROR_STALL);
    assert_int_equal(n, 3);
    assert_memory_equal(b, "abc", 4);
    assert_non_null(strstr(fault.came, "after 3 bytes: status -32"));
    n = 0;
    assert_int_equal(uw_control(r->device, 0xc0, 1, 0, 0, b, 64, SOON, &n, NULL), UW_ERROR_STALL);
    assert_int_equal(n, 3);
    n = 7;
    assert_int_equal(uw_transfer(r->device, 0x88, b, 64, SOON, &n, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(n, 0);
}

/* Data that comes after the time is up belongs to the next read. */
static void
test_late_data(void **state)
{
    struct rig *r = (struct rig *)*state;
    uint8_t b[64];
    size_t n = 0;

    assert_int_equal(uw_transfer(r->device, 0x81, b, 64, uw_msec(5), &n, NULL), UW_ERROR_TIMEOUT);
    assert_int_equal(n, 0);
    peer_give(r->peer, 0x81, 0, "late", 4);
    assert_int_equal(uw_transfer(r->device, 0x81, b, 64, SOON, &n, NULL), 0);
    assert_int_equal(n, 4);
    assert_memory_equal(b, "late", 4);
    assert_int_equal(peer_unlinks(r->peer), 0);
}

struct reader {
    pthread_t thread;
    struct uw_device *device;
    uint8_t endpoint, buf[64];
    size_t actual;
    int result;
};

static void *
read_one(void *arg)
{
    struct reader *me = (struct reader *)arg;

    me->result = uw_transfer(me->device, me->endpoint, me->buf, 4, SOON, &me->actual, NULL);
    return NULL;
}

/* Blocked reads of other threads delay nobody. */
static void
test_threads(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct reader readers[8] = {0};
    uint8_t b[64] = {0};

    for (unsigned i = 0; i < 8; i++) {
        readers[i].device = r->device;
        readers[i].endpoint = i % 2 ? 0x85 : 0x81;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_one, &readers[i]), 0);
    }
    peer_wait_urbs(r->peer, 0x81, 4);
    peer_wait_urbs(r->peer, 0x85, 4);
    assert_int_equal(uw_transfer(r->device, 0x02, b, 64, SOON, NULL, NULL), 0);
    assert_int_equal(uw_control(r->device, 0x80, 6, 0x0100, 0, b, 18, SOON, NULL, NULL), 0);
    for (unsigned i = 0; i < 8; i++)
        peer_give(r->peer, i % 2 ? 0x85 : 0x81, 0, "data", 4);
    for (unsigned i = 0; i < 8; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].result, 0);
        assert_int_equal(readers[i].actual, 4);
    }
}

/* Nothing is allocated for a transfer once the device is warm. */
static void
test_no_allocation(void **state)
{
    struct rig *r = (struct rig *)*state;
    uint8_t b[64] = {0};

    assert_int_equal(uw_control(r->device, 0x80, 6, 0x0100, 0, b, 18, SOON, NULL, NULL), 0);
    assert_int_equal(uw_transfer(r->device, 0x02, b, 64, SOON, NULL, NULL), 0);
    alloc_fail_at(0);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(uw_control(r->device, 0x80, 6, 0x0100, 0, b, 18, SOON, NULL, NULL), 0);
        assert_int_equal(uw_transfer(r->device, 0x02, b, 64, SOON, NULL, NULL), 0);
    }
    assert_int_equal(alloc_end(), 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, rig_set_up_imported, rig_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_control), ROW(test_actual_on_failure), ROW(test_late_data),
        ROW(test_threads), ROW(test_no_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
