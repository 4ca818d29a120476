/*
 * scripted.h - a server that does what the test tells it, with a device in place and another one to
 * come, and a program that has opened the first
 */
#ifndef TEST_LIBUSB_SCRIPTED_H
#define TEST_LIBUSB_SCRIPTED_H

#include "rig.h"
#include "unit/usb/peer.h"

extern struct peer *peer;
extern struct peer_model *model; /* 1-1 */
extern struct peer_model *spare; /* 1-2; hidden */

struct fixture {
    libusb_context *ctx;
    libusb_device *dev;
    libusb_device_handle *h;
    uint8_t in, out; /* bulk endpoints */
};

int set_up(void **state);
int tear_down(void **state);

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Before the first and after the last test. */
void scripted_start(void);
void scripted_stop(void);

void hide(struct peer_model *m, int hidden);
int count_devices(libusb_context *ctx);

#endif
