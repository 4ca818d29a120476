/*
 * transfer.h - a libusb_transfer and what is hidden in front of it
 */
#ifndef UW_LIBUSB_TRANSFER_H
#define UW_LIBUSB_TRANSFER_H

#include "libusb/dropin.h"
#include "libusb/handle.h"

/* Lies in memory right before the program's struct libusb_transfer, whose array is open-ended. */
struct flight {
    struct uw_list link; /* its context's flying or ready; the context's lock, as all here */
    struct libusb_device_handle *handle; /* while in flight */
    struct uw_urb *urb;
    unsigned iso_room;
    int flying;
    int cancelling;
    uint32_t stream_id;
};

/* Takes what has completed out of the context's queue. */
void transfer_collect(struct libusb_context *ctx);

/* Runs the callbacks of what was collected when it began. Returns how many. */
unsigned transfer_finish_all(struct libusb_context *ctx);

/* Ends every transfer of a handle, without a callback. With the events lock held. */
void transfer_drop_all(struct libusb_context *ctx, struct libusb_device_handle *handle);

/* A transfer's timeout as the library takes it: 0 is none. */
struct uw_usec transfer_timeout(unsigned ms);

#endif
