/*
 * report.c - the whole story of a transfer that failed, for a person
 */
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "client/loop.h"
#include "usb/device.h"
#include "usb/shared.h"

static const char *const type_names[] = {"control", "isochronous", "bulk", "interrupt"};

#define C (1u << UW_CONTROL)
#define I (1u << UW_ISOCHRONOUS)
#define B (1u << UW_BULK)
#define N (1u << UW_INTERRUPT)

enum way { OUT = 1, IN = 2, BOTH = 3 };

/* What to do: by error, type of transfer and direction; the first row that fits. */
static const struct {
    int error;
    unsigned types;
    enum way way;
    const char *advice;
} advices[] = {
    {UW_ERROR_STALL, C, BOTH, "the device does not know this request, or not these values"},
    {UW_ERROR_STALL, B | N | I, BOTH,
     "clear the halt (usbwire clear-halt) and find out what the device minded"},
    {UW_ERROR_TIMEOUT, C, BOTH, "the device or its server is stuck: reset it, or allow more time"},
    {UW_ERROR_TIMEOUT, B | N, IN,
     "allow more time; while the import lasts, the next read gets what comes late"},
    {UW_ERROR_TIMEOUT, B | N, OUT,
     "the device takes no more: does it wait to be read? allow more time"},
    {UW_ERROR_TIMEOUT, I, BOTH, "see whether the device streams in this alternate setting"},
    {UW_ERROR_OVERFLOW, B | N, IN,
     "read whole packets: ask for a multiple of the endpoint's packet size"},
    {UW_ERROR_OVERFLOW, C, IN, "ask for more bytes: the device has more to say"},
    {UW_ERROR_NO_DEVICE, C | B | N | I, BOTH,
     "find it again: it was unplugged, or is starting anew"},
    {UW_ERROR_REENUMERATE, C | B | N | I, BOTH,
     "unplug it and plug it in again: this server cannot clear a halt"},
    {UW_ERROR_CONNECTION_LOST, C | B | N | I, BOTH,
     "see whether the server is up, and import the device again"},
    {UW_ERROR_NOT_FOUND, C | B | N | I, BOTH,
     "'usbwire probe' shows which endpoints there are in which alternate setting"},
    {UW_ERROR_HELD, C | B | N | I, BOTH,
     "wait until that is done; newer firmware of this server does several at once"},
    {UW_ERROR_LIMIT, I, BOTH, "use fewer packets in one transfer"},
    {UW_ERROR_LIMIT, C | B | N, BOTH, "send less at a time"},
    {UW_ERROR_NOT_SUPPORTED, I, BOTH, "this server has no isochronous transfers"},
    {UW_ERROR_INVALID, I, BOTH, "packets must fit the endpoint's packet size and the buffer"},
    {UW_ERROR_PROTOCOL, C | B | N | I, BOTH, "import the device again, and see the server's log"},
    {UW_ERROR_WEDGED, C | B | N | I, BOTH, "a new connection is being made: try again"},
    {UW_ERROR_SHORT, C | B | N, IN, "the device had less to say than was demanded"},
    {UW_ERROR_IO, C | B | N | I, BOTH, "check cable and hub at the server; try again"},
};

#undef C
#undef I
#undef B
#undef N

static const char *
advice(const struct uw_urb *urb)
{
    unsigned type = 1u << (urb->x.type & 3u);
    enum way way = urb->x.endpoint & 0x80 ? IN : OUT;

    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
        if (advices[i].error == urb->x.status && (advices[i].types & type) &&
            (advices[i].way & way))
            return advices[i].advice;
    return "";
}

/* A server with one place for all: what holds it may be a transfer of anybody. */
static int
is_shared_queue(const struct uw_urb *urb)
{
    const struct uw_profile *profile = uw_import_profile_locked(urb->import);

    return urb->x.status == UW_ERROR_TIMEOUT && profile->in_flight == 1 &&
           profile->scope == UW_SCOPE_SERVER;
}

static void
set_tried(const struct uw_urb *urb, struct uw_fault *f)
{
    const uint8_t *s = urb->x.setup;
    const char *plural = urb->x.length == 1 ? "" : "s";
    int in = urb->x.endpoint & 0x80;

    if (urb->x.type == UW_CONTROL)
        uw_fault_set(f, urb->x.status,
                     "control %s %02x %02x wValue %02x%02x wIndex %02x%02x, %zu byte%s",
                     in ? "IN" : "OUT", s[0], s[1], s[3], s[2], s[5], s[4], urb->x.length, plural);
    else
        uw_fault_set(f, urb->x.status, "%s %s 0x%02x, %zu byte%s", type_names[urb->x.type & 3],
                     in ? "IN" : "OUT", urb->x.endpoint, urb->x.length, plural);
}

/* Why an endpoint is not there. */
static const char *
why_not_found(const struct uw_device *d)
{
    if (!d || uw_import_status_locked(d->import) < 0)
        return "";
    if (!d->value)
        return "the device is not configured";
    return d->active ? "the alternate settings in force have no such endpoint"
                     : "the descriptor of the active configuration could not be read";
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
    else if (urb->x.status == UW_ERROR_NOT_FOUND)
        uw_fault_came(f, 0, "%s", why_not_found(urb->device));
    else if (*why)
        uw_fault_came(f, 0, "%s%s", moved, why);
    else if (*moved)
        uw_fault_came(f, 0, "after %zu bytes", urb->x.actual);
}

void
uw_urb_fault_locked(const struct uw_urb *urb, struct uw_fault *f)
{
    set_tried(urb, f);
    uw_fault_on(f, "%s", urb->device ? uw_device_name(urb->device) : uw_import_name(urb->import));
    set_came(urb, f);
    if (urb->x.status == UW_ERROR_NOT_FOUND && urb->device && !urb->device->value)
        uw_fault_advice(f, "configure it first (usbwire set-config)");
    else if (is_shared_queue(urb) && urb->x.type == UW_CONTROL)
        uw_fault_advice(f, "this server does one transfer at a time for all its devices, and an "
                           "unanswered read may hold it: make that device send, or restart the "
                           "server");
    else if (urb->x.status == UW_ERROR_CONNECTION_LOST && urb->device && urb->device->shared)
        uw_fault_advice(f, "import the device again: its server has it back");
    else
        uw_fault_advice(f, "%s", advice(urb));
}

void
uw_urb_fault(const struct uw_urb *urb, struct uw_fault *ret_fault)
{
    struct uw_urb told = *urb;
    struct uw_loop *loop;

    if (!urb->import) {
        uw_fault_set(ret_fault, urb->x.status, "transfer");
        return;
    }
    /* What is in the way of others' transfers, the broker knows. */
    if (told.x.status == UW_ERROR_TIMEOUT && told.device)
        uw_shared_holder(told.device, told.x.endpoint, told.held, sizeof(told.held));
    if (told.x.status == UW_ERROR_TIMEOUT && told.held[0])
        told.x.status = UW_ERROR_HELD;
    loop = uw_server_loop(uw_import_server(urb->import));
    uw_loop_lock(loop);
    uw_urb_fault_locked(&told, ret_fault);
    uw_loop_unlock(loop);
}
