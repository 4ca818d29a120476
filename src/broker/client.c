/*
 * client.c - a connection to a broker: bytes between its socket and its session, URBs for its
 * requests
 *
 * Completions arrive in the middle of other work of the loop, so they are only put aside there; a
 * timer that is due at once does the rest. A client that is gone is kept until its last URB has
 * ended, as that points into a buffer of its session.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "broker/broker.h"
#include "wire/cmd.h"
#include "wire/op.h"

#define TX_IOV_MAX 64

#define STATUS_RESET    (-104)
#define STATUS_SHUTDOWN (-108)
#define STATUS_IO       (-5)

/* How the end of a URB is said: Linux's numbers, the only dialect a broker speaks. */
static const struct {
    int error;
    int32_t status;
} statuses[] = {
    {UW_OK, 0},
    {UW_ERROR_STALL, -32},
    {UW_ERROR_CANCELLED, STATUS_RESET},
    {UW_ERROR_WEDGED, STATUS_RESET},
    {UW_ERROR_TIMEOUT, -110},
    {UW_ERROR_HELD, -110},
    {UW_ERROR_OVERFLOW, -75},
    {UW_ERROR_SHORT, -121},
    {UW_ERROR_BUSY, -16},
    {UW_ERROR_ACCESS, -1},
    {UW_ERROR_INVALID, -22},
    {UW_ERROR_NOT_FOUND, -22},
    {UW_ERROR_LIMIT, -90},
    {UW_ERROR_NOT_SUPPORTED, -95},
    {UW_ERROR_NO_MEMORY, -12},
    {UW_ERROR_NO_DEVICE, STATUS_SHUTDOWN},
    {UW_ERROR_REENUMERATE, STATUS_SHUTDOWN},
    {UW_ERROR_CONNECTION_LOST, STATUS_SHUTDOWN},
    {UW_ERROR_PROTOCOL, STATUS_SHUTDOWN},
};

static int32_t
status_of(int error)
{
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (statuses[i].error == error)
            return statuses[i].status;
    return STATUS_IO;
}

static void
soon(struct broker_client *c)
{
    uw_loop_set_timer(c->broker->loop, &c->timer, uw_usec(0));
}

void
broker_answer(struct broker_client *c, struct uw_request *r, int32_t status, uint32_t actual)
{
    uw_session_reply(c->session, r, status, actual);
    soon(c);
}

/* ---- what the session asks ---- */

static void
describe(const struct uw_broker *b, struct uw_device_info *info)
{
    const struct uw_profile *p = uw_import_profile_locked(b->device->import);

    *info = b->device->info;
    if (!(p->flags & UW_PROF_SHARED)) /* else it says so already */
        snprintf(info->path, sizeof(info->path), UW_SHARED_PATH "%s:%.200s", p->name,
                 b->device->info.path);
    info->configuration_value = (uint8_t)b->device->value;
}

static int
is_alive(const struct uw_broker *b)
{
    return uw_import_status_locked(b->device->import) == UW_OK;
}

static struct uw_device_list *
list(void *data)
{
    const struct broker_client *c = (const struct broker_client *)data;
    const struct uw_device_info *infos[1];
    struct uw_device_info info;

    describe(c->broker, &info);
    infos[0] = &info;
    return uw_device_list_new(infos, is_alive(c->broker) ? 1 : 0);
}

static uint32_t
import(void *data, const char *busid, struct uw_device_info *ret_info)
{
    struct broker_client *c = (struct broker_client *)data;

    if (!is_alive(c->broker) || strcmp(busid, c->broker->device->info.busid) != 0)
        return UW_OP_ST_NODEV;
    describe(c->broker, ret_info);
    c->imported = 1;
    return UW_OP_ST_OK;
}

/* ---- URBs ---- */

/* A cancel may end others at once, so none is looked at twice. */
static void
cancel_jobs(struct broker_client *c, uint32_t endpoints)
{
    struct uw_list looked_at;
    struct broker_job *job;

    uw_list_init(&looked_at);
    while ((job = uw_list_first(&c->running, struct broker_job, link))) {
        uw_list_remove(&job->link);
        uw_list_insert(&looked_at, &job->link);
        if (endpoints & uw_endpoint_bit(job->request->endpoint))
            (void)uw_import_cancel_locked(c->broker->device->import, job->urb);
    }
    while ((job = uw_list_first(&looked_at, struct broker_job, link))) {
        uw_list_remove(&job->link);
        uw_list_insert(&c->running, &job->link);
    }
}

/* A request is over, one way or another: it is to be answered when the loop comes to it. */
static void
ended(struct uw_urb *urb)
{
    struct broker_job *job = (struct broker_job *)urb->data;

    uw_list_remove(&job->link);
    uw_list_insert(&job->client->done, &job->link);
    soon(job->client);
}

/* The client's whose request it is; NULL: it is this process's own. */
static const struct broker_client *
whose(const struct uw_urb *urb)
{
    return urb && urb->ended_locked == ended ? ((const struct broker_job *)urb->data)->client
                                             : NULL;
}

void
broker_device_set(struct uw_setting *setting, const struct uw_urb *urb, uint32_t endpoints)
{
    struct uw_broker *b = UW_CONTAINER(setting, struct uw_broker, setting);
    const struct broker_client *by = whose(urb);
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &b->clients)
    {
        struct broker_client *c = UW_CONTAINER(pos, struct broker_client, link);

        if (c != by)
            c->afresh |= endpoints;
        soon(c);
    }
}

void
broker_clients_make_way(struct broker_client *client, uint32_t endpoints)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &client->broker->clients)
    {
        struct broker_client *c = UW_CONTAINER(pos, struct broker_client, link);

        if (c != client)
            cancel_jobs(c, endpoints);
    }
}

static void
set_up(struct broker_job *job, struct uw_device *d)
{
    const struct uw_request *r = job->request;
    struct uw_urb *urb = job->urb;
    const uint8_t *s = r->setup;
    unsigned flags = 0;

    if ((r->endpoint & 0x0f) == 0) {
        uw_urb_set_control(urb, d, s[0], s[1], (uint16_t)(s[2] | s[3] << 8),
                           (uint16_t)(s[4] | s[5] << 8), r->buffer, (uint16_t)r->length);
        return;
    }
    uw_urb_set_transfer(urb, d, r->endpoint, r->buffer, r->length);
    flags |= r->flags & UW_WIRE_SHORT_NOT_OK ? UW_URB_SHORT_NOT_OK : 0u;
    flags |= r->flags & UW_WIRE_ZERO_PACKET ? UW_URB_ZERO_PACKET : 0u;
    flags |= r->flags & UW_WIRE_ISO_ASAP ? UW_URB_ISO_ASAP : 0u;
    uw_urb_set_flags(urb, flags);
    if (r->iso_count) {
        memcpy(urb->x.iso, r->iso, r->iso_count * sizeof(*r->iso));
        urb->x.iso_count = r->iso_count;
    }
}

static struct broker_job *
new_job(struct broker_client *c, struct uw_request *r)
{
    struct broker_job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    if (uw_urb_new(r->iso_count, &job->urb) < 0) {
        free(job);
        return NULL;
    }
    job->client = c;
    job->request = r;
    job->urb->data = job;
    job->urb->ended_locked = ended;
    uw_list_init(&job->link);
    return job;
}

static void
free_job(struct broker_job *job)
{
    uw_list_remove(&job->link);
    uw_urb_free(job->urb);
    free(job);
}

static void
submit(void *data, struct uw_request *r)
{
    struct broker_client *c = (struct broker_client *)data;
    struct broker_job *job;
    int error = UW_ERROR_NO_MEMORY;

    r->data = NULL;
    if (!broker_admit(c, r))
        return;
    job = new_job(c, r);
    if (job) {
        r->data = job;
        set_up(job, c->broker->device);
        uw_list_insert(&c->running, &job->link);
        error = uw_device_submit_locked(job->urb, NULL);
        if (error == UW_OK)
            return;
        free_job(job);
    }
    broker_answer(c, r, status_of(error), 0);
}

static int
unlink_request(void *data, struct uw_request *r)
{
    struct broker_client *c = (struct broker_client *)data;
    struct broker_job *job = (struct broker_job *)r->data;

    if (c->waiting == r) {
        c->waiting = NULL;
        return UW_UNLINK_DONE;
    }
    /* A control transfer is mostly given up as its time is over, which may mean that the server is
     * stuck. */
    if (r->endpoint & 0x0f)
        (void)uw_import_cancel_locked(c->broker->device->import, job->urb);
    else
        (void)uw_import_time_out_locked(c->broker->device->import, job->urb);
    return UW_UNLINK_BEGUN;
}

static void
reply(struct broker_client *c, struct broker_job *job)
{
    struct uw_request *r = job->request;
    const struct uw_xfer *x = &job->urb->x;

    if (r->iso_count)
        memcpy(r->iso, x->iso, r->iso_count * sizeof(*r->iso));
    for (uint32_t i = 0; i < r->iso_count; i++)
        r->iso[i].status = status_of(r->iso[i].status);
    r->start_frame = x->start_frame;
    uw_session_reply(c->session, r, status_of(x->status), (uint32_t)x->actual);
}

/* ---- the connection ---- */

static void
free_client(struct uw_grave *grave)
{
    struct broker_client *c = UW_CONTAINER(grave, struct broker_client, grave);

    uw_session_free(c->session);
    free(c);
}

static void
finish(struct broker_client *c)
{
    struct uw_broker *b = c->broker;

    if (!uw_list_empty(&c->running) || !uw_list_empty(&c->done))
        return;
    uw_loop_set_timer(b->loop, &c->timer, uw_never());
    uw_list_remove(&c->link);
    b->count--;
    uw_loop_bury(b->loop, &c->grave);
    uw_loop_wake_waiters(b->loop);
}

void
broker_client_close(struct broker_client *c)
{
    if (c->closing)
        return;
    c->closing = 1;
    c->waiting = NULL;
    uw_loop_remove_source(c->broker->loop, &c->source);
    uw_transport_free(c->transport, 1);
    c->transport = NULL;
    cancel_jobs(c, UW_ALL_ENDPOINTS);
    broker_release_all(c);
    soon(c);
}

void
broker_client_dismiss(struct broker_client *c)
{
    if (c->waiting)
        broker_answer(c, c->waiting, STATUS_SHUTDOWN, 0);
    c->waiting = NULL;
    soon(c);
}

static int
send_all(struct broker_client *c)
{
    struct iovec iov[TX_IOV_MAX];
    int n, error = 0;

    while ((n = uw_session_tx(c->session, iov, TX_IOV_MAX)) > 0) {
        ssize_t sent = uw_transport_writev(c->transport, iov, n, &error);

        if (sent == UW_AGAIN)
            break;
        if (sent < 0)
            return 0;
        uw_session_tx_done(c->session, (size_t)sent);
    }
    return 1;
}

/* As from any server whose device was unplugged. */
static int
is_dismissed(const struct broker_client *c)
{
    return c->imported && !is_alive(c->broker) && uw_list_empty(&c->running) &&
           !uw_session_unsent(c->session);
}

static void
settle(struct broker_client *c)
{
    unsigned events = 0;

    if (!send_all(c) || is_dismissed(c) || uw_session_resume(c->session) < 0 ||
        uw_session_wants_close(c->session)) {
        broker_client_close(c);
        return;
    }
    if (uw_session_wants_read(c->session))
        events |= UW_POLL_IN;
    if (uw_session_unsent(c->session))
        events |= UW_POLL_OUT;
    uw_loop_change_source(c->broker->loop, &c->source, events);
}

static void
go_on(struct uw_timer *timer, struct uw_usec now)
{
    struct broker_client *c = UW_CONTAINER(timer, struct broker_client, timer);
    struct broker_job *job;

    (void)now;
    while ((job = uw_list_first(&c->done, struct broker_job, link))) {
        uw_list_remove(&job->link);
        if (!c->closing)
            reply(c, job);
        free_job(job);
    }
    if (!c->closing) {
        broker_tell(c);
        settle(c);
    }
    if (c->closing)
        finish(c);
}

static void
ready(struct uw_source *source, unsigned events, struct uw_usec now)
{
    struct broker_client *c = UW_CONTAINER(source, struct broker_client, source);
    struct uw_loop *loop = c->broker->loop;
    struct iovec iov = {loop->rx, sizeof(loop->rx)};
    int error = 0;
    ssize_t n;

    (void)now;
    if (events & ~(unsigned)UW_POLL_OUT) {
        n = uw_transport_readv(c->transport, &iov, 1, &error);
        if (n == 0 || (n < 0 && n != UW_AGAIN) ||
            (n > 0 && uw_session_feed(c->session, loop->rx, (size_t)n) < 0)) {
            broker_client_close(c);
            return;
        }
    }
    settle(c);
}

void
broker_client_new(struct uw_broker *b, struct uw_transport *transport)
{
    struct broker_client *c = calloc(1, sizeof(*c));
    const struct uw_export offers = {.budget = &b->budget,
                                     .list = list,
                                     .import = import,
                                     .submit = submit,
                                     .unlink = unlink_request,
                                     .data = c};

    if (!c || uw_session_new(&offers, &c->session) < 0) {
        free(c);
        uw_transport_free(transport, 1);
        return;
    }
    c->grave.free = free_client;
    c->broker = b;
    c->transport = transport;
    c->timer.fire = go_on;
    c->source.fd = uw_transport_fd(transport);
    c->source.events = UW_POLL_IN;
    c->source.ready = ready;
    uw_list_init(&c->running);
    uw_list_init(&c->done);
    if (uw_loop_add_source(b->loop, &c->source) < 0) {
        free_client(&c->grave);
        uw_transport_free(transport, 1);
        return;
    }
    uw_list_insert(&b->clients, &c->link);
    b->count++;
}
