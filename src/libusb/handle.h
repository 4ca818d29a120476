/*
 * handle.h - an open device
 */
#ifndef UW_LIBUSB_HANDLE_H
#define UW_LIBUSB_HANDLE_H

#include "libusb/device.h"
#include "libusb/dropin.h"

struct libusb_device_handle {
    struct uw_list link; /* its context's; the context's lock, as all that changes here */
    struct libusb_context *ctx;
    struct libusb_device *dev;
    struct uw_device *device;
    uint32_t claimed; /* bit i: interface i */
    unsigned flying;  /* transfers in flight */
};

/* How long requests of our own may take: a kernel waits five seconds. */
#define HANDLE_REQUEST_MS 5000u

/* The context ends and handles are still open: their imports are given back all the same. */
void handle_abandon_all(struct libusb_context *ctx);

/* A libusb error for one of the library's; a device that is gone makes the next list a fresh one.
 */
int handle_error(struct libusb_device_handle *handle, int error);

#endif
