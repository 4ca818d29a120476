/*
 * listen.c - a receiver that boards send to
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "client/import.h"
#include "client/listener.h"
#include "client/service.h"
#include "syslog/receiver.h"
#include "transport/listen.h"

#define STREAMS_MAX   64u
#define DATAGRAMS_MAX 64 /* before others have their turn */
#define PORT_TRIES    16 /* for a port that is free for TCP and for UDP */

struct listener {
    struct uw_syslog base; /* first: so the grave is */
    struct uw_listener tcp;
    struct uw_source udp;
    struct sockaddr_storage tcp_bound, udp_bound;
    uint8_t datagram[UW_SYSLOG_MAX];
};

static void
came(struct uw_listener *listener, struct uw_transport *transport)
{
    struct listener *l = UW_CONTAINER(listener, struct listener, tcp);
    struct sockaddr_storage from, to;
    char host[64];

    uw_transport_ends(transport, &from, &to);
    uw_socket_host(&from, host, sizeof(host));
    if (l->base.count == STREAMS_MAX) {
        uw_transport_free(transport, 1);
        uw_syslog_tell(&l->base, 0, "%s: turned away, %u boards are connected", host, STREAMS_MAX);
    } else if (uw_syslog_add_stream(&l->base, transport, NULL) < 0) {
        uw_syslog_tell(&l->base, 0, "%s: turned away, out of memory", host);
    } else {
        uw_syslog_tell(&l->base, 1, "%s: connected", host);
    }
}

static void
receive_datagrams(struct uw_source *source, unsigned events, struct uw_usec now)
{
    struct listener *l = UW_CONTAINER(source, struct listener, udp);
    struct sockaddr_storage from, to;
    char host[64];

    (void)events;
    for (int i = 0; i < DATAGRAMS_MAX; i++) {
        struct uw_syslog_origin origin = {host, &from, &to, UW_SYSLOG_UDP};
        ssize_t n =
            uw_receive(source->fd, l->datagram, sizeof(l->datagram), &l->udp_bound, &from, &to);
        size_t size = n < 0 ? 0 : (size_t)n;

        if (n < 0)
            return;
        if (size > sizeof(l->datagram)) {
            size = sizeof(l->datagram);
            origin.flags |= UW_SYSLOG_CUT;
        }
        if (size == 0 || l->datagram[0] != '<')
            origin.flags |= UW_SYSLOG_JUNK;
        uw_socket_host(&from, host, sizeof(host));
        uw_syslog_deliver(&l->base, l->datagram, size, &origin, now);
    }
}

/* ---- as a kind of receiver ---- */

static void
received(struct uw_syslog *s)
{
    (void)s;
}

static void
ended(struct uw_syslog *s, struct uw_syslog_stream *stream, int error, struct uw_usec now)
{
    (void)now;
    uw_syslog_tell(s, 0, "%s: %s", stream->name,
                   error ? strerror(error) : "the board closed the connection");
}

static void
free_listener(struct uw_grave *grave)
{
    free(UW_CONTAINER(grave, struct listener, base.grave));
}

static void
close_listener(struct uw_syslog *s)
{
    struct listener *l = UW_CONTAINER(s, struct listener, base);

    uw_listener_stop(&l->tcp);
    if (l->udp.ready)
        uw_loop_remove_source(s->loop, &l->udp);
    if (l->udp.fd >= 0)
        close(l->udp.fd);
    l->udp.fd = -1;
    uw_loop_bury(s->loop, &s->grave);
}

static const struct uw_syslog_kind kind = {
    .received = received, .ended = ended, .close = close_listener};

/* One port for both. */
static int
bind_both(struct listener *l, const char *bind, uint16_t port)
{
    struct sockaddr_storage address;
    socklen_t size = uw_socket_address(bind, port, &address);

    if (!size)
        return UW_ERROR_INVALID;
    for (int i = 0; i < (port ? 1 : PORT_TRIES); i++) {
        l->tcp.source.fd = uw_listen(SOCK_STREAM, &address, size, &l->tcp_bound);
        if (l->tcp.source.fd < 0)
            return UW_ERROR_CONNECT;
        l->udp.fd = uw_listen(SOCK_DGRAM, &l->tcp_bound, size, &l->udp_bound);
        if (l->udp.fd >= 0)
            return 0;
        close(l->tcp.source.fd);
        l->tcp.source.fd = -1;
    }
    return UW_ERROR_CONNECT;
}

static int
add_datagrams(struct uw_loop *loop, struct uw_source *source)
{
    int r;

    source->events = UW_POLL_IN;
    source->ready = receive_datagrams;
    r = uw_loop_add_source(loop, source);
    if (r < 0)
        source->ready = NULL;
    return r;
}

static int
start(struct listener *l, struct uw_loop *loop)
{
    int held = uw_service_hold(loop), r = held;

    uw_loop_lock(loop);
    if (r == 0)
        r = uw_listener_start(&l->tcp, loop, l->tcp.source.fd, came);
    if (r == 0)
        r = add_datagrams(loop, &l->udp);
    if (r < 0)
        close_listener(&l->base);
    uw_loop_unlock(loop);
    if (r < 0 && held == 0)
        uw_service_release(loop);
    return r;
}

static int
refuse(int code, int raw, const char *bind, uint16_t port, struct uw_fault *fault)
{
    uw_fault_set(fault, code, "listen on %s port %u for logs", bind ? bind : "all addresses",
                 (unsigned)port);
    if (raw)
        uw_fault_came(fault, raw, "%s", strerror(raw));
    if (code != UW_ERROR_NO_MEMORY)
        uw_fault_advice(fault, "give a numeric address of this machine and a port that is free; "
                               "port 0 takes any; ports below 1024 are for root");
    return code;
}

int
uw_syslog_listen(struct uw_loop *loop, const char *bind, uint16_t port,
                 const struct uw_syslog_options *options, struct uw_syslog **ret_syslog,
                 uint16_t *ret_port, struct uw_fault *fault)
{
    struct listener *l = calloc(1, sizeof(*l));
    int r;

    if (!l)
        return refuse(UW_ERROR_NO_MEMORY, 0, bind, port, fault);
    l->tcp.source.fd = l->udp.fd = -1;
    uw_list_init(&l->udp.link);
    r = uw_syslog_init(&l->base, &kind, loop, options);
    l->base.grave.free = free_listener;
    if (r == 0)
        r = bind_both(l, bind, port);
    if (r < 0) {
        int raw = r == UW_ERROR_CONNECT ? errno : 0;

        free(l);
        return refuse(r, raw, bind, port, fault);
    }
    if (ret_port)
        *ret_port = uw_socket_port(&l->tcp_bound);
    r = start(l, loop);
    if (r < 0)
        return refuse(r, 0, bind, port, fault);
    *ret_syslog = &l->base;
    return 0;
}
