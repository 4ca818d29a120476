/*
 * compat.h - libusb 0.1's ABI on top of libusb 1.0's: what the two files share
 *
 * One thread at a time, as libusb 0.1 demands of its callers.
 */
#ifndef UW_LIBUSB01_COMPAT_H
#define UW_LIBUSB01_COMPAT_H

#include <usb.h>

#include <libusb.h>

struct usb_dev_handle {
    libusb_device_handle *handle;
    struct usb_device *device;
    int interface; /* claimed last, -1: none: what usb_set_altinterface is for */
};

/* The context of the process; NULL: it could not be made. */
libusb_context *compat_context(void);

/* 0 and above as it is; a libusb error as a negative errno, remembered for usb_strerror. */
int compat_result(int r);

/* 0 where the device is still in one of the lists. */
int compat_is_listed(const struct usb_device *device);

#endif
