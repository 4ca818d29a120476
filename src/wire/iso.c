/*
 * iso.c - isochronous packet tables
 */
#include <usbwire/error.h>

#include "base/bytes.h"
#include "wire/cmd.h"

void
uw_encode_iso(uint8_t *bytes, const struct uw_iso_packet *packets, uint32_t count)
{
    struct uw_writer w = uw_writer(bytes, (size_t)count * UW_ISO_SIZE);

    for (uint32_t i = 0; i < count; i++) {
        uw_wr_be32(&w, packets[i].offset);
        uw_wr_be32(&w, packets[i].length);
        uw_wr_be32(&w, packets[i].actual);
        uw_wr_be32(&w, (uint32_t)packets[i].status);
    }
}

void
uw_decode_iso(const uint8_t *bytes, struct uw_iso_packet *ret_packets, uint32_t count)
{
    struct uw_reader r = uw_reader(bytes, (size_t)count * UW_ISO_SIZE);

    for (uint32_t i = 0; i < count; i++) {
        ret_packets[i].offset = uw_rd_be32(&r);
        ret_packets[i].length = uw_rd_be32(&r);
        ret_packets[i].actual = uw_rd_be32(&r);
        ret_packets[i].status = (int32_t)uw_rd_be32(&r);
    }
}

int
uw_spread_iso(uint8_t *buffer, size_t size, size_t have, int compact, struct uw_iso_packet *asked,
              const struct uw_iso_packet *got, uint32_t count)
{
    size_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        size_t end = (size_t)asked[i].offset + got[i].actual;

        if (got[i].actual > asked[i].length || end > size)
            return UW_ERROR_PROTOCOL;
        sum += got[i].actual;
        if (sum > have || (!compact && end > have && got[i].actual))
            return UW_ERROR_PROTOCOL;
    }
    if (compact && sum != have)
        return UW_ERROR_PROTOCOL;
    /* From the last to the first: a packet only ever moves towards the end. */
    for (uint32_t i = count; compact && i-- > 0;) {
        sum -= got[i].actual;
        if (sum > asked[i].offset)
            return UW_ERROR_PROTOCOL;
        memmove(buffer + asked[i].offset, buffer + sum, got[i].actual);
    }
    for (uint32_t i = 0; i < count; i++) {
        asked[i].actual = got[i].actual;
        asked[i].status = got[i].status;
    }
    return 0;
}
