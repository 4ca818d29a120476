/*
 * Arrivals and departures: who is told of them, when, and on which thread.
 */
#include <pthread.h>
#include <sys/time.h>

#include "scripted.h"

static const int both = LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT;

struct events {
    int arrived, left;
    libusb_device *last;
    int stop;      /* the callback wants no more */
    int elsewhere; /* how often it ran on another thread than that of the test */
    pthread_t thread;
};

static int
note_event(libusb_context *ctx, libusb_device *dev, libusb_hotplug_event event, void *user_data)
{
    struct events *e = user_data;

    (void)ctx;
    e->last = dev;
    e->elsewhere += !pthread_equal(e->thread, pthread_self());
    if (event == LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED)
        e->arrived++;
    else
        e->left++;
    return e->stop;
}

static void
test_hotplug(void **state)
{
    struct fixture *f = *state;
    struct events all = {.thread = pthread_self()}, none = {0};
    libusb_hotplug_callback_handle one, two;
    struct libusb_device_descriptor d;
    struct timeval zero = {0, 0};

    assert_int_equal(libusb_hotplug_register_callback(f->ctx, both, LIBUSB_HOTPLUG_ENUMERATE, -1,
                                                      -1, -1, note_event, &all, &one),
                     0);
    assert_int_equal(all.arrived, 1);
    assert_int_equal(
        libusb_hotplug_register_callback(f->ctx, both, 0, 0x1234, -1, -1, note_event, &none, &two),
        0);
    assert_ptr_equal(libusb_hotplug_get_user_data(f->ctx, two), &none);
    hide(spare, 0);
    while (all.arrived < 2)
        assert_int_equal(libusb_handle_events(f->ctx), 0);
    assert_int_equal(libusb_get_device_descriptor(all.last, &d), 0);
    assert_int_equal(d.idVendor, spare->v.device[8] | spare->v.device[9] << 8);
    hide(spare, 1);
    while (!all.left) /* when its import has lingered long enough */
        assert_int_equal(libusb_handle_events(f->ctx), 0);
    assert_int_equal(none.arrived + none.left, 0);
    assert_int_equal(all.elsewhere, 0);
    libusb_hotplug_deregister_callback(f->ctx, one);
    libusb_hotplug_deregister_callback(f->ctx, two);
    assert_int_equal(libusb_handle_events_timeout(f->ctx, &zero), 0); /* where it is freed */
    assert_null(libusb_hotplug_get_user_data(f->ctx, two));
}

/* Handles what is there, again and again until the server has heard of what is counted. Waiting for
 * its answer would take as long as that is patient. */
static void
handle_until_asked(struct fixture *f, unsigned (*count)(struct peer *peer), unsigned before)
{
    struct timeval zero = {0, 0};
    struct uw_usec longest = {0};
    unsigned after = 0;

    while (after < 100) { /* calls more, while nothing is answered */
        struct uw_usec start = uw_now();

        after += count(peer) > before;
        assert_int_equal(libusb_handle_events_timeout(f->ctx, &zero), 0);
        if (longest.us < uw_usec_sub(uw_now(), start).us)
            longest = uw_usec_sub(uw_now(), start);
    }
    assert_true(longest.us < 5000000);
}

/* Neither the question for the list nor a first look at a new device is waited for. */
static void
test_events_do_not_wait_for_servers(void **state)
{
    struct fixture *f = *state;
    struct events e = {.thread = pthread_self()};
    libusb_hotplug_callback_handle callback;
    unsigned lists, imports;

    assert_int_equal(
        libusb_hotplug_register_callback(f->ctx, both, 0, -1, -1, -1, note_event, &e, &callback),
        0);
    hide(spare, 0);
    peer_stall(peer, PEER_LISTS | PEER_IMPORTS);
    lists = peer_lists(peer);
    imports = peer_imports(peer);
    handle_until_asked(f, peer_lists, lists);
    peer_stall(peer, PEER_IMPORTS);
    handle_until_asked(f, peer_imports, imports);
    assert_int_equal(e.arrived, 0);
    peer_stall(peer, 0);
    while (!e.arrived)
        assert_int_equal(libusb_handle_events(f->ctx), 0);
    hide(spare, 1);
    while (!e.left)
        assert_int_equal(libusb_handle_events(f->ctx), 0);
    assert_int_equal(e.elsewhere, 0);
    libusb_hotplug_deregister_callback(f->ctx, callback);
}

static void
test_hotplug_refusals(void **state)
{
    struct fixture *f = *state;
    struct events e = {0};

    assert_int_equal(
        libusb_hotplug_register_callback(f->ctx, 0, 0, -1, -1, -1, note_event, &e, NULL),
        LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(
        libusb_hotplug_register_callback(f->ctx, 1, 0, 0x10000, -1, -1, note_event, &e, NULL),
        LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_hotplug_register_callback(f->ctx, 1, 0, -1, -1, -1, NULL, &e, NULL),
                     LIBUSB_ERROR_INVALID_PARAM);
    e.stop = 1; /* counts for later events only */
    assert_int_equal(
        libusb_hotplug_register_callback(f->ctx, 1, 1, -1, -1, -1, note_event, &e, NULL), 0);
    assert_int_equal(e.arrived, 1);
}

/* Whoever has asked for the list has the event waiting; it is told where events are handled, and to
 * each once. Waits where a list counts for a moment longer. */
static void
test_hotplug_after_a_list(void **state)
{
    struct fixture *f = *state;
    struct events arrivals = {.thread = pthread_self()}, departures = {.thread = pthread_self()};
    struct timeval zero = {0, 0};
    libusb_hotplug_callback_handle one, two;

    assert_int_equal(libusb_hotplug_register_callback(f->ctx, LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED,
                                                      LIBUSB_HOTPLUG_ENUMERATE, -1, -1, -1,
                                                      note_event, &arrivals, &one),
                     0);
    assert_int_equal(libusb_hotplug_register_callback(f->ctx, LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT,
                                                      LIBUSB_HOTPLUG_ENUMERATE, -1, -1, -1,
                                                      note_event, &departures, &two),
                     0);
    assert_int_equal(libusb_handle_events_timeout(f->ctx, &zero), 0);
    assert_int_equal(arrivals.arrived, 1);
    hide(spare, 0);
    while (count_devices(f->ctx) < 2)
        assert_int_equal(arrivals.arrived, 1);
    assert_int_equal(libusb_handle_events_timeout(f->ctx, &zero), 0);
    assert_int_equal(arrivals.arrived, 2);
    hide(spare, 1);
    while (count_devices(f->ctx) > 1)
        assert_int_equal(departures.left, 0);
    assert_int_equal(libusb_handle_events_timeout(f->ctx, &zero), 0);
    assert_int_equal(departures.left, 1);
    assert_int_equal(arrivals.arrived + arrivals.left, 2);
    assert_int_equal(departures.arrived, 0);
    libusb_hotplug_deregister_callback(f->ctx, one);
    libusb_hotplug_deregister_callback(f->ctx, two);
    assert_int_equal(libusb_handle_events_timeout(f->ctx, &zero), 0);
}

/* Of that kind only; and a callback that has had enough is not called again. */
static void
test_who_is_told(void **state)
{
    struct fixture *f = *state;
    struct events once = {.stop = 1}, all = {0}, kind = {0}, others = {0};
    uint8_t class = spare->v.device[4];
    struct {
        struct events *e;
        int class;
    } listeners[] = {{&once, -1}, {&all, -1}, {&kind, class}, {&others, class ^ 1}};
    libusb_hotplug_callback_handle handles[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(libusb_hotplug_register_callback(f->ctx, both, 0, -1, -1,
                                                          listeners[i].class, note_event,
                                                          listeners[i].e, &handles[i]),
                         0);
    hide(spare, 0);
    while (!all.arrived)
        assert_int_equal(libusb_handle_events(f->ctx), 0);
    hide(spare, 1);
    while (!all.left)
        assert_int_equal(libusb_handle_events(f->ctx), 0);
    assert_int_equal(once.arrived, 1);
    assert_int_equal(once.left, 0);
    assert_int_equal(kind.arrived + kind.left, 2);
    assert_int_equal(others.arrived + others.left, 0);
    for (int i = 1; i < 4; i++)
        libusb_hotplug_deregister_callback(f->ctx, handles[i]);
}

static void *
handle_once(void *arg)
{
    return (void *)(intptr_t)libusb_handle_events(arg);
}

/* Else the thread would go on waiting for a minute. */
static void
test_the_last_to_leave_ends_the_wait(void **state)
{
    struct fixture *f = *state;
    struct events e = {0};
    libusb_hotplug_callback_handle callback;
    struct uw_usec start = uw_now();
    pthread_t handler;
    void *r;

    assert_int_equal(
        libusb_hotplug_register_callback(f->ctx, both, 0, -1, -1, -1, note_event, &e, &callback),
        0);
    assert_int_equal(pthread_create(&handler, NULL, handle_once, f->ctx), 0);
    while (!libusb_event_handler_active(f->ctx))
        ;
    libusb_hotplug_deregister_callback(f->ctx, callback);
    pthread_join(handler, &r);
    assert_null(r);
    assert_true(uw_usec_sub(uw_now(), start).us < uw_msec(30000).us);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hotplug),
        TEST(test_hotplug_after_a_list),
        TEST(test_who_is_told),
        TEST(test_the_last_to_leave_ends_the_wait),
        TEST(test_events_do_not_wait_for_servers),
        TEST(test_hotplug_refusals),
    };
    int r;

    scripted_start();
    r = cmocka_run_group_tests(tests, NULL, NULL);
    scripted_stop();
    return r;
}
