/*
 * descriptor.c - descriptors from bytes
 *
 * A configuration is read twice: once to count, so that everything fits into one allocation, and
 * once to fill it in. Both use the same walk, so they cannot disagree.
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/descriptor.h>
#include <usbwire/error.h>

#include "base/bytes.h"

#define DEVICE_SIZE      18u
#define CONFIG_SIZE      9u
#define INTERFACE_SIZE   9u
#define ENDPOINT_SIZE    7u
#define AUDIO_EP_SIZE    9u
#define COMPANION_SIZE   6u
#define ASSOCIATION_SIZE 8u

int
uw_device_descriptor_parse(const uint8_t *bytes, size_t size,
                           struct uw_device_descriptor *ret_descriptor)
{
    struct uw_reader r = uw_reader(bytes, size);
    struct uw_device_descriptor d;

    d.bLength = uw_rd_u8(&r);
    d.bDescriptorType = uw_rd_u8(&r);
    d.bcdUSB = uw_rd_le16(&r);
    d.bDeviceClass = uw_rd_u8(&r);
    d.bDeviceSubClass = uw_rd_u8(&r);
    d.bDeviceProtocol = uw_rd_u8(&r);
    d.bMaxPacketSize0 = uw_rd_u8(&r);
    d.idVendor = uw_rd_le16(&r);
    d.idProduct = uw_rd_le16(&r);
    d.bcdDevice = uw_rd_le16(&r);
    d.iManufacturer = uw_rd_u8(&r);
    d.iProduct = uw_rd_u8(&r);
    d.iSerialNumber = uw_rd_u8(&r);
    d.bNumConfigurations = uw_rd_u8(&r);
    if (r.failed || d.bLength < DEVICE_SIZE || d.bDescriptorType != UW_DT_DEVICE)
        return UW_ERROR_PROTOCOL;
    *ret_descriptor = d;
    return 0;
}

int
uw_descriptor_next(struct uw_extra *rest, struct uw_extra *ret_one)
{
    if (rest->size < 2 || rest->bytes[0] < 2 || rest->bytes[0] > rest->size)
        return 0;
    ret_one->bytes = rest->bytes;
    ret_one->size = rest->bytes[0];
    rest->bytes += ret_one->size;
    rest->size -= ret_one->size;
    return 1;
}

/* ---- the walk: what a run of descriptors consists of ---- */

enum piece_kind { PIECE_INTERFACE, PIECE_ENDPOINT, PIECE_OTHER };

static enum piece_kind
kind_of(const struct uw_extra *one)
{
    if (one->bytes[1] == UW_DT_INTERFACE && one->size >= INTERFACE_SIZE)
        return PIECE_INTERFACE;
    if (one->bytes[1] == UW_DT_ENDPOINT && one->size >= ENDPOINT_SIZE)
        return PIECE_ENDPOINT;
    return PIECE_OTHER;
}

static int
is_association(const struct uw_extra *one)
{
    return one->bytes[1] == UW_DT_INTERFACE_ASSOCIATION && one->size >= ASSOCIATION_SIZE;
}

struct counts {
    size_t interfaces, altsettings, endpoints, associations;
};

static struct counts
count(struct uw_extra rest)
{
    struct counts n = {0};
    struct uw_extra one;

    while (uw_descriptor_next(&rest, &one)) {
        enum piece_kind kind = kind_of(&one);

        n.altsettings += kind == PIECE_INTERFACE;
        n.endpoints += kind == PIECE_ENDPOINT;
        n.associations += is_association(&one) ? 1u : 0u;
    }
    n.interfaces = n.altsettings;
    return n;
}

/* ---- filling in ---- */

/* A configuration and all that it points to: one allocation. */
struct whole {
    struct uw_config config;
    struct uw_interface *interfaces;
    struct uw_altsetting *altsettings;
    struct uw_endpoint *endpoints;
    struct uw_association *associations;
    uint8_t *bytes;
};

struct filling {
    struct whole *w;
    struct uw_interface *interface;
    struct uw_altsetting *altsetting;
    struct uw_endpoint *endpoint;
    size_t interfaces, altsettings, endpoints, associations;
};

static struct uw_extra *
present_extra(struct filling *f)
{
    if (f->endpoint)
        return &f->endpoint->extra;
    if (f->altsetting)
        return &f->altsetting->extra;
    return &f->w->config.extra;
}

/* Class descriptors follow one another, so an extra is one run of bytes. */
static void
add_extra(struct filling *f, const struct uw_extra *one)
{
    struct uw_extra *extra = present_extra(f);

    if (!extra->bytes)
        extra->bytes = one->bytes;
    extra->size = (size_t)(one->bytes + one->size - extra->bytes);
}

static void
add_interface(struct filling *f, const struct uw_extra *one)
{
    const uint8_t *b = one->bytes;
    struct uw_altsetting *a = &f->w->altsettings[f->altsettings++];

    a->bLength = b[0];
    a->bDescriptorType = b[1];
    a->bInterfaceNumber = b[2];
    a->bAlternateSetting = b[3];
    a->bInterfaceClass = b[5];
    a->bInterfaceSubClass = b[6];
    a->bInterfaceProtocol = b[7];
    a->iInterface = b[8];
    a->endpoints = &f->w->endpoints[f->endpoints];
    if (!f->interface || f->altsetting->bInterfaceNumber != a->bInterfaceNumber) {
        f->interface = &f->w->interfaces[f->interfaces++];
        f->interface->altsettings = a;
    }
    f->interface->num_altsettings++;
    f->altsetting = a;
    f->endpoint = NULL;
}

static void
add_endpoint(struct filling *f, const struct uw_extra *one)
{
    struct uw_reader r = uw_reader(one->bytes, one->size);
    struct uw_endpoint *e;

    /* One before any interface belongs nowhere. */
    if (!f->altsetting || f->altsetting->bNumEndpoints == UINT8_MAX)
        return;
    e = &f->w->endpoints[f->endpoints++];
    e->bLength = uw_rd_u8(&r);
    e->bDescriptorType = uw_rd_u8(&r);
    e->bEndpointAddress = uw_rd_u8(&r);
    e->bmAttributes = uw_rd_u8(&r);
    e->wMaxPacketSize = uw_rd_le16(&r);
    e->bInterval = uw_rd_u8(&r);
    if (one->size >= AUDIO_EP_SIZE) {
        e->bRefresh = uw_rd_u8(&r);
        e->bSynchAddress = uw_rd_u8(&r);
    }
    f->altsetting->bNumEndpoints++;
    f->endpoint = e;
}

static void
note_companion(struct filling *f, const struct uw_extra *one)
{
    struct uw_endpoint *e = f->endpoint;

    if (!e || one->bytes[1] != UW_DT_SS_ENDPOINT_COMPANION || one->size < COMPANION_SIZE)
        return;
    e->has_companion = 1;
    e->bMaxBurst = one->bytes[2];
    e->ss_bmAttributes = one->bytes[3];
    e->wBytesPerInterval = (uint16_t)(one->bytes[4] | one->bytes[5] << 8);
}

static void
note_association(struct filling *f, const struct uw_extra *one)
{
    struct uw_association *a;

    if (!is_association(one))
        return;
    a = &f->w->associations[f->associations++];
    a->bFirstInterface = one->bytes[2];
    a->bInterfaceCount = one->bytes[3];
    a->bFunctionClass = one->bytes[4];
    a->bFunctionSubClass = one->bytes[5];
    a->bFunctionProtocol = one->bytes[6];
    a->iFunction = one->bytes[7];
}

static void
fill(struct whole *w, struct uw_extra rest)
{
    struct filling f = {.w = w};
    struct uw_extra one;

    while (uw_descriptor_next(&rest, &one)) {
        switch (kind_of(&one)) {
        case PIECE_INTERFACE: add_interface(&f, &one); break;
        case PIECE_ENDPOINT: add_endpoint(&f, &one); break;
        case PIECE_OTHER:
            note_companion(&f, &one);
            note_association(&f, &one);
            add_extra(&f, &one);
            break;
        }
    }
    w->config.bNumInterfaces = (uint8_t)(f.interfaces < UINT8_MAX ? f.interfaces : UINT8_MAX);
    w->config.num_associations = (unsigned)f.associations;
}

static void *
carve(uint8_t **at, size_t n, size_t size)
{
    void *p = *at;

    /* Every piece keeps what follows aligned. */
    *at += (n * size + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
    return p;
}

static size_t
lay_out(struct whole *w, uint8_t *block, const struct counts *n, size_t size)
{
    uint8_t *at = block;

    carve(&at, 1, sizeof(struct whole));
    w->interfaces = carve(&at, n->interfaces, sizeof(struct uw_interface));
    w->altsettings = carve(&at, n->altsettings, sizeof(struct uw_altsetting));
    w->endpoints = carve(&at, n->endpoints + 1, sizeof(struct uw_endpoint));
    w->associations = carve(&at, n->associations, sizeof(struct uw_association));
    w->bytes = carve(&at, size, 1);
    return (size_t)(at - block);
}

int
uw_config_parse(const uint8_t *bytes, size_t size, struct uw_config **ret_config)
{
    struct uw_reader r = uw_reader(bytes, size);
    struct uw_config head = {0};
    struct uw_extra rest;
    struct counts n;
    struct whole scratch, *w;
    uint8_t dummy[1], *block;

    head.bLength = uw_rd_u8(&r);
    head.bDescriptorType = uw_rd_u8(&r);
    head.wTotalLength = uw_rd_le16(&r);
    head.bNumInterfaces = uw_rd_u8(&r);
    head.bConfigurationValue = uw_rd_u8(&r);
    head.iConfiguration = uw_rd_u8(&r);
    head.bmAttributes = uw_rd_u8(&r);
    head.bMaxPower = uw_rd_u8(&r);
    if (r.failed || head.bLength < CONFIG_SIZE || head.bLength > size ||
        (head.bDescriptorType != UW_DT_CONFIG && head.bDescriptorType != UW_DT_OTHER_SPEED_CONFIG))
        return UW_ERROR_PROTOCOL;
    if (head.wTotalLength >= head.bLength && head.wTotalLength < size)
        size = head.wTotalLength;
    n = count((struct uw_extra){bytes + head.bLength, size - head.bLength});
    block = calloc(1, lay_out(&scratch, dummy, &n, size));
    if (!block)
        return UW_ERROR_NO_MEMORY;
    w = (struct whole *)(void *)block;
    lay_out(w, block, &n, size);
    memcpy(w->bytes, bytes, size);
    w->config = head;
    w->config.interfaces = w->interfaces;
    w->config.associations = w->associations;
    rest = (struct uw_extra){w->bytes + head.bLength, size - head.bLength};
    fill(w, rest);
    *ret_config = &w->config;
    return 0;
}

void
uw_config_free(struct uw_config *config)
{
    free(config); /* the first member of the block */
}

unsigned
uw_endpoint_max_packet(const struct uw_endpoint *e)
{
    unsigned size = e->wMaxPacketSize & 0x7ffu;
    enum uw_transfer_type type = uw_endpoint_type(e);

    if (e->has_companion && type == UW_ISOCHRONOUS)
        return size * (e->bMaxBurst + 1u) * ((e->ss_bmAttributes & 3u) + 1u);
    if (e->has_companion && type == UW_INTERRUPT)
        return size * (e->bMaxBurst + 1u);
    if (!e->has_companion && (type == UW_ISOCHRONOUS || type == UW_INTERRUPT))
        return size * ((e->wMaxPacketSize >> 11 & 3u) + 1u);
    return size;
}

/* 2^(bInterval - 1), for the bIntervals that the specification allows (1..16). */
static int
exponent_interval(uint8_t bInterval)
{
    unsigned n = bInterval < 1 ? 1 : bInterval > 16 ? 16 : bInterval;

    return 1 << (n - 1);
}

int
uw_endpoint_interval(const struct uw_endpoint *e, uint32_t speed)
{
    int fast = speed != 1 && speed != 2; /* neither low nor full */

    switch (uw_endpoint_type(e)) {
    case UW_ISOCHRONOUS: return exponent_interval(e->bInterval);
    case UW_INTERRUPT:
        if (fast)
            return exponent_interval(e->bInterval);
        return e->bInterval ? e->bInterval : 1;
    case UW_BULK:
    case UW_CONTROL: break;
    }
    return 0;
}
