/*
 * again.h - what a device that is looked for again remembers
 */
#ifndef UW_USB_AGAIN_H
#define UW_USB_AGAIN_H

struct uw_device;

void uw_device_free_strangers(struct uw_device *device);

#endif
