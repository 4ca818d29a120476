/*
 * Devices that another program of this user holds, on a server that hides what is in use: they are
 * listed, opened through that program, and have not left.
 */
#include <stdlib.h>

#include "rig.h"

#define SOON uw_msec(20000)

/* Another program: a loop of its own. */
struct holder {
    struct uw_loop *loop;
    struct uw_server *server;
    struct uw_device *device;
    struct uw_broker *broker;
};

/* As soon as the drop-in has given the device back, which it does in its events. */
static void
hold(struct holder *h, const char *busid, libusb_context *ctx)
{
    assert_int_equal(uw_loop_new(NULL, &h->loop), 0);
    assert_int_equal(uw_server_new(h->loop, getenv("USBWIRE_SERVERS"), 0, &h->server, NULL), 0);
    while (uw_device_import(h->server, busid, SOON, &h->device, NULL) < 0)
        assert_int_equal(libusb_handle_events_timeout(ctx, &(struct timeval){0, 100000}), 0);
    assert_int_equal(uw_broker_new(h->device, &h->broker, NULL), 0);
}

static void
let_go(struct holder *h)
{
    uw_broker_free(h->broker);
    uw_device_free(h->device);
    uw_server_free(h->server);
    uw_loop_free(h->loop);
}

static void
open_and_close(libusb_context *ctx, uint16_t pid)
{
    libusb_close(rig_open(ctx, pid));
}

static int LIBUSB_CALL
count(libusb_context *ctx, libusb_device *dev, libusb_hotplug_event event, void *user_data)
{
    (void)ctx;
    (void)dev;
    (void)event;
    ++*(unsigned *)user_data;
    return 0;
}

static void
test_held_before(void **state)
{
    struct holder h;
    libusb_context *ctx;

    (void)state;
    assert_int_equal(libusb_init(&ctx), 0);
    hold(&h, "1-1", ctx);
    open_and_close(ctx, RIG_LOOPBACK);
    libusb_exit(ctx);
    let_go(&h);
}

static void
test_held_since(void **state)
{
    const int both = LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT;
    libusb_hotplug_callback_handle callback;
    unsigned events = 0;
    struct holder h;
    libusb_context *ctx;

    (void)state;
    assert_int_equal(libusb_init(&ctx), 0);
    open_and_close(ctx, RIG_KEYBOARD);
    assert_int_equal(
        libusb_hotplug_register_callback(ctx, both, 0, RIG_VID, -1, -1, count, &events, &callback),
        0);
    hold(&h, "1-2", ctx);
    open_and_close(ctx, RIG_KEYBOARD);
    assert_int_equal(libusb_handle_events_timeout(ctx, &(struct timeval){0, 0}), 0);
    assert_int_equal(events, 0);
    libusb_hotplug_deregister_callback(ctx, callback);
    libusb_exit(ctx);
    let_go(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_before),
        cmocka_unit_test(test_held_since),
    };
    int r;

    rig_start("linux-hiding", "loopback keyboard", "all");
    r = cmocka_run_group_tests(tests, NULL, NULL);
    rig_stop();
    return r;
}
