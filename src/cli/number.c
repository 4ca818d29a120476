#include "number.h"

#include <string.h>

static int
digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int
has_hex_prefix(const char *text)
{
    return text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

/* Digits up to the first other character; NULL when there is none or the value exceeds 64 bits. */
static const char *
parse_digits(const char *text, unsigned base, uint64_t *ret_value)
{
    uint64_t value = 0;
    const char *p = text;

    for (int d; (d = digit(*p)) >= 0 && (unsigned)d < base; p++) {
        if (value > (UINT64_MAX - (unsigned)d) / base)
            return NULL;
        value = value * base + (unsigned)d;
    }
    if (p == text)
        return NULL;
    *ret_value = value;
    return p;
}

int
number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    int hex = has_hex_prefix(text);
    uint64_t value;
    const char *end = parse_digits(hex ? text + 2 : text, hex ? 16 : 10, &value);

    if (!end || *end || value < min || value > max)
        return 0;
    *ret_value = value;
    return 1;
}

int
number_parse_hex16(const char *text, uint64_t *ret_value)
{
    const char *digits = has_hex_prefix(text) ? text + 2 : text;
    uint64_t value;
    const char *end = parse_digits(digits, 16, &value);

    if (!end || *end || end - digits > 4)
        return 0;
    *ret_value = value;
    return 1;
}

int
number_parse_time(const char *text, uint64_t *ret_us)
{
    static const struct {
        const char *name;
        uint64_t us;
    } units[] = {{"", 1000000}, {"s", 1000000}, {"ms", 1000}, {"us", 1}};
    const uint64_t most = (uint64_t)10 * 24 * 3600 * 1000000;
    uint64_t whole, part = 0, scale = 1;
    const char *p = parse_digits(text, 10, &whole);

    if (!p || whole > most)
        return 0;
    if (*p == '.') {
        const char *from = ++p;
        p = parse_digits(from, 10, &part);
        if (!p || p - from > 6)
            return 0;
        for (; from < p; from++)
            scale *= 10;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(p, units[i].name) != 0)
            continue;
        uint64_t us = whole * units[i].us + part * units[i].us / scale;
        if (us > most)
            return 0;
        *ret_us = us;
        return 1;
    }
    return 0;
}

int
number_parse_word(const char *text, const char *words, uint64_t *ret_index)
{
    size_t size = strlen(text);

    for (uint64_t index = 0;; index++) {
        size_t n = strcspn(words, "|");
        if (n == size && memcmp(words, text, n) == 0) {
            *ret_index = index;
            return 1;
        }
        if (!words[n])
            return 0;
        words += n + 1;
    }
}

long
number_parse_bytes(const char *text, uint8_t *bytes, size_t room, size_t *ret_bad)
{
    const char *p = text;
    size_t n = 0;
    int run = 0; /* inside a run of pairs: no 0x here */

    for (;;) {
        size_t blanks = strspn(p, " \t\r\n:");
        p += blanks;
        if (blanks)
            run = 0;
        if (!*p)
            return (long)n;
        if (!run && has_hex_prefix(p))
            p += 2;
        run = 1;
        int high = digit(p[0]), low = high < 0 ? -1 : digit(p[1]);
        if (high < 0 || low < 0) {
            *ret_bad = (size_t)(p - text);
            return -1;
        }
        if (n < room)
            bytes[n] = (uint8_t)(high << 4 | low);
        n++;
        p += 2;
    }
}
