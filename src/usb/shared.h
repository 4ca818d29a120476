/*
 * shared.h - a device behind a broker (wire/shared.h): the client's side
 */
#ifndef UW_USB_SHARED_H
#define UW_USB_SHARED_H

#include "usb/device.h"

/* What others have done to it by now, and from here on what they do. Nothing where the device is
 * not behind a broker. */
int uw_shared_join(struct uw_device *device, struct uw_usec until);

/* Before the import ends. */
void uw_shared_leave_locked(struct uw_device *device);
/* After that. */
void uw_shared_free(struct uw_device *device);

/* Asks the broker for an interface, or gives it back. UW_OK where there is none. Without the lock.
 */
int uw_shared_claim(struct uw_device *device, unsigned interface_number);
int uw_shared_release(struct uw_device *device, unsigned interface_number);

/* What keeps a transfer on this endpoint from its turn, where the server behind the broker does one
 * at a time; "": nothing does, or there is no broker. Without the lock. */
void uw_shared_holder(struct uw_device *device, uint8_t endpoint, char *buf, size_t size);

/* What a reset left is another device: the broker is to look for it anew. Without the lock. */
void uw_shared_changed(struct uw_device *device);

#endif
