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
#define NUMBERS          256u /* values of bInterfaceNumber */

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

/* How much room all of it takes, and which altsettings belong together: usually they follow one
 * another, but nothing makes a device put them so. */
struct counts {
    size_t altsettings, endpoints, associations;
    unsigned interfaces;
    size_t of_number[NUMBERS]; /* altsettings of the interface with that bInterfaceNumber */
    uint8_t numbers[NUMBERS];  /* bInterfaceNumber of each interface, in order of appearance */
};

static void
count(struct uw_extra rest, struct counts *n)
{
    struct uw_extra one;

    memset(n, 0, sizeof(*n));
    while (uw_descriptor_next(&rest, &one)) {
        enum piece_kind kind = kind_of(&one);

        n->altsettings += kind == PIECE_INTERFACE;
        n->endpoints += kind == PIECE_ENDPOINT;
        n->associations += is_association(&one) ? 1u : 0u;
        if (kind == PIECE_INTERFACE && n->of_number[one.bytes[2]]++ == 0)
            n->numbers[n->interfaces++] = one.bytes[2];
    }
}

/* ---- filling in ---- */

/* A configuration and all that it points to: one allocation. */
struct whole {
    struct uw_config config; /* first: what uw_config_free gets */
    struct uw_interface *interfaces;
    struct uw_altsetting *altsettings;
    struct uw_endpoint *endpoints;
    struct uw_association *associations;
    uint8_t *bytes;
};

struct filling {
    struct whole *w;
    struct uw_interface *by_number[NUMBERS];
    struct uw_altsetting *altsetting;
    struct uw_endpoint *endpoint;
    unsigned claimed; /* endpoints that the altsetting says it has */
    int left_out;     /* the last endpoint was; so is what belongs to it */
    size_t endpoints, associations;
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

    if (f->left_out)
        return;
    if (!extra->bytes)
        extra->bytes = one->bytes;
    extra->size = (size_t)(one->bytes + one->size - extra->bytes);
}

/* Gives every interface its run of altsettings, still empty. */
static void
add_interfaces(struct filling *f, const struct counts *n)
{
    size_t at = 0;

    for (unsigned i = 0; i < n->interfaces; i++) {
        f->by_number[n->numbers[i]] = &f->w->interfaces[i];
        f->w->interfaces[i].altsettings = &f->w->altsettings[at];
        at += n->of_number[n->numbers[i]];
    }
}

static void
add_altsetting(struct filling *f, const struct uw_extra *one)
{
    const uint8_t *b = one->bytes;
    struct uw_interface *in = f->by_number[b[2]];
    struct uw_altsetting *a =
        &f->w->altsettings[in->altsettings - f->w->altsettings + in->num_altsettings++];

    a->bLength = b[0];
    a->bDescriptorType = b[1];
    a->bInterfaceNumber = b[2];
    a->bAlternateSetting = b[3];
    a->bInterfaceClass = b[5];
    a->bInterfaceSubClass = b[6];
    a->bInterfaceProtocol = b[7];
    a->iInterface = b[8];
    a->endpoints = &f->w->endpoints[f->endpoints];
    f->claimed = b[4];
    f->altsetting = a;
    f->endpoint = NULL;
    f->left_out = 0;
}

/* One before any interface belongs nowhere, nor does one more than the altsetting claims to have.
 */
static void
add_endpoint(struct filling *f, const struct uw_extra *one)
{
    struct uw_reader r = uw_reader(one->bytes, one->size);
    struct uw_endpoint *e;

    f->left_out = !f->altsetting || f->altsetting->bNumEndpoints >= f->claimed;
    if (f->left_out)
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
fill(struct whole *w, struct uw_extra rest, const struct counts *n)
{
    struct filling f = {.w = w};
    struct uw_extra one;

    add_interfaces(&f, n);
    while (uw_descriptor_next(&rest, &one)) {
        switch (kind_of(&one)) {
        case PIECE_INTERFACE: add_altsetting(&f, &one); break;
        case PIECE_ENDPOINT: add_endpoint(&f, &one); break;
        case PIECE_OTHER:
            note_companion(&f, &one);
            note_association(&f, &one);
            add_extra(&f, &one);
            break;
        }
    }
    w->config.bNumInterfaces = (uint8_t)(n->interfaces < UINT8_MAX ? n->interfaces : UINT8_MAX);
    w->config.num_associations = (unsigned)f.associations;
}

/* Where in the block the parts lie; every one keeps the next aligned. */
struct layout {
    size_t interfaces, altsettings, endpoints, associations, bytes, size;
};

static size_t
behind(size_t at, size_t n, size_t size)
{
    return at +
           (n * size + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
}

static struct layout
lay_out(const struct counts *n, size_t size)
{
    struct layout l;

    l.interfaces = behind(0, 1, sizeof(struct whole));
    l.altsettings = behind(l.interfaces, n->interfaces, sizeof(struct uw_interface));
    l.endpoints = behind(l.altsettings, n->altsettings, sizeof(struct uw_altsetting));
    /* An altsetting without endpoints points behind the last one. */
    l.associations = behind(l.endpoints, n->endpoints + 1, sizeof(struct uw_endpoint));
    l.bytes = behind(l.associations, n->associations, sizeof(struct uw_association));
    l.size = behind(l.bytes, size, 1);
    return l;
}

static struct whole *
new_whole(const struct counts *n, const uint8_t *bytes, size_t size)
{
    struct layout l = lay_out(n, size);
    struct whole *w = calloc(1, l.size);
    char *block = (char *)w;

    if (!w)
        return NULL;
    w->interfaces = (struct uw_interface *)(void *)(block + l.interfaces);
    w->altsettings = (struct uw_altsetting *)(void *)(block + l.altsettings);
    w->endpoints = (struct uw_endpoint *)(void *)(block + l.endpoints);
    w->associations = (struct uw_association *)(void *)(block + l.associations);
    w->bytes = (uint8_t *)(block + l.bytes);
    memcpy(w->bytes, bytes, size);
    return w;
}

static int
read_head(const uint8_t *bytes, size_t size, struct uw_config *head)
{
    struct uw_reader r = uw_reader(bytes, size);

    head->bLength = uw_rd_u8(&r);
    head->bDescriptorType = uw_rd_u8(&r);
    head->wTotalLength = uw_rd_le16(&r);
    head->bNumInterfaces = uw_rd_u8(&r);
    head->bConfigurationValue = uw_rd_u8(&r);
    head->iConfiguration = uw_rd_u8(&r);
    head->bmAttributes = uw_rd_u8(&r);
    head->bMaxPower = uw_rd_u8(&r);
    if (r.failed || head->bLength < CONFIG_SIZE || head->bLength > size)
        return UW_ERROR_PROTOCOL;
    if (head->bDescriptorType != UW_DT_CONFIG && head->bDescriptorType != UW_DT_OTHER_SPEED_CONFIG)
        return UW_ERROR_PROTOCOL;
    return 0;
}

int
uw_config_parse(const uint8_t *bytes, size_t size, struct uw_config **ret_config)
{
    struct uw_config head = {0};
    struct counts n;
    struct whole *w;
    int r = read_head(bytes, size, &head);

    if (r < 0)
        return r;
    if (head.wTotalLength >= head.bLength && head.wTotalLength < size)
        size = head.wTotalLength;
    count((struct uw_extra){bytes + head.bLength, size - head.bLength}, &n);
    w = new_whole(&n, bytes, size);
    if (!w)
        return UW_ERROR_NO_MEMORY;
    w->config = head;
    w->config.interfaces = w->interfaces;
    w->config.associations = w->associations;
    fill(w, (struct uw_extra){w->bytes + head.bLength, size - head.bLength}, &n);
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
