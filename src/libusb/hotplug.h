/*
 * hotplug.h - arrivals and departures, found by asking the servers again and again
 */
#ifndef UW_LIBUSB_HOTPLUG_H
#define UW_LIBUSB_HOTPLUG_H

#include "libusb/dropin.h"

/* Asks when it is time, and runs the callbacks of what changed. Returns how many ran. */
unsigned hotplug_process(struct libusb_context *ctx);

/* Instant of the next question; never while no callback is registered. */
struct uw_usec hotplug_deadline(struct libusb_context *ctx);

/* The context ends. */
void hotplug_close(struct libusb_context *ctx);

#endif
