/*
 * urbs.c - URBs between a connection and a device: order, delays, faults
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/descriptor.h>

#include "sim/sim.h"

#define STATUS_NOT_SUPPORTED (-95)

void
sim_lane_init(struct sim_lane *lane)
{
    memset(lane, 0, sizeof(*lane));
    uw_list_init(&lane->queue);
}

static struct sim_lane *
lane_of(struct sim_conn *c)
{
    unsigned traits = c->sim->personality->traits;

    if (traits & SIM_SERIAL_SERVER)
        return &c->sim->lane;
    return traits & SIM_SERIAL_CONNECTION ? &c->lane : NULL;
}

static struct sim_conn *
conn_of(struct uw_request *r)
{
    return (struct sim_conn *)r->data;
}

/* ---- answers ---- */

static void
done_with(struct uw_sim *sim, struct sim_lane *lane, struct uw_request *r)
{
    if (!lane || lane->current != r)
        return;
    lane->current = NULL;
    sim_lane_advance(sim, lane);
}

static void
send_answer(struct uw_request *r, int32_t status, uint32_t actual)
{
    struct sim_conn *c = conn_of(r);
    struct uw_sim *sim = c->sim;
    struct sim_lane *lane = lane_of(c);

    uw_list_remove(&r->link);
    if (sim->personality->status)
        status = sim->personality->status(status, r->endpoint);
    uw_session_reply(c->session, r, status, actual);
    done_with(sim, lane, r);
}

static void
later(struct sim_timer *timer, struct uw_usec now)
{
    struct sim_timeout *t = UW_CONTAINER(timer, struct sim_timeout, timer);
    struct uw_request *r = t->request;

    (void)now;
    uw_list_remove(&t->link);
    send_answer(r, t->status, t->actual);
    free(t);
}

static void
answer_after(struct sim_device *d, struct uw_request *r, int32_t status, uint32_t actual,
             uint32_t ms)
{
    struct uw_sim *sim = d->sim;
    struct sim_timeout *t = calloc(1, sizeof(*t));

    if (!t) {
        send_answer(r, status, actual);
        return;
    }
    t->timer.fire = later;
    t->device = d;
    t->request = r;
    t->status = status;
    t->actual = actual;
    uw_list_insert(&sim->timeouts, &t->link);
    sim_set_timer(sim, &t->timer, uw_usec_add(sim->now, uw_msec(ms)));
}

static void
strike(struct sim_device *d, struct uw_request *r, const struct sim_fail *f, int32_t status,
       uint32_t actual)
{
    struct sim_conn *c = conn_of(r);

    switch (f->kind) {
    case FAIL_STALL:
        sim_halt(d, r->endpoint);
        send_answer(r, SIM_STALL, 0);
        break;
    case FAIL_DROP: uw_list_remove(&r->link); break; /* never answered */
    case FAIL_DELAY: answer_after(d, r, status, actual, f->ms); break;
    case FAIL_SHORT: send_answer(r, status, actual / 2); break;
    case FAIL_OVERLONG: send_answer(r, status, r->length); break;
    case FAIL_GONE:
        send_answer(r, SIM_SHUTDOWN, 0);
        sim_unplug(d);
        break;
    case FAIL_CLOSE:
        c->cut_after = f->at;
        send_answer(r, status, actual);
        break;
    }
}

void
sim_reply(struct sim_device *d, struct uw_request *r, int32_t status, uint32_t actual)
{
    unsigned traits = d->sim->personality->traits;
    struct sim_fail *f;

    uw_list_remove(&r->link);
    if (status == SIM_STALL) {
        d->stalled |= (r->endpoint & 0x0f) != 0;
        if (traits & SIM_STALLS_SWALLOWED)
            status = 0;
    }
    f = status == SIM_SHUTDOWN ? NULL : sim_fail_strikes(d->sim, r->endpoint);
    if (f)
        strike(d, r, f, status, actual);
    else
        send_answer(r, status, actual);
}

/* ---- waiting ---- */

static void
empty_read(struct sim_timer *timer, struct uw_usec now)
{
    struct sim_timeout *t = UW_CONTAINER(timer, struct sim_timeout, timer);
    struct uw_request *r = t->request;

    (void)now;
    uw_list_remove(&t->link);
    free(t);
    send_answer(r, 0, 0);
}

void
sim_wait(struct sim_device *d, struct uw_request *r)
{
    const struct sim_personality *p = d->sim->personality;
    struct sim_timeout *t;

    uw_list_remove(&r->link);
    uw_list_insert(&d->waiting[sim_slot(r->endpoint)], &r->link);
    if (!(p->traits & SIM_EMPTY_READS) || !(r->endpoint & 0x80) || !(t = calloc(1, sizeof(*t))))
        return;
    t->timer.fire = empty_read;
    t->device = d;
    t->request = r;
    uw_list_insert(&d->sim->timeouts, &t->link);
    sim_set_timer(d->sim, &t->timer, uw_usec_add(d->sim->now, uw_msec(p->empty_ms)));
}

/* Whatever was planned for a request is off. */
static void
cancel_timeouts(struct uw_sim *sim, const struct uw_request *r)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &sim->timeouts)
    {
        struct sim_timeout *t = UW_CONTAINER(pos, struct sim_timeout, link);

        if (t->request != r)
            continue;
        sim_set_timer(sim, &t->timer, uw_never());
        uw_list_remove(&t->link);
        free(t);
    }
}

struct uw_request *
sim_waiting(struct sim_device *d, uint8_t endpoint)
{
    struct uw_request *r = uw_list_first(&d->waiting[sim_slot(endpoint)], struct uw_request, link);

    if (r)
        cancel_timeouts(d->sim, r);
    return r;
}

/* ---- beginning ---- */

static void
begin(struct sim_device *d, struct uw_request *r)
{
    unsigned traits = d->sim->personality->traits, slot = sim_slot(r->endpoint);
    uint8_t number = r->endpoint & 0x0f;

    if (d->gone || ((traits & SIM_DEAD_AFTER_STALL) && d->stalled && number)) {
        sim_reply(d, r, d->gone ? SIM_SHUTDOWN : SIM_NODEV, 0);
    } else if (r->iso_count && (traits & SIM_NO_ISO)) {
        sim_reply(d, r, STATUS_NOT_SUPPORTED, 0);
    } else if (number == 0) {
        sim_control(d, r);
    } else if (!sim_max_packet(d, r->endpoint)) {
        /* As usbip-host: a URB for an endpoint that is not there is never answered. */
        uw_list_remove(&r->link);
    } else if (d->halted >> slot & 1u) {
        sim_reply(d, r, SIM_STALL, 0);
    } else if (d->model->transfer) {
        d->model->transfer(d, r);
    } else {
        sim_wait(d, r);
    }
}

static void
rested(struct sim_timer *timer, struct uw_usec now)
{
    struct sim_lane *lane = UW_CONTAINER(timer, struct sim_lane, timer);
    struct uw_request *r = lane->current;

    (void)now;
    lane->resting = 0;
    if (r)
        begin(conn_of(r)->device, r);
}

void
sim_lane_advance(struct uw_sim *sim, struct sim_lane *lane)
{
    while (!lane->current && !lane->stuck && !uw_list_empty(&lane->queue)) {
        struct uw_request *r = UW_CONTAINER(lane->queue.next, struct uw_request, link);

        uw_list_remove(&r->link);
        lane->current = r;
        if (sim->personality->urb_us) {
            lane->resting = 1;
            lane->timer.fire = rested;
            sim_set_timer(sim, &lane->timer,
                          uw_usec_add(sim->now, uw_usec(sim->personality->urb_us)));
            return;
        }
        begin(conn_of(r)->device, r);
    }
}

static int
was_seen(struct uw_sim *sim, uint32_t seqnum)
{
    if (!(sim->personality->traits & SIM_REMEMBERS_SEQNUMS))
        return 0;
    for (size_t i = 0; i < sizeof(sim->seen) / sizeof(sim->seen[0]); i++)
        if (sim->seen[i] == seqnum)
            return 1;
    sim->seen[sim->seen_next++ % 1000u] = seqnum;
    return 0;
}

void
sim_urb_submit(struct sim_conn *c, struct uw_request *r)
{
    struct sim_lane *lane = lane_of(c);

    r->data = c;
    c->urbs++;
    if (was_seen(c->sim, r->seqnum) || !c->device || c->mute)
        return;
    if (!lane) {
        begin(c->device, r);
        return;
    }
    uw_list_insert(&lane->queue, &r->link);
    sim_lane_advance(c->sim, lane);
}

int
sim_urb_unlink(struct sim_conn *c, struct uw_request *r)
{
    struct sim_lane *lane = lane_of(c);

    cancel_timeouts(c->sim, r);
    uw_list_remove(&r->link);
    if (lane && lane->current == r) {
        lane->current = NULL;
        if (!lane->resting)
            sim_lane_advance(c->sim, lane);
    }
    return 1;
}

/* ---- ends ---- */

static void
forget_lane(struct sim_conn *c, struct sim_lane *lane)
{
    struct uw_sim *sim = c->sim;
    struct uw_request *r = lane->current;
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &lane->queue)
    {
        struct uw_request *q = UW_CONTAINER(pos, struct uw_request, link);

        if (conn_of(q) == c)
            uw_list_remove(&q->link);
    }
    if (!r || conn_of(r) != c)
        return;
    lane->current = NULL;
    if (lane->resting) {
        lane->resting = 0;
        sim_set_timer(sim, &lane->timer, uw_never());
    } else if ((sim->personality->traits & SIM_READ_SURVIVES) && (r->endpoint & 0x80)) {
        lane->stuck = c->device;
        lane->stuck_endpoint = r->endpoint;
    }
}

void
sim_urbs_forget(struct sim_conn *c)
{
    struct uw_sim *sim = c->sim;
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &sim->timeouts)
    {
        struct sim_timeout *t = UW_CONTAINER(pos, struct sim_timeout, link);

        if (conn_of(t->request) == c)
            cancel_timeouts(sim, t->request);
    }
    forget_lane(c, &sim->lane);
    forget_lane(c, &c->lane);
    for (unsigned i = 0; c->device && i < SIM_SLOTS; i++)
        uw_list_each(pos, tmp, &c->device->waiting[i])
        {
            struct uw_request *r = UW_CONTAINER(pos, struct uw_request, link);

            if (conn_of(r) == c)
                uw_list_remove(&r->link);
        }
    sim_lane_advance(sim, &sim->lane);
}

int
sim_lane_unstick(struct sim_device *d, uint8_t endpoint)
{
    struct sim_lane *lane = &d->sim->lane;

    if (lane->stuck != d || lane->stuck_endpoint != endpoint)
        return 0;
    lane->stuck = NULL;
    sim_lane_advance(d->sim, lane);
    return 1;
}

void
sim_halt(struct sim_device *d, uint8_t endpoint)
{
    struct uw_list *pos, *tmp;
    unsigned slot = sim_slot(endpoint);

    if ((endpoint & 0x0f) == 0)
        return;
    d->halted |= 1u << slot;
    uw_list_each(pos, tmp, &d->waiting[slot])
        sim_reply(d, UW_CONTAINER(pos, struct uw_request, link), SIM_STALL, 0);
}

void
sim_unplug(struct sim_device *d)
{
    d->gone = 1;
    for (unsigned slot = 0; slot < SIM_SLOTS; slot++) {
        struct uw_list *pos, *tmp;

        uw_list_each(pos, tmp, &d->waiting[slot])
            sim_reply(d, UW_CONTAINER(pos, struct uw_request, link), SIM_SHUTDOWN, 0);
    }
    sim_plan(d, uw_never());
}
