/*
 * rig.h - a simulated bench in a thread, and the environment that points the drop-in at it
 */
#ifndef TEST_LIBUSB_RIG_H
#define TEST_LIBUSB_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libusb/dropin.h"

/* Starts a bench that behaves as this server does, with these devices (uw_sim_add's words,
 * separated by blanks), and sets USBWIRE_SERVERS and USBWIRE_DEVICES. Before the first call of
 * libusb. */
void rig_start(const char *personality, const char *devices, const char *chosen);
void rig_stop(void);

/* The numbers of the simulated devices. */
#define RIG_VID      0x1209
#define RIG_SOURCE   0x0002
#define RIG_LOOPBACK 0x0003
#define RIG_KEYBOARD 0x0004

/* Milliseconds after which what has to happen counts as not happening. */
#define RIG_SOON 20000u

/* Opens a device and claims its interface 0; ends the test where that fails. */
libusb_device_handle *rig_open(libusb_context *ctx, uint16_t pid);

/* Asks a device for its descriptor; libusb_get_descriptor would wait for a second only. */
int rig_ask(libusb_device_handle *h, uint8_t ret_raw[18]);

#endif
