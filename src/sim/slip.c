/*
 * slip.c - SLIP (RFC 1055)
 */
#include "sim/slip.h"

#define END     0xc0
#define ESC     0xdb
#define ESC_END 0xdc
#define ESC_ESC 0xdd

void
sim_slip_begin(struct sim_slip *s)
{
    s->size = 0;
    s->inside = s->escaped = s->whole = 0;
}

static void
keep(struct sim_slip *s, uint8_t byte)
{
    if (s->size < sizeof(s->bytes))
        s->bytes[s->size++] = byte;
    else
        s->inside = 0;
}

/* An end may begin the next message, too: only before the first one, and after what was no message,
 * bytes have no meaning. */
int
sim_slip_take(struct sim_slip *s, uint8_t byte)
{
    if (s->whole)
        s->size = 0;
    s->whole = 0;
    if (byte == END) {
        s->whole = s->inside && !s->escaped && s->size > 0;
        if (!s->whole)
            s->size = 0;
        s->inside = 1;
        s->escaped = 0;
    } else if (s->inside && s->escaped) {
        s->escaped = 0;
        if (byte == ESC_END || byte == ESC_ESC)
            keep(s, byte == ESC_END ? END : ESC);
        else
            s->inside = 0;
    } else if (s->inside && byte == ESC) {
        s->escaped = 1;
    } else if (s->inside) {
        keep(s, byte);
    }
    return s->whole;
}

size_t
sim_slip_make(const uint8_t *bytes, size_t size, uint8_t *out)
{
    size_t n = 0;

    out[n++] = END;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == END || bytes[i] == ESC) {
            out[n++] = ESC;
            out[n++] = bytes[i] == END ? ESC_END : ESC_ESC;
        } else {
            out[n++] = bytes[i];
        }
    }
    out[n++] = END;
    return n;
}
