/*
 * iso.c - isochronous packet tables from anywhere
 *
 * Input: flags, number of packets, bytes of payload, then a table. Whatever it says, nothing is
 * written outside the buffer; when it is accepted, every packet lies where it was asked for and the
 * bytes are those that came.
 */
#include <string.h>

#include <usbwire/error.h>

#include "fuzz.h"
#include "wire/cmd.h"

#define PACKETS_MAX 16u
#define LENGTH_EACH 20u

static void
check_spread(const uint8_t *table, uint32_t count, size_t have, int compact)
{
    struct uw_iso_packet got[PACKETS_MAX], asked[PACKETS_MAX] = {{0}};
    size_t size = (size_t)count * LENGTH_EACH, at = 0;
    uint8_t *buffer = malloc(size ? size : 1);
    int r;

    FUZZ_CHECK(buffer);
    uw_decode_iso(table, got, count);
    for (size_t i = 0; i < size; i++)
        buffer[i] = (uint8_t)i;
    for (uint32_t i = 0; i < count; i++) {
        asked[i].offset = i * LENGTH_EACH;
        asked[i].length = LENGTH_EACH;
        asked[i].status = 99;
    }
    r = uw_spread_iso(buffer, size, have, compact, asked, got, count);
    FUZZ_CHECK(r == 0 || r == UW_ERROR_PROTOCOL);
    for (uint32_t i = 0; i < count && r == 0; i++) {
        FUZZ_CHECK(asked[i].actual == got[i].actual && asked[i].status == got[i].status);
        for (uint32_t k = 0; k < asked[i].actual; k++) {
            size_t from = compact ? at + k : asked[i].offset + k;

            FUZZ_CHECK(buffer[asked[i].offset + k] == (uint8_t)from);
        }
        at += asked[i].actual;
    }
    FUZZ_CHECK(r < 0 || !compact || at == have);
    free(buffer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct uw_iso_packet packets[PACKETS_MAX];
    uint8_t encoded[PACKETS_MAX * UW_ISO_SIZE];
    uint32_t count;
    size_t have;

    if (size < 3)
        return 0;
    count = bytes[1] % (PACKETS_MAX + 1);
    if (size - 3 < (size_t)count * UW_ISO_SIZE)
        return 0;
    have = bytes[2];
    if (have > (size_t)count * LENGTH_EACH)
        have = (size_t)count * LENGTH_EACH;
    uw_decode_iso(bytes + 3, packets, count);
    uw_encode_iso(encoded, packets, count);
    FUZZ_CHECK(memcmp(encoded, bytes + 3, (size_t)count * UW_ISO_SIZE) == 0);
    check_spread(bytes + 3, count, have, bytes[0] & 1);
    return 0;
}
