/*
 * world.c - the loop, the servers, and what they offer
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "libusb/choice.h"
#include "libusb/context.h"
#include "libusb/fork.h"
#include "libusb/hotplug.h"
#include "libusb/log.h"
#include "libusb/lost.h"
#include "libusb/watch.h"
#include "libusb/world.h"

#define REFUSALS 32u

/* A device that could not be imported: said once, not at every list. */
struct refusal {
    struct uw_server *server;
    char busid[32];
    int code;
};

struct station {
    struct uw_server *server;
    int failed; /* the last error that was said, 0: none */
    int judged; /* it had something for the program, or the program was told what it has */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t enumerating = PTHREAD_MUTEX_INITIALIZER;
static struct uw_list remotes = {&remotes, &remotes};

/* Made once, under `enumerating`. */
static _Atomic(struct uw_loop *) loop;
static struct choice choice;
static struct station stations[CHOICE_SERVERS];
static unsigned num_stations;
static unsigned extra_timeout;

/* Under `enumerating`. */
static struct refusal refusals[REFUSALS];
static unsigned num_refusals;

/* Under `lock`. */
static struct uw_usec listed_at; /* 0: never, or to be forgotten */
static unsigned long changes;

void
world_lock(void)
{
    pthread_mutex_lock(&lock);
}

void
world_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

static void
read_extra_timeout(void)
{
    const char *add = secure_getenv("USBWIRE_TIMEOUT_ADD_MS");
    char *end = NULL;

    if (!add || !*add)
        return;
    if (isdigit((unsigned char)*add))
        extra_timeout = (unsigned)strtoul(add, &end, 10);
    if (!end || *end)
        log_tell("USBWIRE_TIMEOUT_ADD_MS '%s' is not a number of milliseconds", add);
}

static void
open_stations(struct uw_loop *l)
{
    struct uw_fault fault;

    read_extra_timeout();
    choice_read(&choice);
    for (unsigned i = 0; i < choice.num_servers; i++) {
        if (uw_server_new(l, choice.servers[i], 0, &stations[num_stations].server, &fault) < 0)
            log_fault(&fault);
        else
            num_stations++;
    }
}

struct uw_loop *
world_loop(void)
{
    struct uw_loop *l = loop;

    if (l)
        return l;
    pthread_mutex_lock(&enumerating);
    l = loop;
    if (!l && uw_loop_new(NULL, &l) == 0) {
        watch_start(l);
        open_stations(l);
        fork_watch();
        loop = l;
    }
    pthread_mutex_unlock(&enumerating);
    return l;
}

void
world_forked_locked(void)
{
    struct uw_list *pos, *tmp;

    pthread_mutex_init(&enumerating, NULL);
    uw_list_each(pos, tmp, &remotes)
    {
        struct remote *r = UW_CONTAINER(pos, struct remote, link);

        pthread_mutex_init(&r->importing, NULL);
        r->inherited = r->device != NULL;
    }
    listed_at = uw_usec(0);
}

unsigned
world_extra_timeout(void)
{
    return extra_timeout;
}

void
world_forget_list(void)
{
    world_lock();
    listed_at = uw_usec(0);
    world_unlock();
}

unsigned long
world_changes_locked(void)
{
    return changes;
}

static int
is_shown(const struct remote *r)
{
    return r->listed && r->chosen && !r->gone;
}

struct remote *
world_next_locked(struct remote *r)
{
    struct uw_list *pos = r ? r->link.next : remotes.next;

    for (; pos != &remotes; pos = pos->next) {
        r = UW_CONTAINER(pos, struct remote, link);
        if (is_shown(r))
            return r;
    }
    return NULL;
}

/* ---- one record of a list ---- */

static void
say_refusal(struct station *s, const struct uw_device_info *info, const struct uw_fault *fault)
{
    struct refusal *f = NULL;

    for (unsigned i = 0; i < num_refusals && !f; i++)
        if (refusals[i].server == s->server && strcmp(refusals[i].busid, info->busid) == 0)
            f = &refusals[i];
    if (f && f->code == fault->code)
        return;
    if (!f && num_refusals < REFUSALS) {
        f = &refusals[num_refusals++];
        f->server = s->server;
        memcpy(f->busid, info->busid, sizeof(f->busid));
    }
    if (f)
        f->code = fault->code;
    log_fault(fault);
}

static void
forget_refusal(struct station *s, const struct uw_device_info *info)
{
    for (unsigned i = 0; i < num_refusals; i++)
        if (refusals[i].server == s->server && strcmp(refusals[i].busid, info->busid) == 0)
            refusals[i] = refusals[--num_refusals];
}

/* By the program's choice, the serial number included, if it makes one. */
static int
is_chosen(const struct remote *r)
{
    const struct choice_selector *s = NULL;

    if (choice.all || !choice.num_selectors)
        return 1;
    while ((s = choice_find(&choice, &r->info, s)))
        if (!s->serial[0] || strcmp(s->serial, r->serial) == 0)
            return 1;
    return 0;
}

/* Chosen, or come in place of one that was. Once shown it goes on being shown. */
static void
choose_locked(struct remote *r)
{
    if (!r->chosen && r->known)
        r->chosen = lost_find_locked(r) || is_chosen(r);
}

/* Imports a device for the first time, for its descriptors. The import lingers: whoever asked for
 * the list mostly opens it next. */
static void
peek(struct station *s, struct remote *r)
{
    struct uw_device *device;
    struct uw_fault fault;

    if (remote_open(r, &device, &fault) < 0) {
        say_refusal(s, &r->info, &fault);
        return;
    }
    forget_refusal(s, &r->info);
    remote_close(r);
}

static struct remote *
find_remote_locked(const struct station *s, const struct uw_device_info *info)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &remotes)
    {
        struct remote *r = UW_CONTAINER(pos, struct remote, link);

        if (r->server == s->server && !r->gone && strcmp(r->info.busid, info->busid) == 0)
            return r;
    }
    return NULL;
}

/* Devices of several servers may have the same numbers there. */
static void
find_place_locked(struct remote *r)
{
    struct uw_list *pos, *tmp;
    uint8_t first = r->bus;

    do {
        int taken = 0;

        uw_list_each(pos, tmp, &remotes)
        {
            const struct remote *other = UW_CONTAINER(pos, struct remote, link);

            taken |= !other->gone && other->bus == r->bus && other->address == r->address;
        }
        if (!taken)
            return;
        remote_next_bus(r);
    } while (r->bus != first);
}

/* The device a record is of: the one we know, or one that has come in its place. An import that
 * has ended was the old one's; one that seems to live and is in use will tell by itself. */
static int
was_replaced_locked(const struct remote *r, const struct uw_device_info *info)
{
    if (remote_is_held_locked(r))
        return !r->opens && !remote_is_kind(r, info);
    return r->device || !remote_matches(r, info);
}

/* What a record says of the device we know under its busid. */
static void
note_record(const struct station *s, const struct uw_device_info *info)
{
    struct uw_device *left = NULL;
    struct remote *r;

    world_lock();
    r = find_remote_locked(s, info);
    if (r && was_replaced_locked(r, info)) {
        if (!r->opens) {
            left = r->device;
            r->device = NULL;
        }
        remote_lose_locked(r);
    } else if (r) {
        r->listed = 2; /* seen now */
    }
    world_unlock();
    uw_device_free(left);
}

/* 0: its serial number is none that was chosen. */
static int
take_record(struct station *s, const struct uw_device_info *info)
{
    struct remote *r;
    int chosen;

    world_lock();
    r = find_remote_locked(s, info);
    world_unlock();
    if (!r) {
        r = remote_new(s->server, info);
        if (!r)
            return 1;
        world_lock();
        find_place_locked(r);
        uw_list_insert(&remotes, &r->link);
        world_unlock();
    }
    if (!r->known)
        peek(s, r);
    world_lock();
    if (!r->gone)
        r->listed = 1;
    choose_locked(r);
    chosen = !r->known || r->chosen;
    world_unlock();
    return chosen;
}

/* ---- lists ---- */

/* What may be one that was shown, whatever the choice says of it by now. */
static int
is_expected(const struct station *s, const struct uw_device_info *info)
{
    const struct remote *r;
    int expected;

    world_lock();
    r = find_remote_locked(s, info);
    expected = (r && r->chosen) || lost_expects_locked(s->server, info);
    world_unlock();
    return expected;
}

/* The address may name a device, too. */
static int
fits(const struct station *s, const struct uw_device_list *list, const struct uw_device_info *info)
{
    const char *busid = uw_server_busid(s->server);

    if (busid && strcmp(busid, info->busid) != 0)
        return 0;
    if (choice.all || !choice.num_selectors)
        return choice.all || busid || uw_device_list_count(list) == 1;
    return choice_find(&choice, info, NULL) != NULL;
}

/* Programs say no more than that they found nothing. */
static void
say_what_there_is(struct station *s, const struct uw_device_list *list)
{
    s->judged = 1;
    log_tell("%s offers %u devices, and none of them is chosen; choose with USBWIRE_DEVICES "
             "(BUSID, VID:PID, VID:PID:SERIAL or all):",
             uw_server_name(s->server), uw_device_list_count(list));
    for (unsigned i = 0; i < uw_device_list_count(list); i++) {
        const struct uw_device_info *info = uw_device_list_get(list, i);

        log_tell("  %-12s %04x:%04x", info->busid, info->vid, info->pid);
    }
}

/* A remote that was not in the list: held by us it may be hidden, else it is gone. */
static void
sweep_locked(const struct station *s)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &remotes)
    {
        struct remote *r = UW_CONTAINER(pos, struct remote, link);

        if (r->server != s->server)
            continue;
        if (r->listed == 1 && !remote_is_held_locked(r))
            remote_lose_locked(r);
        if (r->listed)
            r->listed = 1;
    }
}

/* A server that does not answer has no devices: programs crash on a list that is none, since a
 * computer's own never is. A person is told. */
static void
ask(struct station *s)
{
    struct uw_device_list *list = NULL;
    struct uw_fault fault;
    int r = uw_find_list(s->server, uw_never(), &list, &fault);

    if (r < 0 && s->failed != r)
        log_fault(&fault);
    s->failed = r;
    for (unsigned i = 0; list && i < uw_device_list_count(list); i++)
        note_record(s, uw_device_list_get(list, i));
    world_lock();
    sweep_locked(s);
    world_unlock();
    for (unsigned i = 0; list && i < uw_device_list_count(list); i++) {
        const struct uw_device_info *info = uw_device_list_get(list, i);

        if (fits(s, list, info) || is_expected(s, info))
            s->judged |= take_record(s, info);
    }
    if (list && uw_device_list_count(list) && !s->judged)
        say_what_there_is(s, list);
    uw_device_list_free(list);
}

/* Remotes that are gone and have no user stay only as long as a libusb_device refers to them. */
static void
drop_gone(void)
{
    struct uw_list *pos, *tmp, dropped;

    uw_list_init(&dropped);
    world_lock();
    uw_list_each(pos, tmp, &remotes)
    {
        struct remote *r = UW_CONTAINER(pos, struct remote, link);

        if (!r->listed && !r->opens && !remote_is_held_locked(r)) {
            uw_list_remove(&r->link);
            uw_list_insert(&dropped, &r->link);
        }
    }
    world_unlock();
    while ((pos = uw_list_pop(&dropped)))
        remote_unref(UW_CONTAINER(pos, struct remote, link));
}

/* Those who listen are told by their event handlers. */
static void
note_changes(void)
{
    struct uw_list *pos, *tmp;
    int changed = 0;

    world_lock();
    uw_list_each(pos, tmp, &remotes)
    {
        struct remote *r = UW_CONTAINER(pos, struct remote, link);

        changed |= r->shown != is_shown(r);
        r->shown = is_shown(r);
    }
    if (changed) {
        changes++;
        context_each(hotplug_changed_locked);
    }
    world_unlock();
}

static void
refresh(void)
{
    for (unsigned i = 0; i < num_stations; i++)
        ask(&stations[i]);
    note_changes();
    drop_gone();
    world_lock();
    listed_at = uw_now();
    world_unlock();
}

/* The last list is not old, and nothing in it has gone since. */
static int
is_fresh_locked(void)
{
    struct remote *r = NULL;

    if (!listed_at.us || uw_usec_sub(uw_now(), listed_at).us >= uw_msec(LIST_FRESH_MS).us)
        return 0;
    while ((r = world_next_locked(r)))
        if (r->device && !remote_is_held_locked(r))
            return 0;
    return 1;
}

int
world_refresh(void)
{
    struct uw_loop *l = world_loop();
    int fresh;

    if (!l)
        return LIBUSB_ERROR_NO_MEM;
    pthread_mutex_lock(&enumerating);
    (void)uw_loop_step(l); /* ends of imports that nobody has looked at yet */
    world_lock();
    fresh = is_fresh_locked();
    world_unlock();
    if (!fresh)
        refresh();
    pthread_mutex_unlock(&enumerating);
    (void)world_tidy(uw_now());
    return 0;
}

/* ---- lingering imports ---- */

/* The import of a remote whose time is over, taken out of it; NULL: none. */
static struct uw_device *
take_expired_locked(struct uw_usec now, struct uw_usec *next)
{
    struct uw_list *pos, *tmp;

    *next = uw_never();
    uw_list_each(pos, tmp, &remotes)
    {
        struct remote *r = UW_CONTAINER(pos, struct remote, link);
        struct uw_device *device = r->device;

        if (!device || r->opens)
            continue;
        if (r->lingers_until.us > now.us) {
            *next = uw_usec_min(*next, r->lingers_until);
            continue;
        }
        r->device = NULL;
        r->released = now;
        return device;
    }
    return NULL;
}

struct uw_usec
world_tidy(struct uw_usec now)
{
    struct uw_device *device;
    struct uw_usec next;

    do {
        world_lock();
        device = take_expired_locked(now, &next);
        world_unlock();
        uw_device_free(device);
    } while (device);
    return next;
}
