/*
 * name.c - domain names
 */
#include <stdio.h>
#include <string.h>

#include <usbwire/error.h>

#include "mdns/name.h"

#define JUMPS_MAX   64
#define POINTER     0xc0u
#define POINTER_LOW 0x3fu

int
uw_decode_dns_name(const uint8_t *packet, size_t size, size_t *offset, struct uw_dns_name *ret_name)
{
    struct uw_dns_name name = {0};
    size_t at = *offset, behind = 0;
    int jumps = 0;

    for (;;) {
        size_t length, target;

        if (at >= size)
            return UW_ERROR_PROTOCOL;
        length = packet[at];
        if ((length & POINTER) == POINTER) {
            if (at + 1 >= size || ++jumps > JUMPS_MAX)
                return UW_ERROR_PROTOCOL;
            target = (length & POINTER_LOW) << 8 | packet[at + 1];
            if (!behind)
                behind = at + 2;
            if (target >= at) /* only backwards */
                return UW_ERROR_PROTOCOL;
            at = target;
            continue;
        }
        if ((length & POINTER) || at + 1 + length > size ||
            name.size + 1 + length > UW_DNS_NAME_MAX)
            return UW_ERROR_PROTOCOL;
        memcpy(name.bytes + name.size, packet + at, length + 1);
        name.size = (uint8_t)(name.size + length + 1);
        at += length + 1;
        if (length == 0)
            break;
    }
    *offset = behind ? behind : at;
    *ret_name = name;
    return 0;
}

void
uw_encode_dns_name(struct uw_writer *w, const struct uw_dns_name *name)
{
    uw_wr_bytes(w, name->bytes, name->size);
}

int
uw_dns_name_join(const void *label, size_t size, const struct uw_dns_name *rest,
                 struct uw_dns_name *ret_name)
{
    struct uw_dns_name name;

    if (size == 0 || size > UW_DNS_LABEL_MAX || size + 1 + rest->size > UW_DNS_NAME_MAX)
        return UW_ERROR_INVALID;
    name.size = (uint8_t)(size + 1 + rest->size);
    name.bytes[0] = (uint8_t)size;
    memcpy(name.bytes + 1, label, size);
    memcpy(name.bytes + 1 + size, rest->bytes, rest->size);
    *ret_name = name;
    return 0;
}

static int
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One byte of a label, an escape resolved; where it ends, NULL when it makes no sense. */
static const char *
read_byte(const char *s, uint8_t *ret_byte)
{
    unsigned value;

    if (*s != '\\') {
        *ret_byte = (uint8_t)*s;
        return s + 1;
    }
    if (!is_digit(s[1])) {
        *ret_byte = (uint8_t)s[1];
        return s[1] ? s + 2 : NULL;
    }
    if (!is_digit(s[2]) || !is_digit(s[3]))
        return NULL;
    value = (unsigned)(s[1] - '0') * 100u + (unsigned)(s[2] - '0') * 10u + (unsigned)(s[3] - '0');
    *ret_byte = (uint8_t)value;
    return value < 256 ? s + 4 : NULL;
}

int
uw_dns_name_parse(const char *text, struct uw_dns_name *ret_name)
{
    struct uw_dns_name name = {0};

    while (*text) {
        size_t length = 0;

        while (*text && *text != '.') {
            uint8_t byte;

            text = read_byte(text, &byte);
            if (!text || length == UW_DNS_LABEL_MAX || name.size + length + 3 > UW_DNS_NAME_MAX)
                return UW_ERROR_INVALID;
            name.bytes[name.size + 1 + length++] = byte;
        }
        if (length == 0)
            return UW_ERROR_INVALID;
        name.bytes[name.size] = (uint8_t)length;
        name.size = (uint8_t)(name.size + 1 + length);
        text += *text == '.';
    }
    name.bytes[name.size++] = 0;
    *ret_name = name;
    return 0;
}

static int
write_byte(uint8_t byte, char *buf, size_t size)
{
    int n;

    if (byte == '.' || byte == '\\')
        n = snprintf(buf, size, "\\%c", byte);
    else if (byte < 0x20 || byte == 0x7f)
        n = snprintf(buf, size, "\\%03u", byte);
    else
        n = snprintf(buf, size, "%c", byte);
    return n > 0 && (size_t)n < size ? n : 0;
}

char *
uw_dns_name_text(const struct uw_dns_name *name, char *buf, size_t size)
{
    size_t out = 0;

    if (size == 0)
        return buf;
    for (size_t at = 0; name->bytes[at]; at += name->bytes[at] + 1u) {
        if (at && out + 1 < size)
            buf[out++] = '.';
        for (size_t i = 1; i <= name->bytes[at]; i++)
            out += (size_t)write_byte(name->bytes[at + i], buf + out, size - out);
    }
    buf[out] = '\0';
    return buf;
}

static uint8_t
lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static int
equal_bytes(const uint8_t *a, const uint8_t *b, size_t n)
{
    /* Lengths of labels are below 64, and so are no letters. */
    for (size_t i = 0; i < n; i++)
        if (lower(a[i]) != lower(b[i]))
            return 0;
    return 1;
}

int
uw_dns_name_equal(const struct uw_dns_name *a, const struct uw_dns_name *b)
{
    return a->size == b->size && equal_bytes(a->bytes, b->bytes, a->size);
}

size_t
uw_dns_name_label(const struct uw_dns_name *name, const struct uw_dns_name *rest,
                  const uint8_t **ret_label)
{
    size_t length = name->bytes[0];

    if (length == 0 || name->size != length + 1 + rest->size ||
        !equal_bytes(name->bytes + 1 + length, rest->bytes, rest->size))
        return 0;
    *ret_label = name->bytes + 1;
    return length;
}
