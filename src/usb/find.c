/*
 * find.c - choosing a device by what is known of it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <usbwire/find.h>

#include "base/fault.h"
#include "client/import.h"
#include "usb/device.h"
#include "usb/find.h"
#include "usb/held.h"
#include "wire/op.h"
#include "wire/shared.h"

#define PAUSE_MAX_US 1000000u

void
uw_choice_init(struct uw_choice *choice)
{
    choice->vid = choice->pid = -1;
    choice->serial = choice->busid = NULL;
}

int
uw_choice_matches(const struct uw_choice *c, const struct uw_device_info *info)
{
    return (c->vid < 0 || c->vid == info->vid) && (c->pid < 0 || c->pid == info->pid) &&
           (!c->busid || strcmp(c->busid, info->busid) == 0);
}

/* ---- words for messages ---- */

static void
append(char *buf, size_t size, const char *text)
{
    size_t n = strlen(buf);

    snprintf(buf + n, size - n, "%s", text);
}

static void
describe(const struct uw_choice *c, char *buf, size_t size)
{
    char part[64];

    buf[0] = '\0';
    if (c->busid) {
        snprintf(part, sizeof(part), " --busid %s", c->busid);
        append(buf, size, part);
    }
    if (c->vid >= 0) {
        snprintf(part, sizeof(part), " --vid 0x%04x", (unsigned)c->vid);
        append(buf, size, part);
    }
    if (c->pid >= 0) {
        snprintf(part, sizeof(part), " --pid 0x%04x", (unsigned)c->pid);
        append(buf, size, part);
    }
    if (c->serial) {
        snprintf(part, sizeof(part), " --serial %s", c->serial);
        append(buf, size, part);
    }
    if (!buf[0])
        append(buf, size, " any");
}

/* "1-1 303a:4004, 1-2 1209:0001 and 3 more" */
static void
enumerate(const struct uw_device_list *list, char *buf, size_t size)
{
    buf[0] = '\0';
    for (unsigned i = 0; i < list->count; i++) {
        char part[64];
        int n = snprintf(part, sizeof(part), "%s%s %04x:%04x", i ? ", " : "", list->infos[i].busid,
                         list->infos[i].vid, list->infos[i].pid);

        if (strlen(buf) + (size_t)n + sizeof(" and 4294967295 more") > size) {
            snprintf(part, sizeof(part), " and %u more", list->count - i);
            append(buf, size, part);
            return;
        }
        append(buf, size, part);
    }
}

int
uw_find_not_found(struct uw_server *server, const struct uw_choice *choice,
                  const struct uw_device_list *list, struct uw_fault *fault)
{
    char wanted[160], there[200];

    describe(choice, wanted, sizeof(wanted));
    uw_fault_set(fault, UW_ERROR_NOT_FOUND, "find a device:%s", wanted);
    uw_fault_on(fault, "%s", uw_server_name(server));
    if (list->count == 0) {
        uw_fault_came(fault, 0, "the server offers no device");
        uw_fault_advice(fault, "plug one in there, and export it (Linux: usbip bind -b BUSID); one "
                               "in use elsewhere may be hidden");
        return UW_ERROR_NOT_FOUND;
    }
    enumerate(list, there, sizeof(there));
    if (list->count == 1)
        uw_fault_came(fault, 0, "it offers only %s", there);
    else
        uw_fault_came(fault, 0, "none of the %u it offers: %s", list->count, there);
    uw_fault_advice(fault, "%s",
                    list->count == 1 ? "choose that one, or wait for another with --wait"
                                     : "choose one of these, or wait for it with --wait");
    return UW_ERROR_NOT_FOUND;
}

static int
ambiguous(struct uw_server *server, const struct uw_choice *choice, struct uw_device_list *matching,
          struct uw_device_list **ret_candidates, struct uw_fault *fault)
{
    char wanted[160], there[200];

    describe(choice, wanted, sizeof(wanted));
    enumerate(matching, there, sizeof(there));
    uw_fault_set(fault, UW_ERROR_AMBIGUOUS, "find a device:%s", wanted);
    uw_fault_on(fault, "%s", uw_server_name(server));
    uw_fault_came(fault, 0, "%u match: %s", matching->count, there);
    uw_fault_advice(fault, "name one with --busid or --serial");
    if (ret_candidates)
        *ret_candidates = matching;
    else
        uw_device_list_free(matching);
    return UW_ERROR_AMBIGUOUS;
}

/* ---- what there is ---- */

static const struct uw_device_list none;

struct gathered {
    const struct uw_device_info **infos;
    unsigned count;
};

/* Each busid once. */
static void
gather(struct gathered *g, const struct uw_device_info *info)
{
    for (unsigned i = 0; i < g->count; i++)
        if (strcmp(g->infos[i]->busid, info->busid) == 0)
            return;
    g->infos[g->count++] = info;
}

/* Those of a list; where `better` has a record of the same device, that. */
static void
gather_list(struct gathered *g, const struct uw_device_list *list,
            const struct uw_device_list *better)
{
    for (unsigned i = 0; i < list->count; i++) {
        const struct uw_device_info *other = uw_device_list_find(better, list->infos[i].busid);

        gather(g, other ? other : &list->infos[i]);
    }
}

static unsigned
count_imports_locked(struct uw_server *server)
{
    struct uw_import *im = NULL;
    unsigned n = 0;

    while ((im = uw_server_next_import_locked(server, im)))
        n++;
    return n;
}

static void
gather_imports_locked(struct gathered *g, struct uw_server *server)
{
    struct uw_import *im = NULL;

    while ((im = uw_server_next_import_locked(server, im))) {
        const struct uw_device *d = (const struct uw_device *)uw_import_data(im);

        if (d)
            gather(g, &d->info);
    }
}

/* *list becomes one with what brokers hold, too, and what the loop has imported from `ours` (NULL:
 * nothing). */
static int
unite(struct uw_device_list **list, const struct uw_device_list *held, struct uw_loop *loop,
      struct uw_server *ours)
{
    struct uw_device_list *all = NULL;
    struct gathered g = {0};

    uw_loop_lock(loop);
    g.infos = calloc((*list)->count + held->count + (ours ? count_imports_locked(ours) : 0) + 1u,
                     sizeof(const struct uw_device_info *));
    if (g.infos) {
        gather_list(&g, *list, held);
        gather_list(&g, held, &none);
        if (ours)
            gather_imports_locked(&g, ours);
        all = uw_device_list_new(g.infos, g.count);
    }
    uw_loop_unlock(loop);
    free((void *)(uintptr_t)g.infos);
    if (!all)
        return UW_ERROR_NO_MEMORY;
    uw_device_list_free(*list);
    *list = all;
    return 0;
}

struct held {
    struct uw_device_list *list;
    int status;
};

static int
add_held(void *arg, struct uw_server *broker, const struct uw_device_list *list)
{
    struct held *h = (struct held *)arg;

    h->status = unite(&h->list, list, uw_server_loop(broker), NULL);
    return h->status < 0;
}

int
uw_find_list_with(struct uw_server *server, unsigned sources, struct uw_usec timeout,
                  struct uw_device_list **ret_list, struct uw_fault *fault)
{
    struct held held = {uw_device_list_new(NULL, 0), 0};
    struct uw_device_list *list = NULL;
    int r = uw_server_list(server, timeout, &list, fault);

    if (r == 0 && held.list && sources & UW_FIND_HELD)
        uw_held_each(server, timeout, add_held, &held);
    if (r == 0 && (!held.list || held.status < 0 ||
                   unite(&list, held.list, uw_server_loop(server),
                         sources & UW_FIND_OURS ? server : NULL) < 0)) {
        r = UW_ERROR_NO_MEMORY;
        (void)uw_fault_set(fault, r, "list devices");
    }
    uw_device_list_free(held.list);
    if (r < 0) {
        uw_device_list_free(list);
        return r;
    }
    *ret_list = list;
    return 0;
}

int
uw_find_list(struct uw_server *server, struct uw_usec timeout, struct uw_device_list **ret_list,
             struct uw_fault *fault)
{
    return uw_find_list_with(server, UW_FIND_HELD, timeout, ret_list, fault);
}

int
uw_find_is_held(const struct uw_device_info *info)
{
    return strncmp(info->path, UW_SHARED_PATH, strlen(UW_SHARED_PATH)) == 0;
}

/* ---- one try ---- */

static int
matching(const struct uw_choice *choice, const struct uw_device_list *list,
         struct uw_device_list **ret_matching)
{
    const struct uw_device_info **infos =
        calloc(list->count + 1u, sizeof(const struct uw_device_info *));
    unsigned n = 0;

    if (!infos)
        return UW_ERROR_NO_MEMORY;
    for (unsigned i = 0; i < list->count; i++)
        if (uw_choice_matches(choice, &list->infos[i]))
            infos[n++] = &list->infos[i];
    *ret_matching = uw_device_list_new(infos, n);
    free((void *)(uintptr_t)infos);
    return *ret_matching ? 0 : UW_ERROR_NO_MEMORY;
}

/* Of the candidates, the one with the serial number. A candidate that cannot be asked may be it:
 * its error is the answer when no other is. */
static int
by_serial(struct uw_server *server, const struct uw_choice *choice,
          const struct uw_device_list *candidates, struct uw_usec timeout,
          struct uw_device **ret_device, struct uw_fault *fault)
{
    struct uw_device *found = NULL;
    struct uw_fault first = {0};
    int error = UW_ERROR_NOT_FOUND;

    for (unsigned i = 0; i < candidates->count; i++) {
        struct uw_device *d;
        struct uw_fault f;
        int r = uw_device_import(server, candidates->infos[i].busid, timeout, &d, &f);

        if (r < 0) {
            if (error == UW_ERROR_NOT_FOUND) {
                error = r;
                first = f;
            }
            continue;
        }
        if (strcmp(d->serial, choice->serial) != 0) {
            uw_device_free(d);
            continue;
        }
        if (found) {
            uw_device_free(d);
            uw_device_free(found);
            return UW_ERROR_AMBIGUOUS;
        }
        found = d;
    }
    if (found) {
        *ret_device = found;
        return 0;
    }
    if (fault && error != UW_ERROR_NOT_FOUND)
        *fault = first;
    return error;
}

static int
choose(struct uw_server *server, const struct uw_choice *choice, struct uw_device_list *list,
       struct uw_usec timeout, struct uw_device **ret_device,
       struct uw_device_list **ret_candidates, struct uw_fault *fault)
{
    struct uw_device_list *candidates;
    int r = matching(choice, list, &candidates);

    if (r < 0)
        return uw_fault_set(fault, r, "find a device");
    if (candidates->count == 0)
        r = UW_ERROR_NOT_FOUND;
    else if (choice->serial)
        r = by_serial(server, choice, candidates, timeout, ret_device, fault);
    else if (candidates->count > 1)
        r = UW_ERROR_AMBIGUOUS;
    else
        r = uw_device_import(server, candidates->infos[0].busid, timeout, ret_device, fault);
    if (r == UW_ERROR_AMBIGUOUS)
        return ambiguous(server, choice, candidates, ret_candidates, fault);
    uw_device_list_free(candidates);
    return r == UW_ERROR_NOT_FOUND ? uw_find_not_found(server, choice, list, fault) : r;
}

/* What an old server says when a busid cannot be had covers both "unknown" and "in use": its list
 * tells them apart. */
static int
explain_refusal(struct uw_server *server, const char *busid, struct uw_usec timeout,
                struct uw_fault *fault)
{
    struct uw_device_list *list;
    int r;

    if (uw_server_list(server, timeout, &list, NULL) < 0)
        return UW_ERROR_ACCESS;
    r = uw_device_list_find(list, busid) ? UW_ERROR_BUSY : UW_ERROR_NO_DEVICE;
    uw_device_list_free(list);
    if (fault) {
        fault->code = r;
        uw_fault_advice(fault, "%s",
                        r == UW_ERROR_BUSY ? "free it where it is in use, or wait for it"
                                           : "'usbwire list' shows what there is");
    }
    return r;
}

static int
try_once(struct uw_server *server, const struct uw_choice *choice, struct uw_usec timeout,
         struct uw_device **ret_device, struct uw_device_list **ret_candidates,
         struct uw_fault *fault)
{
    struct uw_device_list *list;
    int r;

    if (choice->busid && choice->vid < 0 && choice->pid < 0 && !choice->serial) {
        r = uw_device_import(server, choice->busid, timeout, ret_device, fault);
        return r == UW_ERROR_ACCESS ? explain_refusal(server, choice->busid, timeout, fault) : r;
    }
    r = uw_find_list_with(server, UW_FIND_HELD | UW_FIND_OURS, timeout, &list, fault);
    if (r < 0)
        return r;
    r = choose(server, choice, list, timeout, ret_device, ret_candidates, fault);
    uw_device_list_free(list);
    return r;
}

int
uw_find_may_pass(int error)
{
    static const int errors[] = {UW_ERROR_NOT_FOUND, UW_ERROR_NO_DEVICE, UW_ERROR_BUSY,
                                 UW_ERROR_ACCESS,    UW_ERROR_CONNECT,   UW_ERROR_CONNECTION_LOST,
                                 UW_ERROR_TIMEOUT};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (errors[i] == error)
            return 1;
    return 0;
}

int
uw_find_pause(struct uw_loop *loop, struct uw_usec until, struct uw_usec *pause, uint32_t max)
{
    struct uw_usec left = uw_usec_sub(until, uw_now());

    if (left.us == 0)
        return 0;
    if (uw_loop_sleep(loop, uw_usec_min(*pause, left)) == UW_ERROR_INTERRUPTED)
        return UW_ERROR_INTERRUPTED;
    *pause = uw_usec_min(uw_usec(pause->us * 2), uw_usec(max));
    return 1;
}

int
uw_find(struct uw_server *server, const struct uw_choice *choice, struct uw_usec wait,
        struct uw_usec timeout, struct uw_device **ret_device,
        struct uw_device_list **ret_candidates, struct uw_fault *fault)
{
    struct uw_usec until = uw_usec_add(uw_now(), wait), pause = uw_usec(UW_FIND_PAUSE_US);
    struct uw_fault last = {0}; /* a try that failed is no fault when the next succeeds */
    int r, again;

    for (;;) {
        r = try_once(server, choice, timeout, ret_device, ret_candidates, &last);
        if (!uw_find_may_pass(r))
            break;
        again = uw_find_pause(uw_server_loop(server), until, &pause, PAUSE_MAX_US);
        if (again < 0)
            r = uw_fault_set(&last, again, "wait for the device");
        if (again != 1)
            break;
    }
    if (r < 0 && fault)
        *fault = last;
    return r;
}
