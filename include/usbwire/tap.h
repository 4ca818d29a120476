/*
 * tap.h - seeing every PDU
 *
 * A tap added to a loop (uw_loop_add_tap, loop.h) is told of every USB/IP message that its
 * connections exchange, in the order in which they happened. Traces and captures are taps.
 *
 * The contract:
 *  - UW_TAP_SUBMIT is told when the first byte of the PDU is handed to the transport, never later
 *    than its completion. A URB that never reached the wire is told as UW_TAP_REFUSED alone.
 *  - Each UW_TAP_SUBMIT is followed by exactly one UW_TAP_COMPLETE with the same `id`: the server's
 *    RET_SUBMIT, or - with `local` set - what the library concluded instead: the target of a
 *    RET_UNLINK with a negative status, or a lost connection (-108). A RET_SUBMIT that arrives for
 * a URB its caller has long given up is told like any other.
 *  - UW_TAP_UNLINK and UW_TAP_UNLINKED are CMD_UNLINK and RET_UNLINK; `target` is the id of the
 * URB.
 *  - UW_TAP_OP_* are the two requests before the URBs: `text` says what they held.
 *  - Values are as on the wire: a status is not corrected, an actual_length of 0 for a successful
 *    OUT stays 0.
 *  - Isochronous IN payload is told as the server sent it, compacted; `iso` tells where it belongs.
 *  - A tap is called under the loop's lock. It must not block, must not call the library, and may
 *    use the pointers in the event until it returns.
 */
#ifndef USBWIRE_TAP_H
#define USBWIRE_TAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <usbwire/usec.h>

#ifdef __cplusplus
extern "C" {
#endif

enum uw_tap_kind {
    UW_TAP_OP_REQUEST,
    UW_TAP_OP_REPLY,
    UW_TAP_ATTACHED, /* a device was imported: `source` is complete from here on */
    UW_TAP_SUBMIT,   /* CMD_SUBMIT */
    UW_TAP_COMPLETE, /* RET_SUBMIT */
    UW_TAP_UNLINK,   /* CMD_UNLINK */
    UW_TAP_UNLINKED, /* RET_UNLINK */
    UW_TAP_REFUSED,  /* a URB that failed before anything was sent */
    UW_TAP_DETACHED  /* the import ended: `status` says why */
};

enum uw_transfer_type {
    UW_CONTROL = 0,
    UW_ISOCHRONOUS = 1,
    UW_BULK = 2,
    UW_INTERRUPT = 3
}; /* values of bmAttributes bits 1..0, USB 2.0 table 9-13 */

/* One packet of an isochronous transfer; offsets are into the caller's buffer. */
struct uw_iso_packet {
    uint32_t offset;
    uint32_t length; /* asked for */
    uint32_t actual; /* moved */
    int32_t status;  /* enum uw_error for a caller, as on the wire for a tap */
};

/* Who a tapped message belongs to. One per connection, the same pointer in all its events. */
struct uw_tap_source {
    uint32_t connection; /* counts up from 1 in the loop */
    uint32_t server;     /* counts up from 0 in the loop */
    uint16_t bus;        /* (server << 8 | the server's busnum & 0xff): unique in the loop */
    uint8_t address;     /* devnum & 0xff */
    uint8_t speed; /* kernel enum usb_device_speed: 1 low, 2 full, 3 high, 5 super, 6 super+ */
    uint16_t vid, pid;
    const char *host;  /* as the caller named it, with the port: "bench1:3240" */
    const char *busid; /* "" before one is chosen */
    int shared;        /* 1: by another process of this user, whose own taps see it, too */
};

struct uw_tap_event {
    enum uw_tap_kind kind;
    struct uw_usec when; /* CLOCK_MONOTONIC */
    const struct uw_tap_source *source;
    uint64_t id;      /* connection << 32 | seqnum */
    uint64_t target;  /* UNLINK, UNLINKED: id of the URB meant */
    uint8_t endpoint; /* address, bit 7 set for IN */
    uint8_t type;     /* enum uw_transfer_type */
    uint8_t local;    /* COMPLETE: concluded here, nothing was received */
    uint8_t late;     /* COMPLETE: its caller was answered before */
    uint8_t setup[8]; /* SUBMIT on endpoint 0 */
    uint32_t flags;   /* SUBMIT: transfer_flags as sent, USBIP URB_* */
    int32_t interval;
    int32_t start_frame;
    int32_t status;  /* as on the wire; DETACHED and REFUSED: enum uw_error */
    uint32_t length; /* SUBMIT: transfer_buffer_length; COMPLETE: actual_length */
    uint32_t iso_count;
    int32_t error_count;
    const struct uw_iso_packet *iso; /* iso_count of them */
    const struct iovec *data;        /* SUBMIT OUT and COMPLETE IN: the payload, in order */
    int data_count;
    const char *text; /* OP_*, ATTACHED, DETACHED: one line; else NULL or a remark */
};

struct uw_tap {
    unsigned version; /* UW_TAP_VERSION */
    void (*event)(void *data, const struct uw_tap_event *event);
    void *data;
};
#define UW_TAP_VERSION 1u

#ifdef __cplusplus
}
#endif
#endif
