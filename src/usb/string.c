/*
 * string.c - string descriptors (USB 2.0 9.6.7): UTF-16LE to UTF-8
 */
#include <string.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "usb/device.h"

#define STRING_MAX     255u
#define LANGUAGES_READ 4u /* the length that every device can answer */

static size_t
put_utf8(char *dst, size_t room, uint32_t c)
{
    uint8_t b[4];
    size_t n;

    if (c < 0x80) {
        b[0] = (uint8_t)c;
        n = 1;
    } else if (c < 0x800) {
        b[0] = (uint8_t)(0xc0 | c >> 6);
        b[1] = (uint8_t)(0x80 | (c & 0x3f));
        n = 2;
    } else if (c < 0x10000) {
        b[0] = (uint8_t)(0xe0 | c >> 12);
        b[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        b[2] = (uint8_t)(0x80 | (c & 0x3f));
        n = 3;
    } else {
        b[0] = (uint8_t)(0xf0 | c >> 18);
        b[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        b[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        b[3] = (uint8_t)(0x80 | (c & 0x3f));
        n = 4;
    }
    if (n >= room)
        return 0;
    memcpy(dst, b, n);
    return n;
}

/* The next character; what is half a surrogate pair becomes U+FFFD. */
static uint32_t
next_char(struct uw_reader *r)
{
    uint32_t c = uw_rd_le16(r);

    if (c < 0xd800 || c > 0xdfff)
        return c;
    if (c <= 0xdbff && r->left >= 2) {
        struct uw_reader ahead = *r;
        uint32_t low = uw_rd_le16(&ahead);

        if (low >= 0xdc00 && low <= 0xdfff) {
            *r = ahead;
            return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return 0xfffd;
}

static int
to_utf8(const uint8_t *bytes, size_t size, char *buf, size_t room)
{
    struct uw_reader r = uw_reader(bytes, size - size % 2);
    size_t n = 0;

    while (r.left >= 2) {
        uint32_t c = next_char(&r);
        size_t put = c ? put_utf8(buf + n, room - n, c) : 0;

        if (!put)
            break;
        n += put;
    }
    buf[n] = '\0';
    return (int)n;
}

static int
read_string(struct uw_device *d, uint8_t index, uint16_t language, uint8_t *bytes, uint16_t size,
            struct uw_usec timeout, size_t *ret_size, struct uw_fault *fault)
{
    size_t actual = 0;
    int r = uw_import_descriptor(d->import, UW_DT_STRING, index, language, bytes, size, timeout,
                                 &actual, fault);

    if (r < 0)
        return r;
    /* Only the list of languages is asked for in part. */
    if (actual < 2 || bytes[1] != UW_DT_STRING || bytes[0] < 2 || (index && bytes[0] > actual)) {
        uw_fault_set(fault, UW_ERROR_PROTOCOL, "read string %u", index);
        uw_fault_on(fault, "%s", d->name);
        uw_fault_came(fault, 0, "%zu bytes that are no string descriptor", actual);
        return UW_ERROR_PROTOCOL;
    }
    *ret_size = bytes[0] < actual ? bytes[0] : actual;
    return 0;
}

int
uw_device_string(struct uw_device *d, uint8_t index, uint16_t language, char *buf, size_t size,
                 struct uw_usec timeout, struct uw_fault *fault)
{
    uint8_t bytes[STRING_MAX];
    size_t n = 0;
    int r;

    if (index == 0 || size == 0) {
        uw_fault_set(fault, UW_ERROR_INVALID, "read string %u", index);
        uw_fault_on(fault, "%s", d->name);
        uw_fault_advice(fault, "%s",
                        index ? "there has to be room for the text"
                              : "strings are numbered from 1; 0 means that there is none");
        return UW_ERROR_INVALID;
    }
    if (language == 0) {
        r = read_string(d, 0, 0, bytes, LANGUAGES_READ, timeout, &n, fault);
        if (r < 0)
            return r;
        if (n >= 4)
            language = (uint16_t)(bytes[2] | bytes[3] << 8);
    }
    r = read_string(d, index, language, bytes, sizeof(bytes), timeout, &n, fault);
    return r < 0 ? r : to_utf8(bytes + 2, n - 2, buf, size);
}

void
uw_device_try_string(struct uw_device *d, uint8_t index, char *buf, size_t size,
                     struct uw_usec timeout)
{
    if (!index || uw_device_string(d, index, 0, buf, size, timeout, NULL) < 0)
        buf[0] = '\0';
}
