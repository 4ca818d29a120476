/*
 * framer.c - where messages begin and end
 */
#include <string.h>

#include "syslog/framer.h"

#define DIGITS_MAX 4u /* of a count; UW_SYSLOG_MAX has as many */

void
uw_framer_init(struct uw_framer *f)
{
    f->start = f->end = 0;
    f->skipping = 0;
    f->junk = 0;
}

size_t
uw_framer_put(struct uw_framer *f, const void *bytes, size_t size)
{
    size_t n;

    if (f->start) {
        memmove(f->bytes, f->bytes + f->start, f->end - f->start);
        f->end -= f->start;
        f->start = 0;
    }
    n = UW_FRAMER_SIZE - f->end;
    if (n > size)
        n = size;
    if (n)
        memcpy(f->bytes + f->end, bytes, n);
    f->end += n;
    return n;
}

static int
is_between(uint8_t c)
{
    return c == '\r' || c == '\n' || c == '\0' || c == ' ';
}

/* 1 when the place behind it is known. */
static int
skip_line(struct uw_framer *f)
{
    const uint8_t *newline = memchr(f->bytes + f->start, '\n', f->end - f->start);

    if (!newline) {
        f->start = f->end;
        return 0;
    }
    f->start = (size_t)(newline - f->bytes) + 1;
    f->skipping = 0;
    return 1;
}

enum counting { NOT_COUNTED, UNDECIDED, COUNTED };

/* LEN SP '<' at p: what the frame takes up, and where in that it begins. */
static enum counting
read_count(const uint8_t *p, size_t have, size_t *ret_offset, size_t *ret_length)
{
    size_t i = 0, length = 0;

    while (i < have && i < DIGITS_MAX && p[i] >= '0' && p[i] <= '9')
        length = length * 10 + (size_t)(p[i++] - '0');
    if (i == 0 || p[0] == '0' || length > UW_SYSLOG_MAX)
        return NOT_COUNTED;
    if (i < have && p[i] != ' ')
        return NOT_COUNTED;
    if (i + 1 >= have)
        return UNDECIDED;
    *ret_offset = i + 1;
    *ret_length = length;
    return p[i + 1] == '<' ? COUNTED : NOT_COUNTED;
}

/* Length of "[1-9][0-9]* <[0-9]+>1 " at p, the beginning of a counted RFC 5424 message; 0: none. */
static size_t
beginning_length(const uint8_t *p, size_t n)
{
    size_t count = 0, i;

    while (count < n && count < DIGITS_MAX && p[count] >= '0' && p[count] <= '9')
        count++;
    i = count + 2;
    if (count == 0 || p[0] == '0' || i > n || p[count] != ' ' || p[count + 1] != '<')
        return 0;
    while (i < n && i < count + 5 && p[i] >= '0' && p[i] <= '9')
        i++;
    return i > count + 2 && i + 3 <= n && memcmp(p + i, ">1 ", 3) == 0 ? i + 3 : 0;
}

/* Where in a counted message another one begins on a new line, so that the count must be wrong; 0:
 * nowhere. */
static size_t
find_beginning(const uint8_t *p, size_t n)
{
    const uint8_t *newline = memchr(p, '\n', n);

    while (newline) {
        size_t at = (size_t)(newline - p) + 1;

        if (beginning_length(p + at, n - at))
            return at;
        newline = memchr(p + at, '\n', n - at);
    }
    return 0;
}

static int
give(struct uw_framer *f, enum uw_frame_kind kind, int cut, size_t offset, size_t size,
     struct uw_frame *ret_frame)
{
    *ret_frame = (struct uw_frame){kind, cut, f->bytes + f->start + offset, size};
    f->start += offset + size;
    if (kind == UW_FRAME_JUNK)
        f->junk++;
    return 1;
}

static int
next_line(struct uw_framer *f, struct uw_frame *ret_frame)
{
    const uint8_t *p = f->bytes + f->start, *newline;
    size_t have = f->end - f->start, size;
    enum uw_frame_kind kind = p[0] == '<' ? UW_FRAME_LINE : UW_FRAME_JUNK;

    newline = memchr(p, '\n', have < UW_SYSLOG_MAX + 1u ? have : UW_SYSLOG_MAX + 1u);
    if (!newline && have <= UW_SYSLOG_MAX)
        return 0;
    if (!newline) {
        f->skipping = 1;
        return give(f, kind, 1, 0, UW_SYSLOG_MAX, ret_frame);
    }
    size = (size_t)(newline - p);
    give(f, kind, 0, 0, size, ret_frame);
    f->start++; /* the newline */
    if (size && p[size - 1] == '\r')
        ret_frame->size--;
    return 1;
}

static int
next_counted(struct uw_framer *f, size_t offset, size_t length, struct uw_frame *ret_frame)
{
    const uint8_t *p = f->bytes + f->start + offset;
    size_t have = f->end - f->start - offset, shorter;

    shorter = find_beginning(p, have < length ? have : length);
    if (shorter)
        return give(f, UW_FRAME_COUNTED, 1, offset, shorter, ret_frame);
    if (have < length)
        return 0;
    return give(f, UW_FRAME_COUNTED, 0, offset, length, ret_frame);
}

int
uw_framer_next(struct uw_framer *f, struct uw_frame *ret_frame)
{
    size_t offset = 0, length = 0;

    if (f->skipping && !skip_line(f))
        return 0;
    while (f->start < f->end && is_between(f->bytes[f->start]))
        f->start++;
    if (f->start == f->end)
        return 0;
    switch (read_count(f->bytes + f->start, f->end - f->start, &offset, &length)) {
    case UNDECIDED: return 0;
    case COUNTED: return next_counted(f, offset, length, ret_frame);
    case NOT_COUNTED: break;
    }
    return next_line(f, ret_frame);
}

int
uw_framer_finish(struct uw_framer *f, struct uw_frame *ret_frame)
{
    size_t offset = 0, length = 0;
    enum uw_frame_kind kind = UW_FRAME_LINE;
    const uint8_t *p = f->bytes + f->start;
    size_t have = f->end - f->start;

    if (f->skipping || have == 0)
        return 0;
    if (read_count(p, have, &offset, &length) == COUNTED)
        kind = UW_FRAME_COUNTED;
    else if (p[0] != '<')
        kind = UW_FRAME_JUNK;
    if (kind != UW_FRAME_COUNTED)
        offset = 0;
    return give(f, kind, 1, offset, have - offset, ret_frame);
}
