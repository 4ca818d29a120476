/*
 * device.c - the device list, and what is known of a device without opening it
 */
#include <stdlib.h>
#include <string.h>

#include "libusb/context.h"
#include "libusb/device.h"
#include "libusb/log.h"

#define CONFIG_VALUE_AT 5u /* offset of bConfigurationValue */

struct libusb_device *
device_of_locked(struct libusb_context *ctx, struct remote *remote)
{
    struct uw_list *pos, *tmp;
    struct libusb_device *dev;

    uw_list_each(pos, tmp, &ctx->devices)
    {
        dev = UW_CONTAINER(pos, struct libusb_device, link);
        if (dev->remote == remote) {
            dev->refs++;
            return dev;
        }
    }
    dev = calloc(1, sizeof(*dev));
    if (!dev)
        return NULL;
    dev->refs = 1;
    dev->ctx = ctx;
    dev->remote = remote_ref_locked(remote);
    uw_list_insert(&ctx->devices, &dev->link);
    return dev;
}

unsigned
device_orphan_all_locked(struct libusb_context *ctx)
{
    struct uw_list *pos;
    unsigned n = 0;

    for (; (pos = uw_list_pop(&ctx->devices)); n++)
        UW_CONTAINER(pos, struct libusb_device, link)->ctx = NULL;
    return n;
}

libusb_device *LIBUSB_CALL
libusb_ref_device(libusb_device *dev)
{
    world_lock();
    dev->refs++;
    world_unlock();
    return dev;
}

void LIBUSB_CALL
libusb_unref_device(libusb_device *dev)
{
    unsigned left;

    if (!dev)
        return;
    world_lock();
    left = --dev->refs;
    if (!left)
        uw_list_remove(&dev->link);
    world_unlock();
    if (left)
        return;
    remote_unref(dev->remote);
    free(dev);
}

/* ---- the list ---- */

libusb_device **
device_list_locked(struct libusb_context *ctx, size_t *ret_count)
{
    struct remote *r = NULL;
    libusb_device **list;
    size_t n = 0;

    while ((r = world_next_locked(r)))
        n++;
    list = calloc(n + 1, sizeof(libusb_device *));
    n = 0;
    while (list && !ctx->no_discovery && (r = world_next_locked(r))) {
        list[n] = device_of_locked(ctx, r);
        if (list[n])
            n++;
    }
    *ret_count = n;
    return list;
}

ssize_t LIBUSB_CALL
libusb_get_device_list(libusb_context *ctx, libusb_device ***ret_list)
{
    libusb_device **list;
    size_t count = 0;
    int r = 0;

    ctx = context_get(ctx);
    if (!ctx || !ret_list)
        return LIBUSB_ERROR_INVALID_PARAM;
    if (!ctx->no_discovery)
        r = world_refresh();
    if (r < 0)
        return r;
    world_lock();
    list = device_list_locked(ctx, &count);
    world_unlock();
    if (!list)
        return LIBUSB_ERROR_NO_MEM;
    LOG_DEBUG(ctx, "%zu devices", count);
    *ret_list = list;
    return (ssize_t)count;
}

void LIBUSB_CALL
libusb_free_device_list(libusb_device **list, int unref_devices)
{
    if (!list)
        return;
    for (size_t i = 0; unref_devices && list[i]; i++)
        libusb_unref_device(list[i]);
    free(list);
}

/* ---- where it is ---- */

uint8_t LIBUSB_CALL
libusb_get_bus_number(libusb_device *dev)
{
    return dev->remote->bus;
}

uint8_t LIBUSB_CALL
libusb_get_device_address(libusb_device *dev)
{
    return dev->remote->address;
}

uint8_t LIBUSB_CALL
libusb_get_port_number(libusb_device *dev)
{
    return dev->remote->ports[dev->remote->num_ports - 1];
}

int LIBUSB_CALL
libusb_get_port_numbers(libusb_device *dev, uint8_t *port_numbers, int port_numbers_len)
{
    const struct remote *r = dev->remote;

    if (port_numbers_len <= 0 || !port_numbers)
        return LIBUSB_ERROR_INVALID_PARAM;
    if ((unsigned)port_numbers_len < r->num_ports)
        return LIBUSB_ERROR_OVERFLOW;
    memcpy(port_numbers, r->ports, r->num_ports);
    return (int)r->num_ports;
}

int LIBUSB_CALL
libusb_get_port_path(libusb_context *ctx, libusb_device *dev, uint8_t *port_numbers,
                     uint8_t port_numbers_len)
{
    (void)ctx;
    return libusb_get_port_numbers(dev, port_numbers, port_numbers_len);
}

/* USB/IP shows no hubs. */
libusb_device *LIBUSB_CALL
libusb_get_parent(libusb_device *dev)
{
    (void)dev;
    return NULL;
}

unsigned long LIBUSB_CALL
libusb_get_session_data(libusb_device *dev)
{
    return dev->remote->number;
}

/* From the kernel's enum usb_device_speed, in which 4 is wireless. */
int LIBUSB_CALL
libusb_get_device_speed(libusb_device *dev)
{
    static const uint8_t speeds[] = {LIBUSB_SPEED_UNKNOWN,   LIBUSB_SPEED_LOW,  LIBUSB_SPEED_FULL,
                                     LIBUSB_SPEED_HIGH,      LIBUSB_SPEED_HIGH, LIBUSB_SPEED_SUPER,
                                     LIBUSB_SPEED_SUPER_PLUS};
    uint32_t speed = dev->remote->info.speed;

    return speed < sizeof(speeds) ? speeds[speed] : LIBUSB_SPEED_UNKNOWN;
}

/* ---- descriptors that are kept ---- */

const struct remote_config *
device_config_at(const struct libusb_device *dev, unsigned index)
{
    return index < dev->remote->num_configs ? &dev->remote->configs[index] : NULL;
}

const struct remote_config *
device_config_by_value(const struct libusb_device *dev, int value)
{
    const struct remote *r = dev->remote;

    for (unsigned i = 0; i < r->num_configs; i++)
        if (r->configs[i].size > CONFIG_VALUE_AT && r->configs[i].bytes[CONFIG_VALUE_AT] == value)
            return &r->configs[i];
    return NULL;
}

int
device_configuration(struct libusb_device *dev)
{
    struct remote *r = dev->remote;
    int value;

    world_lock();
    if (r->device)
        r->configuration = uw_device_configuration(r->device);
    value = r->configuration;
    world_unlock();
    return value;
}

int LIBUSB_CALL
libusb_get_device_descriptor(libusb_device *dev, struct libusb_device_descriptor *desc)
{
    const struct uw_device_descriptor *d = &dev->remote->descriptor;

    desc->bLength = LIBUSB_DT_DEVICE_SIZE;
    desc->bDescriptorType = LIBUSB_DT_DEVICE;
    desc->bcdUSB = d->bcdUSB;
    desc->bDeviceClass = d->bDeviceClass;
    desc->bDeviceSubClass = d->bDeviceSubClass;
    desc->bDeviceProtocol = d->bDeviceProtocol;
    desc->bMaxPacketSize0 = d->bMaxPacketSize0;
    desc->idVendor = d->idVendor;
    desc->idProduct = d->idProduct;
    desc->bcdDevice = d->bcdDevice;
    desc->iManufacturer = d->iManufacturer;
    desc->iProduct = d->iProduct;
    desc->iSerialNumber = d->iSerialNumber;
    desc->bNumConfigurations = d->bNumConfigurations;
    return LIBUSB_SUCCESS;
}
