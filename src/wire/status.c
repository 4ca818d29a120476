/*
 * status.c - the dialects, read as data
 */
#include <inttypes.h>
#include <stdio.h>

#include <usbwire/error.h>

#include "wire/status.h"

struct row {
    enum uw_dialect dialect;
    uint32_t value;
    const char *name;
    int error;
    const char *text;
};

static const struct row rows[] = {
#define UW_STATUS_X(dialect, value, name, error, text)                                             \
    {UW_DIALECT_##dialect, (value), (name), UW_ERROR_##error, (text)},
#include "wire/status.def"
#undef UW_STATUS_X
};

/* No errno is larger; what is may be one in the other byte order. */
#define ERRNO_MAX 4095u

static uint32_t
magnitude(int32_t raw)
{
    uint32_t v = raw < 0 ? 0u - (uint32_t)raw : (uint32_t)raw, swapped;

    if (v <= ERRNO_MAX)
        return v;
    swapped = (uint32_t)raw;
    swapped = swapped << 24 | (swapped & 0xff00u) << 8 | (swapped >> 8 & 0xff00u) | swapped >> 24;
    if (swapped > INT32_MAX)
        swapped = 0u - swapped;
    return swapped <= ERRNO_MAX ? swapped : v;
}

static const struct row *
look_up(enum uw_dialect dialect, uint32_t value)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].dialect == dialect && rows[i].value == value)
            return &rows[i];
    return NULL;
}

static const struct row *
find(enum uw_dialect dialect, unsigned ep, int32_t raw)
{
    uint32_t value = magnitude(raw);
    const struct row *row;

    if (dialect == UW_DIALECT_LIBUSB && ep == 0)
        dialect = UW_DIALECT_LINUX;
    row = look_up(dialect, value);
    return row ? row : look_up(UW_DIALECT_LINUX, value);
}

int
uw_status_error(enum uw_dialect dialect, unsigned ep, int32_t raw)
{
    const struct row *row;

    if (raw == 0)
        return UW_OK;
    row = find(dialect, ep, raw);
    return row ? row->error : UW_ERROR_IO;
}

const char *
uw_status_text(enum uw_dialect dialect, unsigned ep, int32_t raw, char *buf, unsigned long size)
{
    const struct row *row = raw ? find(dialect, ep, raw) : NULL;

    if (raw == 0)
        snprintf(buf, size, "0 (success)");
    else if (row)
        snprintf(buf, size, "%" PRId32 " (%s, %s)", raw, row->name, row->text);
    else
        snprintf(buf, size, "%" PRId32 " (meaning unknown)", raw);
    return buf;
}
