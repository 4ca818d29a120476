/*
 * again.c - finding a device again that was enumerated anew
 *
 * Whether a device of the list is the one is known once it was imported, and on many servers the
 * end of an import resets a device. So each is asked once; what turned out to be another one is
 * remembered by the device that is looked for, as long as it stays in the list.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "client/loop.h"
#include "usb/again.h"
#include "usb/device.h"
#include "usb/find.h"
#include "wire/op.h"

#define PAUSE_MAX_US 2000000u

#define STRANGERS_MAX 64u

/* A device that is not the one. */
struct uw_stranger {
    char busid[32];
    uint32_t devnum;
    uint16_t vid, pid;
};

static int
is_record_of(const struct uw_device_info *info, const struct uw_stranger *s)
{
    return info->devnum == s->devnum && info->vid == s->vid && info->pid == s->pid &&
           strcmp(info->busid, s->busid) == 0;
}

static int
is_stranger(const struct uw_device *old, const struct uw_device_info *info)
{
    int r = 0;

    uw_loop_lock(old->loop);
    for (unsigned i = 0; i < old->num_strangers; i++)
        r |= is_record_of(info, &old->strangers[i]);
    uw_loop_unlock(old->loop);
    return r;
}

/* Where there is no room, or no memory, it is asked again another time. */
static void
remember_stranger_locked(struct uw_device *old, const struct uw_device_info *info)
{
    struct uw_stranger *s;

    if (!old->strangers)
        old->strangers = calloc(STRANGERS_MAX, sizeof(*old->strangers));
    if (!old->strangers || old->num_strangers == STRANGERS_MAX)
        return;
    s = &old->strangers[old->num_strangers++];
    memcpy(s->busid, info->busid, sizeof(s->busid));
    s->devnum = info->devnum;
    s->vid = info->vid;
    s->pid = info->pid;
}

/* Those that are not in the list any more: what comes in their place may be the one. */
static void
forget_strangers(struct uw_device *old, const struct uw_device_list *list)
{
    unsigned kept = 0;

    uw_loop_lock(old->loop);
    for (unsigned i = 0; i < old->num_strangers; i++) {
        unsigned j = 0;

        while (j < list->count && !is_record_of(&list->infos[j], &old->strangers[i]))
            j++;
        if (j < list->count)
            old->strangers[kept++] = old->strangers[i];
    }
    old->num_strangers = kept;
    uw_loop_unlock(old->loop);
}

void
uw_device_free_strangers(struct uw_device *d)
{
    free(d->strangers);
}

/* The server whose device it is, even if a broker holds it. */
static struct uw_server *
origin_of(const struct uw_device *d)
{
    return d->origin ? d->origin : uw_import_server(d->import);
}

/* This loop has it, from the server or from a broker, and had it already when the old one was still
 * there. */
static int
is_held_beside(const struct uw_device *old, const struct uw_device_info *info)
{
    struct uw_import *im = NULL;
    int r = 0;

    uw_loop_lock(old->loop);
    while (!r && uw_import_status_locked(old->import) < 0 &&
           (im = uw_loop_next_import_locked(old->loop, im))) {
        const struct uw_device *d = (const struct uw_device *)uw_import_data(im);

        r = d && uw_import_status_locked(im) == UW_OK && origin_of(d) == origin_of(old) &&
            strcmp(d->info.busid, info->busid) == 0 && !uw_import_is_later_locked(im, old->import);
    }
    uw_loop_unlock(old->loop);
    return r;
}

/* A broker shares it: what comes in its place is to be had from the server itself. */
static int
is_shared_out(const struct uw_device *old)
{
    int r;

    uw_loop_lock(old->loop);
    r = old->shared_out;
    uw_loop_unlock(old->loop);
    return r;
}

/* ---- a candidate ---- */

/* One try, at one server: its own, or the broker that had it. */
struct search {
    struct uw_device *old;
    struct uw_server *server;
    struct uw_device_list *list;
    struct uw_usec timeout;
    struct uw_device **ret_device;
    struct uw_fault *fault;
};

enum tie {
    BY_SERIAL, /* its serial number has to be the same */
    BY_PLACE   /* it may not have another one, if it is of the same kind */
};

static int
is_kind_of(const struct uw_device_info *a, const struct uw_device_info *b)
{
    return a->vid == b->vid && a->pid == b->pid;
}

static int
is_in_place(const struct uw_device *old, const struct uw_device_info *info)
{
    return strcmp(info->busid, old->info.busid) == 0;
}

static int
is_successor(const struct uw_device *old, const struct uw_device *d, enum tie tie)
{
    int same_serial = strcmp(d->serial, old->serial) == 0;

    if (tie == BY_SERIAL) /* one that cannot be read just now tells nothing against its place */
        return same_serial || (!d->serial[0] && is_in_place(old, &d->info));
    return !is_kind_of(&d->info, &old->info) || !d->serial[0] || !old->serial[0] || same_serial;
}

/* Of twins - boards often have the same serial number - one is back before the other, which is not
 * to take it for its own. Two users of the same device both find its one successor. */
static int
is_of_another(const struct uw_device *old, const struct uw_device *d)
{
    int r;

    uw_loop_lock(d->loop);
    r = d->heir_of[0] && strcmp(d->heir_of, old->info.busid) != 0;
    uw_loop_unlock(d->loop);
    return r;
}

/* Imports a device of the list and looks whether it is the successor. */
static int
try_candidate(const struct search *s, const struct uw_device_info *info, enum tie tie)
{
    struct uw_device *old = s->old, *d = NULL;
    int r;

    if (is_stranger(old, info) || is_held_beside(old, info))
        return UW_ERROR_NOT_FOUND;
    r = (is_shared_out(old) ? uw_device_import_own : uw_device_import)(s->server, info->busid,
                                                                       s->timeout, &d, s->fault);
    if (r < 0)
        return r;
    if (is_of_another(old, d)) {
        uw_device_free(d);
        return UW_ERROR_NOT_FOUND;
    }
    if (is_successor(old, d, tie)) {
        uw_loop_lock(d->loop);
        memcpy(d->heir_of, old->info.busid, sizeof(d->heir_of));
        uw_loop_unlock(d->loop);
        *s->ret_device = d;
        return 0;
    }
    uw_device_free(d);
    uw_loop_lock(old->loop);
    remember_stranger_locked(old, info);
    uw_loop_unlock(old->loop);
    return UW_ERROR_NOT_FOUND;
}

/* ---- one try ---- */

/* A device that is in use or does not answer may be the one: its error counts more than that the
 * others are not. */
static int
worse(int a, int b)
{
    return a == UW_ERROR_NOT_FOUND ? b : a;
}

static int
is_of_kind(const struct uw_device *old, const struct uw_device_info *info)
{
    return is_kind_of(&old->info, info);
}

/* In another mode a device mostly keeps its vendor. */
static int
is_of_vendor(const struct uw_device *old, const struct uw_device_info *info)
{
    return old->info.vid == info->vid && old->info.pid != info->pid;
}

/* Those of a group that have the serial number: the one in its place before others. */
static int
try_serials(const struct search *s,
            int (*is_in_group)(const struct uw_device *old, const struct uw_device_info *info))
{
    int r = UW_ERROR_NOT_FOUND;

    for (int in_place = 1; s->old->serial[0] && in_place >= 0; in_place--)
        for (unsigned i = 0; i < s->list->count; i++) {
            const struct uw_device_info *info = &s->list->infos[i];
            int one;

            if (is_in_place(s->old, info) != in_place || !is_in_group(s->old, info))
                continue;
            one = try_candidate(s, info, BY_SERIAL);
            if (one == 0)
                return 0;
            r = worse(r, one);
        }
    return r;
}

/* What is there now, unless it was asked for its serial number already. */
static int
try_place(const struct search *s)
{
    for (unsigned i = 0; i < s->list->count; i++) {
        const struct uw_device_info *info = &s->list->infos[i];

        if (is_in_place(s->old, info) && !(s->old->serial[0] && is_of_kind(s->old, info)))
            return try_candidate(s, info, BY_PLACE);
    }
    return UW_ERROR_NOT_FOUND;
}

static int
try_only_one(const struct search *s)
{
    const struct uw_device_info *kind = NULL;
    unsigned of_kind = 0;

    for (unsigned i = 0; i < s->list->count; i++)
        if (is_of_kind(s->old, &s->list->infos[i])) {
            kind = &s->list->infos[i];
            of_kind++;
        }
    if (s->old->serial[0] || of_kind != 1)
        return UW_ERROR_NOT_FOUND;
    return try_candidate(s, kind, BY_PLACE);
}

static int
try_kind(const struct search *s)
{
    return try_serials(s, is_of_kind);
}

static int
try_vendor(const struct search *s)
{
    return try_serials(s, is_of_vendor);
}

/* The ties between a device and its successor, the strongest first. */
static int (*const ties[])(const struct search *s) = {try_kind, try_place, try_only_one,
                                                      try_vendor};

static int
try_ties(const struct search *s)
{
    int r = UW_ERROR_NOT_FOUND;

    for (size_t i = 0; i < sizeof(ties) / sizeof(ties[0]); i++) {
        int one = ties[i](s);

        if (one == 0)
            return 0;
        r = worse(r, one);
    }
    return r;
}

static int
try_at(struct search *s)
{
    struct uw_device *old = s->old;
    struct uw_choice choice;
    unsigned sources = is_shared_out(old) ? UW_FIND_OURS : UW_FIND_OURS | UW_FIND_HELD;
    int r = uw_find_list_with(s->server, sources, s->timeout, &s->list, s->fault);

    if (r < 0)
        return r;
    forget_strangers(old, s->list);
    r = try_ties(s);
    if (r == UW_ERROR_NOT_FOUND) {
        uw_choice_init(&choice);
        choice.vid = old->info.vid;
        choice.pid = old->info.pid;
        choice.serial = old->serial[0] ? old->serial : NULL;
        uw_find_not_found(s->server, &choice, s->list, s->fault);
    }
    uw_device_list_free(s->list);
    return r;
}

/* As long as the broker that had it is there, its holder looks for the device, and is the one to
 * have it; after that everybody may. */
static int
try_again(struct uw_device *old, struct uw_usec timeout, struct uw_device **ret_device,
          struct uw_fault *fault)
{
    struct search s = {.old = old,
                       .server = uw_import_server(old->import),
                       .timeout = timeout,
                       .ret_device = ret_device,
                       .fault = fault};
    int r = try_at(&s);

    if (r != UW_ERROR_CONNECT || !old->origin)
        return r;
    s.server = old->origin;
    return try_at(&s);
}

int
uw_device_find_again(struct uw_device *old, struct uw_usec timeout, struct uw_device **ret_device,
                     struct uw_fault *fault)
{
    struct uw_usec until = uw_usec_add(uw_now(), timeout), pause = uw_usec(UW_FIND_PAUSE_US);
    struct uw_fault last = {0}, fault_now = {0};
    int r = 0, again = 0;

    do {
        struct uw_usec left = timeout.us ? uw_usec_sub(until, uw_now()) : uw_never();
        int now = try_again(old, left, ret_device, &fault_now);

        /* That the last try had too little time says less than what an earlier one found. */
        if (r == 0 || now != UW_ERROR_TIMEOUT) {
            r = now;
            last = fault_now;
        }
        if (!uw_find_may_pass(now) || !timeout.us)
            break;
        again = uw_find_pause(old->loop, until, &pause, PAUSE_MAX_US);
        if (again < 0)
            r = uw_fault_set(&last, again, "wait for the device");
    } while (again == 1 && uw_now().us < until.us);
    if (r < 0 && fault)
        *fault = last;
    return r;
}
