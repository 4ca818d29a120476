/*
 * import_life.c - how an import begins, gets a new connection, and ends
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "client/hold.h"
#include "client/import_parts.h"
#include "client/op.h"
#include "client/server.h"

#define REPLACE_TRIES    3
#define REPLACE_PAUSE_US 200000u

static void
fire(struct uw_timer *timer, struct uw_usec now)
{
    struct uw_import *im = UW_CONTAINER(timer, struct uw_import, timer);

    if (im->state == IMPORT_UP) {
        uw_engine_expire(im->engine, now);
        uw_import_settle(im, now);
    } else if (im->state == IMPORT_REPLACING) {
        struct uw_list *pos, *tmp;
        struct uw_usec next = uw_never();

        uw_list_each(pos, tmp, &im->postponed)
        {
            struct uw_urb *urb = UW_CONTAINER(pos, struct uw_urb, x.link);

            if (urb->x.deadline.us <= now.us)
                uw_import_complete_postponed(im, urb, UW_ERROR_TIMEOUT);
            else
                next = uw_usec_min(next, urb->x.deadline);
        }
        if (!im->asking)
            uw_import_replace(im, now);
        uw_import_plan(im, next);
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
    uw_import_deliver(im);
    uw_engine_free(im->engine);
    im->engine = NULL;
    uw_loop_remove_source(im->loop, &im->source);
    uw_transport_free(im->transport, 1);
    im->transport = NULL;
    uw_loop_set_timer(im->loop, &im->timer, uw_never());
    uw_server_pump(im->server, now);
}

/* Another import of the device may be made from here on, by this process as well. */
static void
let_others(struct uw_import *im)
{
    if (im->hold_fd >= 0)
        close(im->hold_fd);
    im->hold_fd = -1;
}

void
uw_import_lost(struct uw_import *im, int error, const char *why, struct uw_usec now)
{
    struct uw_list *pos, *tmp;

    if (im->state == IMPORT_ENDED)
        return;
    im->state = IMPORT_ENDED;
    im->status = error;
    im->ended = im->loop->births;
    snprintf(im->why, sizeof(im->why), "%s", why);
    uw_log(&im->loop->log, UW_LOG_INFO, "%s: %s", im->name, why);
    disconnect(im, error, now);
    uw_list_each(pos, tmp, &im->postponed)
        uw_import_complete_postponed(im, UW_CONTAINER(pos, struct uw_urb, x.link), error);
    let_others(im);
    tell(im, UW_TAP_DETACHED, error, why, now);
    uw_list_each(pos, tmp, &im->endings)
    {
        struct uw_ending *ending = UW_CONTAINER(pos, struct uw_ending, link);

        ending->ended(ending);
    }
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
    im->tap_source.shared = (params.profile->flags & UW_PROF_SHARED) != 0;
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
    im->source.ready = uw_import_ready;
    im->source.take = uw_import_take;
    im->partial_since = uw_usec(0);
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
        uw_import_lost(im, r, "the server sent what is no USB/IP message", now);
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
            uw_import_complete_postponed(im, urb, r);
        }
    }
    uw_import_settle(im, now);
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
        uw_import_plan(im, uw_usec_add(now, uw_usec(REPLACE_PAUSE_US)));
    } else if (r < 0) {
        uw_import_lost(im, UW_ERROR_WEDGED,
                       "the server did not answer, and no new import was possible", now);
    }
}

void
uw_import_replace(struct uw_import *im, struct uw_usec now)
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
        uw_import_lost(im, r, "no new connection could be made", now);
}

/* ---- making and freeing ---- */

void
uw_imports_forked(struct uw_loop *loop)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &loop->imports)
    {
        struct uw_import *im = UW_CONTAINER(pos, struct uw_import, in_loop);

        if (im->engine)
            uw_engine_forked(im->engine);
        if (im->state != IMPORT_STARTING && im->state != IMPORT_REPLACING)
            continue;
        if (im->asking)
            uw_ask_abandon(im->asking);
        im->asking = NULL;
        uw_import_lost(im, UW_ERROR_CONNECTION_LOST, "it was not there yet when the process forked",
                       uw_now());
    }
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
    uw_list_each(pos, tmp, &im->postponed) uw_import_complete_postponed(
        im, UW_CONTAINER(pos, struct uw_urb, x.link), UW_ERROR_CANCELLED);
    if (im->state == IMPORT_UP) {
        /* A forked child ends its share of the connection without a word to the server. */
        if (uw_transport_is_ours(im->transport)) {
            uw_engine_close(im->engine, now);
            uw_import_send(im, now);
        }
        uw_import_deliver(im);
        im->state = IMPORT_ENDED;
        im->status = UW_ERROR_CANCELLED;
        disconnect(im, UW_ERROR_CANCELLED, now);
        tell(im, UW_TAP_DETACHED, UW_OK, "given back", now);
    }
    im->state = IMPORT_ENDED;
    uw_loop_set_timer(im->loop, &im->timer, uw_never());
    uw_list_remove(&im->in_server);
    uw_list_remove(&im->in_loop);
    uw_list_remove(&im->unsent);
    while (uw_list_pop(&im->endings))
        ;
    let_others(im);
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
    uw_list_init(&im->unsent);
    uw_list_init(&im->endings);
    im->timer.fire = fire;
    im->rx_room = UW_RX_SIZE;
    im->hold_fd = -1;
    im->loop = server->loop;
    im->server = uw_server_ref(server);
    im->born = ++server->loop->births;
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
    uw_fault_came(fault, 0, "this server forgets what is under way when anything else is imported");
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
        r = uw_hold_take(server->address.name, busid,
                         (server->profile->flags & UW_PROF_ONE_CONNECTION) != 0, fault);
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
