/*
 * reset.c - port reset, and putting back what was in force
 */
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "client/loop.h"
#include "usb/device.h"
#include "usb/shared.h"

#define RESTORE_TIMEOUT_MS 5000u

/* A configuration as it was? A device in another mode often differs in nothing else. 1: yes. */
static int
is_same_config(struct uw_device *d, unsigned index, struct uw_fault *fault)
{
    const struct uw_raw_config *c = &d->configs[index];
    uint8_t *bytes = malloc(c->size);
    size_t actual = 0;
    int r;

    if (!bytes)
        return uw_fault_set(fault, UW_ERROR_NO_MEMORY, "reset");
    r = uw_import_descriptor(d->import, UW_DT_CONFIG, c->index, 0, bytes, (uint16_t)c->size,
                             uw_msec(RESTORE_TIMEOUT_MS), &actual, fault);
    if (r == 0)
        r = actual == c->size && memcmp(bytes, c->bytes, actual) == 0;
    free(bytes);
    return r;
}

/* Is what answers now the device that was here before? 1: yes. */
static int
is_same(struct uw_device *d, struct uw_fault *fault)
{
    uint8_t bytes[UW_DEVICE_DESCRIPTOR_SIZE] = {0};
    size_t actual = 0;
    int r = uw_import_descriptor(d->import, UW_DT_DEVICE, 0, 0, bytes, sizeof(bytes),
                                 uw_msec(RESTORE_TIMEOUT_MS), &actual, fault);

    if (r == 0)
        r = memcmp(bytes, d->descriptor_bytes, sizeof(bytes)) == 0;
    for (unsigned i = 0; r == 1 && i < d->num_configs; i++)
        r = is_same_config(d, i, fault);
    return r;
}

static int
restore(struct uw_device *d, struct uw_fault *fault)
{
    uint8_t altsettings[UW_INTERFACES_MAX];
    int value, r = 0;

    uw_loop_lock(d->loop);
    value = d->value;
    memcpy(altsettings, d->altsettings, sizeof(altsettings));
    uw_loop_unlock(d->loop);
    if (value)
        r = uw_control(d, 0x00, UW_SET_CONFIGURATION, (uint16_t)value, 0, NULL, 0,
                       uw_msec(RESTORE_TIMEOUT_MS), NULL, fault);
    for (unsigned i = 0; r == 0 && i < UW_INTERFACES_MAX; i++)
        if (altsettings[i])
            r = uw_device_set_altsetting(d, i, altsettings[i], uw_msec(RESTORE_TIMEOUT_MS), fault);
    return r;
}

/* What is known of it is no longer true: nobody shall go on with that. */
static int
came_back_different(struct uw_device *d, struct uw_fault *fault)
{
    uw_shared_changed(d);
    uw_loop_lock(d->loop);
    uw_import_end_locked(d->import, UW_ERROR_NO_DEVICE, "it came back as another device");
    uw_loop_unlock(d->loop);
    uw_fault_set(fault, UW_ERROR_NOT_FOUND, "reset");
    uw_fault_on(fault, "%s", d->name);
    uw_fault_came(fault, 0, "what is there now is another device, or none");
    uw_fault_advice(fault, "list the devices again and import the new one");
    return UW_ERROR_NOT_FOUND;
}

int
uw_device_reset(struct uw_device *d, struct uw_usec timeout, struct uw_fault *fault)
{
    int r =
        uw_control(d, UW_HUB_PORT, UW_SET_FEATURE, UW_PORT_RESET, 0, NULL, 0, timeout, NULL, fault);

    if (r == UW_ERROR_STALL || r == UW_ERROR_INVALID) {
        uw_fault_set(fault, UW_ERROR_NOT_SUPPORTED, "reset");
        uw_fault_on(fault, "%s", d->name);
        uw_fault_came(fault, 0, "the server passed the request on to the device, which refused it");
        uw_fault_advice(fault, "unplug the device at its server and plug it in again");
        return UW_ERROR_NOT_SUPPORTED;
    }
    if (r == UW_ERROR_CONNECTION_LOST || r == UW_ERROR_NO_DEVICE)
        return came_back_different(d, fault);
    if (r < 0)
        return r;
    r = is_same(d, fault);
    if (r == UW_ERROR_CONNECTION_LOST || r == UW_ERROR_NO_DEVICE || r == 0)
        return came_back_different(d, fault);
    if (r < 0)
        return r;
    return restore(d, fault);
}
