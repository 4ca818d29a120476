/*
 * clean.c - bytes from anywhere as text that a terminal may be given
 */
#include <stdint.h>
#include <string.h>

#include "base/clean.h"

#define ESC 0x1bu
#define BEL 0x07u

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* How many of the n bytes at p, the first of which is ESC, are one escape sequence. One that does
 * not end is as long as the text. */
static size_t
escape_length(const uint8_t *p, size_t n)
{
    size_t i = 2;

    if (n < 2)
        return n;
    if (p[1] == '[') { /* parameters and intermediates, then a final byte */
        while (i < n && p[i] >= 0x20 && p[i] < 0x40)
            i++;
        return i < n && p[i] >= 0x40 && p[i] < 0x7f ? i + 1 : i;
    }
    if (p[1] && strchr("]PX^_", p[1])) { /* a string, ended by BEL or ESC \ */
        while (i < n && p[i] != BEL && p[i] != ESC)
            i++;
        if (i < n && p[i] == BEL)
            return i + 1;
        return i + 1 < n && p[i + 1] == '\\' ? i + 2 : i;
    }
    i = 1; /* intermediates, then a final byte */
    while (i < n && p[i] >= 0x20 && p[i] < 0x30)
        i++;
    return i < n && p[i] >= 0x30 && p[i] < 0x7f ? i + 1 : i;
}

/* Length of the well-formed UTF-8 character at p (Unicode table 3-7), 0 when there is none. */
static size_t
utf8_length(const uint8_t *p, size_t n)
{
    static const struct {
        uint8_t first, last, low, high; /* of the first byte; of the second */
        uint8_t length;
    } rows[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};

    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        if (p[0] < rows[r].first || p[0] > rows[r].last)
            continue;
        if (rows[r].length > n ||
            (rows[r].length > 1 && (p[1] < rows[r].low || p[1] > rows[r].high)))
            return 0;
        for (size_t i = 2; i < rows[r].length; i++)
            if ((p[i] & 0xc0) != 0x80)
                return 0;
        return rows[r].length;
    }
    return 0;
}

static int
is_control(const uint8_t *p)
{
    return (p[0] < 0x20 && p[0] != '\t' && p[0] != '\n') || p[0] == 0x7f ||
           (p[0] == 0xc2 && p[1] < 0xa0); /* U+0080..U+009F */
}

size_t
uw_clean_text(char *dst, size_t size, const void *src, size_t n)
{
    const uint8_t *p = (const uint8_t *)src;
    size_t out = 0, i = 0;

    if (size == 0)
        return 0;
    while (i < n) {
        const char *what = (const char *)p + i;
        size_t length = p[i] == ESC ? 0 : utf8_length(p + i, n - i), step = length;

        if (p[i] == ESC) {
            i += escape_length(p + i, n - i);
            continue;
        }
        if (!length) {
            what = replacement;
            length = sizeof(replacement) - 1;
            step = 1;
        } else if (is_control(p + i)) {
            i += step;
            continue;
        }
        if (out + length >= size)
            break;
        memcpy(dst + out, what, length);
        out += length;
        i += step;
    }
    dst[out] = '\0';
    return out;
}
