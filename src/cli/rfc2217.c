/*
 * rfc2217.c - telnet, as far as a serial port needs it
 */
#include <string.h>

#include "rfc2217.h"

#define IAC          255
#define SAY_DO_NOT   254
#define SAY_DO       253
#define SAY_WILL_NOT 252
#define SAY_WILL     251
#define SB           250
#define BREAK        243
#define SE           240

#define SERVER_BASE 100

enum state { DATA, COMMAND, OPTION, SUB_VALUE, SUB_COMMAND };

static const uint8_t options[4] = {0 /* binary */, 1 /* echo */, 3 /* no go-ahead */,
                                   44 /* COM-PORT-OPTION */};

enum { BINARY, ECHO, GO_AHEAD, COM_PORT, UNKNOWN };

static unsigned
place_of(uint8_t option)
{
    unsigned i = 0;

    while (i < UNKNOWN && options[i] != option)
        i++;
    return i;
}

static void
negotiate(struct rfc2217 *t, uint8_t verb, uint8_t option)
{
    const uint8_t bytes[3] = {IAC, verb, option};

    t->ops->send(t, bytes, sizeof(bytes));
}

void
rfc2217_begin(struct rfc2217 *t, const struct rfc2217_ops *ops)
{
    memset(t, 0, sizeof(*t));
    t->ops = ops;
    for (unsigned i = 0; i < UNKNOWN; i++) {
        negotiate(t, SAY_WILL, options[i]);
        t->ours[i] = 1;
    }
    negotiate(t, SAY_DO, options[BINARY]);
    negotiate(t, SAY_DO, options[GO_AHEAD]);
    negotiate(t, SAY_DO, options[COM_PORT]);
}

int
rfc2217_is_com_port(const struct rfc2217 *t)
{
    return t->theirs[COM_PORT];
}

/* An answer only where something changes, or the two could go on for ever. What we offered and
 * asked for in the beginning is answered by then. */
static void
meet_option(struct rfc2217 *t, unsigned verb, uint8_t option)
{
    unsigned i = place_of(option);
    int on = verb == SAY_DO || verb == SAY_WILL, his = verb == SAY_WILL || verb == SAY_WILL_NOT;
    uint8_t *held = his ? t->theirs : t->ours;

    if (i == UNKNOWN || (his && i == ECHO)) {
        if (on)
            negotiate(t, his ? SAY_DO_NOT : SAY_WILL_NOT, option);
        return;
    }
    if (held[i] == on)
        return;
    held[i] = (uint8_t)on;
    if (!his)
        negotiate(t, on ? SAY_WILL : SAY_WILL_NOT, option);
    else if (!on)
        negotiate(t, SAY_DO_NOT, option);
}

static void
meet_sub(struct rfc2217 *t)
{
    if (t->value_size < 2 || t->value[0] != options[COM_PORT])
        return;
    t->theirs[COM_PORT] = 1;
    t->ops->command(t, t->value[1], t->value + 2, t->value_size - 2);
}

static void
take_value(struct rfc2217 *t, uint8_t byte)
{
    if (t->value_size < sizeof(t->value))
        t->value[t->value_size++] = byte;
}

static void
meet_command(struct rfc2217 *t, uint8_t byte)
{
    static const uint8_t escaped = IAC;

    t->state = DATA;
    if (byte == IAC) {
        t->ops->data(t, &escaped, 1);
    } else if (byte >= SAY_WILL) {
        t->verb = byte;
        t->state = OPTION;
    } else if (byte == SB) {
        t->value_size = 0;
        t->state = SUB_VALUE;
    } else if (byte == BREAK) {
        t->ops->send_break(t);
    }
}

/* Anything but data. */
static void
meet(struct rfc2217 *t, uint8_t byte)
{
    switch ((enum state)t->state) {
    case DATA: break;
    case COMMAND: meet_command(t, byte); break;
    case OPTION:
        t->state = DATA;
        meet_option(t, t->verb, byte);
        break;
    case SUB_VALUE:
        if (byte == IAC)
            t->state = SUB_COMMAND;
        else
            take_value(t, byte);
        break;
    case SUB_COMMAND:
        t->state = SUB_VALUE;
        if (byte == IAC) {
            take_value(t, byte);
        } else if (byte == SE) {
            t->state = DATA;
            meet_sub(t);
        } else {
            /* The subnegotiation was never ended. */
            meet_command(t, byte);
        }
        break;
    }
}

/* A client that is not binary sends CR NUL for a carriage return. Returns how many bytes are data
 * as they are. */
static size_t
plain(struct rfc2217 *t, const uint8_t *bytes, size_t size)
{
    size_t n = 0;

    while (n < size && bytes[n] != IAC) {
        if (!t->theirs[BINARY] && t->after_cr && bytes[n] == 0)
            break;
        t->after_cr = bytes[n++] == '\r';
    }
    return n;
}

void
rfc2217_feed(struct rfc2217 *t, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        size_t n = t->state == DATA ? plain(t, bytes, size) : 0;

        if (n > 0) {
            t->ops->data(t, bytes, n);
        } else {
            n = 1;
            if (t->state != DATA)
                meet(t, *bytes);
            else if (*bytes == IAC)
                t->state = COMMAND;
            t->after_cr = 0;
        }
        bytes += n;
        size -= n;
    }
}

static size_t
escape(const uint8_t *bytes, size_t size, uint8_t *buf)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i++) {
        buf[n++] = bytes[i];
        if (bytes[i] == IAC)
            buf[n++] = IAC;
    }
    return n;
}

/* To a client that is not binary a carriage return is followed by a line feed or NUL. */
size_t
rfc2217_escape(const struct rfc2217 *t, const uint8_t *bytes, size_t size, uint8_t *buf)
{
    size_t n = 0;

    if (t->ours[BINARY])
        return escape(bytes, size, buf);
    for (size_t i = 0; i < size; i++) {
        n += escape(bytes + i, 1, buf + n);
        if (bytes[i] == '\r' && (i + 1 == size || bytes[i + 1] != '\n'))
            buf[n++] = 0;
    }
    return n;
}

void
rfc2217_tell(struct rfc2217 *t, unsigned command, const uint8_t *value, size_t size)
{
    uint8_t bytes[6 + 2 * RFC2217_VALUE_MAX];
    size_t n = 0;

    if (size > RFC2217_VALUE_MAX)
        size = RFC2217_VALUE_MAX;
    bytes[n++] = IAC;
    bytes[n++] = SB;
    bytes[n++] = options[COM_PORT];
    bytes[n++] = (uint8_t)(command + SERVER_BASE);
    n += escape(value, size, bytes + n);
    bytes[n++] = IAC;
    bytes[n++] = SE;
    t->ops->send(t, bytes, n);
}
