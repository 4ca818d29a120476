/*
 * cmd.h - the 48-byte headers of the URB phase, and the isochronous packet table
 * (Linux Documentation/usb/usbip_protocol.rst; big-endian but for the setup packet)
 *
 *      0        4        8        12         16   20
 *      command  seqnum   devid    direction  ep   ...28 bytes by command
 */
#ifndef UW_WIRE_CMD_H
#define UW_WIRE_CMD_H

#include <stddef.h>
#include <stdint.h>

#include <usbwire/tap.h>

#define UW_PDU_SIZE 48
#define UW_ISO_SIZE 16

enum uw_command { UW_CMD_SUBMIT = 1, UW_CMD_UNLINK = 2, UW_RET_SUBMIT = 3, UW_RET_UNLINK = 4 };

enum uw_direction { UW_DIR_OUT = 0, UW_DIR_IN = 1 };

/* transfer_flags that may be sent (include/linux/usb.h) */
#define UW_WIRE_SHORT_NOT_OK 0x0001u
#define UW_WIRE_ISO_ASAP     0x0002u
#define UW_WIRE_ZERO_PACKET  0x0040u
#define UW_WIRE_DIR_IN       0x0200u

struct uw_pdu {
    uint32_t command, seqnum, devid, direction, ep;
    uint32_t flags;      /* CMD_SUBMIT */
    int32_t status;      /* RET_SUBMIT, RET_UNLINK */
    int32_t length;      /* CMD_SUBMIT: transfer_buffer_length; RET_SUBMIT: actual_length */
    int32_t start_frame; /* both SUBMITs */
    int32_t packets;     /* both SUBMITs: number_of_packets */
    int32_t interval;    /* CMD_SUBMIT */
    int32_t error_count; /* RET_SUBMIT */
    uint32_t target;     /* CMD_UNLINK: seqnum of the URB meant */
    uint8_t setup[8];    /* CMD_SUBMIT, RET_SUBMIT (padding) */
};

/* One encoder and one decoder for all four; which fields count depends on pdu->command. The decoder
 * of an unknown command fills the first five fields and returns PROTOCOL. */
void uw_encode_pdu(uint8_t bytes[UW_PDU_SIZE], const struct uw_pdu *pdu);
int uw_decode_pdu(const uint8_t bytes[UW_PDU_SIZE], struct uw_pdu *ret_pdu);

/* The packet table behind an isochronous payload: offset, length, actual, status of each. */
void uw_encode_iso(uint8_t *bytes, const struct uw_iso_packet *packets, uint32_t count);
void uw_decode_iso(const uint8_t *bytes, struct uw_iso_packet *ret_packets, uint32_t count);

/*
 * Isochronous IN payload arrives compacted. Moves the packets of `buffer`, in which the first
 * `have` bytes are the compacted payload, to the offsets that `asked` has, and takes actual and
 * status over from `got`. `compact` 0: the payload already lies at those offsets. PROTOCOL when
 * lengths and sums do not agree or a packet is longer than asked for.
 */
int uw_spread_iso(uint8_t *buffer, size_t size, size_t have, int compact,
                  struct uw_iso_packet *asked, const struct uw_iso_packet *got, uint32_t count);

/* One line in English, as a trace shows it: "CMD_SUBMIT seq 5 ep 0x81 IN 512 bytes". */
const char *uw_pdu_text(const struct uw_pdu *pdu, char *buf, size_t size);

#endif
