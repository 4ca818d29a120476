/*
 * report.c - the whole story of a transfer that failed, for a person
 */
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "client/loop.h"
#include "usb/device.h"

static const char *const type_names[] = {"control", "isochronous", "bulk", "interrupt"};

/* What to do: by error, and by type of transfer where that matters (-1: any). */
static const struct {
    int error, type;
    const char *advice;
} advices[] = {
    {UW_ERROR_STALL, UW_CONTROL, "the device does not know this request, or not these values"},
    {UW_ERROR_STALL, -1, "clear the halt (usbwire clear-halt) and find out what the device minded"},
    {UW_ERROR_TIMEOUT, UW_CONTROL,
     "the device or its server is stuck: reset it, or allow more time"},
    {UW_ERROR_TIMEOUT, -1, "nothing is lost: the next read gets what comes late; allow more time"},
    {UW_ERROR_OVERFLOW, -1, "read whole packets: ask for a multiple of the endpoint's packet size"},
    {UW_ERROR_NO_DEVICE, -1, "find it again: it was unplugged, or is starting anew"},
    {UW_ERROR_REENUMERATE, -1, "unplug it and plug it in again: this server cannot clear a halt"},
    {UW_ERROR_CONNECTION_LOST, -1, "see whether the server is up, and import the device again"},
    {UW_ERROR_NOT_FOUND, -1, "the active configuration has no such endpoint: see 'usbwire probe'"},
    {UW_ERROR_HELD, -1,
     "wait until that is done; newer firmware of this server does several at once"},
    {UW_ERROR_LIMIT, -1, "send less at a time"},
    {UW_ERROR_NOT_SUPPORTED, UW_ISOCHRONOUS, "this server has no isochronous transfers"},
    {UW_ERROR_INVALID, UW_ISOCHRONOUS,
     "packets must fit the endpoint's packet size and the buffer"},
    {UW_ERROR_WEDGED, -1, "a new connection is being made: try again"},
    {UW_ERROR_SHORT, -1, "the device had less to say than was demanded"},
    {UW_ERROR_IO, -1, "check cable and hub at the server; try again"},
};

static const char *
advice(int error, unsigned type)
{
    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
        if (advices[i].error == error && (advices[i].type < 0 || (unsigned)advices[i].type == type))
            return advices[i].advice;
    return "";
}

static void
set_tried(const struct uw_urb *urb, struct uw_fault *f)
{
    const uint8_t *s = urb->x.setup;
    int in = urb->x.endpoint & 0x80;

    if (urb->x.type == UW_CONTROL)
        uw_fault_set(f, urb->x.status,
                     "control %s %02x %02x wValue %02x%02x wIndex %02x%02x, %zu bytes",
                     in ? "IN" : "OUT", s[0], s[1], s[3], s[2], s[5], s[4], urb->x.length);
    else
        uw_fault_set(f, urb->x.status, "%s %s 0x%02x, %zu bytes", type_names[urb->x.type & 3],
                     in ? "IN" : "OUT", urb->x.endpoint, urb->x.length);
}

static void
set_came(const struct uw_urb *urb, struct uw_fault *f)
{
    const struct uw_profile *profile = uw_import_profile_locked(urb->import);
    const char *why = uw_import_why_locked(urb->import);
    char status[128], moved[64] = "";

    if (urb->x.actual)
        snprintf(moved, sizeof(moved), "after %zu bytes: ", urb->x.actual);
    if (urb->x.status == UW_ERROR_HELD)
        uw_fault_came(f, 0, "%s has been there first", urb->held);
    else if (urb->x.raw_status)
        uw_fault_came(f, urb->x.raw_status, "%sstatus %s", moved,
                      uw_status_text(profile->dialect, urb->x.endpoint & 0x0fu, urb->x.raw_status,
                                     status, sizeof(status)));
    else if (*why)
        uw_fault_came(f, 0, "%s%s", moved, why);
    else if (*moved)
        uw_fault_came(f, 0, "after %zu bytes", urb->x.actual);
}

static void
report_locked(const struct uw_urb *urb, struct uw_fault *f)
{
    set_tried(urb, f);
    uw_fault_on(f, "%s", urb->device ? uw_device_name(urb->device) : uw_import_name(urb->import));
    set_came(urb, f);
    uw_fault_advice(f, "%s", advice(urb->x.status, urb->x.type));
}

void
uw_urb_fault(const struct uw_urb *urb, struct uw_fault *ret_fault)
{
    struct uw_loop *loop;

    if (!urb->import) {
        uw_fault_set(ret_fault, urb->x.status, "transfer");
        return;
    }
    loop = uw_server_loop(uw_import_server(urb->import));
    uw_loop_lock(loop);
    report_locked(urb, ret_fault);
    uw_loop_unlock(loop);
}
