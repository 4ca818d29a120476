/*
 * fault.c - errors with the whole story
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"

/* Text from a peer may hold anything; what is shown to a person is printable. UTF-8 passes. */
static void
clean(char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c < 0x20 || c == 0x7f)
            *s = '?';
    }
}

__attribute__((format(printf, 3, 0))) static void
format(char *dst, size_t size, const char *fmt, va_list ap)
{
    vsnprintf(dst, size, fmt, ap);
    clean(dst);
}

int
uw_fault_set(struct uw_fault *fault, int code, const char *tried_format, ...)
{
    va_list ap;

    if (!fault)
        return code;
    memset(fault, 0, sizeof(*fault));
    fault->code = code;
    va_start(ap, tried_format);
    format(fault->tried, sizeof(fault->tried), tried_format, ap);
    va_end(ap);
    return code;
}

void
uw_fault_on(struct uw_fault *fault, const char *fmt, ...)
{
    va_list ap;

    if (!fault)
        return;
    va_start(ap, fmt);
    format(fault->on, sizeof(fault->on), fmt, ap);
    va_end(ap);
}

void
uw_fault_came(struct uw_fault *fault, int raw, const char *fmt, ...)
{
    va_list ap;

    if (!fault)
        return;
    fault->raw = raw;
    va_start(ap, fmt);
    format(fault->came, sizeof(fault->came), fmt, ap);
    va_end(ap);
}

void
uw_fault_advice(struct uw_fault *fault, const char *fmt, ...)
{
    va_list ap;

    if (!fault)
        return;
    va_start(ap, fmt);
    format(fault->advice, sizeof(fault->advice), fmt, ap);
    va_end(ap);
}

const char *
uw_fault_text(const struct uw_fault *fault, char *buf, size_t size)
{
    if (size == 0)
        return buf;
    snprintf(buf, size, "%s%s%s%s%s%s%s%s%s%s", fault->on, fault->on[0] ? ": " : "", fault->tried,
             fault->tried[0] ? ": " : "", uw_error_text(fault->code), fault->came[0] ? " (" : "",
             fault->came, fault->came[0] ? ")" : "", fault->advice[0] ? "; " : "", fault->advice);
    return buf;
}

char *
uw_printable(char *dst, size_t size, const void *s, size_t n)
{
    const uint8_t *p = (const uint8_t *)s;
    size_t i = 0;

    if (size == 0)
        return dst;
    for (; i < n && i + 1 < size && p[i]; i++)
        dst[i] = p[i] >= 0x20 && p[i] < 0x7f ? (char)p[i] : '?';
    dst[i] = '\0';
    return dst;
}
