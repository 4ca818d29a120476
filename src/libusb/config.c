/*
 * config.c - configuration descriptors in libusb's structs, and what is looked up in them
 *
 * Each is one block of memory: the configuration, its interfaces, their settings, the endpoints,
 * and the bytes that `extra` points to.
 */
#include <stdlib.h>
#include <string.h>

#include "libusb/device.h"

#define MULT_SHIFT 11

struct counts {
    size_t altsettings, endpoints, bytes;
};

/* What is still free in the block. */
struct space {
    struct libusb_interface_descriptor *altsettings;
    struct libusb_endpoint_descriptor *endpoints;
    unsigned char *bytes;
};

static struct counts
count(const struct uw_config *c)
{
    struct counts n = {.bytes = c->extra.size};

    for (unsigned i = 0; i < c->bNumInterfaces; i++) {
        const struct uw_interface *f = &c->interfaces[i];

        n.altsettings += f->num_altsettings;
        for (unsigned j = 0; j < f->num_altsettings; j++) {
            const struct uw_altsetting *a = &f->altsettings[j];

            n.endpoints += a->bNumEndpoints;
            n.bytes += a->extra.size;
            for (unsigned k = 0; k < a->bNumEndpoints; k++)
                n.bytes += a->endpoints[k].extra.size;
        }
    }
    return n;
}

static const unsigned char *
copy_extra(struct space *s, const struct uw_extra *extra, int *ret_length)
{
    unsigned char *at = s->bytes;

    *ret_length = (int)extra->size;
    if (!extra->size)
        return NULL;
    memcpy(at, extra->bytes, extra->size);
    s->bytes += extra->size;
    return at;
}

static void
fill_endpoint(struct space *s, struct libusb_endpoint_descriptor *to, const struct uw_endpoint *e)
{
    to->bLength = e->bLength;
    to->bDescriptorType = e->bDescriptorType;
    to->bEndpointAddress = e->bEndpointAddress;
    to->bmAttributes = e->bmAttributes;
    to->wMaxPacketSize = e->wMaxPacketSize;
    to->bInterval = e->bInterval;
    to->bRefresh = e->bRefresh;
    to->bSynchAddress = e->bSynchAddress;
    to->extra = copy_extra(s, &e->extra, &to->extra_length);
}

static void
fill_altsetting(struct space *s, struct libusb_interface_descriptor *to,
                const struct uw_altsetting *a)
{
    to->bLength = a->bLength;
    to->bDescriptorType = a->bDescriptorType;
    to->bInterfaceNumber = a->bInterfaceNumber;
    to->bAlternateSetting = a->bAlternateSetting;
    to->bNumEndpoints = a->bNumEndpoints;
    to->bInterfaceClass = a->bInterfaceClass;
    to->bInterfaceSubClass = a->bInterfaceSubClass;
    to->bInterfaceProtocol = a->bInterfaceProtocol;
    to->iInterface = a->iInterface;
    to->extra = copy_extra(s, &a->extra, &to->extra_length);
    to->endpoint = a->bNumEndpoints ? s->endpoints : NULL;
    for (unsigned i = 0; i < a->bNumEndpoints; i++)
        fill_endpoint(s, s->endpoints++, &a->endpoints[i]);
}

static void
fill_config(struct space *s, struct libusb_config_descriptor *to, const struct uw_config *c,
            struct libusb_interface *interfaces)
{
    to->bLength = c->bLength;
    to->bDescriptorType = c->bDescriptorType;
    to->wTotalLength = c->wTotalLength;
    to->bNumInterfaces = c->bNumInterfaces;
    to->bConfigurationValue = c->bConfigurationValue;
    to->iConfiguration = c->iConfiguration;
    to->bmAttributes = c->bmAttributes;
    to->MaxPower = c->bMaxPower;
    to->extra = copy_extra(s, &c->extra, &to->extra_length);
    to->interface = interfaces;
    for (unsigned i = 0; i < c->bNumInterfaces; i++) {
        const struct uw_interface *f = &c->interfaces[i];

        interfaces[i].num_altsetting = (int)f->num_altsettings;
        interfaces[i].altsetting = s->altsettings;
        for (unsigned j = 0; j < f->num_altsettings; j++)
            fill_altsetting(s, s->altsettings++, &f->altsettings[j]);
    }
}

static int
convert(const struct uw_config *c, struct libusb_config_descriptor **ret_config)
{
    struct counts n = count(c);
    size_t interfaces_at = sizeof(struct libusb_config_descriptor);
    size_t altsettings_at = interfaces_at + c->bNumInterfaces * sizeof(struct libusb_interface);
    size_t endpoints_at =
        altsettings_at + n.altsettings * sizeof(struct libusb_interface_descriptor);
    size_t bytes_at = endpoints_at + n.endpoints * sizeof(struct libusb_endpoint_descriptor);
    char *block = calloc(1, bytes_at + n.bytes + 1);
    struct space s;

    if (!block)
        return LIBUSB_ERROR_NO_MEM;
    s.altsettings = (struct libusb_interface_descriptor *)(void *)(block + altsettings_at);
    s.endpoints = (struct libusb_endpoint_descriptor *)(void *)(block + endpoints_at);
    s.bytes = (unsigned char *)block + bytes_at;
    *ret_config = (struct libusb_config_descriptor *)(void *)block;
    fill_config(&s, *ret_config, c, (struct libusb_interface *)(void *)(block + interfaces_at));
    return LIBUSB_SUCCESS;
}

/* The parsed form of kept bytes, to be freed with uw_config_free; or NULL and a libusb error. */
static struct uw_config *
parse(const struct remote_config *raw, int *ret_error)
{
    struct uw_config *c = NULL;
    int r = raw ? uw_config_parse(raw->bytes, raw->size, &c) : UW_ERROR_NOT_FOUND;

    *ret_error = r == UW_ERROR_PROTOCOL ? LIBUSB_ERROR_IO : uw_error_libusb(r);
    return r < 0 ? NULL : c;
}

static int
get_config(const struct remote_config *raw, struct libusb_config_descriptor **ret_config)
{
    int r;
    struct uw_config *c = parse(raw, &r);

    if (c)
        r = convert(c, ret_config);
    uw_config_free(c);
    return r;
}

static const struct remote_config *
active(libusb_device *dev)
{
    int value = device_configuration(dev);

    return value > 0 ? device_config_by_value(dev, value) : NULL;
}

int LIBUSB_CALL
libusb_get_active_config_descriptor(libusb_device *dev, struct libusb_config_descriptor **config)
{
    return get_config(active(dev), config);
}

int LIBUSB_CALL
libusb_get_config_descriptor(libusb_device *dev, uint8_t config_index,
                             struct libusb_config_descriptor **config)
{
    return get_config(device_config_at(dev, config_index), config);
}

int LIBUSB_CALL
libusb_get_config_descriptor_by_value(libusb_device *dev, uint8_t bConfigurationValue,
                                      struct libusb_config_descriptor **config)
{
    return get_config(device_config_by_value(dev, bConfigurationValue), config);
}

void LIBUSB_CALL
libusb_free_config_descriptor(struct libusb_config_descriptor *config)
{
    free(config);
}

/* ---- interface associations ---- */

static int
get_associations(const struct remote_config *raw,
                 struct libusb_interface_association_descriptor_array **ret_array)
{
    struct libusb_interface_association_descriptor_array *array;
    struct libusb_interface_association_descriptor *iad;
    struct uw_config *c;
    int r;

    if (!ret_array)
        return LIBUSB_ERROR_INVALID_PARAM;
    c = parse(raw, &r);
    if (!c)
        return r;
    array = calloc(1, sizeof(*array) + c->num_associations * sizeof(*iad));
    if (!array) {
        uw_config_free(c);
        return LIBUSB_ERROR_NO_MEM;
    }
    iad = (struct libusb_interface_association_descriptor *)(void *)(array + 1);
    for (unsigned i = 0; i < c->num_associations; i++) {
        const struct uw_association *a = &c->associations[i];

        iad[i] = (struct libusb_interface_association_descriptor){
            sizeof(*iad),         UW_DT_INTERFACE_ASSOCIATION,
            a->bFirstInterface,   a->bInterfaceCount,
            a->bFunctionClass,    a->bFunctionSubClass,
            a->bFunctionProtocol, a->iFunction};
    }
    array->iad = c->num_associations ? iad : NULL;
    array->length = (int)c->num_associations;
    uw_config_free(c);
    *ret_array = array;
    return LIBUSB_SUCCESS;
}

int LIBUSB_CALL
libusb_get_interface_association_descriptors(
    libusb_device *dev, uint8_t config_index,
    struct libusb_interface_association_descriptor_array **iad_array)
{
    return get_associations(device_config_at(dev, config_index), iad_array);
}

int LIBUSB_CALL
libusb_get_active_interface_association_descriptors(
    libusb_device *dev, struct libusb_interface_association_descriptor_array **iad_array)
{
    return get_associations(active(dev), iad_array);
}

void LIBUSB_CALL
libusb_free_interface_association_descriptors(
    struct libusb_interface_association_descriptor_array *iad_array)
{
    free(iad_array);
}

/* ---- packet sizes ---- */

struct sought {
    int interface_number, altsetting; /* -1: any */
    uint8_t endpoint;
};

static const struct uw_endpoint *
find_endpoint(const struct uw_config *c, const struct sought *s)
{
    for (unsigned i = 0; i < c->bNumInterfaces; i++)
        for (unsigned j = 0; j < c->interfaces[i].num_altsettings; j++) {
            const struct uw_altsetting *a = &c->interfaces[i].altsettings[j];

            if (s->interface_number >= 0 && (a->bInterfaceNumber != s->interface_number ||
                                             a->bAlternateSetting != s->altsetting))
                continue;
            for (unsigned k = 0; k < a->bNumEndpoints; k++)
                if (a->endpoints[k].bEndpointAddress == s->endpoint)
                    return &a->endpoints[k];
        }
    return NULL;
}

static int
plain_size(const struct uw_endpoint *e, int speed)
{
    (void)speed;
    return e->wMaxPacketSize;
}

/* Bytes a service interval can carry. */
static int
interval_size(const struct uw_endpoint *e, int speed)
{
    int type = e->bmAttributes & LIBUSB_TRANSFER_TYPE_MASK;
    int size = e->wMaxPacketSize & 0x7ff;

    if (speed >= LIBUSB_SPEED_SUPER && e->has_companion)
        return type == LIBUSB_TRANSFER_TYPE_ISOCHRONOUS || type == LIBUSB_TRANSFER_TYPE_INTERRUPT
                   ? e->wBytesPerInterval
                   : e->wMaxPacketSize;
    if (type == LIBUSB_TRANSFER_TYPE_ISOCHRONOUS || type == LIBUSB_TRANSFER_TYPE_INTERRUPT)
        size *= 1 + (e->wMaxPacketSize >> MULT_SHIFT & 3);
    return size;
}

static int
look_up_size(libusb_device *dev, const struct sought *sought,
             int (*size)(const struct uw_endpoint *e, int speed))
{
    const struct uw_endpoint *e;
    int r;
    struct uw_config *c = parse(active(dev), &r);

    if (!c)
        return r == LIBUSB_ERROR_NOT_FOUND ? r : LIBUSB_ERROR_OTHER;
    e = find_endpoint(c, sought);
    r = e ? size(e, libusb_get_device_speed(dev)) : LIBUSB_ERROR_NOT_FOUND;
    uw_config_free(c);
    return r;
}

int LIBUSB_CALL
libusb_get_max_packet_size(libusb_device *dev, unsigned char endpoint)
{
    return look_up_size(dev, &(struct sought){-1, -1, endpoint}, plain_size);
}

int LIBUSB_CALL
libusb_get_max_iso_packet_size(libusb_device *dev, unsigned char endpoint)
{
    return look_up_size(dev, &(struct sought){-1, -1, endpoint}, interval_size);
}

int LIBUSB_CALL
libusb_get_max_alt_packet_size(libusb_device *dev, int interface_number, int alternate_setting,
                               unsigned char endpoint)
{
    if (interface_number < 0)
        return LIBUSB_ERROR_NOT_FOUND;
    return look_up_size(dev, &(struct sought){interface_number, alternate_setting, endpoint},
                        interval_size);
}
