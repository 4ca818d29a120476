/*
 * device.c - imports, shared by all who open them
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/log.h"
#include "client/loop.h"
#include "usb/again.h"
#include "usb/device.h"
#include "usb/held.h"
#include "usb/shared.h"

#define DESCRIPTOR_TIMEOUT_MS 5000u
#define SERIAL_TIMEOUT_MS     2000u
#define FIRST_CONFIG_READ     255u /* what most hosts ask first, so every device can answer it */
#define CONFIG_HEADER         9u
#define LOOK_US               2000000u

static int
read_device_descriptor(struct uw_device *d, struct uw_usec until, struct uw_fault *fault)
{
    size_t actual = 0;
    int r = uw_import_descriptor(d->import, UW_DT_DEVICE, 0, 0, d->descriptor_bytes,
                                 sizeof(d->descriptor_bytes),
                                 uw_device_time_left(until, DESCRIPTOR_TIMEOUT_MS), &actual, fault);

    if (r < 0)
        return r;
    r = uw_device_descriptor_parse(d->descriptor_bytes, actual, &d->descriptor);
    if (r < 0) {
        uw_fault_set(fault, r, "read the device descriptor");
        uw_fault_on(fault, "%s", uw_import_name(d->import));
        uw_fault_came(fault, 0, "%zu bytes that are no device descriptor", actual);
        uw_fault_advice(fault, "unplug the device at its server and plug it in again");
    }
    return r;
}

/* One configuration descriptor into `c`, which is left alone on failure. */
static int
read_config(struct uw_device *d, uint8_t index, struct uw_usec until, struct uw_raw_config *c)
{
    uint8_t first[FIRST_CONFIG_READ], *bytes;
    struct uw_config *parsed = NULL;
    size_t actual = 0, total;
    int r = uw_import_descriptor(d->import, UW_DT_CONFIG, index, 0, first, sizeof(first),
                                 uw_device_time_left(until, DESCRIPTOR_TIMEOUT_MS), &actual, NULL);

    if (r < 0)
        return r;
    if (actual < CONFIG_HEADER || first[1] != UW_DT_CONFIG)
        return UW_ERROR_PROTOCOL;
    total = (size_t)first[2] | (size_t)first[3] << 8;
    if (total < CONFIG_HEADER)
        return UW_ERROR_PROTOCOL;
    bytes = malloc(total);
    if (!bytes)
        return UW_ERROR_NO_MEMORY;
    memcpy(bytes, first, actual < total ? actual : total);
    if (actual < total)
        r = uw_import_descriptor(d->import, UW_DT_CONFIG, index, 0, bytes, (uint16_t)total,
                                 uw_device_time_left(until, DESCRIPTOR_TIMEOUT_MS), &actual, NULL);
    if (r == 0)
        r = uw_config_parse(bytes, actual < total ? actual : total, &parsed);
    if (r < 0 && (r != UW_ERROR_PROTOCOL || actual < CONFIG_HEADER)) {
        free(bytes);
        return r;
    }
    *c = (struct uw_raw_config){index, bytes, actual < total ? actual : total, parsed};
    return 0;
}

/* A device that has trouble with one configuration is still good for the others. */
static int
read_configs(struct uw_device *d, struct uw_usec until)
{
    unsigned n = d->descriptor.bNumConfigurations;

    for (unsigned i = 0; i < n && i < UW_CONFIGS_MAX; i++) {
        int r = read_config(d, (uint8_t)i, until, &d->configs[d->num_configs]);

        if (r == UW_ERROR_NO_MEMORY)
            return r;
        if (r == 0) {
            d->num_configs++;
            continue;
        }
        uw_loop_lock(d->loop);
        uw_log(&d->loop->log, UW_LOG_WARNING, "%s: configuration descriptor %u: %s", d->name, i,
               uw_error_text(r));
        uw_loop_unlock(d->loop);
    }
    return 0;
}

/* The descriptor is the truth: some servers leave the record of an import empty. */
static void
correct_info(struct uw_device *d)
{
    const struct uw_device_descriptor *t = &d->descriptor;
    char server[300];

    d->info.vid = t->idVendor;
    d->info.pid = t->idProduct;
    d->info.bcd_device = t->bcdDevice;
    d->info.device_class = t->bDeviceClass;
    d->info.device_subclass = t->bDeviceSubClass;
    d->info.device_protocol = t->bDeviceProtocol;
    d->info.num_configurations = t->bNumConfigurations;
    uw_held_origin(uw_server_name(uw_import_server(d->import)), server, sizeof(server));
    snprintf(d->name, sizeof(d->name), "%s %s (%04x:%04x)", server, d->info.busid, d->info.vid,
             d->info.pid);
}

/* Interface classes for uw_device_info: an import reply has none, so they are taken from the active
 * configuration, or the first. */
static int
fill_interfaces(struct uw_device *d)
{
    const struct uw_config *c = d->active        ? d->active
                                : d->num_configs ? d->configs[0].parsed
                                                 : NULL;

    if (!c)
        return 0;
    d->interfaces = calloc(c->bNumInterfaces + 1u, sizeof(*d->interfaces));
    if (!d->interfaces)
        return UW_ERROR_NO_MEMORY;
    for (unsigned i = 0; i < c->bNumInterfaces; i++) {
        const struct uw_altsetting *a = c->interfaces[i].altsettings;

        d->interfaces[i] = (struct uw_interface_class){a->bInterfaceClass, a->bInterfaceSubClass,
                                                       a->bInterfaceProtocol};
    }
    d->info.interfaces = d->interfaces;
    d->info.num_interfaces = c->bNumInterfaces;
    return 0;
}

static void
destroy(struct uw_device *d)
{
    for (unsigned i = 0; i < d->num_configs; i++) {
        uw_config_free(d->configs[i].parsed);
        free(d->configs[i].bytes);
    }
    uw_shared_free(d);
    uw_device_free_strangers(d);
    uw_server_free(d->origin);
    free(d->interfaces);
    free(d);
}

static void
end_import_locked(struct uw_device *d)
{
    uw_shared_leave_locked(d);
    uw_import_free_locked(d->import);
}

/* Why a device that was set up is none after all. */
static int
check_set_up(struct uw_device *d, int r, struct uw_usec until, struct uw_fault *fault)
{
    char why[128];
    int status;

    uw_loop_lock(d->loop);
    status = uw_import_status_locked(d->import);
    snprintf(why, sizeof(why), "%s", uw_import_why_locked(d->import));
    uw_loop_unlock(d->loop);
    if (r == 0 && status < 0)
        r = status;
    else if (r == 0 && uw_usec_sub(until, uw_now()).us == 0)
        r = UW_ERROR_TIMEOUT;
    if (r == 0)
        return 0;
    uw_fault_set(fault, r, "read the device's descriptors and configure it");
    uw_fault_on(fault, "%s", d->name);
    uw_fault_came(fault, 0, "%s", why);
    uw_fault_advice(fault, "%s", r == UW_ERROR_TIMEOUT ? "allow more time" : "");
    return r;
}

static int
set_up(struct uw_device *d, struct uw_usec until, struct uw_fault *fault)
{
    int r;

    snprintf(d->name, sizeof(d->name), "%s", uw_import_name(d->import));
    d->info = *uw_import_info(d->import);
    uw_import_on_replaced(d->import, uw_device_reapply_locked, d);
    r = read_device_descriptor(d, until, fault);
    if (r < 0)
        return r;
    correct_info(d);
    r = read_configs(d, until);
    if (r == 0) {
        uw_device_configure(d, until);
        r = uw_shared_join(d, until);
    }
    if (r == 0)
        r = fill_interfaces(d);
    if (r == 0 && d->descriptor.iSerialNumber)
        uw_device_try_string(d, d->descriptor.iSerialNumber, d->serial, sizeof(d->serial),
                             uw_device_time_left(until, SERIAL_TIMEOUT_MS));
    return check_set_up(d, r, until, fault);
}

/* 1: somebody else was quicker. */
static int
import_new(struct uw_server *server, const char *busid, struct uw_usec until,
           struct uw_device **ret_device, struct uw_fault *fault)
{
    struct uw_device *d = calloc(1, sizeof(*d));
    int r;

    if (!d)
        return uw_fault_set(fault, UW_ERROR_NO_MEMORY, "import %s", busid);
    d->refs = 1;
    uw_list_init(&d->settings);
    d->loop = uw_server_loop(server);
    r = uw_import_new(server, busid, uw_usec_sub(until, uw_now()), &d->import, fault);
    if (r != 0) {
        destroy(d);
        return r;
    }
    r = set_up(d, until, fault);
    uw_loop_lock(d->loop);
    if (r < 0)
        end_import_locked(d);
    else
        uw_import_set_data(d->import, d);
    uw_loop_wake_waiters(d->loop);
    uw_loop_unlock(d->loop);
    if (r < 0) {
        destroy(d);
        return r;
    }
    *ret_device = d;
    return 0;
}

struct sharing {
    struct uw_server *server;
    const char *busid;
};

/* Nobody of this loop is just importing that device. */
static int
is_settled(void *arg)
{
    struct sharing *s = (struct sharing *)arg;
    struct uw_import *im = uw_server_find_import_locked(s->server, s->busid);

    return !im || uw_import_data(im);
}

/* A reference to the device if it is imported already. 1: nobody has it. */
static int
share(struct uw_server *server, const char *busid, struct uw_usec until,
      struct uw_device **ret_device)
{
    struct sharing s = {server, busid};
    struct uw_loop *loop = uw_server_loop(server);
    struct uw_import *im;
    int r = 1;

    uw_loop_lock(loop);
    if (!is_settled(&s) && uw_loop_until(loop, is_settled, &s, until, 0, NULL) != 1)
        r = UW_ERROR_TIMEOUT;
    im = uw_server_find_import_locked(server, busid);
    if (r == 1 && im) {
        *ret_device = (struct uw_device *)uw_import_data(im);
        (*ret_device)->refs++;
        r = 0;
    }
    uw_loop_unlock(loop);
    return r;
}

/* One attempt, shared with whoever of this loop imports the device at the same time. */
static int
import_once(struct uw_server *server, const char *busid, struct uw_usec until,
            struct uw_device **ret_device, struct uw_fault *fault)
{
    int r;

    do {
        r = share(server, busid, until, ret_device);
        if (r < 0) {
            uw_fault_set(fault, r, "import %s", busid);
            uw_fault_on(fault, "%s", uw_server_name(server));
            uw_fault_came(fault, 0, "another thread is still importing it");
        } else if (r == 1) {
            r = import_new(server, busid, until, ret_device, fault);
        }
    } while (r == 1);
    return r;
}

static void
note_origin(struct uw_device *d, struct uw_server *server)
{
    uw_loop_lock(d->loop);
    if (!d->origin)
        d->origin = uw_server_ref(server);
    uw_loop_unlock(d->loop);
}

/* The same, from the broker that holds it. 1: none does, or it has just let go. */
static int
import_held(struct uw_server *server, const char *busid, struct uw_usec until,
            struct uw_device **ret_device, struct uw_fault *fault)
{
    struct uw_server *broker;
    int r = share(server, busid, until, ret_device);

    if (r != 1)
        return r == 0 ? 0 : 1;
    broker = uw_held_broker(server, busid, uw_usec_sub(until, uw_now()));
    if (!broker)
        return 1;
    r = import_once(broker, busid, until, ret_device, fault);
    uw_server_free(broker);
    if (r == 0)
        note_origin(*ret_device, server);
    return r == UW_ERROR_NO_DEVICE || r == UW_ERROR_CONNECT || r == UW_ERROR_CONNECTION_LOST ? 1
                                                                                             : r;
}

static int
import_within_grace(struct uw_server *server, const char *busid, struct uw_usec timeout, int held,
                    struct uw_device **ret_device, struct uw_fault *fault)
{
    struct uw_usec until = uw_usec_add(uw_now(), timeout);
    struct uw_usec grace = uw_usec_min(until, uw_usec_add(uw_now(), uw_usec(UW_BUSY_GRACE_US)));
    struct uw_fault f = {0};
    int r;

    do {
        r = held ? import_held(server, busid, until, ret_device, &f) : 1;
        if (r == 1)
            r = import_once(server, busid, until, ret_device, &f);
    } while (r == UW_ERROR_BUSY && uw_now().us < grace.us &&
             uw_loop_sleep(uw_server_loop(server), uw_usec(UW_BUSY_PAUSE_US)) == 0);
    if (r < 0 && fault)
        *fault = f;
    return r;
}

int
uw_device_import(struct uw_server *server, const char *busid, struct uw_usec timeout,
                 struct uw_device **ret_device, struct uw_fault *fault)
{
    return import_within_grace(server, busid, timeout, 1, ret_device, fault);
}

int
uw_device_import_own(struct uw_server *server, const char *busid, struct uw_usec timeout,
                     struct uw_device **ret_device, struct uw_fault *fault)
{
    return import_within_grace(server, busid, timeout, 0, ret_device, fault);
}

struct uw_device *
uw_device_ref(struct uw_device *d)
{
    uw_loop_lock(d->loop);
    d->refs++;
    uw_loop_unlock(d->loop);
    return d;
}

void
uw_device_free(struct uw_device *d)
{
    struct uw_loop *loop;
    int last;

    if (!d)
        return;
    loop = d->loop;
    uw_loop_lock(loop);
    last = --d->refs == 0;
    if (last)
        end_import_locked(d);
    uw_loop_unlock(loop);
    if (last)
        destroy(d);
}

const struct uw_device_info *
uw_device_info(const struct uw_device *d)
{
    return &d->info;
}

struct uw_server *
uw_device_server(const struct uw_device *d)
{
    return uw_import_server(d->import);
}

const char *
uw_device_name(const struct uw_device *d)
{
    return d->name;
}

unsigned
uw_device_bus(const struct uw_device *d)
{
    return uw_import_bus(d->import);
}

int
uw_device_status(const struct uw_device *d)
{
    int r;

    uw_loop_lock(d->loop);
    r = uw_import_status_locked(d->import);
    uw_loop_unlock(d->loop);
    return r;
}

static int
wants_look(struct uw_device *d)
{
    struct uw_usec now = uw_now();
    int r;

    uw_loop_lock(d->loop);
    r = uw_import_status_locked(d->import) == UW_OK &&
        (uw_import_profile_locked(d->import)->flags & UW_PROF_STAYS_OPEN) &&
        uw_usec_sub(now, d->looked_at).us >= LOOK_US;
    if (r)
        d->looked_at = now;
    uw_loop_unlock(d->loop);
    return r;
}

int
uw_device_look(struct uw_device *d, struct uw_usec timeout)
{
    struct uw_device_list *list;
    const struct uw_device_info *info;

    if (!wants_look(d) || uw_server_list(uw_device_server(d), timeout, &list, NULL) < 0)
        return uw_device_status(d);
    info = uw_device_list_find(list, d->info.busid);
    if (!info || info->devnum != d->info.devnum) {
        uw_loop_lock(d->loop);
        uw_import_end_locked(d->import, UW_ERROR_NO_DEVICE, "the server does not list it any more");
        uw_loop_unlock(d->loop);
    }
    uw_device_list_free(list);
    return uw_device_status(d);
}

const struct uw_device_descriptor *
uw_device_descriptor(const struct uw_device *d)
{
    return &d->descriptor;
}

const char *
uw_device_serial(const struct uw_device *d)
{
    return d->serial;
}

const uint8_t *
uw_device_config_bytes(const struct uw_device *d, unsigned index, size_t *ret_size)
{
    if (index >= d->num_configs)
        return NULL;
    *ret_size = d->configs[index].size;
    return d->configs[index].bytes;
}

const struct uw_config *
uw_device_config(const struct uw_device *d, unsigned index)
{
    return index < d->num_configs ? d->configs[index].parsed : NULL;
}
