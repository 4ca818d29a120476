/*
 * face_tcp.c - the port's bytes on a TCP port, as they are
 */
#include <stdlib.h>

#include "netface.h"

static struct netface *
net_of(const struct bridge *b)
{
    return (struct netface *)b->own;
}

static int
open_face(struct bridge *b, const char *argument)
{
    struct netface *net = calloc(1, sizeof(*net));

    if (!net)
        return cli_error("out of memory");
    b->own = net;
    net->input = bridge_send;
    return netface_open(b, net, argument);
}

static void
close_face(struct bridge *b)
{
    if (b->own)
        netface_close(net_of(b));
    free(b->own);
    b->own = NULL;
}

static void
where(const struct bridge *b, char *buf, size_t size)
{
    netface_where(net_of(b), "socket://", buf, size);
}

static unsigned
polls(struct bridge *b, struct pollfd *fds)
{
    return netface_polls(b, net_of(b), fds);
}

static int
ready(struct bridge *b, const struct pollfd *fds, unsigned count)
{
    netface_ready(b, net_of(b), fds, count);
    return 0;
}

static size_t
room(struct bridge *b)
{
    return netface_room(net_of(b));
}

static void
show(struct bridge *b, const uint8_t *bytes, size_t size)
{
    netface_send(net_of(b), bytes, size);
}

const struct face face_tcp = {
    .name = "tcp",
    .open = open_face,
    .close = close_face,
    .where = where,
    .polls = polls,
    .ready = ready,
    .room = room,
    .show = show,
};
