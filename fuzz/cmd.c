/*
 * cmd.c - URB headers from anywhere, in pieces of any size
 *
 * What was decoded and encoded again decodes to the same; pieces make no difference; the text of it
 * fits wherever it is put.
 */
#include <string.h>

#include <usbwire/error.h>

#include "fuzz.h"
#include "wire/cmd.h"
#include "wire/framer.h"

static void
check_text(const struct uw_pdu *pdu)
{
    char large[512], small[20];

    memset(small, 'x', sizeof(small));
    FUZZ_CHECK(uw_pdu_text(pdu, large, sizeof(large)) == large && large[0]);
    uw_pdu_text(pdu, small, sizeof(small));
    FUZZ_CHECK(memchr(small, 0, sizeof(small)) && strncmp(small, large, strlen(small)) == 0);
}

static void
check_header(const uint8_t bytes[UW_PDU_SIZE])
{
    struct uw_pdu pdu, again;
    uint8_t encoded[UW_PDU_SIZE];
    int r = uw_decode_pdu(bytes, &pdu);

    check_text(&pdu);
    FUZZ_CHECK((r == 0) == (pdu.command >= UW_CMD_SUBMIT && pdu.command <= UW_RET_UNLINK));
    if (r < 0)
        return;
    uw_encode_pdu(encoded, &pdu);
    FUZZ_CHECK(uw_decode_pdu(encoded, &again) == 0);
    FUZZ_CHECK(memcmp(&pdu, &again, sizeof(pdu)) == 0);
    /* An unlink has 24 bytes of padding, which are not kept. */
    FUZZ_CHECK(memcmp(encoded, bytes,
                      pdu.command == UW_CMD_SUBMIT || pdu.command == UW_RET_SUBMIT ? 48 : 24) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    uint8_t header[UW_PDU_SIZE];
    struct uw_framer f;
    size_t step = size % 50u + 1u, at = 0;

    uw_framer_start(&f, header, sizeof(header));
    while (at < size) {
        size_t n = size - at < step ? size - at : step, left = n;
        const uint8_t *piece = bytes + at;

        if (uw_framer_take(&f, &piece, &left)) {
            FUZZ_CHECK(f.have == UW_PDU_SIZE);
            FUZZ_CHECK(memcmp(header, bytes + at + n - left - UW_PDU_SIZE, UW_PDU_SIZE) == 0);
            check_header(header);
            uw_framer_start(&f, header, sizeof(header));
            FUZZ_CHECK(left < n);
        } else {
            FUZZ_CHECK(left == 0);
        }
        at += n - left;
    }
    return 0;
}
