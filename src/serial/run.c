/*
 * run.c - plans of control requests on their way
 *
 * All requests of a plan are submitted at once: endpoint 0 keeps their order, and a plan takes one
 * round trip.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "serial/port.h"

#define STEP_TIMEOUT_MS 5000u
#define LAST_TIMEOUT_MS 1000u /* of a port that is closed: nobody wants to wait for that */

static void
note_answer(struct serial_run *run, unsigned step, const struct serial_step *s)
{
    struct uw_serial *p = run->port;
    struct serial_inputs before = p->chip.inputs;
    int length = s->urb.x.status < 0 ? s->urb.x.status : (int)s->urb.x.actual;

    size_t bytes = p->chip.driver->answer(&p->chip, step, s->data, length);

    /* What was read since may be just these. */
    if (bytes && run->reads_made == p->reads_made && !p->reads[0].urb.in_flight)
        p->asked_bytes = bytes;
    serial_note_inputs(p, &before);
}

static void
step_completed(struct uw_urb *urb)
{
    struct serial_step *s = UW_CONTAINER(urb, struct serial_step, urb);
    struct serial_run *run = s->run;

    run->left--;
    if (urb->x.status < 0 && !s->optional && run->status == 0) {
        run->status = urb->x.status;
        uw_urb_fault_locked(urb, &run->fault);
    }
    if (run->asks)
        note_answer(run, (unsigned)(s - run->steps), s);
    if (run->left == 0 && !run->waited) {
        if (run->status < 0 && !run->asks)
            serial_note_failure(run->port, run->status, &run->fault);
        serial_pump_now(run->port);
    }
}

static void
submit(struct uw_serial *p, struct serial_run *run, struct serial_step *s,
       const struct serial_request *q)
{
    int r;

    s->run = run;
    s->optional = q->optional;
    memcpy(s->data, q->data, sizeof(s->data));
    uw_urb_init(&s->urb);
    uw_urb_set_control(&s->urb, p->device, q->type, q->request, q->value, q->index, s->data,
                       q->length);
    uw_urb_set_timeout(&s->urb, uw_msec(run->closes ? LAST_TIMEOUT_MS : STEP_TIMEOUT_MS));
    s->urb.completed_locked = step_completed;
    r = uw_device_submit_locked(&s->urb, NULL);
    if (r < 0) {
        s->urb.x.status = r;
        step_completed(&s->urb);
    }
}

struct serial_run *
serial_run_start_locked(struct uw_serial *p, const struct serial_plan *plan, unsigned flags,
                        struct uw_fault *fault)
{
    struct serial_run *run = calloc(1, sizeof(*run) + plan->count * sizeof(run->steps[0]));

    if (!run) {
        uw_fault_set(fault, UW_ERROR_NO_MEMORY, "a request to the port");
        return NULL;
    }
    run->port = p;
    run->reads_made = p->reads_made;
    run->waited = (flags & SERIAL_RUN_WAITED) != 0;
    run->asks = (flags & SERIAL_RUN_ASKS) != 0;
    run->renews = (flags & SERIAL_RUN_RENEWS) != 0;
    run->closes = (flags & SERIAL_RUN_CLOSES) != 0;
    run->left = run->count = plan->count;
    uw_list_insert(&p->runs, &run->link);
    for (unsigned i = 0; i < plan->count; i++)
        submit(p, run, &run->steps[i], &plan->requests[i]);
    return run;
}

static int
has_ended(void *arg)
{
    return ((struct serial_run *)arg)->left == 0;
}

int
serial_run_wait_locked(struct serial_run *run, struct uw_fault *fault)
{
    (void)uw_loop_until(run->port->loop, has_ended, run, uw_never(), 0, NULL);
    if (run->status < 0 && fault)
        *fault = run->fault;
    return run->status;
}

void
serial_run_free(struct serial_run *run)
{
    uw_list_remove(&run->link);
    free(run);
}

int
serial_run_locked(struct uw_serial *p, const struct serial_plan *plan, unsigned flags,
                  struct uw_fault *fault)
{
    struct serial_run *run = serial_run_start_locked(p, plan, SERIAL_RUN_WAITED | flags, fault);
    int r;

    if (!run)
        return UW_ERROR_NO_MEMORY;
    r = serial_run_wait_locked(run, fault);
    serial_run_free(run);
    return r;
}

void
serial_runs_reap(struct uw_serial *p)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &p->runs)
    {
        struct serial_run *run = UW_CONTAINER(pos, struct serial_run, link);

        if (run->left == 0 && !run->waited)
            serial_run_free(run);
    }
}
