/*
 * state.c - configuration, alternate settings, claims: what is in force
 */
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "client/loop.h"
#include "usb/device.h"
#include "usb/shared.h"

#define CONFIGURE_TIMEOUT_MS 5000u

static const struct uw_config *
config_by_value(const struct uw_device *d, int value)
{
    for (unsigned i = 0; i < d->num_configs; i++)
        if (d->configs[i].parsed && d->configs[i].parsed->bConfigurationValue == value)
            return d->configs[i].parsed;
    return NULL;
}

static const struct uw_interface *
find_interface(const struct uw_config *c, unsigned number)
{
    for (unsigned i = 0; c && i < c->bNumInterfaces; i++)
        if (c->interfaces[i].altsettings->bInterfaceNumber == number)
            return &c->interfaces[i];
    return NULL;
}

const struct uw_altsetting *
uw_device_find_altsetting_locked(const struct uw_device *d, unsigned interface_number,
                                 unsigned altsetting)
{
    const struct uw_interface *f = find_interface(d->active, interface_number);

    for (unsigned i = 0; f && i < f->num_altsettings; i++)
        if (f->altsettings[i].bAlternateSetting == altsetting)
            return &f->altsettings[i];
    return NULL;
}

const struct uw_altsetting *
uw_device_altsetting_locked(const struct uw_device *d, unsigned interface_number)
{
    if (interface_number >= UW_INTERFACES_MAX)
        return NULL;
    return uw_device_find_altsetting_locked(d, interface_number, d->altsettings[interface_number]);
}

/* Which endpoints exist follows from configuration and alternate settings. */
static void
list_endpoints(struct uw_device *d)
{
    memset(d->endpoints, 0, sizeof(d->endpoints));
    for (unsigned i = 0; d->active && i < d->active->bNumInterfaces; i++) {
        unsigned number = d->active->interfaces[i].altsettings->bInterfaceNumber;
        const struct uw_altsetting *a = uw_device_altsetting_locked(d, number);

        for (unsigned j = 0; a && j < a->bNumEndpoints; j++)
            d->endpoints[uw_endpoint_slot(a->endpoints[j].bEndpointAddress)] = &a->endpoints[j];
    }
    d->endpoints[0] = d->endpoints[16] = NULL;
}

const struct uw_endpoint *
uw_device_endpoint_locked(const struct uw_device *d, uint8_t address)
{
    return address & 0x70 ? NULL : d->endpoints[uw_endpoint_slot(address)];
}

void
uw_device_now_configured_locked(struct uw_device *d, int value)
{
    d->value = value;
    d->active = value ? config_by_value(d, value) : NULL;
    memset(d->altsettings, 0, sizeof(d->altsettings));
    list_endpoints(d);
}

void
uw_device_now_altsetting_locked(struct uw_device *d, unsigned interface_number, unsigned altsetting)
{
    if (!uw_device_find_altsetting_locked(d, interface_number, altsetting))
        return;
    d->altsettings[interface_number] = (uint8_t)altsetting;
    list_endpoints(d);
}

uint32_t
uw_device_interface_endpoints_locked(const struct uw_device *d, unsigned interface_number)
{
    const struct uw_altsetting *a = uw_device_altsetting_locked(d, interface_number);
    uint32_t endpoints = 0;

    for (unsigned i = 0; a && i < a->bNumEndpoints; i++)
        endpoints |= uw_endpoint_bit(a->endpoints[i].bEndpointAddress);
    return endpoints;
}

void
uw_device_flush_interface_locked(struct uw_device *d, unsigned interface_number)
{
    uw_import_flush_locked(d->import, uw_device_interface_endpoints_locked(d, interface_number));
}

void
uw_device_tell_set_locked(struct uw_device *d, const struct uw_urb *urb, uint32_t endpoints)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &d->settings)
    {
        struct uw_setting *setting = UW_CONTAINER(pos, struct uw_setting, link);

        setting->was_set(setting, urb, endpoints);
    }
}

/* ---- configuring a device that was just imported ---- */

static int
is_rndis(const struct uw_altsetting *a)
{
    return (a->bInterfaceClass == 0x02 && a->bInterfaceSubClass == 0x02 &&
            a->bInterfaceProtocol == 0xff) ||
           (a->bInterfaceClass == 0xef && a->bInterfaceSubClass == 0x01 &&
            a->bInterfaceProtocol == 0x01);
}

/* The choice of Linux (drivers/usb/core/generic.c): the first configuration whose first interface
 * is of a standard class, unless it is the first of several and RNDIS; else the first. */
static const struct uw_config *
choose(const struct uw_device *d)
{
    const struct uw_config *best = NULL;

    for (unsigned i = 0; i < d->num_configs; i++) {
        const struct uw_config *c = d->configs[i].parsed;
        const struct uw_altsetting *a;

        if (!c)
            continue;
        if (!best)
            best = c;
        if (!c->bNumInterfaces)
            continue;
        a = c->interfaces[0].altsettings;
        if (i == 0 && d->num_configs > 1 && is_rndis(a))
            continue;
        if (d->descriptor.bDeviceClass != 0xff && a->bInterfaceClass != 0xff)
            return c;
    }
    return best;
}

void
uw_device_configure(struct uw_device *d, struct uw_usec until)
{
    const struct uw_config *c = choose(d);
    const struct uw_profile *profile;
    uint8_t value = 0;
    size_t actual = 0;
    int r = uw_import_control(d->import, 0x80, UW_GET_CONFIGURATION, 0, 0, &value, 1,
                              uw_device_time_left(until, CONFIGURE_TIMEOUT_MS), &actual, NULL);

    uw_loop_lock(d->loop);
    profile = uw_import_profile_locked(d->import);
    uw_loop_unlock(d->loop);
    if ((r < 0 && r != UW_ERROR_OVERFLOW) || actual != 1)
        value = 0;
    if (c && (value == 0 || (profile->flags & UW_PROF_SET_CONFIG))) {
        value = value ? value : c->bConfigurationValue;
        r = uw_import_control(d->import, 0x00, UW_SET_CONFIGURATION, value, 0, NULL, 0,
                              uw_device_time_left(until, CONFIGURE_TIMEOUT_MS), NULL, NULL);
    } else {
        r = 0;
    }
    uw_loop_lock(d->loop);
    if (r < 0)
        uw_log(&d->loop->log, UW_LOG_WARNING, "%s: SET_CONFIGURATION %u: %s; going on", d->name,
               value, uw_error_text(r));
    uw_device_now_configured_locked(d, value);
    uw_loop_unlock(d->loop);
}

/* ---- after the connection was replaced, the device is as freshly imported ---- */

static void
send_detached(struct uw_device *d, uint8_t type, uint8_t request, uint16_t value, uint16_t index)
{
    struct uw_urb *urb;
    int r = uw_urb_new(0, &urb);

    if (r == 0) {
        uw_urb_set_control(urb, d, type, request, value, index, NULL, 0);
        uw_urb_set_timeout(urb, uw_msec(CONFIGURE_TIMEOUT_MS));
        urb->detached = 1;
        r = uw_import_submit_locked(d->import, urb, NULL);
        if (r < 0)
            uw_urb_free(urb);
    }
    if (r < 0)
        uw_log(&d->loop->log, UW_LOG_WARNING, "%s: after the new connection: request %u: %s",
               d->name, request, uw_error_text(r));
}

void
uw_device_reapply_locked(void *arg)
{
    struct uw_device *d = (struct uw_device *)arg;

    if (d->value)
        send_detached(d, 0x00, UW_SET_CONFIGURATION, (uint16_t)d->value, 0);
    for (unsigned i = 0; i < UW_INTERFACES_MAX; i++)
        if (d->altsettings[i])
            send_detached(d, 0x01, UW_SET_INTERFACE, d->altsettings[i], (uint16_t)i);
    uw_device_tell_set_locked(d, NULL, UW_ALL_ENDPOINTS);
}

/* ---- the public face ---- */

const struct uw_config *
uw_device_active_config(const struct uw_device *d)
{
    const struct uw_config *c;

    uw_loop_lock(d->loop);
    c = d->active;
    uw_loop_unlock(d->loop);
    return c;
}

int
uw_device_configuration(const struct uw_device *d)
{
    int value;

    uw_loop_lock(d->loop);
    value = d->value;
    uw_loop_unlock(d->loop);
    return value;
}

int
uw_device_altsetting(const struct uw_device *d, unsigned interface_number)
{
    const struct uw_altsetting *a;
    int r;

    uw_loop_lock(d->loop);
    a = uw_device_altsetting_locked(d, interface_number);
    r = a ? a->bAlternateSetting : UW_ERROR_NOT_FOUND;
    uw_loop_unlock(d->loop);
    return r;
}

const struct uw_endpoint *
uw_device_endpoint(const struct uw_device *d, uint8_t address)
{
    const struct uw_endpoint *e;

    uw_loop_lock(d->loop);
    e = uw_device_endpoint_locked(d, address);
    uw_loop_unlock(d->loop);
    return e;
}

static int
claimed_any(const struct uw_device *d)
{
    for (unsigned i = 0; i < UW_INTERFACES_MAX; i++)
        if (d->owners[i])
            return 1;
    return 0;
}

static int
refuse(const struct uw_device *d, int code, const char *came, const char *advice,
       struct uw_fault *fault)
{
    uw_fault_on(fault, "%s", d->name);
    uw_fault_came(fault, 0, "%s", came);
    uw_fault_advice(fault, "%s", advice);
    return code;
}

int
uw_device_set_configuration(struct uw_device *d, int value, struct uw_usec timeout,
                            struct uw_fault *fault)
{
    int known, busy;

    uw_loop_lock(d->loop);
    known = value == 0 || config_by_value(d, value);
    busy = value != d->value && claimed_any(d);
    uw_loop_unlock(d->loop);
    if (!known || busy)
        uw_fault_set(fault, known ? UW_ERROR_BUSY : UW_ERROR_NOT_FOUND, "set configuration %d",
                     value);
    if (!known)
        return refuse(d, UW_ERROR_NOT_FOUND, "the device has no such configuration",
                      "'usbwire probe' shows its configurations", fault);
    if (busy)
        return refuse(d, UW_ERROR_BUSY, "an interface is claimed",
                      "release it first: a new configuration ends everything", fault);
    return uw_control(d, 0x00, UW_SET_CONFIGURATION, (uint16_t)value, 0, NULL, 0, timeout, NULL,
                      fault);
}

/* USB 2.0 9.4.10: an interface with one setting only may refuse SET_INTERFACE. What the request is
 * mostly sent for - endpoints that start afresh - can be had another way. */
static int
restart_endpoints(struct uw_device *d, const struct uw_altsetting *a, struct uw_usec timeout,
                  struct uw_fault *fault)
{
    int r = 0;

    for (unsigned i = 0; r == 0 && i < a->bNumEndpoints; i++)
        r = uw_device_clear_halt(d, a->endpoints[i].bEndpointAddress, timeout, fault);
    return r;
}

int
uw_device_set_altsetting(struct uw_device *d, unsigned interface_number, unsigned altsetting,
                         struct uw_usec timeout, struct uw_fault *fault)
{
    const struct uw_altsetting *a;
    const struct uw_interface *f;
    struct uw_fault stalled;
    int r;

    uw_loop_lock(d->loop);
    a = uw_device_find_altsetting_locked(d, interface_number, altsetting);
    f = find_interface(d->active, interface_number);
    uw_loop_unlock(d->loop);
    if (!a) {
        uw_fault_set(fault, UW_ERROR_NOT_FOUND, "set alternate setting %u of interface %u",
                     altsetting, interface_number);
        return refuse(d, UW_ERROR_NOT_FOUND, "the active configuration has no such setting",
                      "'usbwire probe' shows its alternate settings", fault);
    }
    r = uw_control(d, 0x01, UW_SET_INTERFACE, (uint16_t)altsetting, (uint16_t)interface_number,
                   NULL, 0, timeout, NULL, &stalled);
    if (r == UW_ERROR_STALL && f->num_altsettings == 1)
        return restart_endpoints(d, a, timeout, fault);
    if (r < 0 && fault)
        *fault = stalled;
    return r;
}

/* Within this process. 1: it was the owner's already. */
static int
claim_here(struct uw_device *d, unsigned interface_number, const void *owner)
{
    int r = UW_OK;

    uw_loop_lock(d->loop);
    if (uw_import_status_locked(d->import) < 0)
        r = uw_import_status_locked(d->import);
    else if (!find_interface(d->active, interface_number))
        r = UW_ERROR_NOT_FOUND;
    else if (d->owners[interface_number] && d->owners[interface_number] != owner)
        r = UW_ERROR_BUSY;
    else if (d->owners[interface_number])
        r = 1;
    if (r == UW_OK) {
        d->owners[interface_number] = owner;
        d->claimed_in[interface_number] = d->loop->forks;
    }
    uw_loop_unlock(d->loop);
    return r;
}

int
uw_device_claim(struct uw_device *d, unsigned interface_number, const void *owner)
{
    int r;

    if (interface_number >= UW_INTERFACES_MAX || !owner)
        return UW_ERROR_INVALID;
    r = claim_here(d, interface_number, owner);
    if (r != UW_OK)
        return r < 0 ? r : UW_OK;
    r = uw_shared_claim(d, interface_number);
    if (r < 0) {
        uw_loop_lock(d->loop);
        d->owners[interface_number] = NULL;
        uw_loop_unlock(d->loop);
    }
    return r;
}

int
uw_device_release(struct uw_device *d, unsigned interface_number, const void *owner)
{
    int r = UW_ERROR_NOT_FOUND, is_ours;

    if (interface_number >= UW_INTERFACES_MAX || !owner)
        return UW_ERROR_INVALID;
    uw_loop_lock(d->loop);
    /* A forked child has nothing to give back of its parent's. */
    is_ours = d->claimed_in[interface_number] == d->loop->forks;
    if (d->owners[interface_number] == owner) {
        d->owners[interface_number] = NULL;
        if (is_ours)
            uw_device_flush_interface_locked(d, interface_number);
        r = UW_OK;
    }
    uw_loop_unlock(d->loop);
    if (r == UW_OK && is_ours) /* the broker does it, too, when we are gone */
        (void)uw_shared_release(d, interface_number);
    return r;
}

int
uw_device_clear_halt(struct uw_device *d, uint8_t endpoint, struct uw_usec timeout,
                     struct uw_fault *fault)
{
    if ((endpoint & 0x7f) && !uw_device_endpoint(d, endpoint)) {
        uw_fault_set(fault, UW_ERROR_NOT_FOUND, "clear the halt of endpoint 0x%02x", endpoint);
        return refuse(d, UW_ERROR_NOT_FOUND, "the active alternate settings have no such endpoint",
                      "'usbwire probe' shows the endpoints", fault);
    }
    return uw_control(d, 0x02, UW_CLEAR_FEATURE, 0, endpoint, NULL, 0, timeout, NULL, fault);
}
