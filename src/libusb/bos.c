/*
 * bos.c - descriptors of SuperSpeed and later: the BOS and its capabilities, endpoint companions
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "libusb/context.h"
#include "libusb/log.h"

#define DESCRIPTOR_HEADER 2u /* bLength, bDescriptorType */
#define SS_COMPANION_SIZE 6u
#define BOS_HEADER        5u
#define BOS_SIZE_MAX      4096u
#define CAPABILITY_HEADER 3u /* bLength, bDescriptorType, bDevCapabilityType */

/* A capability of that type and at least that size, after its three bytes of header. */
static int
open_capability(const struct libusb_bos_dev_capability_descriptor *cap, uint8_t type, size_t size,
                struct uw_reader *ret_reader)
{
    if (!cap || cap->bDevCapabilityType != type)
        return LIBUSB_ERROR_INVALID_PARAM;
    if (cap->bLength < size)
        return LIBUSB_ERROR_IO;
    *ret_reader = uw_reader(cap->dev_capability_data, cap->bLength - CAPABILITY_HEADER);
    return 0;
}

/* The same as libusb's struct of `room` bytes, of which the header is filled in, with space behind
 * it for what has no fixed length. NULL with the error in *ret_error. */
static void *
make_capability(const struct libusb_bos_dev_capability_descriptor *cap, uint8_t type, size_t size,
                size_t room, struct uw_reader *ret_reader, int *ret_error)
{
    void *d;

    *ret_error = open_capability(cap, type, size, ret_reader);
    if (*ret_error < 0)
        return NULL;
    d = calloc(1, room + cap->bLength);
    if (d)
        memcpy(d, cap, CAPABILITY_HEADER);
    else
        *ret_error = LIBUSB_ERROR_NO_MEM;
    return d;
}

/* ---- the whole ---- */

static int
count_capabilities(struct uw_extra rest)
{
    struct uw_extra one;
    int n = 0;

    while (uw_descriptor_next(&rest, &one))
        if (one.size >= CAPABILITY_HEADER && one.bytes[1] == LIBUSB_DT_DEVICE_CAPABILITY)
            n++;
    return n;
}

/* One block: the struct, its pointers, and the bytes they point to. */
static int
parse_bos(const uint8_t *bytes, size_t size, struct libusb_bos_descriptor **ret_bos)
{
    struct uw_extra rest = {bytes + BOS_HEADER, size - BOS_HEADER}, one;
    int n = count_capabilities(rest);
    size_t pointers = (size_t)n * sizeof(struct libusb_bos_dev_capability_descriptor *);
    char *block = calloc(1, sizeof(struct libusb_bos_descriptor) + pointers + size);
    struct libusb_bos_descriptor *bos = (struct libusb_bos_descriptor *)(void *)block;
    uint8_t *copy;
    int i = 0;

    if (!bos)
        return LIBUSB_ERROR_NO_MEM;
    copy = (uint8_t *)block + sizeof(*bos) + pointers;
    bos->bLength = bytes[0];
    bos->bDescriptorType = bytes[1];
    bos->wTotalLength = (uint16_t)(bytes[2] | bytes[3] << 8);
    while (uw_descriptor_next(&rest, &one)) {
        if (one.size < CAPABILITY_HEADER || one.bytes[1] != LIBUSB_DT_DEVICE_CAPABILITY)
            continue;
        memcpy(copy, one.bytes, one.size);
        bos->dev_capability[i++] = (struct libusb_bos_dev_capability_descriptor *)(void *)copy;
        copy += one.size;
    }
    bos->bNumDeviceCaps = (uint8_t)n;
    *ret_bos = bos;
    return LIBUSB_SUCCESS;
}

int LIBUSB_CALL
libusb_get_bos_descriptor(libusb_device_handle *h, struct libusb_bos_descriptor **ret_bos)
{
    uint8_t header[BOS_HEADER], *bytes;
    size_t total;
    int r = libusb_get_descriptor(h, LIBUSB_DT_BOS, 0, header, sizeof(header));

    if (r < 0)
        return r;
    if (r < (int)sizeof(header) || header[0] < BOS_HEADER || header[1] != LIBUSB_DT_BOS)
        return LIBUSB_ERROR_IO;
    total = (size_t)(header[2] | header[3] << 8);
    if (total < BOS_HEADER || total > BOS_SIZE_MAX)
        return LIBUSB_ERROR_IO;
    bytes = calloc(1, total);
    if (!bytes)
        return LIBUSB_ERROR_NO_MEM;
    r = libusb_get_descriptor(h, LIBUSB_DT_BOS, 0, bytes, (int)total);
    if (r >= (int)BOS_HEADER)
        r = parse_bos(bytes, (size_t)r, ret_bos);
    else if (r >= 0)
        r = LIBUSB_ERROR_IO;
    free(bytes);
    return r;
}

void LIBUSB_CALL
libusb_free_bos_descriptor(struct libusb_bos_descriptor *bos)
{
    free(bos);
}

/* ---- its parts ---- */

int LIBUSB_CALL
libusb_get_usb_2_0_extension_descriptor(libusb_context *ctx,
                                        struct libusb_bos_dev_capability_descriptor *dev_cap,
                                        struct libusb_usb_2_0_extension_descriptor **ret_extension)
{
    struct uw_reader in;
    int r;
    struct libusb_usb_2_0_extension_descriptor *d =
        make_capability(dev_cap, LIBUSB_BT_USB_2_0_EXTENSION, LIBUSB_BT_USB_2_0_EXTENSION_SIZE,
                        sizeof(*d), &in, &r);

    (void)ctx;
    if (!d)
        return r;
    d->bmAttributes = uw_rd_le32(&in);
    *ret_extension = d;
    return LIBUSB_SUCCESS;
}

void LIBUSB_CALL
libusb_free_usb_2_0_extension_descriptor(struct libusb_usb_2_0_extension_descriptor *extension)
{
    free(extension);
}

int LIBUSB_CALL
libusb_get_ss_usb_device_capability_descriptor(
    libusb_context *ctx, struct libusb_bos_dev_capability_descriptor *dev_cap,
    struct libusb_ss_usb_device_capability_descriptor **ret_capability)
{
    struct uw_reader in;
    int r;
    struct libusb_ss_usb_device_capability_descriptor *d =
        make_capability(dev_cap, LIBUSB_BT_SS_USB_DEVICE_CAPABILITY,
                        LIBUSB_BT_SS_USB_DEVICE_CAPABILITY_SIZE, sizeof(*d), &in, &r);

    (void)ctx;
    if (!d)
        return r;
    d->bmAttributes = uw_rd_u8(&in);
    d->wSpeedSupported = uw_rd_le16(&in);
    d->bFunctionalitySupport = uw_rd_u8(&in);
    d->bU1DevExitLat = uw_rd_u8(&in);
    d->bU2DevExitLat = uw_rd_le16(&in);
    *ret_capability = d;
    return LIBUSB_SUCCESS;
}

void LIBUSB_CALL
libusb_free_ss_usb_device_capability_descriptor(
    struct libusb_ss_usb_device_capability_descriptor *capability)
{
    free(capability);
}

int LIBUSB_CALL
libusb_get_container_id_descriptor(libusb_context *ctx,
                                   struct libusb_bos_dev_capability_descriptor *dev_cap,
                                   struct libusb_container_id_descriptor **ret_container)
{
    struct uw_reader in;
    int r;
    struct libusb_container_id_descriptor *d = make_capability(
        dev_cap, LIBUSB_BT_CONTAINER_ID, LIBUSB_BT_CONTAINER_ID_SIZE, sizeof(*d), &in, &r);

    (void)ctx;
    if (!d)
        return r;
    d->bReserved = uw_rd_u8(&in);
    uw_rd_bytes(&in, d->ContainerID, sizeof(d->ContainerID));
    *ret_container = d;
    return LIBUSB_SUCCESS;
}

void LIBUSB_CALL
libusb_free_container_id_descriptor(struct libusb_container_id_descriptor *container_id)
{
    free(container_id);
}

#define PLATFORM_HEADER 20u

int LIBUSB_CALL
libusb_get_platform_descriptor(libusb_context *ctx,
                               struct libusb_bos_dev_capability_descriptor *dev_cap,
                               struct libusb_platform_descriptor **ret_platform)
{
    struct uw_reader in;
    int r;
    struct libusb_platform_descriptor *d =
        make_capability(dev_cap, BT_PLATFORM_DESCRIPTOR, PLATFORM_HEADER, sizeof(*d), &in, &r);

    (void)ctx;
    if (!d)
        return r;
    d->bReserved = uw_rd_u8(&in);
    uw_rd_bytes(&in, d->PlatformCapabilityUUID, sizeof(d->PlatformCapabilityUUID));
    uw_rd_bytes(&in, d->CapabilityData, dev_cap->bLength - PLATFORM_HEADER);
    *ret_platform = d;
    return LIBUSB_SUCCESS;
}

void LIBUSB_CALL
libusb_free_platform_descriptor(struct libusb_platform_descriptor *platform_descriptor)
{
    free(platform_descriptor);
}

/* USB 3.2 9.6.2.5: twelve bytes and then one of four for each speed. */
#define SSPLUS_HEADER    12u
#define SSPLUS_ATTRIBUTE 4u

static void
read_sublink(struct uw_reader *in, struct libusb_ssplus_sublink_attribute *a)
{
    uint32_t bits = uw_rd_le32(in);

    a->ssid = (uint8_t)(bits & 0xf);
    a->exponent = (enum libusb_superspeedplus_sublink_attribute_exponent)(bits >> 4 & 3);
    a->type = (enum libusb_superspeedplus_sublink_attribute_sublink_type)(bits >> 6 & 1);
    a->direction = (enum libusb_superspeedplus_sublink_attribute_sublink_direction)(bits >> 7 & 1);
    a->protocol = (enum libusb_superspeedplus_sublink_attribute_link_protocol)(bits >> 14 & 3);
    a->mantissa = (uint16_t)(bits >> 16);
}

int LIBUSB_CALL
libusb_get_ssplus_usb_device_capability_descriptor(
    libusb_context *ctx, struct libusb_bos_dev_capability_descriptor *dev_cap,
    struct libusb_ssplus_usb_device_capability_descriptor **ret_capability)
{
    struct libusb_ssplus_usb_device_capability_descriptor *d;
    struct uw_reader in;
    uint32_t attributes;
    uint16_t support;
    unsigned n;
    int r = open_capability(dev_cap, BT_SUPERSPEED_PLUS, SSPLUS_HEADER, &in);

    (void)ctx;
    if (r < 0)
        return r;
    uw_rd_u8(&in); /* bReserved */
    attributes = uw_rd_le32(&in);
    support = uw_rd_le16(&in);
    uw_rd_le16(&in); /* wReserved */
    n = (attributes & 0x1f) + 1;
    if (dev_cap->bLength < SSPLUS_HEADER + n * SSPLUS_ATTRIBUTE)
        return LIBUSB_ERROR_IO;
    d = calloc(1, sizeof(*d) + n * sizeof(d->sublinkSpeedAttributes[0]));
    if (!d)
        return LIBUSB_ERROR_NO_MEM;
    d->numSublinkSpeedAttributes = (uint8_t)n;
    d->numSublinkSpeedIDs = (uint8_t)((attributes >> 5 & 0xf) + 1);
    d->ssid = (uint8_t)(support & 0xf);
    d->minRxLaneCount = (uint8_t)(support >> 8 & 0xf);
    d->minTxLaneCount = (uint8_t)(support >> 12 & 0xf);
    for (unsigned i = 0; i < n; i++)
        read_sublink(&in, &d->sublinkSpeedAttributes[i]);
    *ret_capability = d;
    return LIBUSB_SUCCESS;
}

void LIBUSB_CALL
libusb_free_ssplus_usb_device_capability_descriptor(
    struct libusb_ssplus_usb_device_capability_descriptor *capability)
{
    free(capability);
}

/* ---- endpoint companions ---- */

int LIBUSB_CALL
libusb_get_ss_endpoint_companion_descriptor(
    libusb_context *ctx, const struct libusb_endpoint_descriptor *endpoint,
    struct libusb_ss_endpoint_companion_descriptor **ret_companion)
{
    struct uw_extra rest = {endpoint->extra, (size_t)endpoint->extra_length}, one;

    while (uw_descriptor_next(&rest, &one)) {
        struct libusb_ss_endpoint_companion_descriptor *d;

        if (one.bytes[1] != LIBUSB_DT_SS_ENDPOINT_COMPANION)
            continue;
        if (one.size < SS_COMPANION_SIZE) {
            LOG_ERROR(ctx, "a companion of %zu bytes", one.size);
            return LIBUSB_ERROR_IO;
        }
        d = calloc(1, sizeof(*d));
        if (!d)
            return LIBUSB_ERROR_NO_MEM;
        d->bLength = one.bytes[0];
        d->bDescriptorType = one.bytes[1];
        d->bMaxBurst = one.bytes[2];
        d->bmAttributes = one.bytes[3];
        d->wBytesPerInterval = (uint16_t)(one.bytes[4] | one.bytes[5] << 8);
        *ret_companion = d;
        return LIBUSB_SUCCESS;
    }
    /* What is left is no descriptor. */
    if (rest.size >= DESCRIPTOR_HEADER &&
        (rest.bytes[0] < DESCRIPTOR_HEADER || rest.bytes[1] == LIBUSB_DT_SS_ENDPOINT_COMPANION))
        return LIBUSB_ERROR_IO;
    return LIBUSB_ERROR_NOT_FOUND;
}

void LIBUSB_CALL
libusb_free_ss_endpoint_companion_descriptor(
    struct libusb_ss_endpoint_companion_descriptor *companion)
{
    free(companion);
}
