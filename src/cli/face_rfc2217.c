/*
 * face_rfc2217.c - a serial port as RFC 2217 has it
 */
#include <stdlib.h>

#include "telnet.h"

static struct telnet *
telnet_of(const struct bridge *b)
{
    return (struct telnet *)b->own;
}

static void
came(struct bridge *b)
{
    telnet_begin(telnet_of(b));
}

static void
input(struct bridge *b, const uint8_t *bytes, size_t size)
{
    telnet_feed(telnet_of(b), bytes, size);
}

static void
went(struct bridge *b)
{
    telnet_end(telnet_of(b));
}

static int
work(struct bridge *b)
{
    return telnet_work(telnet_of(b));
}

static void
changed(struct bridge *b, const struct uw_serial_counts *now)
{
    telnet_changed(telnet_of(b), now);
}

static int
open_face(struct bridge *b, const char *argument)
{
    struct telnet *t = calloc(1, sizeof(*t));

    if (!t)
        return cli_error("out of memory");
    b->own = t;
    telnet_init(t, b);
    t->net.reserve = TELNET_RESERVE;
    t->net.came = came;
    t->net.input = input;
    t->net.went = went;
    return netface_open(b, &t->net, argument);
}

static void
close_face(struct bridge *b)
{
    if (b->own)
        netface_close(&telnet_of(b)->net);
    free(b->own);
    b->own = NULL;
}

static void
where(const struct bridge *b, char *buf, size_t size)
{
    netface_where(&telnet_of(b)->net, "rfc2217://", buf, size);
}

static unsigned
polls(struct bridge *b, struct pollfd *fds)
{
    return netface_polls(b, &telnet_of(b)->net, fds);
}

static int
ready(struct bridge *b, const struct pollfd *fds, unsigned count)
{
    netface_ready(b, &telnet_of(b)->net, fds, count);
    return 0;
}

/* Every byte may need an escape. */
static size_t
room(struct bridge *b)
{
    size_t n = netface_room(&telnet_of(b)->net) / 2;

    if (telnet_of(b)->net.held)
        return 0;
    return n < BRIDGE_BUFFER ? n : BRIDGE_BUFFER;
}

static void
show(struct bridge *b, const uint8_t *bytes, size_t size)
{
    uint8_t escaped[2 * BRIDGE_BUFFER];

    netface_send(&telnet_of(b)->net, escaped,
                 rfc2217_escape(&telnet_of(b)->codec, bytes, size, escaped));
}

const struct face face_rfc2217 = {
    .name = "rfc2217",
    .open = open_face,
    .close = close_face,
    .where = where,
    .polls = polls,
    .ready = ready,
    .work = work,
    .room = room,
    .show = show,
    .changed = changed,
};
