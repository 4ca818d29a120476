#include "printable.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the character at `p` (RFC 3629), and what it is; 0: no UTF-8. */
static size_t
decode(const unsigned char *p, uint32_t *ret_code)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    size_t n = 0, i = 1;
    uint32_t code;

    while (n < 4 && (p[0] & forms[n].mask) != forms[n].lead)
        n++;
    if (n == 4)
        return 0;
    code = p[0] & ~(uint32_t)forms[n].mask & 0xffu;
    for (; i <= n && (p[i] & 0xc0) == 0x80; i++)
        code = code << 6 | (p[i] & 0x3fu);
    if (i <= n || code < forms[n].least || code > 0x10ffff || (code >> 11) == 0x1b)
        return 0;
    *ret_code = code;
    return n + 1;
}

static int
shows(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } silent[] = {{0, 0x1f},        {0x7f, 0x9f},     {0x200b, 0x200f}, {0x2028, 0x202e},
                  {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};

    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
        if (code >= silent[i].first && code <= silent[i].last)
            return 0;
    return 1;
}

char *
printable(const char *text, char *buf, size_t size)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t len = 0;

    while (*p) {
        uint32_t code = 0;
        size_t n = decode(p, &code);
        int fine = n && shows(code);

        if (len + (fine ? n : 1) >= size)
            break;
        if (fine)
            memcpy(buf + len, p, n);
        else
            buf[len] = '?';
        len += fine ? n : 1;
        p += n ? n : 1;
    }
    buf[len] = '\0';
    return buf;
}
