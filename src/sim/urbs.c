/*
 * urbs.c - URBs between a connection and a device: order, delays, faults
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/descriptor.h>

#include "base/log.h"
#include "sim/sim.h"

#define STATUS_IO            (-5)
#define STATUS_INVALID       (-22)
#define STATUS_PROTOCOL      (-71)
#define STATUS_NOT_SUPPORTED (-95)

#define OVERLONG    64u  /* bytes beyond what was asked for */
#define SMALL_WRITE 256u /* SIM_SMALL_WRITES */

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

static void
send_answer(struct uw_request *r, int32_t status, uint32_t actual)
{
    struct sim_conn *c = conn_of(r);
    struct uw_sim *sim = c->sim;
    struct sim_lane *lane = lane_of(c);

    uw_list_remove(&r->link);
    cancel_timeouts(sim, r);
    if (sim->personality->status)
        status = sim->personality->status(status, r->endpoint);
    uw_session_reply(c->session, r, status, actual);
    sim_touch(c);
    done_with(sim, lane, r);
}

static void
never_answer(struct uw_request *r)
{
    struct sim_conn *c = conn_of(r);
    struct sim_lane *lane = lane_of(c);

    uw_list_remove(&r->link);
    cancel_timeouts(c->sim, r);
    uw_session_forget(c->session, r);
    sim_touch(c);
    done_with(c->sim, lane, r);
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

/* More than was asked for; the request has room for that. */
static uint32_t
overlong(struct uw_request *r)
{
    memset(r->buffer + r->length, 0xee, OVERLONG);
    return r->length + OVERLONG;
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
    case FAIL_DROP: never_answer(r); break;
    case FAIL_DELAY: answer_after(d, r, status, actual, f->ms); break;
    case FAIL_SHORT: send_answer(r, status, actual / 2); break;
    case FAIL_OVERLONG: send_answer(r, status, overlong(r)); break;
    case FAIL_GONE:
        send_answer(r, SIM_SHUTDOWN, 0);
        sim_unplug(d);
        break;
    case FAIL_LOG_CUT:
    case FAIL_LOG_JUNK:
    case FAIL_LOG_COUNT: break; /* strike the log, not URBs */
    case FAIL_CLOSE:
        c->cut_after = uw_session_unsent(c->session) + f->at;
        send_answer(r, status, actual);
        break;
    }
}

void
sim_reply(struct sim_device *d, struct uw_request *r, int32_t status, uint32_t actual)
{
    unsigned traits = d->sim->personality->traits;
    int is_control = (r->endpoint & 0x0f) == 0;
    struct sim_fail *f;

    uw_list_remove(&r->link);
    cancel_timeouts(d->sim, r);
    if (status == SIM_STALL && is_control && (traits & SIM_CONTROL_SILENT)) {
        never_answer(r);
        return;
    }
    if (status == SIM_STALL) {
        d->stalled |= !is_control;
        uw_log(&d->sim->log, UW_LOG_DEBUG, "%s: stall on endpoint 0x%02x", d->busid, r->endpoint);
        if (traits & SIM_STALLS_SWALLOWED)
            status = 0;
    }
    if (status == SIM_OVERFLOW && (traits & SIM_TRUNCATES))
        status = 0;
    f = status == SIM_SHUTDOWN ? NULL : sim_fail_strikes(d->sim, r->endpoint);
    if (f)
        strike(d, r, f, status, actual);
    else
        send_answer(r, status, actual);
}

/* ---- waiting ---- */

/* Where that flushes the endpoint, those that wait beside it go, too. */
static void
read_ended(struct sim_timer *timer, struct uw_usec now)
{
    struct sim_timeout *t = UW_CONTAINER(timer, struct sim_timeout, timer);
    const struct sim_personality *p = t->device->sim->personality;
    struct sim_device *d = t->device;
    struct uw_request *r = t->request;
    unsigned slot = sim_slot(r->endpoint);

    (void)now;
    uw_list_remove(&t->link);
    free(t);
    send_answer(r, p->read_status, 0);
    if (p->traits & SIM_FLUSHES)
        sim_fail_waiting(d, slot, p->habits.unlinked);
}

void
sim_wait(struct sim_device *d, struct uw_request *r)
{
    const struct sim_personality *p = d->sim->personality;
    struct sim_timeout *t;

    uw_list_remove(&r->link);
    uw_list_insert(&d->waiting[sim_slot(r->endpoint)], &r->link);
    if (!(p->traits & SIM_READS_END) || !(r->endpoint & 0x80) || !(t = calloc(1, sizeof(*t))))
        return;
    t->timer.fire = read_ended;
    t->device = d;
    t->request = r;
    uw_list_insert(&d->sim->timeouts, &t->link);
    sim_set_timer(d->sim, &t->timer, uw_usec_add(d->sim->now, uw_msec(p->read_ms)));
}

struct uw_request *
sim_waiting(struct sim_device *d, uint8_t endpoint)
{
    return uw_list_first(&d->waiting[sim_slot(endpoint)], struct uw_request, link);
}

void
sim_fail_waiting(struct sim_device *d, unsigned slot, int32_t status)
{
    struct uw_list waiting;
    struct uw_request *r;

    /* Answering one may bring others here, and those are not meant. */
    uw_list_init(&waiting);
    while ((r = uw_list_first(&d->waiting[slot], struct uw_request, link))) {
        uw_list_remove(&r->link);
        uw_list_insert(&waiting, &r->link);
    }
    while ((r = uw_list_first(&waiting, struct uw_request, link)))
        sim_reply(d, r, status, 0);
}

/* ---- beginning ---- */

/* What usb_submit_urb refuses; usbip-host then gives up the connection. */
static int
is_refused(const struct uw_request *r, const uint8_t *endpoint)
{
    unsigned type = endpoint ? endpoint[3] & 3u : UW_CONTROL;

    if (!endpoint)
        return (uint32_t)(r->setup[6] | r->setup[7] << 8) != r->length;
    if ((type == UW_ISOCHRONOUS) != (r->iso_count > 0))
        return 1;
    return (type == UW_ISOCHRONOUS || type == UW_INTERRUPT) && r->interval <= 0;
}

/* A server that is told the type of an endpoint by the interval, and is told wrong. */
static int
is_mistyped(const struct uw_request *r, const uint8_t *endpoint)
{
    unsigned type = endpoint[3] & 3u;

    return r->iso_count == 0 && (type == UW_INTERRUPT) != (r->interval != 0);
}

static int
has_altsettings(const struct sim_device *d)
{
    struct uw_extra rest = {d->configs[0], d->config_size[0]}, one;

    while (uw_descriptor_next(&rest, &one))
        if (one.bytes[1] == UW_DT_INTERFACE && one.bytes[3] != 0)
            return 1;
    return 0;
}

static void
begin_control(struct sim_device *d, struct uw_request *r)
{
    unsigned traits = d->sim->personality->traits;

    if ((traits & SIM_STRICT) && is_refused(r, NULL))
        conn_of(r)->dead = 1;
    else if ((traits & SIM_STRICT_DIRECTION) && ((r->setup[0] ^ r->endpoint) & 0x80))
        sim_reply(d, r, STATUS_INVALID, 0);
    else
        sim_control(d, r);
}

static void
begin_transfer(struct sim_device *d, struct uw_request *r)
{
    const struct sim_personality *p = d->sim->personality;
    const uint8_t *endpoint = sim_endpoint(d, r->endpoint);

    if ((p->traits & SIM_DEAD_AFTER_STALL) && d->stalled) {
        sim_reply(d, r, SIM_NODEV, 0);
    } else if ((p->traits & SIM_NO_ALTSETTINGS) && has_altsettings(d)) {
        sim_reply(d, r, STATUS_IO, 0);
    } else if (!endpoint && p->unknown_endpoint) {
        sim_reply(d, r, p->unknown_endpoint, 0);
    } else if (!endpoint) {
        /* usbip-host never answers a URB for an endpoint that is not there. */
        never_answer(r);
    } else if ((p->traits & SIM_STRICT) && is_refused(r, endpoint)) {
        conn_of(r)->dead = 1;
    } else if ((p->traits & SIM_TYPED) && is_mistyped(r, endpoint)) {
        sim_reply(d, r, STATUS_PROTOCOL, 0);
    } else if (d->halted >> sim_slot(r->endpoint) & 1u) {
        sim_reply(d, r, SIM_STALL, 0);
    } else if (d->model->transfer) {
        if ((p->traits & SIM_SMALL_WRITES) && !(r->endpoint & 0x80) && r->length > SMALL_WRITE)
            r->length = SMALL_WRITE;
        d->model->transfer(d, r);
    } else {
        sim_wait(d, r);
    }
}

static void
begin(struct sim_device *d, struct uw_request *r)
{
    sim_touch(conn_of(r));
    if (d->gone || conn_of(r)->orphaned)
        sim_reply(d, r, SIM_SHUTDOWN, 0);
    else if (r->iso_count && (d->sim->personality->traits & SIM_NO_ISO))
        sim_reply(d, r, STATUS_NOT_SUPPORTED, 0);
    else if ((r->endpoint & 0x0f) == 0)
        begin_control(d, r);
    else
        begin_transfer(d, r);
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
    /* What begins may end at once, and then comes here again. */
    if (lane->advancing)
        return;
    lane->advancing = 1;
    while (!lane->current && !uw_list_empty(&lane->queue)) {
        struct uw_request *r = UW_CONTAINER(lane->queue.next, struct uw_request, link);

        uw_list_remove(&r->link);
        lane->current = r;
        if (sim->personality->urb_us) {
            lane->resting = 1;
            lane->timer.fire = rested;
            sim_set_timer(sim, &lane->timer,
                          uw_usec_add(sim->now, uw_usec(sim->personality->urb_us)));
        } else {
            begin(conn_of(r)->device, r);
        }
    }
    lane->advancing = 0;
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
    if (!c->device || c->mute || was_seen(c->sim, r->seqnum)) {
        uw_session_forget(c->session, r);
        return;
    }
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
    if (c->device && (c->sim->personality->traits & SIM_FLUSHES))
        sim_fail_waiting(c->device, sim_slot(r->endpoint), SIM_RESET);
    if (lane && lane->current == r) {
        if (lane->resting)
            sim_set_timer(c->sim, &lane->timer, uw_never());
        lane->resting = 0;
        lane->current = NULL;
        sim_lane_advance(c->sim, lane);
    }
    return 1;
}

/* ---- ends ---- */

static void
forget_lane(struct sim_conn *c, struct sim_lane *lane)
{
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
    if (lane->resting)
        sim_set_timer(c->sim, &lane->timer, uw_never());
    lane->resting = 0;
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
sim_urbs_survive(const struct sim_conn *c)
{
    const struct sim_lane *lane = &c->sim->lane;

    return (c->sim->personality->traits & SIM_READ_SURVIVES) && lane->current && !lane->resting &&
           conn_of(lane->current) == c;
}

void
sim_halt(struct sim_device *d, uint8_t endpoint)
{
    unsigned slot = sim_slot(endpoint);

    if ((endpoint & 0x0f) == 0)
        return;
    d->halted |= 1u << slot;
    d->stalled = 1;
    sim_fail_waiting(d, slot, SIM_STALL);
}

void
sim_unplug(struct sim_device *d)
{
    struct uw_list *pos, *tmp;

    d->gone = 1;
    for (unsigned slot = 0; slot < SIM_SLOTS; slot++)
        sim_fail_waiting(d, slot, SIM_SHUTDOWN);
    sim_plan(d, uw_never());
    uw_list_each(pos, tmp, &d->sim->conns)
    {
        struct sim_conn *c = UW_CONTAINER(pos, struct sim_conn, link);

        if (c->device != d)
            continue;
        if (d->sim->personality->traits & SIM_OPEN_WHEN_GONE)
            c->orphaned = 1;
        else
            sim_hang_up(c);
        if (c->orphaned && d->user == c)
            d->user = NULL;
    }
}
