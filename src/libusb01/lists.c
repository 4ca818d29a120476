/*
 * lists.c - buses and devices as linked lists of public structs, with their configurations
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "compat.h"

#define LIST_INSERT(head, node)                                                                    \
    do {                                                                                           \
        (node)->prev = NULL;                                                                       \
        (node)->next = (head);                                                                     \
        if (head)                                                                                  \
            (head)->prev = (node);                                                                 \
        (head) = (node);                                                                           \
    } while (0)

#define LIST_REMOVE(head, node)                                                                    \
    do {                                                                                           \
        if ((node)->prev)                                                                          \
            (node)->prev->next = (node)->next;                                                     \
        else                                                                                       \
            (head) = (node)->next;                                                                 \
        if ((node)->next)                                                                          \
            (node)->next->prev = (node)->prev;                                                     \
    } while (0)

struct usb_bus *usb_busses;

static libusb_context *context;

libusb_context *
compat_context(void)
{
    if (!context && libusb_init(&context) < 0)
        context = NULL;
    return context;
}

/* ---- configurations ---- */

static unsigned char *
copy_extra(const unsigned char *extra, int length)
{
    unsigned char *copy = length > 0 ? malloc((size_t)length) : NULL;

    if (copy)
        memcpy(copy, extra, (size_t)length);
    return copy;
}

static void
copy_endpoint(struct usb_endpoint_descriptor *to, const struct libusb_endpoint_descriptor *from)
{
    to->bLength = from->bLength;
    to->bDescriptorType = from->bDescriptorType;
    to->bEndpointAddress = from->bEndpointAddress;
    to->bmAttributes = from->bmAttributes;
    to->wMaxPacketSize = from->wMaxPacketSize;
    to->bInterval = from->bInterval;
    to->bRefresh = from->bRefresh;
    to->bSynchAddress = from->bSynchAddress;
    to->extra = copy_extra(from->extra, from->extra_length);
    to->extralen = to->extra ? from->extra_length : 0;
}

static void
copy_altsetting(struct usb_interface_descriptor *to, const struct libusb_interface_descriptor *from)
{
    to->bLength = from->bLength;
    to->bDescriptorType = from->bDescriptorType;
    to->bInterfaceNumber = from->bInterfaceNumber;
    to->bAlternateSetting = from->bAlternateSetting;
    to->bInterfaceClass = from->bInterfaceClass;
    to->bInterfaceSubClass = from->bInterfaceSubClass;
    to->bInterfaceProtocol = from->bInterfaceProtocol;
    to->iInterface = from->iInterface;
    to->extra = copy_extra(from->extra, from->extra_length);
    to->extralen = to->extra ? from->extra_length : 0;
    to->endpoint = calloc(from->bNumEndpoints + 1u, sizeof(*to->endpoint));
    if (!to->endpoint)
        return;
    to->bNumEndpoints = from->bNumEndpoints;
    for (int i = 0; i < from->bNumEndpoints; i++)
        copy_endpoint(&to->endpoint[i], &from->endpoint[i]);
}

static void
copy_interface(struct usb_interface *to, const struct libusb_interface *from)
{
    to->altsetting = calloc((size_t)from->num_altsetting + 1u, sizeof(*to->altsetting));
    if (!to->altsetting)
        return;
    to->num_altsetting = from->num_altsetting;
    for (int i = 0; i < from->num_altsetting; i++)
        copy_altsetting(&to->altsetting[i], &from->altsetting[i]);
}

static void
copy_config(struct usb_config_descriptor *to, const struct libusb_config_descriptor *from)
{
    to->bLength = from->bLength;
    to->bDescriptorType = from->bDescriptorType;
    to->wTotalLength = from->wTotalLength;
    to->bConfigurationValue = from->bConfigurationValue;
    to->iConfiguration = from->iConfiguration;
    to->bmAttributes = from->bmAttributes;
    to->MaxPower = from->MaxPower;
    to->extra = copy_extra(from->extra, from->extra_length);
    to->extralen = to->extra ? from->extra_length : 0;
    to->interface = calloc(from->bNumInterfaces + 1u, sizeof(*to->interface));
    if (!to->interface)
        return;
    to->bNumInterfaces = from->bNumInterfaces;
    for (int i = 0; i < from->bNumInterfaces; i++)
        copy_interface(&to->interface[i], &from->interface[i]);
}

static void
free_interface(struct usb_interface *f)
{
    for (int i = 0; i < f->num_altsetting; i++) {
        struct usb_interface_descriptor *a = &f->altsetting[i];

        for (int j = 0; j < a->bNumEndpoints; j++)
            free(a->endpoint[j].extra);
        free(a->endpoint);
        free(a->extra);
    }
    free(f->altsetting);
}

static void
free_configs(struct usb_device *d)
{
    for (int i = 0; d->config && i < d->descriptor.bNumConfigurations; i++) {
        struct usb_config_descriptor *c = &d->config[i];

        for (int j = 0; j < c->bNumInterfaces; j++)
            free_interface(&c->interface[j]);
        free(c->interface);
        free(c->extra);
    }
    free(d->config);
}

static void
read_configs(struct usb_device *d, libusb_device *dev)
{
    d->config = calloc(d->descriptor.bNumConfigurations + 1u, sizeof(*d->config));
    for (uint8_t i = 0; d->config && i < d->descriptor.bNumConfigurations; i++) {
        struct libusb_config_descriptor *c;

        if (libusb_get_config_descriptor(dev, i, &c) < 0)
            continue;
        copy_config(&d->config[i], c);
        libusb_free_config_descriptor(c);
    }
}

/* ---- devices ---- */

static void
free_device(struct usb_device *d)
{
    free_configs(d);
    libusb_unref_device((libusb_device *)d->dev);
    free(d);
}

static struct usb_device *
new_device(struct usb_bus *bus, libusb_device *dev)
{
    struct usb_device *d = calloc(1, sizeof(*d));
    struct libusb_device_descriptor from;

    if (!d)
        return NULL;
    (void)libusb_get_device_descriptor(dev, &from);
    d->bus = bus;
    d->dev = libusb_ref_device(dev);
    d->devnum = libusb_get_device_address(dev);
    snprintf(d->filename, sizeof(d->filename), "%03u", d->devnum);
    d->descriptor.bLength = from.bLength;
    d->descriptor.bDescriptorType = from.bDescriptorType;
    d->descriptor.bcdUSB = from.bcdUSB;
    d->descriptor.bDeviceClass = from.bDeviceClass;
    d->descriptor.bDeviceSubClass = from.bDeviceSubClass;
    d->descriptor.bDeviceProtocol = from.bDeviceProtocol;
    d->descriptor.bMaxPacketSize0 = from.bMaxPacketSize0;
    d->descriptor.idVendor = from.idVendor;
    d->descriptor.idProduct = from.idProduct;
    d->descriptor.bcdDevice = from.bcdDevice;
    d->descriptor.iManufacturer = from.iManufacturer;
    d->descriptor.iProduct = from.iProduct;
    d->descriptor.iSerialNumber = from.iSerialNumber;
    d->descriptor.bNumConfigurations = from.bNumConfigurations;
    read_configs(d, dev);
    return d;
}

static int
has(libusb_device *const *list, const void *dev)
{
    for (; *list; list++)
        if (*list == dev)
            return 1;
    return 0;
}

/* Devices that are gone, and those that are new. Returns how many. */
static int
bring_up_to_date(struct usb_bus *bus, libusb_device *const *list)
{
    struct usb_device *d, *next;
    int changes = 0;

    for (d = bus->devices; d; d = next) {
        next = d->next;
        if (has(list, d->dev))
            continue;
        LIST_REMOVE(bus->devices, d);
        free_device(d);
        changes++;
    }
    for (; *list; list++) {
        if (libusb_get_bus_number(*list) != bus->location)
            continue;
        for (d = bus->devices; d && d->dev != *list; d = d->next)
            ;
        d = d ? NULL : new_device(bus, *list);
        if (!d)
            continue;
        LIST_INSERT(bus->devices, d);
        changes++;
    }
    return changes;
}

int
compat_is_listed(const struct usb_device *device)
{
    for (const struct usb_bus *b = usb_busses; b; b = b->next)
        for (const struct usb_device *d = b->devices; d; d = d->next)
            if (d == device)
                return 1;
    return 0;
}

int
usb_find_devices(void)
{
    libusb_device **list = NULL;
    ssize_t n = compat_context() ? libusb_get_device_list(context, &list) : LIBUSB_ERROR_NO_MEM;
    int changes = 0;

    if (n < 0)
        return compat_result((int)n);
    for (struct usb_bus *b = usb_busses; b; b = b->next)
        changes += bring_up_to_date(b, list);
    libusb_free_device_list(list, 1);
    return changes;
}

/* ---- buses ---- */

static int
add_bus(uint8_t number)
{
    struct usb_bus *b;

    for (b = usb_busses; b; b = b->next)
        if (b->location == number)
            return 0;
    b = calloc(1, sizeof(*b));
    if (!b)
        return 0;
    b->location = number;
    snprintf(b->dirname, sizeof(b->dirname), "%03u", number);
    LIST_INSERT(usb_busses, b);
    return 1;
}

/* A bus stays in the list, as one of a computer does; its devices come and go. */
int
usb_find_busses(void)
{
    libusb_device **list = NULL;
    ssize_t n = compat_context() ? libusb_get_device_list(context, &list) : LIBUSB_ERROR_NO_MEM;
    int changes = 0;

    if (n < 0)
        return compat_result((int)n);
    for (ssize_t i = 0; i < n; i++)
        changes += add_bus(libusb_get_bus_number(list[i]));
    libusb_free_device_list(list, 1);
    return changes;
}

struct usb_bus *
usb_get_busses(void)
{
    return usb_busses;
}

void
usb_init(void)
{
    (void)compat_context();
}

void
usb_set_debug(int level)
{
    if (compat_context())
        (void)libusb_set_option(context, LIBUSB_OPTION_LOG_LEVEL,
                                level < 0                        ? LIBUSB_LOG_LEVEL_NONE
                                : level > LIBUSB_LOG_LEVEL_DEBUG ? LIBUSB_LOG_LEVEL_DEBUG
                                                                 : level);
}
