/*
 * Transfers, synchronous and not; handling events in every style; close with transfers in flight.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "rig.h"

#define EP_OUT 0x01
#define EP_IN  0x81
#define SIZE   512

struct fixture {
    libusb_context *ctx;
    libusb_device_handle *h;
};

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    *state = f;
    assert_int_equal(libusb_init(&f->ctx), 0);
    f->h = rig_open(f->ctx, RIG_LOOPBACK);
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    libusb_close(f->h);
    libusb_exit(f->ctx);
    free(f);
    return 0;
}

/* What a callback saw. */
struct seen {
    int calls, done;
    enum libusb_transfer_status status;
    int actual;
    int resubmit; /* so often more */
    int sync_result;
};

static void
note(struct libusb_transfer *t)
{
    struct seen *s = t->user_data;

    s->calls++;
    s->status = t->status;
    s->actual = t->actual_length;
    if (s->resubmit-- > 0)
        assert_int_equal(libusb_submit_transfer(t), 0);
    else
        s->done = 1;
}

static struct libusb_transfer *
new_transfer(struct fixture *f, uint8_t endpoint, void *buffer, int size, unsigned timeout,
             struct seen *seen)
{
    struct libusb_transfer *t = libusb_alloc_transfer(0);

    assert_non_null(t);
    memset(seen, 0, sizeof(*seen));
    libusb_fill_bulk_transfer(t, f->h, endpoint, buffer, size, note, seen, timeout);
    return t;
}

static void
put(struct fixture *f, uint8_t first, int size)
{
    uint8_t bytes[SIZE];
    int moved = -1;

    for (int i = 0; i < size; i++)
        bytes[i] = (uint8_t)(first + i);
    assert_int_equal(libusb_bulk_transfer(f->h, EP_OUT, bytes, size, &moved, RIG_SOON), 0);
    assert_int_equal(moved, size);
}

static void
test_sync(void **state)
{
    struct fixture *f = *state;
    uint8_t in[SIZE];
    int moved = -1;

    put(f, 7, 100);
    assert_int_equal(libusb_bulk_transfer(f->h, EP_IN, in, SIZE, &moved, RIG_SOON), 0);
    assert_int_equal(moved, 100);
    assert_int_equal(in[99], 106);
    put(f, 1, 10);
    assert_int_equal(libusb_interrupt_transfer(f->h, EP_IN, in, SIZE, NULL, RIG_SOON), 0);
    assert_int_equal(libusb_bulk_transfer(f->h, 0x8f, in, SIZE, &moved, RIG_SOON), LIBUSB_ERROR_IO);
    assert_int_equal(libusb_bulk_transfer(f->h, EP_IN, NULL, SIZE, &moved, RIG_SOON),
                     LIBUSB_ERROR_INVALID_PARAM);
    errno = 0;
    assert_int_equal(libusb_control_transfer(f->h, 0xc0, 0x7f, 0, 0, in, 8, RIG_SOON),
                     LIBUSB_ERROR_PIPE);
    assert_int_equal(errno, EPIPE); /* lsusb says nothing then */
}

/* A read that times out loses nothing of what comes later. */
static void
test_sync_timeout(void **state)
{
    struct fixture *f = *state;
    uint8_t in[SIZE];
    int moved = -1;

    assert_int_equal(libusb_bulk_transfer(f->h, EP_IN, in, SIZE, &moved, 20), LIBUSB_ERROR_TIMEOUT);
    assert_int_equal(moved, 0);
    put(f, 50, 64);
    assert_int_equal(libusb_bulk_transfer(f->h, EP_IN, in, SIZE, &moved, RIG_SOON), 0);
    assert_int_equal(moved, 64);
    assert_int_equal(in[0], 50);
}

static void
finish(struct fixture *f, struct seen *seen)
{
    while (!seen->done)
        assert_int_equal(libusb_handle_events_completed(f->ctx, &seen->done), 0);
}

static void
test_async(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    uint8_t in[SIZE] = {0};
    struct libusb_transfer *t = new_transfer(f, EP_IN, in, SIZE, 0, &seen);

    assert_int_equal(libusb_cancel_transfer(t), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_submit_transfer(t), 0);
    assert_int_equal(libusb_submit_transfer(t), LIBUSB_ERROR_BUSY);
    put(f, 3, 33);
    finish(f, &seen);
    assert_int_equal(seen.status, LIBUSB_TRANSFER_COMPLETED);
    assert_int_equal(seen.actual, 33);
    assert_int_equal(in[32], 35);
    assert_int_equal(libusb_cancel_transfer(t), LIBUSB_ERROR_NOT_FOUND);
    libusb_free_transfer(t);
}

static void
test_cancel(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    uint8_t in[SIZE];
    struct libusb_transfer *t = new_transfer(f, EP_IN, in, SIZE, 0, &seen);

    assert_int_equal(libusb_submit_transfer(t), 0);
    assert_int_equal(libusb_cancel_transfer(t), 0);
    assert_int_equal(libusb_cancel_transfer(t), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(seen.calls, 0); /* only from handling events */
    finish(f, &seen);
    assert_int_equal(seen.status, LIBUSB_TRANSFER_CANCELLED);
    libusb_free_transfer(t);
}

static void
test_async_timeout(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    uint8_t in[SIZE];
    struct libusb_transfer *t = new_transfer(f, EP_IN, in, SIZE, 30, &seen);

    assert_int_equal(libusb_submit_transfer(t), 0);
    finish(f, &seen);
    assert_int_equal(seen.status, LIBUSB_TRANSFER_TIMED_OUT);
    libusb_free_transfer(t);
}

static void
test_resubmit_and_flags(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    uint8_t *in = malloc(SIZE);
    struct libusb_transfer *t = new_transfer(f, EP_IN, in, SIZE, 0, &seen);

    seen.resubmit = 3;
    t->flags = LIBUSB_TRANSFER_FREE_BUFFER | LIBUSB_TRANSFER_FREE_TRANSFER;
    assert_int_equal(libusb_submit_transfer(t), 0);
    /* It is freed behind its callback, in the middle of its life or at the end: so once only. */
    t->flags &= (uint8_t)~LIBUSB_TRANSFER_FREE_TRANSFER;
    for (uint8_t i = 0; i < 3; i++) {
        put(f, i, 8);
        while (seen.calls <= i)
            assert_int_equal(libusb_handle_events(f->ctx), 0);
    }
    t->flags |= LIBUSB_TRANSFER_FREE_TRANSFER;
    put(f, 9, 8);
    finish(f, &seen);
    assert_int_equal(seen.calls, 4);
}

static void
test_short_not_ok(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    uint8_t in[SIZE];
    struct libusb_transfer *t = new_transfer(f, EP_IN, in, SIZE, 0, &seen);

    t->flags = LIBUSB_TRANSFER_SHORT_NOT_OK;
    assert_int_equal(libusb_submit_transfer(t), 0);
    put(f, 0, 16);
    finish(f, &seen);
    assert_int_equal(seen.status, LIBUSB_TRANSFER_ERROR);
    assert_int_equal(seen.actual, 16);
    libusb_free_transfer(t);
}

static void
try_sync(struct libusb_transfer *t)
{
    struct seen *s = t->user_data;
    struct timeval zero = {0, 0};
    uint8_t byte;

    s->sync_result = libusb_control_transfer(t->dev_handle, 0x80, 8, 0, 0, &byte, 1, RIG_SOON);
    if (s->sync_result == LIBUSB_ERROR_BUSY)
        s->sync_result = libusb_handle_events_timeout(NULL, &zero);
    s->done = 1;
}

static void
test_no_sync_call_in_a_callback(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    uint8_t in[SIZE];
    struct libusb_transfer *t = new_transfer(f, EP_IN, in, SIZE, 20, &seen);

    t->callback = try_sync;
    assert_int_equal(libusb_submit_transfer(t), 0);
    finish(f, &seen);
    assert_int_equal(seen.sync_result, LIBUSB_ERROR_BUSY);
    libusb_free_transfer(t);
}

/* A synchronous call handles the events of its context. */
static void
test_sync_runs_callbacks(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    uint8_t in[SIZE], byte;
    struct libusb_transfer *t = new_transfer(f, EP_IN, in, SIZE, 0, &seen);

    assert_int_equal(libusb_submit_transfer(t), 0);
    put(f, 0, 5);
    for (int i = 0; i < 1000 && !seen.done; i++)
        assert_int_equal(libusb_control_transfer(f->h, 0x80, 8, 0, 0, &byte, 1, RIG_SOON), 1);
    assert_true(seen.done);
    libusb_free_transfer(t);
}

static void
test_control_async(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    uint8_t buffer[8 + 18];
    struct libusb_transfer *t = libusb_alloc_transfer(0);

    memset(&seen, 0, sizeof(seen));
    libusb_fill_control_setup(buffer, 0x80, 6, 0x0100, 0, 18);
    libusb_fill_control_transfer(t, f->h, buffer, note, &seen, RIG_SOON);
    assert_int_equal(libusb_submit_transfer(t), 0);
    finish(f, &seen);
    assert_int_equal(seen.status, LIBUSB_TRANSFER_COMPLETED);
    assert_int_equal(seen.actual, 18);
    assert_int_equal(libusb_control_transfer_get_data(t)[0], 18);
    t->length = 10; /* less than the setup packet says */
    assert_int_equal(libusb_submit_transfer(t), LIBUSB_ERROR_INVALID_PARAM);
    libusb_free_transfer(t);
}

#define PACKETS_MAX 3000u /* more than a server takes at a time */

static void
run_iso(struct fixture *f, uint8_t endpoint, uint8_t *buffer, unsigned packets, unsigned each,
        unsigned came)
{
    struct libusb_transfer *t = libusb_alloc_transfer((int)packets);
    struct seen seen = {.calls = 0};

    libusb_fill_iso_transfer(t, f->h, endpoint, buffer, (int)(packets * each), (int)packets, note,
                             &seen, RIG_SOON);
    libusb_set_iso_packet_lengths(t, each);
    assert_int_equal(libusb_submit_transfer(t), 0);
    finish(f, &seen);
    assert_int_equal(seen.status, LIBUSB_TRANSFER_COMPLETED);
    assert_int_equal(seen.actual, 0); /* as on Linux: the packets say */
    for (unsigned i = 0; i < packets; i++) {
        assert_int_equal(t->iso_packet_desc[i].status, LIBUSB_TRANSFER_COMPLETED);
        assert_int_equal(t->iso_packet_desc[i].actual_length, came);
    }
    t->num_iso_packets = 0;
    assert_int_equal(libusb_submit_transfer(t), LIBUSB_ERROR_INVALID_PARAM);
    t->num_iso_packets = (int)packets;
    t->length = 10; /* less than the packets */
    assert_int_equal(libusb_submit_transfer(t), LIBUSB_ERROR_INVALID_PARAM);
    libusb_free_transfer(t);
}

static void
test_iso(void **state)
{
    struct fixture *f = *state;
    static const unsigned packets[] = {4, PACKETS_MAX};
    static uint8_t out[PACKETS_MAX * 100], in[PACKETS_MAX * 200];

    for (unsigned i = 0; i < sizeof(out); i++)
        out[i] = (uint8_t)i;
    assert_int_equal(libusb_claim_interface(f->h, 1), 0);
    assert_int_equal(libusb_set_interface_alt_setting(f->h, 1, 1), 0);
    for (unsigned n = 0; n < 2; n++) {
        run_iso(f, 0x03, out, packets[n], 100, 100);
        run_iso(f, 0x83, in, packets[n], 200, 100);
        for (unsigned i = 0; i < packets[n]; i++) /* each at the place of its length */
            assert_memory_equal(in + i * 200u, out + i * 100u, 100);
    }
    assert_int_equal(libusb_set_interface_alt_setting(f->h, 1, 0), 0);
}

/* ---- styles ---- */

static void
test_bad_times(void **state)
{
    struct fixture *f = *state;
    struct timeval negative = {-1, 0}, large = {0, 1000000}, zero = {0, 0};

    assert_int_equal(libusb_handle_events_timeout(f->ctx, &negative), LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_handle_events_timeout(f->ctx, &large), LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_handle_events_timeout(f->ctx, &zero), 0);
}

static void
test_interrupted(void **state)
{
    struct fixture *f = *state;

    libusb_interrupt_event_handler(f->ctx);
    assert_int_equal(libusb_handle_events(f->ctx), 0); /* else it would take a minute */
}

static void
test_with_the_lock_held(void **state)
{
    struct fixture *f = *state;
    struct timeval second = {1, 0};
    struct seen seen;
    uint8_t in[SIZE];
    struct libusb_transfer *t = new_transfer(f, EP_IN, in, SIZE, 0, &seen);

    assert_int_equal(libusb_submit_transfer(t), 0);
    put(f, 0, 5);
    assert_int_equal(libusb_try_lock_events(f->ctx), 0);
    assert_int_equal(libusb_event_handler_active(f->ctx), 1);
    assert_int_equal(libusb_event_handling_ok(f->ctx), 1);
    while (!seen.done)
        assert_int_equal(libusb_handle_events_locked(f->ctx, &second), 0);
    libusb_unlock_events(f->ctx);
    assert_int_equal(libusb_event_handler_active(f->ctx), 0);
    libusb_lock_event_waiters(f->ctx);
    second.tv_sec = 0;
    assert_int_equal(libusb_wait_for_event(f->ctx, &second), 1);
    libusb_unlock_event_waiters(f->ctx);
    libusb_free_transfer(t);
}

static int
readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms);
}

/* A program that polls by itself: one descriptor, timers included. */
static void
test_pollfd(void **state)
{
    struct fixture *f = *state;
    const struct libusb_pollfd **fds = libusb_get_pollfds(f->ctx);
    struct timeval zero = {0, 0};
    struct seen seen;
    uint8_t in[SIZE];
    struct libusb_transfer *t = new_transfer(f, EP_IN, in, SIZE, 0, &seen);

    assert_non_null(fds[0]);
    assert_null(fds[1]);
    assert_int_equal(fds[0]->events, POLLIN);
    assert_int_equal(libusb_pollfds_handle_timeouts(f->ctx), 1);
    assert_int_equal(libusb_get_next_timeout(f->ctx, &zero), 0);
    for (int round = 0; round < 2; round++) { /* with data, and with its time over */
        seen.done = 0;
        t->timeout = round ? 30 : 0;
        assert_int_equal(libusb_submit_transfer(t), 0);
        if (round == 0)
            put(f, 1, 12);
        while (!seen.done) {
            assert_int_equal(readable(fds[0]->fd, RIG_SOON), 1);
            assert_int_equal(libusb_handle_events_timeout(f->ctx, &zero), 0);
        }
        assert_int_equal(seen.status,
                         round ? LIBUSB_TRANSFER_TIMED_OUT : LIBUSB_TRANSFER_COMPLETED);
    }
    libusb_free_transfer(t);
    libusb_free_pollfds(fds);
}

/* ---- the end ---- */

static void
test_close_in_flight(void **state)
{
    struct fixture *f = *state;
    libusb_device_handle *h;
    struct seen seen;
    uint8_t in[SIZE];
    struct libusb_transfer *t = new_transfer(f, EP_IN, in, SIZE, 0, &seen);
    struct timeval zero = {0, 0};

    assert_int_equal(libusb_open(libusb_get_device(f->h), &h), 0);
    t->dev_handle = h;
    assert_int_equal(libusb_submit_transfer(t), 0);
    libusb_close(h);
    assert_null(t->dev_handle);
    assert_int_equal(libusb_handle_events_timeout(f->ctx, &zero), 0);
    assert_int_equal(seen.calls, 0);
    assert_int_equal(libusb_submit_transfer(t), LIBUSB_ERROR_NO_DEVICE);
    libusb_free_transfer(t);
}

/* No program may do that; those that do see neither its callback nor data in what they freed. */
static void
test_free_in_flight(void **state)
{
    struct fixture *f = *state;
    struct seen seen, other;
    uint8_t *freed = malloc(SIZE), in[SIZE];
    struct libusb_transfer *t = new_transfer(f, EP_IN, freed, SIZE, 0, &seen);
    struct libusb_transfer *next = new_transfer(f, EP_IN, in, SIZE, 0, &other);

    assert_int_equal(libusb_submit_transfer(t), 0);
    assert_int_equal(libusb_submit_transfer(next), 0);
    free(freed);
    libusb_free_transfer(t);
    put(f, 1, 12);
    finish(f, &other);
    assert_int_equal(other.status, LIBUSB_TRANSFER_COMPLETED);
    assert_int_equal(other.actual, 12);
    assert_int_equal(seen.calls, 0);
    libusb_free_transfer(next);
    t = new_transfer(f, EP_IN, malloc(SIZE), SIZE, 0, &seen);
    t->flags = LIBUSB_TRANSFER_FREE_BUFFER;
    assert_int_equal(libusb_submit_transfer(t), 0);
    libusb_free_transfer(t);
    assert_int_equal(seen.calls, 0);
}

static void
close_it(struct libusb_transfer *t)
{
    struct seen *s = t->user_data;

    libusb_close(t->dev_handle);
    s->done = 1;
}

static void
test_close_in_a_callback(void **state)
{
    struct fixture *f = *state;
    libusb_device_handle *h;
    struct seen seen;
    uint8_t in[SIZE];
    struct libusb_transfer *t = new_transfer(f, EP_IN, in, SIZE, 20, &seen);

    assert_int_equal(libusb_open(libusb_get_device(f->h), &h), 0);
    t->dev_handle = h;
    t->callback = close_it;
    assert_int_equal(libusb_submit_transfer(t), 0);
    finish(f, &seen);
    libusb_free_transfer(t);
}

static void
test_free_after_exit(void **state)
{
    libusb_context *ctx;
    libusb_device_handle *h;
    struct libusb_transfer *t = libusb_alloc_transfer(0);
    uint8_t in[SIZE];

    (void)state;
    assert_int_equal(libusb_init(&ctx), 0);
    h = libusb_open_device_with_vid_pid(ctx, RIG_VID, RIG_LOOPBACK);
    assert_non_null(h);
    libusb_fill_bulk_transfer(t, h, EP_IN, in, SIZE, NULL, NULL, 0);
    assert_int_equal(libusb_submit_transfer(t), 0);
    libusb_exit(ctx); /* with an open device and a transfer in flight */
    libusb_free_transfer(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sync, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sync_timeout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_async, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_async_timeout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_resubmit_and_flags, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_short_not_ok, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_sync_call_in_a_callback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sync_runs_callbacks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_control_async, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_iso, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_interrupted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_with_the_lock_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pollfd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_close_in_flight, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_free_in_flight, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_close_in_a_callback, set_up, tear_down),
        cmocka_unit_test(test_free_after_exit),
    };
    int r;

    rig_start("linux", "loopback", "all");
    r = cmocka_run_group_tests(tests, NULL, NULL);
    rig_stop();
    return r;
}
