/*
 * server.c - addresses, profiles, device lists
 */
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "client/import.h"
#include "client/op.h"
#include "client/server.h"

#define CONNECT_TIMEOUT_MS 5000u
#define REPLY_TIMEOUT_MS   10000u

/* libusb_speed to usb_device_speed: they part at 4. */
#define LIBUSB_SPEED_SUPER 4u

int
uw_server_new(struct uw_loop *loop, const char *address, uint16_t port,
              struct uw_server **ret_server, struct uw_fault *fault)
{
    struct uw_address parsed;
    struct uw_server *s;
    int r = uw_address_parse(address, port, &parsed, fault);

    if (r < 0)
        return r;
    s = calloc(1, sizeof(*s));
    if (!s)
        return uw_fault_set(fault, UW_ERROR_NO_MEMORY, "server '%s'", address);
    s->loop = loop;
    s->refs = 1;
    s->address = parsed;
    s->profile = uw_profile_get(UW_PROFILE_LINUX);
    s->connect_timeout = uw_msec(CONNECT_TIMEOUT_MS);
    s->reply_timeout = uw_msec(REPLY_TIMEOUT_MS);
    uw_gate_init(&s->gate, 0);
    uw_list_init(&s->imports);
    uw_loop_lock(loop);
    s->number = loop->servers++;
    uw_loop_unlock(loop);
    *ret_server = s;
    return 0;
}

struct uw_server *
uw_server_ref(struct uw_server *s)
{
    s->refs++;
    return s;
}

void
uw_server_unref_locked(struct uw_server *s)
{
    if (--s->refs)
        return;
    uw_device_list_free(s->last);
    free(s);
}

void
uw_server_free(struct uw_server *s)
{
    struct uw_loop *loop;

    if (!s)
        return;
    loop = s->loop;
    uw_loop_lock(loop);
    uw_server_unref_locked(s);
    uw_loop_unlock(loop);
}

struct uw_loop *
uw_server_loop(const struct uw_server *s)
{
    return s->loop;
}

const char *
uw_server_name(const struct uw_server *s)
{
    return s->address.name;
}

const char *
uw_server_busid(const struct uw_server *s)
{
    return s->address.busid[0] ? s->address.busid : NULL;
}

const char *
uw_server_profile(const struct uw_server *s)
{
    const char *name;

    uw_loop_lock(s->loop);
    name = s->profile->name;
    uw_loop_unlock(s->loop);
    return name;
}

int
uw_server_set_profile(struct uw_server *s, const char *name)
{
    const struct uw_profile *p = uw_profile_by_name(name);

    if (!p)
        return UW_ERROR_NOT_FOUND;
    uw_loop_lock(s->loop);
    s->profile = p;
    s->fixed = 1;
    uw_loop_unlock(s->loop);
    return 0;
}

void
uw_server_set_timeouts(struct uw_server *s, struct uw_usec connect, struct uw_usec reply)
{
    uw_loop_lock(s->loop);
    s->connect_timeout = connect;
    s->reply_timeout = reply;
    uw_loop_unlock(s->loop);
}

const struct uw_profile *
uw_server_profile_for(struct uw_server *s, const struct uw_device_info *info)
{
    const struct uw_profile *p = s->fixed ? s->profile : uw_profile_recognise(info);

    if (p != s->profile) {
        uw_log(&s->loop->log, UW_LOG_INFO, "%s: recognised as '%s' (%s)", s->address.name, p->name,
               p->text);
        s->profile = p;
    }
    return p;
}

void
uw_server_correct(struct uw_server *s, struct uw_device_info *info)
{
    if ((uw_server_profile_for(s, info)->flags & UW_PROF_LIBUSB_SPEED) &&
        info->speed >= LIBUSB_SPEED_SUPER)
        info->speed++;
    if (info->vid || info->pid || !s->last)
        return;
    for (unsigned i = 0; i < s->last->count; i++)
        if (strcmp(s->last->infos[i].busid, info->busid) == 0) {
            info->vid = s->last->infos[i].vid;
            info->pid = s->last->infos[i].pid;
        }
}

/* ---- the list ---- */

struct listing {
    int done;
    struct uw_asking *asking;
    struct uw_answer answer;
};

static void
listed(void *arg, struct uw_answer *answer, struct uw_usec now)
{
    struct listing *l = (struct listing *)arg;

    (void)now;
    l->answer = *answer;
    l->asking = NULL;
    l->done = 1;
}

static int
is_listed(void *arg)
{
    return ((struct listing *)arg)->done;
}

static void
give_up_listing(void *arg)
{
    struct listing *l = (struct listing *)arg;

    if (!l->done)
        uw_ask_abandon(l->asking);
    uw_device_list_free(l->answer.list);
}

static struct uw_device_list *
copy_list(const struct uw_device_list *list)
{
    const struct uw_device_info **infos =
        calloc(list->count + 1u, sizeof(const struct uw_device_info *));
    struct uw_device_list *copy = NULL;

    if (!infos)
        return NULL;
    for (unsigned i = 0; i < list->count; i++)
        infos[i] = &list->infos[i];
    copy = uw_device_list_new(infos, list->count);
    free((void *)(uintptr_t)infos);
    return copy;
}

/* A fresh list is kept too: import replies may lack something that is in it. */
static void
remember(struct uw_server *s, struct uw_device_list *list)
{
    struct uw_device_list *copy;

    for (unsigned i = 0; i < list->count; i++)
        uw_server_correct(s, &list->infos[i]);
    copy = copy_list(list);
    if (!copy)
        return;
    uw_device_list_free(s->last);
    s->last = copy;
}

static int
list_locked(struct uw_server *s, struct uw_usec timeout, struct uw_device_list **ret_list,
            struct uw_fault *fault)
{
    struct listing l = {0};
    int r;

    if ((s->profile->flags & UW_PROF_ONE_CONNECTION) && s->last && !uw_list_empty(&s->imports)) {
        *ret_list = copy_list(s->last);
        return *ret_list ? 0 : uw_fault_set(fault, UW_ERROR_NO_MEMORY, "list devices");
    }
    r = uw_ask(s, NULL, uw_usec_add(uw_now(), timeout), NULL, listed, &l, &l.asking);
    if (r < 0)
        return uw_fault_set(fault, r, "list devices");
    if (!l.done)
        (void)uw_loop_until(s->loop, is_listed, &l, uw_never(), 0, give_up_listing);
    if (l.answer.status < 0) {
        if (fault)
            *fault = l.answer.fault;
        return l.answer.status;
    }
    remember(s, l.answer.list);
    *ret_list = l.answer.list;
    return 0;
}

int
uw_server_list(struct uw_server *s, struct uw_usec timeout, struct uw_device_list **ret_list,
               struct uw_fault *fault)
{
    int r;

    uw_loop_lock(s->loop);
    r = list_locked(s, timeout, ret_list, fault);
    uw_loop_unlock(s->loop);
    return r;
}
