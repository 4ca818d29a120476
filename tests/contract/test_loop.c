/*
 * test_loop.c - what loop.h, queue.h and tap.h promise
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "bed.h"

#define LONG uw_msec(30000)

/* ---- in a loop of one's own ---- */

static void
test_the_descriptor_and_step_are_enough(void **state)
{
    struct bed bed;
    struct uw_urb *urb;
    uint8_t data[64] = {0};
    unsigned done = 0;

    bed_take(&bed, state, "esp", NULL);
    urb = bed_submit(&bed, 0x01, data, 64, uw_never());
    while (done < 20) {
        struct pollfd p = {.fd = uw_loop_fd(bed.loop), .events = (short)uw_loop_events(bed.loop)};

        assert_int_equal(poll(&p, 1, 30000), 1);
        assert_int_equal(uw_loop_step(bed.loop), 0);
        if (uw_queue_pop(bed.queue)) {
            assert_int_equal(uw_urb_status(urb), 0);
            uw_urb_set_transfer(urb, bed.device, done % 2 ? 0x01 : 0x81, data, 64);
            if (++done < 20)
                assert_int_equal(uw_urb_submit(urb, bed.queue), 0);
        }
    }
    uw_urb_free(urb);
    bed_stop(&bed);
}

/* It becomes readable for a timer too, and the deadline says when. */
static void
test_timers_wake_the_descriptor(void **state)
{
    struct bed bed;
    struct uw_urb *urb;
    struct uw_usec start;
    uint8_t data[8];

    bed_take(&bed, state, "faulty", NULL);
    start = uw_now();
    urb = bed_submit(&bed, 0x82, data, sizeof(data), uw_msec(100));
    assert_true(uw_loop_deadline(bed.loop).us <= uw_usec_add(uw_now(), uw_msec(100)).us);
    while (!uw_queue_pop(bed.queue)) {
        struct pollfd p = {.fd = uw_loop_fd(bed.loop), .events = (short)uw_loop_events(bed.loop)};

        assert_int_equal(poll(&p, 1, 30000), 1);
        assert_int_equal(uw_loop_step(bed.loop), 0);
    }
    assert_int_equal(uw_urb_status(urb), UW_ERROR_TIMEOUT);
    assert_true(bed_since(start) >= 100000);
    uw_urb_free(urb);
    bed_stop(&bed);
}

static void
test_an_idle_loop_stays_quiet(void **state)
{
    struct bed bed;
    struct pollfd p;

    bed_take(&bed, state, "esp", NULL);
    assert_int_equal(uw_loop_step(bed.loop), 0);
    p = (struct pollfd){.fd = uw_loop_fd(bed.loop), .events = (short)uw_loop_events(bed.loop)};
    assert_int_equal(poll(&p, 1, 20), 0);
    bed_stop(&bed);
}

/* That one is embedded by its deadline, and by stepping it. */
static void
test_the_poll_backend_has_no_descriptor(void **state)
{
    struct bed bed;
    struct uw_urb *urb;
    uint8_t data[512];

    bed_take(&bed, state, "source-sink", NULL);
    assert_int_equal(uw_loop_fd(bed.loop), UW_ERROR_NOT_SUPPORTED);
    urb = bed_submit(&bed, 0x81, data, sizeof(data), uw_msec(30000));
    assert_false(uw_is_never(uw_loop_deadline(bed.loop)));
    while (!uw_queue_pop(bed.queue))
        assert_int_equal(uw_loop_step(bed.loop), 0);
    assert_int_equal(uw_urb_status(urb), 0);
    uw_urb_free(urb);
    bed_stop(&bed);
}

/* ---- waiting ---- */

static void
test_waiting_ends_when_the_time_does(void **state)
{
    struct bed bed;
    struct uw_usec start;

    bed_take(&bed, state, "esp", NULL);
    start = uw_now();
    assert_int_equal(uw_queue_wait(bed.queue, uw_msec(20)), 0);
    assert_true(bed_since(start) >= 20000);
    assert_int_equal(uw_queue_wait(bed.queue, uw_usec(0)), 0);
    bed_stop(&bed);
}

static void *
interrupt_it(void *arg)
{
    uw_loop_interrupt((struct uw_loop *)arg);
    return NULL;
}

static void
test_a_wait_can_be_interrupted(void **state)
{
    struct bed bed;
    pthread_t thread;

    bed_take(&bed, state, "esp", NULL);
    /* One in progress, or the next. */
    assert_int_equal(pthread_create(&thread, NULL, interrupt_it, bed.loop), 0);
    assert_int_equal(uw_queue_wait(bed.queue, LONG), UW_ERROR_INTERRUPTED);
    assert_int_equal(pthread_join(thread, NULL), 0);
    uw_loop_interrupt(bed.loop);
    assert_int_equal(uw_loop_wait(bed.loop, LONG), UW_ERROR_INTERRUPTED);
    assert_int_equal(uw_queue_wait(bed.queue, uw_usec(0)), 0);
    bed_stop(&bed);
}

/* ---- completions ---- */

struct counter {
    unsigned calls;
    struct uw_queue *queue;
    struct uw_device *device;
};

static void
count_and_submit_again(struct uw_urb *urb, void *data)
{
    struct counter *c = (struct counter *)data;

    assert_ptr_equal(uw_urb_callback_data(urb), c);
    assert_int_equal(uw_urb_status(urb), 0);
    if (++c->calls < 10)
        assert_int_equal(uw_urb_submit(urb, c->queue), 0);
}

static void
test_callbacks_run_in_dispatch_only(void **state)
{
    struct bed bed;
    struct counter counter = {0};
    struct uw_urb *urb;
    uint8_t data[512];

    bed_take(&bed, state, "source-sink", NULL);
    counter.queue = bed.queue;
    assert_int_equal(uw_urb_new(0, &urb), 0);
    uw_urb_set_transfer(urb, bed.device, 0x81, data, sizeof(data));
    uw_urb_set_callback(urb, count_and_submit_again, &counter);
    assert_int_equal(uw_urb_submit(urb, bed.queue), 0);
    assert_int_equal(uw_queue_wait(bed.queue, LONG), 1);
    assert_int_equal(counter.calls, 0);
    while (counter.calls < 10) {
        unsigned before = counter.calls;

        assert_int_equal(uw_queue_wait(bed.queue, LONG), 1);
        assert_int_equal(uw_queue_dispatch(bed.queue), 1);
        assert_int_equal(counter.calls, before + 1);
    }
    assert_int_equal(uw_queue_dispatch(bed.queue), 0);
    uw_urb_free(urb);
    bed_stop(&bed);
}

static void
test_the_queues_descriptor_tells_of_completions(void **state)
{
    struct bed bed;
    struct uw_urb *urb;
    uint8_t data[8] = {0};
    struct pollfd p = {.events = POLLIN};

    bed_take(&bed, state, "source-sink", NULL);
    p.fd = uw_queue_fd(bed.queue);
    assert_true(p.fd >= 0);
    assert_int_equal(poll(&p, 1, 0), 0);
    urb = bed_submit(&bed, 0x01, data, sizeof(data), LONG);
    assert_int_equal(uw_queue_wait(bed.queue, LONG), 1);
    assert_int_equal(poll(&p, 1, 0), 1);
    assert_ptr_equal(uw_queue_pop(bed.queue), urb);
    assert_int_equal(poll(&p, 1, 0), 0);
    uw_urb_free(urb);
    bed_stop(&bed);
}

/* One queue for many devices of a loop. */
static void
test_devices_share_a_queue(void **state)
{
    static const char *const devices[] = {"esp:count=20", NULL};
    struct uw_device *taken[20];
    struct uw_urb *urbs[20];
    struct bed bed;
    char busid[16];
    uint8_t data[20][4] = {{0}};

    bed_start(&bed, state, devices, NULL);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(busid, sizeof(busid), "1-%u", i + 1);
        assert_int_equal(uw_device_import(bed.server, busid, LONG, &taken[i], NULL), 0);
        assert_int_equal(uw_urb_new(0, &urbs[i]), 0);
        uw_urb_set_control(urbs[i], taken[i], 0xc0, 2, (uint16_t)i, 0, data[i], 4);
        assert_int_equal(uw_urb_submit(urbs[i], bed.queue), 0);
    }
    for (unsigned done = 0; done < 20; done++) {
        assert_int_equal(uw_queue_wait(bed.queue, LONG), 1);
        assert_int_equal(uw_urb_status(uw_queue_pop(bed.queue)), 0);
    }
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(data[i][0], i);
        uw_urb_free(urbs[i]);
        uw_device_free(taken[i]);
    }
    bed_stop(&bed);
}

/* ---- options ---- */

static void
test_options(void **state)
{
    struct uw_loop_options options = {.size = sizeof(options), .backend = "none"};
    struct uw_loop *loop = NULL;

    (void)state;
    assert_int_equal(uw_loop_new(&options, &loop), UW_ERROR_INVALID);
    assert_null(loop);
    assert_int_equal(uw_loop_new(NULL, &loop), 0);
    uw_loop_free(loop);
    uw_loop_free(NULL);
}

static void
test_limit_of_devices(void **state)
{
    struct uw_loop_options options = {
        .size = sizeof(options), .backend = (const char *)*state, .limits.max_devices = 3};
    static const char *const devices[] = {"esp:count=4", NULL};
    struct uw_device_list *list = NULL;
    struct uw_server *server;
    struct uw_loop *loop;
    struct uw_fault fault;
    struct bed bed;

    bed_start(&bed, state, devices, NULL);
    assert_int_equal(uw_loop_new(&options, &loop), 0);
    assert_int_equal(uw_server_new(loop, "127.0.0.1", bed.stand.port, &server, NULL), 0);
    assert_int_equal(uw_server_list(server, LONG, &list, &fault), UW_ERROR_LIMIT);
    assert_null(list);
    assert_non_null(strstr(fault.came, "max_devices"));
    uw_server_free(server);
    uw_loop_free(loop);
    bed_stop(&bed);
}

/* ---- taps ---- */

#define SEEN_MAX 256

struct seen {
    uint64_t open[SEEN_MAX]; /* ids of submits without their completion */
    unsigned num_open, submits, attached, detached, requests, replies;
    int wrong;
};

static void
see(void *data, const struct uw_tap_event *event)
{
    struct seen *s = (struct seen *)data;
    unsigned i = 0;

    s->attached += event->kind == UW_TAP_ATTACHED;
    s->detached += event->kind == UW_TAP_DETACHED;
    s->requests += event->kind == UW_TAP_OP_REQUEST;
    s->replies += event->kind == UW_TAP_OP_REPLY;
    if (event->kind == UW_TAP_SUBMIT) {
        s->submits++;
        s->wrong |= s->num_open == SEEN_MAX;
        if (s->num_open < SEEN_MAX)
            s->open[s->num_open++] = event->id;
    } else if (event->kind == UW_TAP_COMPLETE) {
        while (i < s->num_open && s->open[i] != event->id)
            i++;
        s->wrong |= i == s->num_open;
        if (i < s->num_open)
            s->open[i] = s->open[--s->num_open];
    }
}

/* Each submit is told with exactly one completion, those given up included. */
static void
test_a_tap_sees_every_pair(void **state)
{
    static const char *const devices[] = {"faulty", NULL};
    struct seen seen = {0};
    struct uw_tap tap = {.version = UW_TAP_VERSION, .event = see, .data = &seen};
    uint8_t data[64] = {0};
    struct bed bed;

    bed_start(&bed, state, devices, NULL);
    assert_int_equal(uw_loop_add_tap(bed.loop, &tap), 0);
    assert_int_equal(uw_device_import(bed.server, "1-1", LONG, &bed.device, NULL), 0);
    for (unsigned i = 0; i < 3; i++) {
        uw_transfer(bed.device, 0x82, data, 64, uw_msec(2), NULL, NULL); /* stays at the server */
        uw_transfer(bed.device, 0x02, data, 64, uw_msec(2), NULL, NULL); /* is taken back */
        uw_transfer(bed.device, 0x81, data, 64, LONG, NULL, NULL);       /* stalls */
        uw_transfer(bed.device, 0x84, data, 64, LONG, NULL, NULL);       /* comes */
    }
    uw_device_free(bed.device);
    bed.device = NULL;
    assert_false(seen.wrong);
    assert_int_equal(seen.num_open, 0);
    assert_true(seen.submits >= 10);
    assert_int_equal(seen.attached, 1);
    assert_int_equal(seen.detached, 1);
    assert_int_equal(seen.requests, seen.replies);
    uw_loop_remove_tap(bed.loop, &tap);
    bed_stop(&bed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(epoll, test_the_descriptor_and_step_are_enough),
        WITH(epoll, test_timers_wake_the_descriptor),
        WITH(epoll, test_an_idle_loop_stays_quiet),
        WITH(poll, test_the_poll_backend_has_no_descriptor),
        WITH_BOTH(test_waiting_ends_when_the_time_does),
        WITH_BOTH(test_a_wait_can_be_interrupted),
        WITH_BOTH(test_callbacks_run_in_dispatch_only),
        WITH_BOTH(test_the_queues_descriptor_tells_of_completions),
        WITH_BOTH(test_devices_share_a_queue),
        WITH_BOTH(test_limit_of_devices),
        WITH_BOTH(test_a_tap_sees_every_pair),
        cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
