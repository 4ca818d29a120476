/*
 * shares.c - devices that this process holds and other programs use
 */
#include "shares.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often it is looked whether a device is still there, and how long the pauses become while it
 * is looked for. */
#define LOOK_MS      100u
#define PAUSE_MAX_MS 2000u
#define LIST_MS      5000u

struct share {
    struct share *next;
    struct uw_device *device;
    struct uw_broker *broker; /* NULL: another process shares it, for as long as that is there */
    char address[256];
    struct uw_usec pause, next_try; /* while the device is gone */
};

struct shares {
    struct share *first, **last;
    unsigned count;
    struct uw_queue *queue; /* nothing comes of it: to wait with */
};

struct shares *
shares_new(void)
{
    struct shares *s = calloc(1, sizeof(*s));

    if (s)
        s->last = &s->first;
    return s;
}

void
shares_free(struct shares *s)
{
    struct share *next;

    for (struct share *one = s ? s->first : NULL; one; one = next) {
        next = one->next;
        uw_broker_free(one->broker);
        uw_device_free(one->device);
        free(one);
    }
    if (s)
        uw_queue_free(s->queue);
    free(s);
}

/* Unless another process does it. */
static int
share(struct share *one, struct uw_fault *fault)
{
    return uw_find_is_held(uw_device_info(one->device))
               ? 0
               : uw_broker_new(one->device, &one->broker, fault);
}

static int
get(struct cli *cli, const char *busid, struct share *one, struct uw_fault *fault)
{
    struct uw_choice choice;
    int r;

    cli_choice(cli, &choice);
    choice.busid = busid;
    choice.serial = NULL; /* it was found by that */
    r = uw_find(cli->server, &choice, cli_time(cli, OPT_WAIT, uw_usec(0)), uw_never(), &one->device,
                NULL, fault);
    if (r == 0)
        r = share(one, fault);
    if (r < 0)
        return r;
    snprintf(one->address, sizeof(one->address), "%s",
             one->broker ? uw_broker_address(one->broker)
                         : uw_server_name(uw_device_server(one->device)));
    return 0;
}

static int
has(const struct shares *s, const char *busid)
{
    for (const struct share *one = s->first; one; one = one->next)
        if (strcmp(uw_device_info(one->device)->busid, busid) == 0)
            return 1;
    return 0;
}

int
shares_add(struct shares *s, struct cli *cli, const char *busid, int leniently)
{
    char text[UW_FAULT_TEXT_MAX];
    struct uw_fault fault;
    struct share *one;

    if (has(s, busid)) /* named twice */
        return 0;
    one = calloc(1, sizeof(*one));
    if (!one || (!s->queue && uw_queue_new(cli->loop, &s->queue) < 0)) {
        free(one);
        return cli_error("out of memory");
    }
    cli_end_cleanly(cli); /* a broker's socket must not be left behind */
    if (get(cli, busid, one, &fault) < 0) {
        uw_device_free(one->device);
        free(one);
        if (!leniently)
            return cli_fault(&fault, CLI_CHOOSING);
        cli_remark(cli, "left out: %s", uw_fault_text(&fault, text, sizeof(text)));
        return 0;
    }
    *s->last = one;
    s->last = &one->next;
    s->count++;
    return 0;
}

/* ---- devices that come and go ---- */

static void
share_successor(struct share *one, struct uw_device *device, struct cli *cli)
{
    char text[UW_FAULT_TEXT_MAX];
    struct uw_fault fault;
    int r = 0;

    if (one->broker)
        uw_broker_replace(one->broker, device);
    uw_device_free(one->device);
    one->device = device;
    one->pause = uw_usec(0);
    if (!one->broker)
        r = share(one, &fault);
    if (r < 0)
        cli_remark(cli, "%s", uw_fault_text(&fault, text, sizeof(text)));
    else
        cli_remark(cli, "%s: shared again", uw_device_name(device));
}

static void
look(struct cli *cli, struct share *one)
{
    struct uw_device *device;

    if (uw_device_look(one->device, uw_msec(LIST_MS)) == UW_OK)
        return;
    if (!one->pause.us)
        one->pause = uw_msec(LOOK_MS);
    else if (uw_now().us < one->next_try.us)
        return;
    if (uw_device_find_again(one->device, uw_usec(0), &device, NULL) == 0) {
        share_successor(one, device, cli);
        return;
    }
    one->next_try = uw_usec_add(uw_now(), one->pause);
    one->pause = uw_usec_min(uw_usec(one->pause.us * 2), uw_msec(PAUSE_MAX_MS));
}

void
shares_tend(struct shares *s, struct cli *cli)
{
    if (uw_queue_wait(s->queue, uw_msec(LOOK_MS)) < 0)
        return;
    for (struct share *one = s->first; one; one = one->next)
        look(cli, one);
}

unsigned
shares_count(const struct shares *s)
{
    return s->count;
}

struct uw_device *
shares_device(const struct shares *s, unsigned index)
{
    const struct share *one = s->first;

    for (; index > 0; index--)
        one = one->next;
    return one->device;
}

int
shares_are_used(const struct shares *s)
{
    for (const struct share *one = s->first; one; one = one->next)
        if (one->broker && uw_broker_clients(one->broker))
            return 1;
    return 0;
}

char *
shares_addresses(const struct shares *s)
{
    size_t room = s->count * (sizeof(s->first->address) + 1u) + 1u, n = 0;
    char *list = calloc(1, room);

    for (const struct share *one = s->first; list && one; one = one->next)
        n += (size_t)snprintf(list + n, room - n, "%s%s", n ? "," : "", one->address);
    return list;
}
