/*
 * remote.c - one device of a server: its descriptors, and the import that all its users share
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libusb/log.h"
#include "libusb/lost.h"
#include "libusb/world.h"

/* Buses of local devices are numbered from 1; programs that look into /sys under a remote device's
 * numbers must find nothing there. */
#define FIRST_BUS         100u
#define BUSES_OF_A_SERVER 32u

/* How long a server may need to see that we gave a device back. */
#define RETURNED_MS 3000u

static unsigned long numbers;

/* Linux's "BUS-PORT.PORT...": what is behind the dash is the path of ports. */
static void
read_ports(struct remote *r)
{
    const char *s = strchr(r->info.busid, '-');

    while (s && r->num_ports < PORTS_MAX) {
        char *end;
        unsigned long port = strtoul(s + 1, &end, 10);

        if (end == s + 1 || port == 0 || port > UINT8_MAX || (*end && *end != '.'))
            break;
        r->ports[r->num_ports++] = (uint8_t)port;
        s = *end ? end : NULL;
    }
    if (!r->num_ports) /* only root hubs have no port */
        r->ports[r->num_ports++] = r->address;
}

struct remote *
remote_new(struct uw_server *server, const struct uw_device_info *info)
{
    struct remote *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    uw_list_init(&r->link);
    pthread_mutex_init(&r->importing, NULL);
    r->refs = 1;
    r->server = server;
    r->info = *info;
    r->info.interfaces = NULL;
    r->info.num_interfaces = 0;
    r->configuration = -1;
    r->bus = (uint8_t)(FIRST_BUS + info->busnum % BUSES_OF_A_SERVER);
    r->address = (uint8_t)(info->devnum & 0x7f ? info->devnum & 0x7f : 1);
    read_ports(r);
    world_lock();
    r->number = ++numbers;
    world_unlock();
    return r;
}

void
remote_next_bus(struct remote *r)
{
    unsigned bus = r->bus + BUSES_OF_A_SERVER;

    r->bus = (uint8_t)(bus <= UINT8_MAX ? bus : FIRST_BUS + bus % BUSES_OF_A_SERVER);
}

struct remote *
remote_ref_locked(struct remote *r)
{
    r->refs++;
    return r;
}

void
remote_unref(struct remote *r)
{
    unsigned left;

    world_lock();
    left = --r->refs;
    world_unlock();
    if (left)
        return;
    uw_device_free(r->device);
    for (unsigned i = 0; i < r->num_configs; i++)
        free(r->configs[i].bytes);
    for (unsigned i = 0; i < REMOTE_STRINGS; i++)
        free(r->strings[i]);
    pthread_mutex_destroy(&r->importing);
    free(r);
}

int
remote_is_held_locked(const struct remote *r)
{
    return r->device && uw_device_status(r->device) == UW_OK;
}

void
remote_lose_locked(struct remote *r)
{
    if (!r->gone && r->known && r->chosen)
        lost_add_locked(r);
    r->gone = 1;
    r->listed = 0;
}

int
remote_is_kind(const struct remote *r, const struct uw_device_info *info)
{
    return r->info.vid == info->vid && r->info.pid == info->pid &&
           r->info.bcd_device == info->bcd_device;
}

int
remote_matches(const struct remote *r, const struct uw_device_info *info)
{
    return strcmp(r->info.busid, info->busid) == 0 && remote_is_kind(r, info) &&
           r->info.devnum == info->devnum;
}

static int
keep_descriptors(struct remote *r, struct uw_device *device)
{
    const uint8_t *bytes;
    size_t size;

    r->descriptor = *uw_device_descriptor(device);
    snprintf(r->serial, sizeof(r->serial), "%s", uw_device_serial(device));
    while (r->num_configs < CONFIGS_MAX &&
           (bytes = uw_device_config_bytes(device, r->num_configs, &size))) {
        uint8_t *copy = malloc(size);

        if (!copy)
            return UW_ERROR_NO_MEMORY;
        memcpy(copy, bytes, size);
        r->configs[r->num_configs++] = (struct remote_config){copy, size};
    }
    r->known = 1;
    return 0;
}

/* A device that we gave back just now may still be seen as ours for a moment. */
static int
import(struct remote *r, struct uw_device **ret_device, struct uw_fault *fault)
{
    struct uw_usec since, wait = uw_usec(0);
    struct uw_choice choice;

    world_lock();
    since = uw_usec_sub(uw_now(), r->released);
    if (r->released.us && since.us < uw_msec(RETURNED_MS).us)
        wait = uw_usec_sub(uw_msec(RETURNED_MS), since);
    world_unlock();
    uw_choice_init(&choice);
    choice.busid = r->info.busid;
    return uw_find(r->server, &choice, wait, uw_msec(IMPORT_MS), ret_device, NULL, fault);
}

/* A device in another mode may differ in nothing but its configurations. */
static int
is_unchanged(const struct remote *r, struct uw_device *device)
{
    const uint8_t *bytes;
    size_t size;

    if (memcmp(&r->descriptor, uw_device_descriptor(device), sizeof(r->descriptor)) != 0)
        return 0;
    for (unsigned i = 0; i < r->num_configs; i++) {
        bytes = uw_device_config_bytes(device, i, &size);
        if (!bytes || size != r->configs[i].size || memcmp(bytes, r->configs[i].bytes, size) != 0)
            return 0;
    }
    return 1;
}

/* Is what was imported under this name what was listed under it? */
static int
check(struct remote *r, struct uw_device *device, struct uw_fault *fault)
{
    if (!r->known)
        return keep_descriptors(r, device);
    if (is_unchanged(r, device))
        return 0;
    world_lock();
    remote_lose_locked(r);
    world_unlock();
    world_forget_list();
    memset(fault, 0, sizeof(*fault));
    fault->code = UW_ERROR_NO_DEVICE;
    return UW_ERROR_NO_DEVICE;
}

static int
open_import(struct remote *r, struct uw_device **ret_device, struct uw_fault *fault)
{
    struct uw_device *device = NULL, *dead = NULL;
    int e;

    world_lock();
    if (remote_is_held_locked(r)) {
        device = r->device;
        r->opens++;
    } else if (r->opens == 0) {
        dead = r->device;
        r->device = NULL;
    }
    e = !device && (r->gone || r->opens) ? UW_ERROR_NO_DEVICE : 0;
    world_unlock();
    uw_device_free(dead);
    if (e < 0) {
        memset(fault, 0, sizeof(*fault));
        fault->code = e;
        return e;
    }
    if (!device) {
        e = import(r, &device, fault);
        if (e == 0) {
            e = check(r, device, fault);
            if (e < 0)
                uw_device_free(device);
        }
        if (e < 0)
            return e;
        world_lock();
        r->device = device;
        r->opens = 1;
        r->inherited = 0;
        r->configuration = uw_device_configuration(device);
        world_unlock();
    }
    *ret_device = device;
    return 0;
}

int
remote_open(struct remote *r, struct uw_device **ret_device, struct uw_fault *fault)
{
    int e;

    pthread_mutex_lock(&r->importing);
    e = open_import(r, ret_device, fault);
    pthread_mutex_unlock(&r->importing);
    return e;
}

void
remote_close(struct remote *r)
{
    world_lock();
    if (--r->opens == 0)
        r->lingers_until = uw_usec_add(uw_now(), uw_msec(LINGER_MS));
    world_unlock();
}

struct uw_device *
remote_disown(struct remote *r)
{
    struct uw_device *device = NULL;

    world_lock();
    if (r->inherited && r->opens == 1) {
        device = r->device;
        r->device = NULL;
        r->released = uw_now();
    }
    world_unlock();
    return device;
}
