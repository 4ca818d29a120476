/*
 * hotplug.h - arrivals and departures
 */
#ifndef UW_LIBUSB_HOTPLUG_H
#define UW_LIBUSB_HOTPLUG_H

#include "libusb/dropin.h"

/* Tells the callbacks what changed in the list of devices. Returns how many changes there were. */
unsigned hotplug_process(struct libusb_context *ctx);

/* The list has changed: the event handler shall tell. With the world's lock held. */
void hotplug_changed_locked(struct libusb_context *ctx);

/* The context ends. */
void hotplug_close(struct libusb_context *ctx);

#endif
