/*
 * conn.c - a connection: bytes between its socket and its session
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "sim/sim.h"

#define RX_SIZE       65536u
#define TX_IOV_MAX    64
#define TROUBLE_AFTER 20u /* URBs that garbage, half-pdu and vanish let pass */
#define SLOW_BYTES    7u  /* at a time, so that everything is split somewhere */
#define SLOW_MS       1u
#define FLYING_MAX    (1024u * 1024u) /* bytes that wait for the latency to pass */

static void
submit(void *data, struct uw_request *r)
{
    sim_urb_submit((struct sim_conn *)data, r);
}

static int
unlink_request(void *data, struct uw_request *r)
{
    return sim_urb_unlink((struct sim_conn *)data, r);
}

/* ---- connections ---- */

void
sim_touch(struct sim_conn *c)
{
    if (uw_list_empty(&c->touched))
        uw_list_insert(&c->sim->touched, &c->touched);
}

void
sim_hang_up(struct sim_conn *c)
{
    c->hangup = 1;
    sim_touch(c);
}

static void
watch(struct sim_conn *c, unsigned events)
{
    struct epoll_event ev = {.events = events, .data = {.ptr = &c->source}};

    if (c->events == events)
        return;
    c->events = events;
    (void)epoll_ctl(c->sim->epoll_fd, EPOLL_CTL_MOD, c->source.fd, &ev);
}

/* A closing connection takes its device back - and some servers then think that all devices of its
 * host are free, though they go on serving them. */
static void
release(struct sim_conn *c)
{
    struct uw_sim *sim = c->sim;
    struct sim_device *d = c->device;
    struct uw_list *pos, *tmp;

    if (d && d->user == c) {
        c->device = NULL;
        d->user = NULL;
        d->stalled = 0;
        sim_device_reset(d);
        uw_log(&sim->log, UW_LOG_INFO, "%s released", d->busid);
    }
    if (!(sim->personality->traits & SIM_RELEASES_BY_HOST))
        return;
    uw_list_each(pos, tmp, &sim->conns)
    {
        struct sim_conn *other = UW_CONTAINER(pos, struct sim_conn, link);

        d = other->device;
        if (other != c && d && d->user == other && other->peer == c->peer) {
            d->user = NULL;
            uw_log(&sim->log, UW_LOG_INFO, "%s is free for others", d->busid);
        }
    }
}

static void
close_socket(struct sim_conn *c)
{
    if (c->source.fd < 0)
        return;
    (void)epoll_ctl(c->sim->epoll_fd, EPOLL_CTL_DEL, c->source.fd, NULL);
    close(c->source.fd);
    c->source.fd = -1;
}

void
sim_conn_close(struct sim_conn *c)
{
    struct uw_sim *sim = c->sim;
    struct uw_list *pos, *tmp;

    sim_urbs_forget(c);
    release(c);
    uw_list_remove(&c->link);
    uw_list_remove(&c->touched);
    sim_set_timer(sim, &c->flight_timer, uw_never());
    sim_set_timer(sim, &c->slow_timer, uw_never());
    sim_set_timer(sim, &c->lane.timer, uw_never());
    uw_list_each(pos, tmp, &c->flights) free(UW_CONTAINER(pos, struct sim_flight, link));
    uw_session_free(c->session);
    close_socket(c);
    free(c);
}

static size_t
bounded(struct iovec *iov, int *n, size_t limit)
{
    size_t total = 0;

    for (int i = 0; i < *n; i++) {
        if (total + iov[i].iov_len >= limit) {
            iov[i].iov_len = limit - total;
            *n = i + 1;
            return limit;
        }
        total += iov[i].iov_len;
    }
    return total;
}

static void
rubbish(struct sim_conn *c)
{
    static const uint8_t bytes[96] = {0xff, 0x5a, 0xa5, 0x00, 0xff, 0xff, 0xff, 0xff};

    (void)send(c->source.fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
    c->mute = 1;
}

/* The trouble that some personalities make with what is to be sent; 0: nothing is sent. */
static size_t
send_limit(struct sim_conn *c)
{
    unsigned traits = c->sim->personality->traits;

    if (c->mute)
        return 0;
    if (c->urbs > TROUBLE_AFTER) {
        if (traits & SIM_GARBAGE)
            rubbish(c);
        if (traits & (SIM_GARBAGE | SIM_VANISHES)) {
            c->mute = 1;
            return 0;
        }
        if ((traits & SIM_HALF_PDU) && c->cut_after == SIZE_MAX)
            c->cut_after = 20;
    }
    if (traits & SIM_SLOW) {
        if (uw_heap_contains(&c->slow_timer.node))
            return 0;
        return c->cut_after < SLOW_BYTES ? c->cut_after : SLOW_BYTES;
    }
    return c->cut_after;
}

static void
slow_on(struct sim_timer *timer, struct uw_usec now)
{
    (void)now;
    sim_touch(UW_CONTAINER(timer, struct sim_conn, slow_timer));
}

static void
send_some(struct sim_conn *c)
{
    struct iovec iov[TX_IOV_MAX];
    int n;

    while (!c->dead && (n = uw_session_tx(c->session, iov, TX_IOV_MAX)) > 0) {
        size_t limit = send_limit(c), total;
        struct msghdr msg = {.msg_iov = iov};
        ssize_t sent;

        if (limit == 0) {
            c->dead = c->cut_after == 0;
            return;
        }
        total = bounded(iov, &n, limit);
        msg.msg_iovlen = (size_t)n;
        sent = sendmsg(c->source.fd, &msg, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            c->dead = 1;
            return;
        }
        if (sent < 0)
            return;
        uw_session_tx_done(c->session, (size_t)sent);
        if (c->cut_after != SIZE_MAX)
            c->cut_after -= (size_t)sent;
        if (c->cut_after == 0)
            c->dead = 1;
        if (c->sim->personality->traits & SIM_SLOW)
            sim_set_timer(c->sim, &c->slow_timer, uw_usec_add(c->sim->now, uw_msec(SLOW_MS)));
        if ((size_t)sent < total)
            return;
    }
}

static int
is_over(const struct sim_conn *c)
{
    return c->dead || uw_session_wants_close(c->session) ||
           (c->hangup && uw_session_unsent(c->session) == 0);
}

/* Also waits for room to send, but where time decides. */
static unsigned
events_of(const struct sim_conn *c)
{
    unsigned events = 0;

    if (uw_session_wants_read(c->session) && c->flying < FLYING_MAX)
        events |= EPOLLIN;
    if (uw_session_unsent(c->session) && !c->mute && !uw_heap_contains(&c->slow_timer.node))
        events |= EPOLLOUT;
    return events;
}

/* After anything that may have made bytes to send, or have room for more to come. */
static void
settle(struct sim_conn *c)
{
    if (!c->dead)
        send_some(c);
    if (!c->dead && uw_session_resume(c->session) < 0)
        c->dead = 1;
    if (!is_over(c)) {
        watch(c, events_of(c));
    } else if (sim_urbs_survive(c)) {
        c->dead = 1;
        close_socket(c);
    } else {
        sim_conn_close(c);
    }
}

void
sim_settle(struct uw_sim *sim)
{
    struct sim_conn *c;

    while ((c = uw_list_first(&sim->touched, struct sim_conn, touched))) {
        uw_list_remove(&c->touched);
        settle(c);
    }
}

static void
feed(struct sim_conn *c, const uint8_t *bytes, size_t size)
{
    if (uw_session_feed(c->session, bytes, size) < 0) {
        uw_log(&c->sim->log, UW_LOG_WARNING, "a client broke the protocol; its connection ends");
        c->dead = 1;
    }
    sim_touch(c);
}

/* ---- latency: what comes in is held back for a while ---- */

static void
land(struct sim_timer *timer, struct uw_usec now)
{
    struct sim_conn *c = UW_CONTAINER(timer, struct sim_conn, flight_timer);
    struct sim_flight *f;

    while (!c->dead && (f = uw_list_first(&c->flights, struct sim_flight, link))) {
        if (f->at.us > now.us) {
            sim_set_timer(c->sim, timer, f->at);
            break;
        }
        uw_list_remove(&f->link);
        c->flying -= f->size;
        feed(c, f->bytes, f->size);
        free(f);
    }
}

static void
take_off(struct sim_conn *c, const uint8_t *bytes, size_t size)
{
    struct uw_sim *sim = c->sim;
    struct sim_flight *f = malloc(sizeof(*f) + size);
    uint64_t delay = sim->latency.us;
    int is_first = uw_list_empty(&c->flights);

    if (!f) {
        c->dead = 1;
        return;
    }
    if (sim->jitter.us)
        delay += sim_random(&sim->random) % sim->jitter.us;
    f->at = uw_usec_add(sim->now, uw_usec(delay));
    if (!is_first) {
        const struct sim_flight *last = UW_CONTAINER(c->flights.prev, struct sim_flight, link);

        if (last->at.us > f->at.us)
            f->at = last->at;
    }
    f->size = size;
    c->flying += size;
    memcpy(f->bytes, bytes, size);
    uw_list_insert(&c->flights, &f->link);
    if (is_first)
        sim_set_timer(sim, &c->flight_timer, f->at);
}

void
sim_conn_receive(struct sim_conn *c)
{
    static uint8_t buf[RX_SIZE];
    ssize_t n = recv(c->source.fd, buf, sizeof(buf), 0);

    sim_touch(c);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        c->dead = 1;
        return;
    }
    if (c->sim->latency.us || c->sim->jitter.us)
        take_off(c, buf, (size_t)n);
    else
        feed(c, buf, (size_t)n);
}

static void
serve(struct uw_sim *sim, struct sim_source *source, unsigned events)
{
    struct sim_conn *c = UW_CONTAINER(source, struct sim_conn, source);

    (void)sim;
    sim_touch(c);
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        sim_conn_receive(c);
}

void
sim_conn_add(struct uw_sim *sim, int fd, uint32_t peer)
{
    struct sim_conn *c = calloc(1, sizeof(*c));
    struct uw_export cb = {.list = sim_list_devices,
                           .import = sim_import_device,
                           .submit = submit,
                           .unlink = unlink_request,
                           .data = c};
    int one = 1;

    cb.habits = &sim->personality->habits;
    if (c)
        c->source = (struct sim_source){fd, serve};
    if (!c || uw_session_new(&cb, &c->session) < 0 || sim_watch(sim, &c->source) < 0) {
        if (c)
            uw_session_free(c->session);
        free(c);
        close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->sim = sim;
    c->peer = peer;
    c->events = EPOLLIN;
    c->cut_after = SIZE_MAX;
    c->flight_timer.fire = land;
    c->slow_timer.fire = slow_on;
    uw_list_init(&c->touched);
    sim_lane_init(&c->lane);
    uw_list_init(&c->flights);
    uw_list_insert(&sim->conns, &c->link);
}
