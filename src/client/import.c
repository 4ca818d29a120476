/*
 * import.c - an import as the layers above see it
 */
#include <string.h>

#include "client/import_parts.h"
#include "client/server.h"

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

void
uw_import_on_ended_locked(struct uw_import *im, struct uw_ending *ending)
{
    uw_list_insert(&im->endings, &ending->link);
}

void
uw_import_end_locked(struct uw_import *im, int error, const char *why)
{
    uw_import_lost(im, error, why, uw_now());
    uw_loop_wake_waiters(im->loop);
}

int
uw_import_is_later_locked(const struct uw_import *im, const struct uw_import *ended)
{
    return ended->state == IMPORT_ENDED && im->born > ended->ended;
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

const struct uw_profile *
uw_import_origin_locked(const struct uw_import *im)
{
    const struct uw_profile *p = uw_import_profile_locked(im);

    return p->flags & UW_PROF_SHARED ? uw_profile_origin(im->info.path) : p;
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
        uw_import_plan(im, urb->x.deadline);
        return 0;
    }
    r = uw_engine_submit(im->engine, &urb->x, now);
    if (r < 0) {
        urb->in_flight = 0;
        return r;
    }
    uw_import_settle_later(im, now);
    return 0;
}

/* Ends a URB early, with `status` where it is not at the engine. */
static int
end_urb(struct uw_import *im, struct uw_urb *urb, int status,
        int (*end)(struct uw_engine *engine, struct uw_xfer *xfer, struct uw_usec now))
{
    struct uw_usec now = uw_now();
    struct uw_list *pos, *tmp;
    int r;

    if (!urb->in_flight || urb->import != im)
        return UW_ERROR_NOT_FOUND;
    if (im->state == IMPORT_REPLACING)
        uw_list_each(pos, tmp, &im->postponed) if (pos == &urb->x.link)
        {
            uw_import_complete_postponed(im, urb, status);
            return 0;
        }
    if (!im->engine)
        return UW_ERROR_NOT_FOUND;
    r = end(im->engine, &urb->x, now);
    uw_import_settle(im, now);
    return r;
}

int
uw_import_cancel_locked(struct uw_import *im, struct uw_urb *urb)
{
    return end_urb(im, urb, UW_ERROR_CANCELLED, uw_engine_cancel);
}

int
uw_import_time_out_locked(struct uw_import *im, struct uw_urb *urb)
{
    return end_urb(im, urb, UW_ERROR_TIMEOUT, uw_engine_time_out);
}

void
uw_import_flush_locked(struct uw_import *im, uint32_t endpoints)
{
    struct uw_usec now = uw_now();

    if (im->state != IMPORT_UP)
        return;
    uw_engine_flush(im->engine, endpoints, now);
    uw_import_settle(im, now);
}

void
uw_import_drop_kept_locked(struct uw_import *im, uint32_t endpoints)
{
    if (im->state == IMPORT_UP)
        uw_engine_drop_kept(im->engine, endpoints);
}

struct uw_import *
uw_loop_next_import_locked(struct uw_loop *loop, struct uw_import *im)
{
    struct uw_list *next = im ? im->in_loop.next : loop->imports.next;

    return next == &loop->imports ? NULL : UW_CONTAINER(next, struct uw_import, in_loop);
}

const struct uw_tap_source *
uw_import_tap_source_locked(const struct uw_import *im)
{
    return im->tap_source.connection && im->state != IMPORT_ENDED ? &im->tap_source : NULL;
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
