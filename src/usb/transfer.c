/*
 * transfer.c - synchronous transfers: a URB on the stack
 */
#include <string.h>

#include "base/fault.h"
#include "client/loop.h"
#include "usb/device.h"

static int
run(struct uw_urb *urb, size_t *ret_actual, struct uw_fault *fault)
{
    int r = uw_urb_run(urb);

    if (ret_actual)
        *ret_actual = urb->x.actual;
    if (r < 0 && fault) {
        uw_urb_fault(urb, fault);
        r = fault->code;
    }
    return r;
}

int
uw_control(struct uw_device *device, uint8_t request_type, uint8_t request, uint16_t value,
           uint16_t index, void *data, uint16_t length, struct uw_usec timeout, size_t *ret_actual,
           struct uw_fault *fault)
{
    struct uw_urb urb = {0};

    uw_urb_init(&urb);
    uw_urb_set_control(&urb, device, request_type, request, value, index, data, length);
    urb.timeout = timeout;
    return run(&urb, ret_actual, fault);
}

int
uw_transfer(struct uw_device *device, uint8_t endpoint, void *data, size_t length,
            struct uw_usec timeout, size_t *ret_actual, struct uw_fault *fault)
{
    struct uw_urb urb = {0};

    uw_urb_init(&urb);
    uw_urb_set_transfer(&urb, device, endpoint, data, length);
    urb.timeout = timeout;
    return run(&urb, ret_actual, fault);
}

int
uw_import_control(struct uw_import *import, uint8_t request_type, uint8_t request, uint16_t value,
                  uint16_t index, void *data, uint16_t length, struct uw_usec timeout,
                  size_t *ret_actual, struct uw_fault *fault)
{
    struct uw_loop *loop = uw_server_loop(uw_import_server(import));
    struct uw_urb urb = {0};
    int r;

    uw_urb_init(&urb);
    uw_urb_set_control(&urb, NULL, request_type, request, value, index, data, length);
    urb.timeout = timeout;
    urb.import = import;
    uw_loop_lock(loop);
    r = uw_import_submit_locked(import, &urb, NULL);
    if (r == 0) {
        uw_urb_wait_locked(loop, &urb);
        r = urb.x.status;
    } else {
        urb.x.status = r;
    }
    uw_loop_unlock(loop);
    if (ret_actual)
        *ret_actual = urb.x.actual;
    if (r < 0 && fault)
        uw_urb_fault(&urb, fault);
    return r;
}

int
uw_import_descriptor(struct uw_import *import, uint8_t type, uint8_t index, uint16_t language,
                     void *buf, uint16_t size, struct uw_usec timeout, size_t *ret_actual,
                     struct uw_fault *fault)
{
    struct uw_fault f = {0};
    int r = uw_import_control(import, 0x80, 0x06, (uint16_t)(type << 8 | index), language, buf,
                              size, timeout, ret_actual, fault ? &f : NULL);

    if (r == UW_ERROR_OVERFLOW)
        return 0;
    if (r < 0 && fault)
        *fault = f;
    return r;
}
