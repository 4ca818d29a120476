/*
 * status.c - status numbers and device paths of servers nobody has seen
 *
 * Every number means something in every dialect; every path leads to a profile.
 */
#include <string.h>

#include <usbwire/error.h>

#include "base/bytes.h"
#include "engine/profile.h"
#include "fuzz.h"

static void
check_status(int32_t raw, unsigned ep)
{
    for (unsigned d = 0; d < UW_DIALECT_COUNT; d++) {
        int error = uw_status_error((enum uw_dialect)d, ep, raw);
        char text[160], small[8];

        FUZZ_CHECK((raw == 0) == (error == UW_OK) && error <= 0);
        FUZZ_CHECK(strcmp(uw_error_name(error), uw_error_name(INT32_MIN)) != 0);
        FUZZ_CHECK(uw_status_text((enum uw_dialect)d, ep, raw, text, sizeof(text))[0]);
        uw_status_text((enum uw_dialect)d, ep, raw, small, sizeof(small));
        FUZZ_CHECK(strlen(small) < sizeof(small));
    }
}

static void
check_profile(const uint8_t *bytes, size_t size)
{
    struct uw_device_info info = {0};
    const struct uw_profile *p;
    size_t n = size < sizeof(info.path) - 1 ? size : sizeof(info.path) - 1;

    memcpy(info.path, bytes, n);
    memcpy(info.busid, bytes, size < 31 ? size : 31);
    p = uw_profile_recognise(&info);
    FUZZ_CHECK(p && uw_profile_by_name(p->name) == p);
    p = uw_profile_refine(p, UW_SEEN_OUT_LENGTH);
    FUZZ_CHECK(p && uw_profile_refine(p, UW_SEEN_OUT_LENGTH) == p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct uw_reader r = uw_reader(bytes, size);

    check_profile(bytes, size);
    while (r.left >= 5) {
        unsigned ep = uw_rd_u8(&r) & 15u;

        check_status((int32_t)uw_rd_be32(&r), ep);
    }
    return 0;
}
