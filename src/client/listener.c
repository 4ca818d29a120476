/*
 * listener.c - those who come to a listening socket
 */
#include <unistd.h>

#include <usbwire/error.h>

#include "base/log.h"
#include "client/listener.h"

#define AGAIN_MS 100u

static void
ready(struct uw_source *source, unsigned events, struct uw_usec now)
{
    struct uw_listener *l = UW_CONTAINER(source, struct uw_listener, source);
    struct uw_transport *transport;
    int r;

    (void)events;
    while ((r = uw_transport_accept(source->fd, &transport)) == 0) {
        l->full = 0;
        l->came(l, transport);
    }
    if (r != UW_ERROR_NO_MEMORY)
        return;
    if (!l->full)
        uw_log(&l->loop->log, UW_LOG_WARNING,
               "no descriptor or memory is left for another connection: who comes now waits");
    l->full = 1;
    uw_loop_change_source(l->loop, source, 0);
    uw_loop_set_timer(l->loop, &l->again, uw_usec_add(now, uw_msec(AGAIN_MS)));
}

static void
look_again(struct uw_timer *timer, struct uw_usec now)
{
    struct uw_listener *l = UW_CONTAINER(timer, struct uw_listener, again);

    (void)now;
    uw_loop_change_source(l->loop, &l->source, UW_POLL_IN);
}

int
uw_listener_start(struct uw_listener *l, struct uw_loop *loop, int fd,
                  void (*came)(struct uw_listener *listener, struct uw_transport *transport))
{
    l->source.fd = fd;
    l->source.events = UW_POLL_IN;
    l->source.ready = ready;
    l->again.fire = look_again;
    l->came = came;
    if (uw_loop_add_source(loop, &l->source) < 0)
        return UW_ERROR_NO_MEMORY;
    l->loop = loop;
    return 0;
}

void
uw_listener_stop(struct uw_listener *l)
{
    if (l->loop) {
        uw_loop_set_timer(l->loop, &l->again, uw_never());
        uw_loop_remove_source(l->loop, &l->source);
        l->loop = NULL;
    }
    if (l->source.fd >= 0)
        close(l->source.fd);
    l->source.fd = -1;
}
