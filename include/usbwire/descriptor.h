/*
 * descriptor.h - USB descriptors as structs
 *
 * Parsers over bytes: no I/O, no device needed. Whatever the bytes, they neither crash nor read
 * outside; what does not fit is left out and counts are lowered to what was found. Numbers are in
 * host order, names are the specification's (USB 2.0 chapter 9, USB 3.2 chapter 9) in this case.
 *
 * `extra` holds class- and vendor-specific descriptors raw: those before the first endpoint belong
 * to the alternate setting, those after an endpoint to that endpoint, those before the first
 * interface to the configuration. It is borrowed from the parsed object.
 */
#ifndef USBWIRE_DESCRIPTOR_H
#define USBWIRE_DESCRIPTOR_H

#include <stddef.h>
#include <stdint.h>

#include <usbwire/tap.h>

#ifdef __cplusplus
extern "C" {
#endif

/* bDescriptorType, USB 3.2 table 9-6 */
enum uw_descriptor_type {
    UW_DT_DEVICE = 1,
    UW_DT_CONFIG = 2,
    UW_DT_STRING = 3,
    UW_DT_INTERFACE = 4,
    UW_DT_ENDPOINT = 5,
    UW_DT_DEVICE_QUALIFIER = 6,
    UW_DT_OTHER_SPEED_CONFIG = 7,
    UW_DT_INTERFACE_POWER = 8,
    UW_DT_OTG = 9,
    UW_DT_DEBUG = 10,
    UW_DT_INTERFACE_ASSOCIATION = 11,
    UW_DT_BOS = 15,
    UW_DT_DEVICE_CAPABILITY = 16,
    UW_DT_HID = 0x21,
    UW_DT_REPORT = 0x22,
    UW_DT_CS_INTERFACE = 0x24,
    UW_DT_CS_ENDPOINT = 0x25,
    UW_DT_HUB = 0x29,
    UW_DT_SS_ENDPOINT_COMPANION = 48
};

struct uw_device_descriptor {
    uint8_t bLength, bDescriptorType;
    uint16_t bcdUSB;
    uint8_t bDeviceClass, bDeviceSubClass, bDeviceProtocol, bMaxPacketSize0;
    uint16_t idVendor, idProduct, bcdDevice;
    uint8_t iManufacturer, iProduct, iSerialNumber, bNumConfigurations;
};

struct uw_extra {
    const uint8_t *bytes; /* NULL when size is 0 */
    size_t size;
};

struct uw_endpoint {
    uint8_t bLength, bDescriptorType, bEndpointAddress, bmAttributes;
    uint16_t wMaxPacketSize;
    uint8_t bInterval;
    uint8_t bRefresh, bSynchAddress; /* audio endpoints of 9 bytes, else 0 */
    uint8_t has_companion;           /* the next three are from a SuperSpeed companion */
    uint8_t bMaxBurst, ss_bmAttributes;
    uint16_t wBytesPerInterval;
    struct uw_extra extra;
};

struct uw_altsetting {
    uint8_t bLength, bDescriptorType, bInterfaceNumber, bAlternateSetting, bNumEndpoints;
    uint8_t bInterfaceClass, bInterfaceSubClass, bInterfaceProtocol, iInterface;
    const struct uw_endpoint *endpoints; /* bNumEndpoints of them */
    struct uw_extra extra;
};

struct uw_interface {
    const struct uw_altsetting *altsettings;
    unsigned num_altsettings; /* at least 1 */
};

struct uw_association {
    uint8_t bFirstInterface, bInterfaceCount;
    uint8_t bFunctionClass, bFunctionSubClass, bFunctionProtocol, iFunction;
};

struct uw_config {
    uint8_t bLength, bDescriptorType;
    uint16_t wTotalLength;
    uint8_t bNumInterfaces, bConfigurationValue, iConfiguration, bmAttributes, bMaxPower;
    const struct uw_interface *interfaces; /* bNumInterfaces of them, in order of appearance */
    const struct uw_association *associations;
    unsigned num_associations;
    struct uw_extra extra;
};

/* 18 bytes of a device descriptor. PROTOCOL: too short or not one. */
int uw_device_descriptor_parse(const uint8_t *bytes, size_t size,
                               struct uw_device_descriptor *ret_descriptor);

/* A whole configuration. Free with uw_config_free. PROTOCOL: not one; NO_MEMORY. */
int uw_config_parse(const uint8_t *bytes, size_t size, struct uw_config **ret_config);
void uw_config_free(struct uw_config *config);

/* Bytes that one packet of an endpoint can carry: wMaxPacketSize bits 10..0, times the additional
 * transactions of a high-speed interrupt or isochronous endpoint (USB 2.0 9.6.6), times burst and
 * mult of a SuperSpeed isochronous one. */
unsigned uw_endpoint_max_packet(const struct uw_endpoint *endpoint);

/* Period in (micro)frames as struct urb's interval: what USB/IP servers want for interrupt and
 * isochronous endpoints (>= 1), 0 for others. `speed` is the kernel's. */
int uw_endpoint_interval(const struct uw_endpoint *endpoint, uint32_t speed);

static inline enum uw_transfer_type
uw_endpoint_type(const struct uw_endpoint *endpoint)
{
    return (enum uw_transfer_type)(endpoint->bmAttributes & 3);
}

/* The next descriptor in a run of them: sets *ret_one to its bytes (bLength of them) and moves
 * `rest` on. 0 at the end or where bLength makes no sense. */
int uw_descriptor_next(struct uw_extra *rest, struct uw_extra *ret_one);

#ifdef __cplusplus
}
#endif
#endif
