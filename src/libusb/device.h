/*
 * device.h - libusb_device: a remote as one context sees it
 *
 * While a program refers to it, the same device is the same pointer.
 */
#ifndef UW_LIBUSB_DEVICE_H
#define UW_LIBUSB_DEVICE_H

#include "libusb/dropin.h"
#include "libusb/world.h"

struct libusb_device {
    struct uw_list link;        /* its context's; the world's lock, as all here */
    struct libusb_context *ctx; /* NULL after libusb_exit */
    struct remote *remote;
    unsigned refs;
};

/* The context's device of a remote, with one more reference; NULL: out of memory. */
struct libusb_device *device_of_locked(struct libusb_context *ctx, struct remote *remote);

/* References to every listed device, NULL behind the last; NULL: out of memory. No network is
 * asked. */
struct libusb_device **device_list_locked(struct libusb_context *ctx, size_t *ret_count);

/* The context ends; its devices live on for those who refer to them. Returns how many there are. */
unsigned device_orphan_all_locked(struct libusb_context *ctx);

/* Configuration in force; 0: unconfigured; -1: not known. */
int device_configuration(struct libusb_device *dev);

/* Bytes of the configuration with that index or value; NULL: there is none. */
const struct remote_config *device_config_at(const struct libusb_device *dev, unsigned index);
const struct remote_config *device_config_by_value(const struct libusb_device *dev, int value);

#endif
