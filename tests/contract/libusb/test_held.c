/*
 * Devices that another program of this user holds, on a server that hides what is in use: they are
 * listed, opened through that program, and have not left.
 */
#include <stdlib.h>

#include "scripted.h"

#define SOON uw_msec(20000)

/* Another program: a loop of its own. */
struct holder {
    struct uw_loop *loop;
    struct uw_server *server;
    struct uw_device *device;
    struct uw_broker *broker;
};

static void
handle_events(libusb_context *ctx)
{
    assert_int_equal(libusb_handle_events_timeout(ctx, &(struct timeval){0, 100000}), 0);
}

static int
is_imported(void)
{
    int imported = 0;

    pthread_mutex_lock(&peer->lock);
    for (unsigned i = 0; i < peer->num_conns; i++)
        imported |= peer->conns[i].model == model;
    pthread_mutex_unlock(&peer->lock);
    return imported;
}

/* As soon as the drop-in has given the device back, which it does in its events. Between import and
 * broker it is nowhere to be seen: whoever asks for the list meanwhile gets it when that is over.
 */
static void
hold(struct holder *h, libusb_context *ctx)
{
    assert_int_equal(uw_loop_new(NULL, &h->loop), 0);
    assert_int_equal(uw_server_new(h->loop, peer->address, 0, &h->server, NULL), 0);
    peer_stall(peer, PEER_LISTS);
    while (is_imported())
        handle_events(ctx);
    assert_int_equal(uw_device_import(h->server, model->busid, SOON, &h->device, NULL), 0);
    hide(model, 1);
    assert_int_equal(uw_broker_new(h->device, &h->broker, NULL), 0);
    peer_stall(peer, 0);
}

static void
let_go(struct holder *h)
{
    uw_broker_free(h->broker);
    uw_device_free(h->device);
    uw_server_free(h->server);
    uw_loop_free(h->loop);
    hide(model, 0);
}

/* Ends the test where it cannot be had. */
static void
open_and_close(libusb_context *ctx)
{
    const uint8_t *d = model->v.device;
    libusb_device_handle *h = libusb_open_device_with_vid_pid(ctx, (uint16_t)(d[8] | d[9] << 8),
                                                              (uint16_t)(d[10] | d[11] << 8));

    assert_non_null(h);
    assert_int_equal(libusb_claim_interface(h, 0), 0);
    libusb_close(h);
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
    hold(&h, ctx);
    open_and_close(ctx);
    libusb_exit(ctx);
    let_go(&h);
}

static void
test_held_since(void **state)
{
    const int both = LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT;
    libusb_hotplug_callback_handle callback;
    unsigned events = 0, lists;
    struct holder h;
    libusb_context *ctx;

    (void)state;
    assert_int_equal(libusb_init(&ctx), 0);
    open_and_close(ctx);
    assert_int_equal(
        libusb_hotplug_register_callback(ctx, both, 0, -1, -1, -1, count, &events, &callback), 0);
    hold(&h, ctx);
    open_and_close(ctx);
    for (lists = peer_lists(peer); peer_lists(peer) == lists;) /* of those that are listened for */
        handle_events(ctx);
    handle_events(ctx);
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

    scripted_start();
    r = cmocka_run_group_tests(tests, NULL, NULL);
    scripted_stop();
    return r;
}
