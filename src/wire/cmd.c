/*
 * cmd.c - the headers of the URB phase
 */
#include <inttypes.h>
#include <stdio.h>

#include <usbwire/error.h>

#include "base/bytes.h"
#include "wire/cmd.h"

void
uw_encode_pdu(uint8_t bytes[UW_PDU_SIZE], const struct uw_pdu *pdu)
{
    struct uw_writer w = uw_writer(bytes, UW_PDU_SIZE);

    uw_wr_be32(&w, pdu->command);
    uw_wr_be32(&w, pdu->seqnum);
    uw_wr_be32(&w, pdu->devid);
    uw_wr_be32(&w, pdu->direction);
    uw_wr_be32(&w, pdu->ep);
    if (pdu->command == UW_CMD_SUBMIT) {
        uw_wr_be32(&w, pdu->flags);
        uw_wr_be32(&w, (uint32_t)pdu->length);
        uw_wr_be32(&w, (uint32_t)pdu->start_frame);
        uw_wr_be32(&w, (uint32_t)pdu->packets);
        uw_wr_be32(&w, (uint32_t)pdu->interval);
        uw_wr_bytes(&w, pdu->setup, sizeof(pdu->setup));
    } else if (pdu->command == UW_RET_SUBMIT) {
        uw_wr_be32(&w, (uint32_t)pdu->status);
        uw_wr_be32(&w, (uint32_t)pdu->length);
        uw_wr_be32(&w, (uint32_t)pdu->start_frame);
        uw_wr_be32(&w, (uint32_t)pdu->packets);
        uw_wr_be32(&w, (uint32_t)pdu->error_count);
        uw_wr_bytes(&w, pdu->setup, sizeof(pdu->setup));
    } else {
        uint8_t *rest;

        uw_wr_be32(&w, pdu->command == UW_CMD_UNLINK ? pdu->target : (uint32_t)pdu->status);
        rest = uw_wr_room(&w, UW_PDU_SIZE - 24);
        if (rest)
            memset(rest, 0, UW_PDU_SIZE - 24);
    }
}

int
uw_decode_pdu(const uint8_t bytes[UW_PDU_SIZE], struct uw_pdu *ret_pdu)
{
    struct uw_reader r = uw_reader(bytes, UW_PDU_SIZE);
    struct uw_pdu pdu = {0};

    pdu.command = uw_rd_be32(&r);
    pdu.seqnum = uw_rd_be32(&r);
    pdu.devid = uw_rd_be32(&r);
    pdu.direction = uw_rd_be32(&r);
    pdu.ep = uw_rd_be32(&r);
    switch (pdu.command) {
    case UW_CMD_SUBMIT: pdu.flags = uw_rd_be32(&r); break;
    case UW_CMD_UNLINK: pdu.target = uw_rd_be32(&r); break;
    case UW_RET_SUBMIT:
    case UW_RET_UNLINK: pdu.status = (int32_t)uw_rd_be32(&r); break;
    default: *ret_pdu = pdu; return UW_ERROR_PROTOCOL;
    }
    if (pdu.command == UW_CMD_SUBMIT || pdu.command == UW_RET_SUBMIT) {
        int32_t last;

        pdu.length = (int32_t)uw_rd_be32(&r);
        pdu.start_frame = (int32_t)uw_rd_be32(&r);
        pdu.packets = (int32_t)uw_rd_be32(&r);
        last = (int32_t)uw_rd_be32(&r);
        if (pdu.command == UW_CMD_SUBMIT)
            pdu.interval = last;
        else
            pdu.error_count = last;
        uw_rd_bytes(&r, pdu.setup, sizeof(pdu.setup));
    }
    *ret_pdu = pdu;
    return 0;
}

const char *
uw_pdu_text(const struct uw_pdu *pdu, char *buf, size_t size)
{
    const uint8_t *s = pdu->setup;
    unsigned ep = pdu->ep & 0x0fu;

    switch (pdu->command) {
    case UW_CMD_SUBMIT:
        if (ep == 0)
            snprintf(buf, size,
                     "CMD_SUBMIT seq %" PRIu32 " control %s %02x %02x %02x%02x %02x%02x %" PRId32
                     " bytes",
                     pdu->seqnum, pdu->direction ? "IN" : "OUT", s[0], s[1], s[3], s[2], s[5], s[4],
                     pdu->length);
        else
            snprintf(buf, size,
                     "CMD_SUBMIT seq %" PRIu32 " ep 0x%02x %s %" PRId32 " bytes flags 0x%" PRIx32
                     " interval %" PRId32 " packets %" PRId32,
                     pdu->seqnum, ep | (pdu->direction ? 0x80u : 0u), pdu->direction ? "IN" : "OUT",
                     pdu->length, pdu->flags, pdu->interval, pdu->packets);
        break;
    case UW_CMD_UNLINK:
        snprintf(buf, size, "CMD_UNLINK seq %" PRIu32 " of %" PRIu32, pdu->seqnum, pdu->target);
        break;
    case UW_RET_SUBMIT:
        snprintf(buf, size,
                 "RET_SUBMIT seq %" PRIu32 " status %" PRId32 " %" PRId32 " bytes packets %" PRId32
                 " errors %" PRId32,
                 pdu->seqnum, pdu->status, pdu->length, pdu->packets, pdu->error_count);
        break;
    case UW_RET_UNLINK:
        snprintf(buf, size, "RET_UNLINK seq %" PRIu32 " status %" PRId32, pdu->seqnum, pdu->status);
        break;
    default:
        snprintf(buf, size, "unknown command 0x%" PRIx32 " seq %" PRIu32, pdu->command,
                 pdu->seqnum);
        break;
    }
    return buf;
}
