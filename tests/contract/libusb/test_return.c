/*
 * Devices that are enumerated anew, in their place or in another one: the next list has what has
 * become of them, and never what they were.
 */
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rig.h"

#define APPLICATION 0x0017
#define LOADER      0x0007
#define FAULTY      0x0006
#define ANOTHER     0x00b0

static int
set_up(void **state)
{
    return libusb_init((libusb_context **)state);
}

static int
tear_down(void **state)
{
    libusb_exit(*state);
    return 0;
}

/* A reference to the listed device with that number; NULL: it is not listed. */
static libusb_device *
look_for(libusb_context *ctx, uint16_t pid)
{
    libusb_device **list, *found = NULL;
    ssize_t n = libusb_get_device_list(ctx, &list);

    assert_true(n >= 0);
    for (ssize_t i = 0; i < n; i++) {
        struct libusb_device_descriptor d;

        assert_int_equal(libusb_get_device_descriptor(list[i], &d), 0);
        if (d.idProduct == pid)
            found = libusb_ref_device(list[i]);
    }
    libusb_free_device_list(list, 1);
    return found;
}

static libusb_device *
wait_for(libusb_context *ctx, uint16_t pid)
{
    libusb_device *dev;

    while (!(dev = look_for(ctx, pid)))
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    return dev;
}

static libusb_device_handle *
open_device(libusb_context *ctx, uint16_t pid)
{
    libusb_device *dev = wait_for(ctx, pid);
    libusb_device_handle *h = NULL;

    assert_int_equal(libusb_open(dev, &h), 0);
    libusb_unref_device(dev);
    return h;
}

static int
detach(libusb_device_handle *h)
{
    return libusb_control_transfer(h, 0x21, 0, 1000, 0, NULL, 0, RIG_SOON);
}

/* As a programmer does it: detach, close, wait, list, open. */
static void
to_the_loader_and_back(libusb_context *ctx)
{
    libusb_device_handle *h = open_device(ctx, APPLICATION);
    libusb_device *before = libusb_ref_device(libusb_get_device(h));
    uint8_t status[6];

    assert_int_equal(libusb_claim_interface(h, 0), 0);
    assert_int_equal(detach(h), 0);
    libusb_close(h);
    h = open_device(ctx, LOADER);
    assert_ptr_not_equal(libusb_get_device(h), before);
    assert_int_equal(libusb_claim_interface(h, 0), 0);
    assert_int_equal(libusb_control_transfer(h, 0xa1, 3, 0, 0, status, 6, RIG_SOON), 6);
    assert_int_equal(status[4], 2); /* dfuIDLE */
    assert_null(look_for(ctx, APPLICATION));
    /* A reset leads back, so what comes of it is another device. */
    assert_int_equal(libusb_reset_device(h), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_control_transfer(h, 0xa1, 3, 0, 0, status, 6, RIG_SOON),
                     LIBUSB_ERROR_NO_DEVICE);
    assert_null(look_for(ctx, LOADER));
    libusb_close(h);
    libusb_close(open_device(ctx, APPLICATION));
    assert_null(look_for(ctx, LOADER));
    assert_int_equal(libusb_open(before, &h), LIBUSB_ERROR_NO_DEVICE);
    libusb_unref_device(before);
}

static void
test_loader(void **state)
{
    for (int i = 0; i < 2; i++)
        to_the_loader_and_back(*state);
}

/* The last list counts for a quarter of a second, but not beyond the end of what is in it. */
static void
test_no_stale_list(void **state)
{
    libusb_device_handle *h = open_device(*state, FAULTY);
    libusb_device *dev;

    assert_int_equal(libusb_control_transfer(h, 0x40, 0x11, 0, 0, NULL, 0, RIG_SOON),
                     LIBUSB_ERROR_NO_DEVICE);
    assert_null(look_for(*state, FAULTY));
    dev = look_for(*state, ANOTHER);
    assert_non_null(dev);
    libusb_unref_device(dev);
    assert_int_equal(libusb_claim_interface(h, 0), LIBUSB_ERROR_NO_DEVICE);
    libusb_close(h);
}

static const int both = LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT;

struct events {
    unsigned arrived, left;
    uint16_t last_left;
};

static int LIBUSB_CALL
note(libusb_context *ctx, libusb_device *dev, libusb_hotplug_event event, void *user_data)
{
    struct events *e = user_data;
    struct libusb_device_descriptor d;

    (void)ctx;
    libusb_get_device_descriptor(dev, &d);
    if (event == LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED) {
        e->arrived++;
    } else {
        e->left++;
        e->last_left = d.idProduct;
    }
    return 0;
}

static void
test_hotplug(void **state)
{
    libusb_device_handle *h = open_device(*state, APPLICATION);
    libusb_hotplug_callback_handle callback;
    struct events e = {0};

    assert_int_equal(
        libusb_hotplug_register_callback(*state, both, 0, RIG_VID, -1, -1, note, &e, &callback), 0);
    assert_int_equal(detach(h), 0);
    libusb_close(h);
    while (!e.left || !e.arrived)
        assert_int_equal(libusb_handle_events(*state), 0);
    assert_int_equal(e.last_left, APPLICATION);
    assert_int_equal(e.left, 1);
    assert_int_equal(e.arrived, 1);
    libusb_hotplug_deregister_callback(*state, callback);
}

/* It learns of what happens from nobody but itself. It begins when its parent has heard enough,
 * else both would want the device. */
static void
live_as_a_child(libusb_context *ctx, const struct events *e, int begin)
{
    libusb_device_handle *h;
    char byte;

    alarm(60);
    if (read(begin, &byte, 1) != 1)
        _exit(1);
    h = open_device(ctx, APPLICATION);
    (void)detach(h);
    libusb_close(h);
    while (!e->left || !e->arrived)
        if (libusb_handle_events(ctx) != 0)
            _exit(1);
    h = open_device(ctx, LOADER);
    (void)libusb_reset_device(h);
    libusb_close(h);
    _exit(0);
}

static void
test_hotplug_in_a_child(void **state)
{
    libusb_hotplug_callback_handle callback;
    struct events e = {0};
    int status, begin[2];
    pid_t child;

    assert_int_equal(pipe(begin), 0);
    assert_int_equal(
        libusb_hotplug_register_callback(*state, both, 0, RIG_VID, -1, -1, note, &e, &callback), 0);
    child = fork();
    if (child == 0)
        live_as_a_child(*state, &e, begin[0]);
    libusb_hotplug_deregister_callback(*state, callback);
    assert_int_equal(write(begin[1], "x", 1), 1);
    close(begin[0]);
    close(begin[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_loader),
        TEST(test_no_stale_list),
        TEST(test_hotplug_in_a_child),
        TEST(test_hotplug),
    };
    int r;

    rig_start("linux", "dfu:runtime=moves faulty loopback", "1209:0017,1-2");
    r = cmocka_run_group_tests(tests, NULL, NULL);
    rig_stop();
    return r;
}
