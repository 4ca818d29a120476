/*
 * import_io.c - bytes between an import's engine and its transport; completions to their queues
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/import_parts.h"
#include "client/queue.h"
#include "client/server.h"

#define TX_IOV_MAX    64
#define LARGE_PAYLOAD 24576u
#define RX_ROOM_SMALL 1024u
#define RX_ROUNDS     8 /* reads in a row before other connections get their turn */

/* So late comes the rest of a message only where both sides wait: the server's system, without
 * NODELAY, for an acknowledgement, and ours for something to send it with (Linux: 40 ms). */
#define PIECES_US 20000u

/* ---- completions ---- */

static void
hand_back(struct uw_urb *urb)
{
    if (urb->completed_locked)
        urb->completed_locked(urb);
    if (urb->queue) {
        uw_queue_push_locked(urb->queue, urb);
        return;
    }
    urb->in_flight = 0;
    if (urb->ended_locked)
        urb->ended_locked(urb);
    else if (urb->detached)
        uw_urb_free(urb);
}

void
uw_import_deliver(struct uw_import *im)
{
    struct uw_xfer *x;
    int any = 0;

    while (im->engine && (x = uw_engine_completed(im->engine))) {
        struct uw_urb *urb = UW_CONTAINER(x, struct uw_urb, x);

        if (x->status == UW_ERROR_HELD)
            snprintf(urb->held, sizeof(urb->held), "%s", uw_engine_holder(im->engine));
        hand_back(urb);
        any = 1;
    }
    if (any)
        uw_loop_wake_waiters(im->loop);
}

void
uw_import_complete_postponed(struct uw_import *im, struct uw_urb *urb, int status)
{
    uw_list_remove(&urb->x.link);
    urb->x.status = status;
    urb->x.raw_status = 0;
    urb->x.actual = 0;
    hand_back(urb);
    uw_loop_wake_waiters(im->loop);
}

/* ---- bytes ---- */

/* A stale timer that fires early costs less than moving it with every transfer. */
void
uw_import_plan(struct uw_import *im, struct uw_usec at)
{
    if (!uw_heap_contains(&im->timer.node) || at.us < im->timer.node.at.us)
        uw_loop_set_timer(im->loop, &im->timer, at);
}

void
uw_import_send(struct uw_import *im, struct uw_usec now)
{
    struct iovec iov[TX_IOV_MAX];
    unsigned events = UW_POLL_IN;
    int n;

    while (im->state == IMPORT_UP && (n = uw_engine_tx(im->engine, iov, TX_IOV_MAX, now)) > 0) {
        size_t total = 0;
        int error = 0;
        ssize_t sent;

        for (int i = 0; i < n; i++)
            total += iov[i].iov_len;
        sent = uw_transport_writev(im->transport, iov, n, &error);
        uw_engine_tx_done(im->engine, sent > 0 ? (size_t)sent : 0);
        if (sent < 0 && sent != UW_AGAIN) {
            /* What the server still sent is worth reading: the end comes from there. */
            if (error != EPIPE && error != ECONNRESET)
                uw_import_lost(im, UW_ERROR_CONNECTION_LOST, strerror(error), now);
            return;
        }
        if (sent < 0 || (size_t)sent < total) {
            events |= UW_POLL_OUT;
            break;
        }
    }
    if (im->state == IMPORT_UP)
        uw_loop_change_source(im->loop, &im->source, events);
}

/* After anything that moved the engine. */
void
uw_import_settle(struct uw_import *im, struct uw_usec now)
{
    int status;

    uw_list_remove(&im->unsent);
    if (im->state != IMPORT_UP)
        return;
    uw_import_send(im, now);
    if (im->state != IMPORT_UP)
        return;
    uw_import_deliver(im);
    status = uw_engine_status(im->engine);
    if (status == UW_ERROR_WEDGED) {
        uw_import_replace(im, now);
    } else if (status < 0) {
        uw_import_lost(im, status, "the server keeps saying that there is no such device", now);
    } else {
        uw_import_plan(im, uw_engine_deadline(im->engine));
        uw_server_pump(im->server, now);
    }
}

void
uw_import_settle_later(struct uw_import *im, struct uw_usec now)
{
    if (!uw_loop_holds_back(im->loop, now))
        uw_import_settle(im, now);
    else if (uw_list_empty(&im->unsent))
        uw_list_insert(&im->loop->unsent, &im->unsent);
}

void
uw_imports_send(struct uw_loop *loop, struct uw_usec now)
{
    struct uw_import *im;

    while ((im = uw_list_first(&loop->unsent, struct uw_import, unsent)))
        uw_import_settle(im, now);
}

void
uw_server_pump(struct uw_server *server, struct uw_usec now)
{
    struct uw_engine *e;

    while ((e = uw_gate_next(&server->gate))) {
        struct uw_list *pos, *tmp;

        uw_list_each(pos, tmp, &server->imports)
        {
            struct uw_import *im = UW_CONTAINER(pos, struct uw_import, in_server);

            if (im->engine != e)
                continue;
            uw_import_send(im, now);
            uw_import_deliver(im);
            if (im->state == IMPORT_UP)
                uw_import_plan(im, uw_engine_deadline(e));
            break;
        }
    }
}

static const char *
why_closed(const struct uw_import *im)
{
    if (im->tap_source.shared)
        return "the program that held it has let go of it";
    return uw_engine_is_mid_message(im->engine)
               ? "the server closed the connection in the middle of a message"
               : "the server closed the connection";
}

static void
ended_by_peer(struct uw_import *im, int error, struct uw_usec now)
{
    struct uw_engine_stats stats;

    uw_engine_stats(im->engine, &stats);
    if (stats.gone)
        uw_import_lost(im, UW_ERROR_NO_DEVICE,
                       "the server said that the device is gone, and closed", now);
    else if (error == ETIMEDOUT)
        uw_import_lost(im, UW_ERROR_CONNECTION_LOST,
                       "the server's host stopped answering: switched off, or the network is cut",
                       now);
    else if (error)
        uw_import_lost(im, UW_ERROR_CONNECTION_LOST, strerror(error), now);
    else
        uw_import_lost(im, UW_ERROR_CONNECTION_LOST, why_closed(im), now);
}

/* How much to read into the loop's buffer. While large payloads come in only a little, so that the
 * next header is there and all but the beginning of its payload goes straight to its caller; while
 * small ones do as much as there is, so that one read brings many. */
static size_t
rx_room(struct uw_import *im, size_t direct)
{
    if (direct >= LARGE_PAYLOAD)
        im->rx_room = RX_ROOM_SMALL;
    else if (im->rx_room < UW_RX_SIZE)
        im->rx_room *= 2;
    return im->rx_room;
}

/* Servers that write a reply's head and data one after the other, without NODELAY, would take 40 ms
 * for each. One that was seen doing so has what it sent acknowledged at once. */
static void
hasten(struct uw_import *im, struct uw_usec now)
{
    if (im->partial_since.us && uw_usec_sub(now, im->partial_since).us >= PIECES_US)
        im->in_pieces = 1;
    im->partial_since = uw_engine_is_mid_message(im->engine) ? now : uw_usec(0);
    if (im->partial_since.us && im->in_pieces)
        uw_transport_acknowledge(im->transport);
}

enum { NOTHING, SOME, MORE_LIKELY };

/* One read, into the buffer of the caller it belongs to and the loop's behind it. */
static int
receive(struct uw_import *im, struct uw_usec now)
{
    struct iovec iov[2];
    size_t direct = 0, room;
    int n = 0, error = 0, r = 0;
    ssize_t got;

    if (uw_engine_rx_target(im->engine, &iov[0])) {
        direct = iov[0].iov_len;
        n = 1;
    }
    room = rx_room(im, direct);
    iov[n++] = (struct iovec){im->loop->rx, room};
    got = uw_transport_readv(im->transport, iov, n, &error);
    if (got == UW_AGAIN)
        return NOTHING;
    if (got <= 0) {
        ended_by_peer(im, got < 0 ? error : 0, now);
        return SOME;
    }
    if (direct) {
        size_t taken = (size_t)got < direct ? (size_t)got : direct;

        r = uw_engine_rx_done(im->engine, taken, now);
        got -= (ssize_t)taken;
    }
    if (r == 0 && got > 0)
        r = uw_engine_feed(im->engine, im->loop->rx, (size_t)got, now);
    if (r < 0) {
        uw_import_lost(im, r, "the server sent what is no USB/IP message", now);
        return SOME;
    }
    if (im->state == IMPORT_UP)
        hasten(im, now);
    return (size_t)got == room ? MORE_LIKELY : SOME;
}

static int
take_in(struct uw_import *im, struct uw_usec now)
{
    int r = receive(im, now), found = r;

    for (int i = 1; i < RX_ROUNDS && im->state == IMPORT_UP && r == MORE_LIKELY; i++) {
        uw_import_deliver(im);
        r = receive(im, now);
    }
    return found != NOTHING;
}

void
uw_import_ready(struct uw_source *source, unsigned events, struct uw_usec now)
{
    struct uw_import *im = UW_CONTAINER(source, struct uw_import, source);

    if (events & (UW_POLL_IN | UW_POLL_ERROR))
        (void)take_in(im, now);
    uw_import_settle(im, now);
}

int
uw_import_take(struct uw_source *source, struct uw_usec now)
{
    struct uw_import *im = UW_CONTAINER(source, struct uw_import, source);
    int found = take_in(im, now);

    if (found)
        uw_import_settle(im, now);
    return found;
}
