/*
 * Many threads: no lost wake-up, no stall, no race (ThreadSanitizer looks on).
 *
 * What each thread may take longest is below libusb's 60 seconds, in which a lost wake-up shows.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "rig.h"

#define THREADS  8
#define STALL_MS 30000u

/* How long each scenario goes on; make soak sets USBWIRE_TEST_SECONDS. */
static uint32_t
duration_ms(void)
{
    const char *s = getenv("USBWIRE_TEST_SECONDS");

    return s ? (uint32_t)strtoul(s, NULL, 10) * 1000u : 500u;
}

struct crew {
    libusb_context *ctx;
    libusb_device_handle *handles[THREADS];
    struct uw_usec until;
    atomic_int failed, stalls, stop;
    atomic_uint done;
    pthread_t threads[THREADS];
};

struct member {
    struct crew *crew;
    unsigned index;
};

static void
start(struct crew *c, struct member *m, void *(*run)(void *arg))
{
    c->until = uw_usec_add(uw_now(), uw_msec(duration_ms()));
    for (unsigned i = 0; i < THREADS; i++) {
        m[i] = (struct member){c, i};
        assert_int_equal(pthread_create(&c->threads[i], NULL, run, &m[i]), 0);
    }
}

static void
finish(struct crew *c)
{
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(c->threads[i], NULL);
    assert_int_equal(c->failed, 0);
    assert_int_equal(c->stalls, 0);
    assert_true(c->done > 0);
}

static int
goes_on(const struct crew *c)
{
    return uw_now().us < c->until.us && !c->failed;
}

static void
time_step(struct crew *c, struct uw_usec since)
{
    if (uw_usec_sub(uw_now(), since).us > uw_msec(STALL_MS).us)
        atomic_fetch_add(&c->stalls, 1);
    atomic_fetch_add(&c->done, 1);
}

/* ---- synchronous calls on shared handles ---- */

static void *
ask_again_and_again(void *arg)
{
    struct member *m = (struct member *)arg;
    struct crew *c = m->crew;

    while (goes_on(c)) {
        struct uw_usec since = uw_now();
        uint8_t raw[18];

        if (rig_ask(c->handles[m->index], raw) != 18)
            atomic_store(&c->failed, 1);
        time_step(c, since);
    }
    return NULL;
}

static void
test_sync_on_one_device(void **state)
{
    struct crew c = {.failed = 0};
    struct member m[THREADS];

    (void)state;
    assert_int_equal(libusb_init(&c.ctx), 0);
    c.handles[0] = rig_open(c.ctx, RIG_LOOPBACK);
    for (unsigned i = 1; i < THREADS; i++)
        c.handles[i] = c.handles[0];
    start(&c, m, ask_again_and_again);
    finish(&c);
    libusb_close(c.handles[0]);
    libusb_exit(c.ctx);
}

static void
test_sync_on_several_devices(void **state)
{
    static const uint16_t pids[] = {RIG_LOOPBACK, RIG_SOURCE, RIG_KEYBOARD};
    struct crew c = {.failed = 0};
    struct member m[THREADS];

    (void)state;
    assert_int_equal(libusb_init(&c.ctx), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        c.handles[i] = libusb_open_device_with_vid_pid(c.ctx, RIG_VID, pids[i % 3]);
        assert_non_null(c.handles[i]);
    }
    start(&c, m, ask_again_and_again);
    finish(&c);
    for (unsigned i = 0; i < THREADS; i++)
        libusb_close(c.handles[i]);
    libusb_exit(c.ctx);
}

/* ---- everything by everybody: what upstream's stress_mt does ---- */

static int
compare(libusb_device *dev)
{
    struct libusb_device_descriptor d;
    libusb_device_handle *h;
    uint8_t raw[18];
    int r;

    if (libusb_get_device_descriptor(dev, &d) != 0 || libusb_open(dev, &h) != 0)
        return 0;
    r = rig_ask(h, raw);
    libusb_close(h);
    return r == 18 && d.idProduct == (raw[10] | raw[11] << 8) && d.bMaxPacketSize0 == raw[7] &&
           d.iSerialNumber == raw[16];
}

static void *
do_everything(void *arg)
{
    struct crew *c = ((struct member *)arg)->crew;

    while (goes_on(c)) {
        struct uw_usec since = uw_now();
        libusb_device **list;
        libusb_context *ctx;
        ssize_t n;

        if (libusb_init(&ctx) != 0) {
            atomic_store(&c->failed, 1);
            break;
        }
        n = libusb_get_device_list(ctx, &list);
        if (n != 3)
            atomic_store(&c->failed, 1);
        for (ssize_t i = 0; i < n; i++)
            if (!compare(list[i]))
                atomic_store(&c->failed, 1);
        if (n >= 0)
            libusb_free_device_list(list, 1);
        libusb_exit(ctx);
        time_step(c, since);
    }
    return NULL;
}

static void
test_contexts_of_their_own(void **state)
{
    struct crew c = {.failed = 0};
    struct member m[THREADS];

    (void)state;
    start(&c, m, do_everything);
    finish(&c);
}

/* ---- lists of one context, which share their devices: what upstream's testcore does ---- */

static void *
list_again_and_again(void *arg)
{
    struct crew *c = ((struct member *)arg)->crew;

    while (goes_on(c)) {
        struct uw_usec since = uw_now();
        libusb_device **list;

        if (libusb_get_device_list(c->ctx, &list) != 3) {
            atomic_store(&c->failed, 1);
            break;
        }
        libusb_free_device_list(list, 1);
        time_step(c, since);
    }
    return NULL;
}

static void
test_lists_of_one_context(void **state)
{
    struct crew c = {.failed = 0};
    struct member m[THREADS];

    (void)state;
    assert_int_equal(libusb_init(&c.ctx), 0);
    start(&c, m, list_again_and_again);
    finish(&c);
    libusb_exit(c.ctx);
}

/* ---- asynchronous: one thread handles events, others submit, cancel and close ---- */

static void *
handle_events(void *arg)
{
    struct crew *c = (struct crew *)arg;

    while (!c->stop)
        if (libusb_handle_events(c->ctx) != 0)
            atomic_store(&c->failed, 1);
    return NULL;
}

struct life {
    pthread_mutex_t lock;
    pthread_cond_t over;
    int ended;
};

static void LIBUSB_CALL
note_end(struct libusb_transfer *t)
{
    struct life *l = (struct life *)t->user_data;

    pthread_mutex_lock(&l->lock);
    l->ended = 1;
    pthread_cond_signal(&l->over);
    pthread_mutex_unlock(&l->lock);
}

static void
wait_for_end(struct life *l)
{
    pthread_mutex_lock(&l->lock);
    while (!l->ended)
        pthread_cond_wait(&l->over, &l->lock);
    l->ended = 0;
    pthread_mutex_unlock(&l->lock);
}

/* Reads that end by themselves, by cancel, by their time, or with their handle. */
static void *
live_dangerously(void *arg)
{
    struct member *m = (struct member *)arg;
    struct crew *c = m->crew;
    struct life l = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    uint8_t in[64];
    unsigned round = m->index;

    while (goes_on(c)) {
        struct uw_usec since = uw_now();
        libusb_device_handle *h = libusb_open_device_with_vid_pid(c->ctx, RIG_VID, RIG_KEYBOARD);
        struct libusb_transfer *t = libusb_alloc_transfer(0);

        if (!h || !t) {
            atomic_store(&c->failed, 1);
            break;
        }
        libusb_fill_interrupt_transfer(t, h, 0x81, in, 8, note_end, &l, round % 4 == 1 ? 1 : 0);
        if (libusb_submit_transfer(t) != 0)
            atomic_store(&c->failed, 1);
        switch (round++ % 4) {
        case 0:
            (void)libusb_cancel_transfer(t);
            wait_for_end(&l);
            break;
        case 1: wait_for_end(&l); break;
        case 2: (void)rig_ask(h, in); break;
        default: break;
        }
        libusb_close(h); /* no callback runs from here on */
        l.ended = 0;
        libusb_free_transfer(t);
        time_step(c, since);
    }
    return NULL;
}

static void
test_close_and_cancel_at_any_time(void **state)
{
    struct crew c = {.failed = 0};
    struct member m[THREADS];
    pthread_t events;

    (void)state;
    assert_int_equal(libusb_init(&c.ctx), 0);
    assert_int_equal(pthread_create(&events, NULL, handle_events, &c), 0);
    start(&c, m, live_dangerously);
    finish(&c);
    atomic_store(&c.stop, 1);
    libusb_interrupt_event_handler(c.ctx);
    pthread_join(events, NULL);
    libusb_exit(c.ctx);
}

/* ---- followers: everybody waits for a transfer of its own in handle_events_completed ---- */

static void LIBUSB_CALL
set_completed(struct libusb_transfer *t)
{
    __atomic_store_n((int *)t->user_data, 1, __ATOMIC_RELEASE);
}

static void *
wait_in_turn(void *arg)
{
    struct member *m = (struct member *)arg;
    struct crew *c = m->crew;
    struct libusb_transfer *t = libusb_alloc_transfer(0);
    uint8_t buffer[8 + 18];
    int completed;

    libusb_fill_control_setup(buffer, 0x80, 6, 0x0100, 0, 18);
    libusb_fill_control_transfer(t, c->handles[0], buffer, set_completed, &completed, 0);
    while (goes_on(c)) {
        struct uw_usec since = uw_now();

        completed = 0;
        if (libusb_submit_transfer(t) != 0) {
            atomic_store(&c->failed, 1);
            break;
        }
        while (!__atomic_load_n(&completed, __ATOMIC_ACQUIRE))
            if (libusb_handle_events_completed(c->ctx, &completed) != 0)
                atomic_store(&c->failed, 1);
        time_step(c, since);
    }
    libusb_free_transfer(t);
    return NULL;
}

static void
test_followers(void **state)
{
    struct crew c = {.failed = 0};
    struct member m[THREADS];

    (void)state;
    assert_int_equal(libusb_init(&c.ctx), 0);
    c.handles[0] = rig_open(c.ctx, RIG_LOOPBACK);
    start(&c, m, wait_in_turn);
    finish(&c);
    libusb_close(c.handles[0]);
    libusb_exit(c.ctx);
}

/* Half of them synchronous, half not: neither may starve the other. */
static void *
mixed(void *arg)
{
    struct member *m = (struct member *)arg;

    return m->index % 2 ? wait_in_turn(arg) : ask_again_and_again(arg);
}

static void
test_mixed(void **state)
{
    struct crew c = {.failed = 0};
    struct member m[THREADS];

    (void)state;
    assert_int_equal(libusb_init(&c.ctx), 0);
    c.handles[0] = rig_open(c.ctx, RIG_LOOPBACK);
    for (unsigned i = 1; i < THREADS; i++)
        c.handles[i] = c.handles[0];
    start(&c, m, mixed);
    finish(&c);
    libusb_close(c.handles[0]);
    libusb_exit(c.ctx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sync_on_one_device),
        cmocka_unit_test(test_sync_on_several_devices),
        cmocka_unit_test(test_contexts_of_their_own),
        cmocka_unit_test(test_lists_of_one_context),
        cmocka_unit_test(test_close_and_cancel_at_any_time),
        cmocka_unit_test(test_followers),
        cmocka_unit_test(test_mixed),
    };
    int r;

    rig_start("linux", "source-sink loopback keyboard", "all");
    r = cmocka_run_group_tests(tests, NULL, NULL);
    rig_stop();
    return r;
}
