/*
 * usbmon.h - one record as Linux's usbmon makes it (link type 220, LINKTYPE_USB_LINUX_MMAPPED)
 *
 *      0 u64 id              8 u8 'S' 'C' 'E'      9 u8 type, as usbmon numbers them
 *     10 u8 endpoint        11 u8 address         12 u16 bus
 *     14 u8 flag_setup      15 u8 flag_data       16 i64 seconds   24 i32 microseconds
 *     28 i32 status         32 u32 urb_length     36 u32 data_length
 *     40 u8[8] setup, or i32 error_count and i32 number of isochronous packets
 *     48 i32 interval       52 i32 start_frame    56 u32 transfer_flags   60 u32 packets
 *     64 packets * { i32 status, u32 offset, u32 length, u32 0 }
 *        payload: of 'S' OUT and 'C' IN
 *
 * Source: Documentation/usb/usbmon.rst and drivers/usb/mon/mon_bin.c of Linux.
 */
#ifndef UW_CAPTURE_USBMON_H
#define UW_CAPTURE_USBMON_H

#include <usbwire/tap.h>

#include "base/bytes.h"

#define UW_USBMON_LINK_TYPE 220u
#define UW_USBMON_HEADER    64u
#define UW_USBMON_PACKET    16u

enum uw_usbmon_kind { UW_USBMON_SUBMIT = 'S', UW_USBMON_COMPLETE = 'C', UW_USBMON_ERROR = 'E' };

/* What a record says. Numbers as on the wire. */
struct uw_usbmon {
    uint64_t id;
    enum uw_usbmon_kind kind;
    uint8_t type;     /* enum uw_transfer_type */
    uint8_t endpoint; /* bit 7: IN */
    uint8_t address;
    uint16_t bus;
    uint64_t stamp; /* ns since 1970 */
    int32_t status;
    uint32_t length; /* asked for, or moved */
    uint8_t setup[8];
    uint32_t error_count;
    int32_t interval, start_frame;
    uint32_t flags;
    uint32_t iso_count;
    const struct uw_iso_packet *iso;
    const struct iovec *data; /* one behind another: an isochronous IN is scattered on the way */
    int data_count;
};

/* What a record becomes in a packet block. */
struct uw_usbmon_size {
    uint32_t captured; /* bytes of it that are captured */
    uint32_t data;     /* data_length: all there was */
    uint32_t original; /* bytes the packet had */
};

void uw_usbmon_measure(const struct uw_usbmon *record, struct uw_usbmon_size *ret_size);

/* Writes the `size->captured` bytes of the record to `dst`. */
void uw_usbmon_encode(const struct uw_usbmon *record, const struct uw_usbmon_size *size,
                      uint8_t *dst);

/* The reverse, for a reader: the parts of a record. `ret_packets` and `ret_payload` point into
 * `bytes`. PROTOCOL when they are no record. */
struct uw_usbmon_view {
    struct uw_usbmon record; /* without iso and data */
    uint32_t data_length;    /* as it says, packets included */
    const uint8_t *packets;  /* record.iso_count * UW_USBMON_PACKET bytes */
    const uint8_t *payload;
    size_t payload_size; /* what was captured of it */
};
int uw_usbmon_decode(const void *bytes, size_t size, struct uw_usbmon_view *ret_view);

#endif
