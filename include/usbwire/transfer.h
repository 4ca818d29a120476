/*
 * transfer.h - synchronous transfers
 *
 * Each call submits one URB (urb.h has the rules) and waits for it, driving the loop. Any number of
 * threads may be inside such calls on one device. `ret_actual` may be NULL; unlike other out
 * parameters it is also set on failure, to the bytes moved until then.
 */
#ifndef USBWIRE_TRANSFER_H
#define USBWIRE_TRANSFER_H

#include <usbwire/urb.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A control transfer. Direction is bit 7 of `request_type`. Errors: as uw_urb_submit and any URB.
 */
int uw_control(struct uw_device *device, uint8_t request_type, uint8_t request, uint16_t value,
               uint16_t index, void *data, uint16_t length, struct uw_usec timeout,
               size_t *ret_actual, struct uw_fault *fault);

/* A bulk or interrupt transfer on `endpoint` (address; bit 7 set reads into `data`). */
int uw_transfer(struct uw_device *device, uint8_t endpoint, void *data, size_t length,
                struct uw_usec timeout, size_t *ret_actual, struct uw_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
