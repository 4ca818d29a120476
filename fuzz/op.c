/*
 * op.c - headers and device records of the requests before the URBs
 *
 * Strings end where they should and are printable; what was decoded and encoded again decodes to
 * the same; a busid of any length makes a request of one size.
 */
#include <string.h>

#include "fuzz.h"
#include "wire/op.h"

static void
check_string(const char *s, size_t room)
{
    size_t n = strnlen(s, room);

    FUZZ_CHECK(n < room);
    for (size_t i = 0; i < n; i++)
        FUZZ_CHECK(s[i] >= 0x20 && s[i] < 0x7f);
}

static void
check_device(const uint8_t bytes[UW_OP_DEVICE_SIZE])
{
    struct uw_device_info info, again;
    uint8_t encoded[UW_OP_DEVICE_SIZE];
    int looks_like_one = uw_check_device(bytes);

    uw_decode_device(bytes, &info);
    check_string(info.path, sizeof(info.path));
    check_string(info.busid, sizeof(info.busid));
    FUZZ_CHECK(!looks_like_one || (info.path[0] && info.busid[0] && info.speed <= 6));
    FUZZ_CHECK(uw_speed_name(info.speed)[0]);
    FUZZ_CHECK(uw_encode_device(encoded, &info) == sizeof(encoded));
    uw_decode_device(encoded, &again);
    FUZZ_CHECK(memcmp(&info, &again, sizeof(info)) == 0);
    if (looks_like_one) /* strings apart, of which tails and the like are left out */
        FUZZ_CHECK(uw_check_device(encoded) && memcmp(encoded + 288, bytes + 288, 24) == 0);
}

static void
check_op(const uint8_t bytes[UW_OP_HEADER_SIZE])
{
    uint8_t encoded[UW_OP_HEADER_SIZE];
    struct uw_op op;

    uw_decode_op(bytes, &op);
    FUZZ_CHECK(uw_encode_op(encoded, &op) == sizeof(encoded));
    FUZZ_CHECK(memcmp(encoded, bytes, sizeof(encoded)) == 0);
    FUZZ_CHECK(uw_op_status_error(op.status) <= 0 && uw_op_status_text(op.status)[0]);
}

static void
check_request(const uint8_t *bytes, size_t size)
{
    uint8_t request[UW_OP_HEADER_SIZE + UW_OP_BUSID_SIZE];
    char busid[128];
    size_t n = size < sizeof(busid) - 1 ? size : sizeof(busid) - 1;

    memcpy(busid, bytes, n);
    busid[n] = '\0';
    n = strlen(busid);
    FUZZ_CHECK(uw_encode_import_request(request, busid) == sizeof(request));
    if (n > UW_OP_BUSID_SIZE - 1)
        n = UW_OP_BUSID_SIZE - 1;
    FUZZ_CHECK(memcmp(request + UW_OP_HEADER_SIZE, busid, n) == 0);
    for (size_t i = n; i < UW_OP_BUSID_SIZE; i++)
        FUZZ_CHECK(request[UW_OP_HEADER_SIZE + i] == 0); /* Must 1: padded with zeroes */
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    check_request(bytes, size);
    for (size_t at = 0; at + UW_OP_HEADER_SIZE <= size && at < 64; at += UW_OP_HEADER_SIZE)
        check_op(bytes + at);
    for (size_t at = 0; at + UW_OP_DEVICE_SIZE <= size; at += UW_OP_DEVICE_SIZE)
        check_device(bytes + at);
    return 0;
}
