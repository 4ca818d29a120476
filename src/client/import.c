/*
 * import.c - an imported device's connection: bytes between its engine and its transport
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "client/hold.h"
#include "client/import.h"
#include "client/op.h"
#include "client/queue.h"
#include "client/server.h"

#define TX_IOV_MAX       64
#define LARGE_PAYLOAD    4096u
#define RX_ROOM_SMALL    1024u
#define RX_ROUNDS        8 /* reads in a row before other connections get their turn */
#define REPLACE_TRIES    3
#define REPLACE_PAUSE_US 200000u

enum import_state {
    IMPORT_STARTING,
    IMPORT_UP,
    IMPORT_REPLACING, /* its connection is being made anew; URBs wait */
    IMPORT_ENDED
};

struct uw_import {
    struct uw_grave grave;
    struct uw_list in_server, in_loop;
    struct uw_server *server;
    struct uw_loop *loop;
    char busid[32];
    enum import_state state;
    int status;
    char why[128];
    struct uw_device_info info;
    char name[400], short_name[64];
    struct uw_tap_source tap_source;
    unsigned generation;
    void *data;
    void (*on_replaced)(void *arg);
    void *on_replaced_arg;
    int hold_fd;

    struct uw_source source;
    struct uw_transport *transport;
    struct uw_engine *engine;
    struct uw_timer timer;
    size_t rx_room;

    struct uw_asking *asking;
    struct uw_fault fault;
    int tries;
    struct uw_list postponed; /* URBs submitted while REPLACING */
};

static void lost(struct uw_import *im, int error, const char *why, struct uw_usec now);
static void replace(struct uw_import *im, struct uw_usec now);

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
    if (urb->detached)
        uw_urb_free(urb);
}

static void
deliver(struct uw_import *im)
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

static void
complete_postponed(struct uw_import *im, struct uw_urb *urb, int status)
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
static void
plan(struct uw_import *im, struct uw_usec at)
{
    if (!uw_heap_contains(&im->timer.node) || at.us < im->timer.node.at.us)
        uw_loop_set_timer(im->loop, &im->timer, at);
}

static void
send_now(struct uw_import *im, struct uw_usec now)
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
                lost(im, UW_ERROR_CONNECTION_LOST, strerror(error), now);
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
static void
settle(struct uw_import *im, struct uw_usec now)
{
    int status;

    if (im->state != IMPORT_UP)
        return;
    send_now(im, now);
    if (im->state != IMPORT_UP)
        return;
    deliver(im);
    status = uw_engine_status(im->engine);
    if (status == UW_ERROR_WEDGED) {
        replace(im, now);
    } else if (status < 0) {
        lost(im, status, "the server keeps saying that there is no such device", now);
    } else {
        plan(im, uw_engine_deadline(im->engine));
        uw_server_pump(im->server, now);
    }
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
            send_now(im, now);
            deliver(im);
            if (im->state == IMPORT_UP)
                plan(im, uw_engine_deadline(e));
            break;
        }
    }
}

static void
ended_by_peer(struct uw_import *im, int error, struct uw_usec now)
{
    struct uw_engine_stats stats;

    uw_engine_stats(im->engine, &stats);
    if (stats.gone)
        lost(im, UW_ERROR_NO_DEVICE, "the server said that the device is gone, and closed", now);
    else if (error == ETIMEDOUT)
        lost(im, UW_ERROR_CONNECTION_LOST,
             "the server's host stopped answering: switched off, or the network is cut", now);
    else if (error)
        lost(im, UW_ERROR_CONNECTION_LOST, strerror(error), now);
    else
        lost(im, UW_ERROR_CONNECTION_LOST,
             uw_engine_is_mid_message(im->engine)
                 ? "the server closed the connection in the middle of a message"
                 : "the server closed the connection",
             now);
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

/* One read, into the buffer of the caller it belongs to and the loop's behind it. 1: there may be
 * more. */
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
        return 0;
    if (got <= 0) {
        ended_by_peer(im, got < 0 ? error : 0, now);
        return 0;
    }
    if (direct) {
        size_t taken = (size_t)got < direct ? (size_t)got : direct;

        r = uw_engine_rx_done(im->engine, taken, now);
        got -= (ssize_t)taken;
    }
    if (r == 0 && got > 0)
        r = uw_engine_feed(im->engine, im->loop->rx, (size_t)got, now);
    if (r < 0) {
        lost(im, r, "the server sent what is no USB/IP message", now);
        return 0;
    }
    return direct ? (size_t)got == room : (size_t)got >= room;
}

static void
import_ready(struct uw_source *source, unsigned events, struct uw_usec now)
{
    struct uw_import *im = UW_CONTAINER(source, struct uw_import, source);

    if (events & (UW_POLL_IN | UW_POLL_ERROR))
        for (int i = 0; i < RX_ROUNDS && im->state == IMPORT_UP && receive(im, now); i++)
            deliver(im);
    settle(im, now);
}

static void
import_timer(struct uw_timer *timer, struct uw_usec now)
{
    struct uw_import *im = UW_CONTAINER(timer, struct uw_import, timer);

    if (im->state == IMPORT_UP) {
        uw_engine_expire(im->engine, now);
        settle(im, now);
    } else if (im->state == IMPORT_REPLACING) {
        struct uw_list *pos, *tmp;
        struct uw_usec next = uw_never();

        uw_list_each(pos, tmp, &im->postponed)
        {
            struct uw_urb *urb = UW_CONTAINER(pos, struct uw_urb, x.link);

            if (urb->x.deadline.us <= now.us)
                complete_postponed(im, urb, UW_ERROR_TIMEOUT);
            else
                next = uw_usec_min(next, urb->x.deadline);
        }
        if (!im->asking)
            replace(im, now);
        plan(im, next);
    }
}

/* ---- states ---- */

static void
tell(struct uw_import *im, enum uw_tap_kind kind, int status, const char *text, struct uw_usec now)
{
    struct uw_tap_event ev = {
        .kind = kind, .when = now, .source = &im->tap_source, .status = status, .text = text};

    if (uw_loop_is_tapped(im->loop))
        uw_loop_tell(im->loop, &ev);
}

/* Takes the connection apart; transfers in flight complete with `error`. */
static void
disconnect(struct uw_import *im, int error, struct uw_usec now)
{
    if (!im->engine)
        return;
    uw_engine_abort(im->engine, error, now);
    deliver(im);
    uw_engine_free(im->engine);
    im->engine = NULL;
    uw_loop_remove_source(im->loop, &im->source);
    uw_transport_free(im->transport, 1);
    im->transport = NULL;
    uw_loop_set_timer(im->loop, &im->timer, uw_never());
    uw_server_pump(im->server, now);
}

static void
lost(struct uw_import *im, int error, const char *why, struct uw_usec now)
{
    struct uw_list *pos, *tmp;

    if (im->state == IMPORT_ENDED)
        return;
    im->state = IMPORT_ENDED;
    im->status = error;
    snprintf(im->why, sizeof(im->why), "%s", why);
    uw_log(&im->loop->log, UW_LOG_INFO, "%s: %s", im->name, why);
    disconnect(im, error, now);
    uw_list_each(pos, tmp, &im->postponed)
        complete_postponed(im, UW_CONTAINER(pos, struct uw_urb, x.link), error);
    tell(im, UW_TAP_DETACHED, error, why, now);
}

static void
name_it(struct uw_import *im)
{
    struct uw_tap_source *s = &im->tap_source;

    snprintf(im->short_name, sizeof(im->short_name), "%s (%04x:%04x)", im->busid, im->info.vid,
             im->info.pid);
    snprintf(im->name, sizeof(im->name), "%s %s", im->server->address.name, im->short_name);
    s->server = im->server->number;
    s->bus = (uint16_t)(im->server->number << 8 | (im->info.busnum & 0xffu));
    s->address = (uint8_t)im->info.devnum;
    s->speed = (uint8_t)im->info.speed;
    s->vid = im->info.vid;
    s->pid = im->info.pid;
    s->host = im->server->address.name;
    s->busid = im->busid;
}

/* The server gave us the device: from here on the connection carries URBs. */
static int
come_up(struct uw_import *im, struct uw_answer *answer, struct uw_usec now)
{
    struct uw_engine_params params = {0};
    int r;

    im->info = answer->info;
    im->info.num_interfaces = 0; /* an import reply has no interface records */
    uw_server_correct(im->server, &im->info);
    im->tap_source.connection = ++im->loop->connections;
    name_it(im);
    params.profile = uw_server_profile_for(im->server, &im->info);
    params.seq = &im->loop->seq;
    params.gate = &im->server->gate;
    params.limits = im->loop->limits;
    params.log = &im->loop->log;
    params.devid = im->info.busnum << 16 | (im->info.devnum & 0xffffu);
    params.source = &im->tap_source;
    params.name = im->short_name;
    if (uw_loop_is_tapped(im->loop)) {
        params.tap = uw_loop_tell;
        params.tap_data = im->loop;
    }
    r = uw_engine_new(&params, &im->engine);
    if (r < 0)
        return r;
    im->source.fd = uw_transport_fd(answer->transport);
    im->source.events = UW_POLL_IN;
    im->source.ready = import_ready;
    r = uw_loop_add_source(im->loop, &im->source);
    if (r < 0) {
        uw_engine_free(im->engine);
        im->engine = NULL;
        return r;
    }
    im->transport = answer->transport;
    im->state = IMPORT_UP;
    tell(im, UW_TAP_ATTACHED, 0, im->name, now);
    uw_log(&im->loop->log, UW_LOG_INFO, "%s: imported", im->name);
    if (answer->rest_size &&
        (r = uw_engine_feed(im->engine, answer->rest, answer->rest_size, now)) < 0)
        lost(im, r, "the server sent what is no USB/IP message", now);
    return 0;
}

static void
answered(void *arg, struct uw_answer *answer, struct uw_usec now)
{
    struct uw_import *im = (struct uw_import *)arg;
    int r = answer->status;

    im->asking = NULL;
    if (r == 0) {
        r = come_up(im, answer, now);
        if (r < 0) {
            uw_transport_free(answer->transport, 1);
            uw_fault_set(&answer->fault, r, "import %s", im->busid);
            uw_fault_on(&answer->fault, "%s", im->server->address.name);
        }
    }
    if (r < 0) {
        im->fault = answer->fault;
        im->status = r;
        im->state = IMPORT_ENDED;
    }
}

/* ---- a new connection for the same import ---- */

static void
submit_postponed(struct uw_import *im, struct uw_usec now)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &im->postponed)
    {
        struct uw_urb *urb = UW_CONTAINER(pos, struct uw_urb, x.link);
        int r;

        if (im->state != IMPORT_UP)
            return;
        uw_list_remove(&urb->x.link);
        r = uw_engine_submit(im->engine, &urb->x, now);
        if (r < 0) {
            uw_list_insert(&im->postponed, &urb->x.link);
            complete_postponed(im, urb, r);
        }
    }
    settle(im, now);
}

static void
replaced(void *arg, struct uw_answer *answer, struct uw_usec now)
{
    struct uw_import *im = (struct uw_import *)arg;
    int r = answer->status;

    im->asking = NULL;
    if (r == 0) {
        r = come_up(im, answer, now);
        if (r < 0)
            uw_transport_free(answer->transport, 1);
    }
    if (im->state == IMPORT_UP) {
        im->generation++;
        im->tries = 0;
        if (im->on_replaced)
            im->on_replaced(im->on_replaced_arg);
        submit_postponed(im, now);
    } else if (r < 0 && im->tries < REPLACE_TRIES) {
        plan(im, uw_usec_add(now, uw_usec(REPLACE_PAUSE_US)));
    } else if (r < 0) {
        lost(im, UW_ERROR_WEDGED, "the server did not answer, and no new import was possible", now);
    }
}

static void
replace(struct uw_import *im, struct uw_usec now)
{
    int r;

    if (im->state == IMPORT_UP) {
        uw_log(&im->loop->log, UW_LOG_WARNING,
               "%s: a control transfer stayed unanswered; making a new connection", im->name);
        im->state = IMPORT_REPLACING;
        disconnect(im, UW_ERROR_WEDGED, now);
        tell(im, UW_TAP_DETACHED, UW_ERROR_WEDGED, "the connection is made anew", now);
    }
    im->tries++;
    r = uw_ask(im->server, im->busid, uw_usec_add(now, im->server->reply_timeout), &im->tap_source,
               replaced, im, &im->asking);
    if (r < 0)
        lost(im, r, "no new connection could be made", now);
}

/* ---- for the layers above ---- */

struct uw_import *
uw_server_find_import_locked(struct uw_server *server, const char *busid)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &server->imports)
    {
        struct uw_import *im = UW_CONTAINER(pos, struct uw_import, in_server);

        if (im->state != IMPORT_ENDED && strcmp(im->busid, busid) == 0)
            return im;
    }
    return NULL;
}

struct uw_import *
uw_server_next_import_locked(struct uw_server *server, struct uw_import *im)
{
    struct uw_list *at = im ? &im->in_server : &server->imports;

    while ((at = at->next) != &server->imports) {
        struct uw_import *next = UW_CONTAINER(at, struct uw_import, in_server);

        if (next->state != IMPORT_ENDED)
            return next;
    }
    return NULL;
}

static void
free_import(struct uw_grave *grave)
{
    free(UW_CONTAINER(grave, struct uw_import, grave));
}

static void
take_apart(struct uw_import *im, struct uw_usec now)
{
    struct uw_list *pos, *tmp;

    if (im->asking)
        uw_ask_abandon(im->asking);
    uw_list_each(pos, tmp, &im->postponed)
        complete_postponed(im, UW_CONTAINER(pos, struct uw_urb, x.link), UW_ERROR_CANCELLED);
    if (im->state == IMPORT_UP) {
        uw_engine_close(im->engine, now);
        send_now(im, now);
        deliver(im);
        im->state = IMPORT_ENDED;
        im->status = UW_ERROR_CANCELLED;
        disconnect(im, UW_ERROR_CANCELLED, now);
        tell(im, UW_TAP_DETACHED, UW_OK, "given back", now);
    }
    im->state = IMPORT_ENDED;
    uw_loop_set_timer(im->loop, &im->timer, uw_never());
    uw_list_remove(&im->in_server);
    uw_list_remove(&im->in_loop);
    if (im->hold_fd >= 0)
        close(im->hold_fd);
    uw_server_unref_locked(im->server);
    uw_loop_bury(im->loop, &im->grave);
}

static int
is_decided(void *arg)
{
    return ((struct uw_import *)arg)->state != IMPORT_STARTING;
}

static void
give_up(void *arg)
{
    take_apart((struct uw_import *)arg, uw_now());
}

static struct uw_import *
new_import(struct uw_server *server, const char *busid)
{
    struct uw_import *im = calloc(1, sizeof(*im));

    if (!im)
        return NULL;
    im->grave.free = free_import;
    uw_list_init(&im->grave.link);
    uw_list_init(&im->postponed);
    uw_list_init(&im->source.link);
    im->timer.fire = import_timer;
    im->rx_room = UW_RX_SIZE;
    im->hold_fd = -1;
    im->loop = server->loop;
    im->server = uw_server_ref(server);
    snprintf(im->busid, sizeof(im->busid), "%s", busid);
    uw_list_insert(&server->imports, &im->in_server);
    uw_list_insert(&server->loop->imports, &im->in_loop);
    name_it(im);
    return im;
}

/* What stands against another import from this server on this machine. */
static int
check_neighbours(struct uw_server *server, const char *busid, struct uw_fault *fault)
{
    if (!(server->profile->flags & UW_PROF_ONE_CONNECTION) || uw_list_empty(&server->imports))
        return 0;
    uw_fault_set(fault, UW_ERROR_NOT_SUPPORTED, "import %s", busid);
    uw_fault_on(fault, "%s", server->address.name);
    uw_fault_came(fault, 0, "this server gives up a device when any other connection closes");
    uw_fault_advice(fault, "free the device that is imported from it first");
    return UW_ERROR_NOT_SUPPORTED;
}

static int
import_locked(struct uw_server *server, const char *busid, struct uw_usec timeout,
              struct uw_import **ret_import, struct uw_fault *fault)
{
    struct uw_import *im;
    int r;

    if (uw_server_find_import_locked(server, busid))
        return 1;
    r = check_neighbours(server, busid, fault);
    if (r < 0)
        return r;
    im = new_import(server, busid);
    if (!im)
        return uw_fault_set(fault, UW_ERROR_NO_MEMORY, "import %s", busid);
    if (server->profile->flags & UW_PROF_LOCK) {
        r = uw_hold_take(server->address.name, busid, fault);
        if (r == UW_ERROR_BUSY) {
            take_apart(im, uw_now());
            return r;
        }
        im->hold_fd = r >= 0 ? r : -1;
    }
    r = uw_ask(server, busid, uw_usec_add(uw_now(), timeout), NULL, answered, im, &im->asking);
    if (r < 0) {
        uw_fault_set(fault, r, "import '%s'", busid);
        uw_fault_on(fault, "%s", server->address.name);
        uw_fault_advice(fault, "a bus id has 1 to 31 characters, like 1-1.2");
        take_apart(im, uw_now());
        return r;
    }
    (void)uw_loop_until(server->loop, is_decided, im, uw_never(), 0, give_up);
    if (im->state == IMPORT_ENDED) {
        r = im->status;
        if (!im->fault.code) { /* it came up, and ended at once */
            uw_fault_set(&im->fault, r, "import %s", busid);
            uw_fault_on(&im->fault, "%s", server->address.name);
            uw_fault_came(&im->fault, 0, "%s", im->why);
        }
        if (fault)
            *fault = im->fault;
        take_apart(im, uw_now());
        return r;
    }
    *ret_import = im;
    return 0;
}

int
uw_import_new(struct uw_server *server, const char *busid, struct uw_usec timeout,
              struct uw_import **ret_import, struct uw_fault *fault)
{
    int r;

    uw_loop_lock(server->loop);
    r = import_locked(server, busid, timeout, ret_import, fault);
    uw_loop_unlock(server->loop);
    return r;
}

void
uw_import_free_locked(struct uw_import *im)
{
    take_apart(im, uw_now());
}

void
uw_import_free(struct uw_import *im)
{
    struct uw_loop *loop;

    if (!im)
        return;
    loop = im->loop;
    uw_loop_lock(loop);
    take_apart(im, uw_now());
    uw_loop_unlock(loop);
}

void
uw_import_set_data(struct uw_import *im, void *data)
{
    im->data = data;
}

void
uw_import_on_replaced(struct uw_import *im, void (*on_replaced)(void *arg), void *arg)
{
    uw_loop_lock(im->loop);
    im->on_replaced = on_replaced;
    im->on_replaced_arg = arg;
    uw_loop_unlock(im->loop);
}

void *
uw_import_data(const struct uw_import *im)
{
    return im->data;
}

const struct uw_device_info *
uw_import_info(const struct uw_import *im)
{
    return &im->info;
}

struct uw_server *
uw_import_server(const struct uw_import *im)
{
    return im->server;
}

unsigned
uw_import_bus(const struct uw_import *im)
{
    return im->tap_source.bus;
}

const char *
uw_import_name(const struct uw_import *im)
{
    return im->name;
}

int
uw_import_status_locked(const struct uw_import *im)
{
    return im->state == IMPORT_ENDED ? im->status : UW_OK;
}

const char *
uw_import_why_locked(const struct uw_import *im)
{
    return im->why;
}

unsigned
uw_import_generation_locked(const struct uw_import *im)
{
    return im->generation;
}

const struct uw_profile *
uw_import_profile_locked(const struct uw_import *im)
{
    return im->engine ? uw_engine_profile(im->engine) : im->server->profile;
}

struct uw_engine *
uw_import_engine_locked(struct uw_import *im)
{
    return im->engine;
}

int
uw_import_submit_locked(struct uw_import *im, struct uw_urb *urb, struct uw_queue *queue)
{
    struct uw_usec now = uw_now();
    int r = 0;

    if (urb->in_flight)
        return UW_ERROR_BUSY;
    if (im->state == IMPORT_ENDED)
        return im->status;
    urb->import = im;
    urb->queue = queue;
    urb->held[0] = '\0';
    urb->x.deadline = uw_usec_add(now, urb->timeout);
    urb->in_flight = 1;
    if (im->state == IMPORT_REPLACING) {
        uw_list_insert(&im->postponed, &urb->x.link);
        plan(im, urb->x.deadline);
        return 0;
    }
    r = uw_engine_submit(im->engine, &urb->x, now);
    if (r < 0) {
        urb->in_flight = 0;
        return r;
    }
    settle(im, now);
    return 0;
}

int
uw_import_cancel_locked(struct uw_import *im, struct uw_urb *urb)
{
    struct uw_usec now = uw_now();
    int r;

    if (!urb->in_flight || urb->import != im)
        return UW_ERROR_NOT_FOUND;
    if (im->state == IMPORT_REPLACING) {
        struct uw_list *pos, *tmp;

        uw_list_each(pos, tmp, &im->postponed) if (pos == &urb->x.link)
        {
            complete_postponed(im, urb, UW_ERROR_CANCELLED);
            return 0;
        }
    }
    if (!im->engine)
        return UW_ERROR_NOT_FOUND;
    r = uw_engine_cancel(im->engine, &urb->x, now);
    settle(im, now);
    return r;
}

void
uw_import_flush_locked(struct uw_import *im, uint8_t endpoint)
{
    struct uw_usec now = uw_now();

    if (im->state != IMPORT_UP)
        return;
    uw_engine_flush(im->engine, endpoint, now);
    settle(im, now);
}

void
uw_import_flush_all_locked(struct uw_import *im)
{
    struct uw_usec now = uw_now();

    if (im->state != IMPORT_UP)
        return;
    uw_engine_flush_all(im->engine, now);
    settle(im, now);
}

void
uw_imports_retap(struct uw_loop *loop)
{
    struct uw_list *pos, *tmp;
    int tapped = uw_loop_is_tapped(loop);

    uw_list_each(pos, tmp, &loop->imports)
    {
        struct uw_import *im = UW_CONTAINER(pos, struct uw_import, in_loop);

        if (im->engine)
            uw_engine_set_tap(im->engine, tapped ? uw_loop_tell : NULL, loop);
    }
}
