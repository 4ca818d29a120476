/*
 * shared.c - a device behind a broker: claims are asked for, what others change is followed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "client/loop.h"
#include "usb/shared.h"
#include "wire/shared.h"

#define CLAIM_TIMEOUT_MS  5000u
#define HOLDER_TIMEOUT_MS 1000u

/* The request for news that always waits at the broker. */
struct uw_shared {
    struct uw_urb urb;
    struct uw_timer timer; /* until it is asked again */
    struct uw_device *device;
    int leaving;
    uint8_t bytes[UW_SHARED_STATE_SIZE];
};

/* What was under way on endpoints that start afresh, the broker has ended; what was submitted since
 * is to go on. */
static void
apply(struct uw_device *d, const uint8_t state[UW_SHARED_STATE_SIZE])
{
    struct uw_reader r = uw_reader(state, UW_SHARED_STATE_SIZE);
    const uint8_t *settings = state + UW_SHARED_SETTINGS;
    uint32_t afresh = uw_rd_le32(&r);

    uw_import_drop_kept_locked(d->import, afresh);
    if (state[UW_SHARED_VALUE_AT] != d->value)
        uw_device_now_configured_locked(d, state[UW_SHARED_VALUE_AT]);
    for (unsigned i = 0; i < UW_INTERFACES_MAX; i++) {
        if (settings[i] == d->altsettings[i])
            continue;
        uw_device_flush_interface_locked(d, i);
        uw_device_now_altsetting_locked(d, i, settings[i]);
    }
    if (afresh)
        uw_device_tell_set_locked(d, NULL, afresh);
}

static void
ask(struct uw_shared *s)
{
    uw_urb_set_control(&s->urb, s->device, UW_SHARED_TYPE, UW_SHARED_STATE, 1, 0, s->bytes,
                       sizeof(s->bytes));
    (void)uw_import_submit_locked(s->device->import, &s->urb, NULL);
}

static void
ask_again(struct uw_timer *timer, struct uw_usec now)
{
    (void)now;
    ask(UW_CONTAINER(timer, struct uw_shared, timer));
}

static void
answered(struct uw_urb *urb)
{
    struct uw_shared *s = UW_CONTAINER(urb, struct uw_shared, urb);

    if (s->leaving || urb->x.status != UW_OK || urb->x.actual != sizeof(s->bytes))
        return;
    apply(s->device, s->bytes);
    uw_loop_set_timer(s->device->loop, &s->timer, uw_usec(0));
}

static int
is_shared(struct uw_device *d)
{
    int r;

    uw_loop_lock(d->loop);
    r = (uw_import_profile_locked(d->import)->flags & UW_PROF_SHARED) != 0;
    uw_loop_unlock(d->loop);
    return r;
}

int
uw_shared_join(struct uw_device *d, struct uw_usec until)
{
    uint8_t state[UW_SHARED_STATE_SIZE];
    struct uw_shared *s;
    size_t actual = 0;
    int r;

    if (!is_shared(d))
        return 0;
    s = calloc(1, sizeof(*s));
    if (!s)
        return UW_ERROR_NO_MEMORY;
    r = uw_import_control(d->import, UW_SHARED_TYPE, UW_SHARED_STATE, 0, 0, state, sizeof(state),
                          uw_device_time_left(until, CLAIM_TIMEOUT_MS), &actual, NULL);
    if (r == 0 && actual != sizeof(state))
        r = UW_ERROR_PROTOCOL;
    if (r < 0) {
        free(s);
        return r;
    }
    uw_urb_init(&s->urb);
    s->urb.ended_locked = answered;
    s->timer.fire = ask_again;
    s->device = d;
    d->shared = s;
    uw_loop_lock(d->loop);
    apply(d, state);
    ask(s);
    uw_loop_unlock(d->loop);
    return 0;
}

void
uw_shared_leave_locked(struct uw_device *d)
{
    if (!d->shared)
        return;
    d->shared->leaving = 1;
    uw_loop_set_timer(d->loop, &d->shared->timer, uw_never());
}

void
uw_shared_free(struct uw_device *d)
{
    free(d->shared);
    d->shared = NULL;
}

static int
ask_claim(struct uw_device *d, uint8_t request, unsigned interface_number)
{
    uint8_t answer = UW_SHARED_UNKNOWN;
    size_t actual = 0;
    int r = uw_import_control(d->import, UW_SHARED_TYPE, request, 0, (uint16_t)interface_number,
                              &answer, 1, uw_msec(CLAIM_TIMEOUT_MS), &actual, NULL);

    if (r < 0)
        return r;
    return answer == UW_SHARED_DONE    ? UW_OK
           : answer == UW_SHARED_TAKEN ? UW_ERROR_BUSY
                                       : UW_ERROR_NOT_FOUND;
}

int
uw_shared_claim(struct uw_device *d, unsigned interface_number)
{
    return d->shared ? ask_claim(d, UW_SHARED_CLAIM, interface_number) : UW_OK;
}

void
uw_shared_changed(struct uw_device *d)
{
    if (d->shared)
        (void)ask_claim(d, UW_SHARED_CHANGED, 0);
}

void
uw_shared_holder(struct uw_device *d, uint8_t endpoint, char *buf, size_t size)
{
    char text[UW_SHARED_HOLDER_MAX];
    size_t actual = 0;

    buf[0] = '\0';
    if (d->shared &&
        uw_import_control(d->import, UW_SHARED_TYPE, UW_SHARED_HOLDER, endpoint, 0, text,
                          sizeof(text), uw_msec(HOLDER_TIMEOUT_MS), &actual, NULL) == 0)
        snprintf(buf, size, "%.*s", (int)actual, text);
}

int
uw_shared_release(struct uw_device *d, unsigned interface_number)
{
    return d->shared ? ask_claim(d, UW_SHARED_RELEASE, interface_number) : UW_OK;
}
