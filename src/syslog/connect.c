/*
 * connect.c - a receiver that connects to a board, again and again
 *
 *     LOOKING UP → CONNECTING → CONNECTED
 *         ▲            │            │
 *         └── WAITING ◄┴────────────┘     1, 2, 4 ... 30 s; 1 s again once something has come
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "client/address.h"
#include "client/import.h"
#include "client/resolve.h"
#include "client/service.h"
#include "syslog/receiver.h"

#define CONNECT_MS     5000u
#define BACKOFF_MS     1000u
#define BACKOFF_MAX_MS 30000u

struct connection {
    struct uw_syslog base; /* first: so the grave is */
    struct uw_address address;
    struct uw_timer timer;
    struct uw_lookup *lookup;
    struct uw_hosts hosts;
    unsigned next;           /* of them, to be tried */
    struct uw_source source; /* of the attempt */
    struct uw_transport *attempt;
    uint32_t backoff_ms;
    int last_errno;
};

static void try_next(struct connection *c, struct uw_usec now);
static void begin(struct uw_timer *timer, struct uw_usec now);

static void
drop_attempt(struct connection *c)
{
    if (!c->attempt)
        return;
    uw_loop_remove_source(c->base.loop, &c->source);
    uw_transport_free(c->attempt, 0);
    c->attempt = NULL;
}

/* Not connected any more, or not at all. */
static void
wait_and_retry(struct connection *c, const char *why, struct uw_usec now)
{
    uw_syslog_tell(&c->base, 0, "%s: %s; trying again in %u s", c->address.name, why,
                   c->backoff_ms / 1000u);
    c->timer.fire = begin;
    uw_loop_set_timer(c->base.loop, &c->timer, uw_usec_add(now, uw_msec(c->backoff_ms)));
    c->backoff_ms = c->backoff_ms > BACKOFF_MAX_MS / 2 ? BACKOFF_MAX_MS : c->backoff_ms * 2;
}

static void
connected(struct connection *c, struct uw_usec now)
{
    struct uw_transport *transport = c->attempt;

    uw_loop_remove_source(c->base.loop, &c->source);
    c->attempt = NULL;
    uw_loop_set_timer(c->base.loop, &c->timer, uw_never());
    if (uw_syslog_add_stream(&c->base, transport, c->address.host) < 0) {
        wait_and_retry(c, "out of memory", now);
        return;
    }
    uw_syslog_tell(&c->base, 1, "%s: connected", c->address.name);
}

static void
attempt_ready(struct uw_source *source, unsigned events, struct uw_usec now)
{
    struct connection *c = UW_CONTAINER(source, struct connection, source);
    int r = uw_transport_connected(c->attempt, &c->last_errno);

    (void)events;
    if (r > 0) {
        connected(c, now);
    } else if (r < 0) {
        drop_attempt(c);
        try_next(c, now);
    }
}

static void
attempt_too_slow(struct uw_timer *timer, struct uw_usec now)
{
    struct connection *c = UW_CONTAINER(timer, struct connection, timer);

    drop_attempt(c);
    c->last_errno = ETIMEDOUT;
    try_next(c, now);
}

/* 0 when one is under way. */
static int
start_attempt(struct connection *c, const struct uw_host *host)
{
    errno = 0;
    if (uw_transport_tcp((const struct sockaddr *)(const void *)&host->address, host->size,
                         &c->attempt) < 0) {
        c->attempt = NULL;
        c->last_errno = errno ? errno : ENOMEM;
        return -1;
    }
    c->source.fd = uw_transport_fd(c->attempt);
    c->source.events = UW_POLL_OUT;
    c->source.ready = attempt_ready;
    if (uw_loop_add_source(c->base.loop, &c->source) == 0)
        return 0;
    uw_transport_free(c->attempt, 0);
    c->attempt = NULL;
    c->last_errno = ENOMEM;
    return -1;
}

static void
try_next(struct connection *c, struct uw_usec now)
{
    while (c->next < c->hosts.count) {
        if (start_attempt(c, &c->hosts.at[c->next++]) < 0)
            continue;
        c->timer.fire = attempt_too_slow;
        uw_loop_set_timer(c->base.loop, &c->timer, uw_usec_add(now, uw_msec(CONNECT_MS)));
        return;
    }
    uw_loop_set_timer(c->base.loop, &c->timer, uw_never());
    wait_and_retry(c, strerror(c->last_errno), now);
}

static void
found(void *arg, const struct uw_hosts *hosts, const char *error, struct uw_usec now)
{
    struct connection *c = (struct connection *)arg;

    c->lookup = NULL;
    if (!hosts) {
        wait_and_retry(c, error ? error : "no address", now);
        return;
    }
    c->hosts = *hosts;
    c->next = 0;
    try_next(c, now);
}

static void
begin(struct uw_timer *timer, struct uw_usec now)
{
    struct connection *c = UW_CONTAINER(timer, struct connection, timer);

    if (uw_lookup_start(c->base.loop, c->address.host, c->address.port, found, c, &c->lookup) < 0)
        wait_and_retry(c, "out of memory", now);
}

/* ---- as a kind of receiver ---- */

static void
received(struct uw_syslog *s)
{
    UW_CONTAINER(s, struct connection, base)->backoff_ms = BACKOFF_MS;
}

static void
ended(struct uw_syslog *s, struct uw_syslog_stream *stream, int error, struct uw_usec now)
{
    (void)stream;
    wait_and_retry(UW_CONTAINER(s, struct connection, base),
                   error ? strerror(error) : "the board closed the connection", now);
}

static void
free_connection(struct uw_grave *grave)
{
    free(UW_CONTAINER(grave, struct connection, base.grave));
}

static void
close_connection(struct uw_syslog *s)
{
    struct connection *c = UW_CONTAINER(s, struct connection, base);

    uw_lookup_abandon(c->lookup);
    drop_attempt(c);
    uw_loop_set_timer(s->loop, &c->timer, uw_never());
    uw_loop_bury(s->loop, &s->grave);
}

static const struct uw_syslog_kind kind = {
    .received = received, .ended = ended, .close = close_connection};

int
uw_syslog_connect(struct uw_loop *loop, const char *address, uint16_t port,
                  const struct uw_syslog_options *options, struct uw_syslog **ret_syslog,
                  struct uw_fault *fault)
{
    struct connection *c = calloc(1, sizeof(*c));
    int r = UW_ERROR_NO_MEMORY;

    if (c)
        r = uw_syslog_init(&c->base, &kind, loop, options);
    if (r == 0) {
        uw_list_init(&c->source.link);
        c->base.grave.free = free_connection;
        c->backoff_ms = BACKOFF_MS;
        c->timer.fire = begin;
        r = uw_address_parse(address, port ? port : UW_SYSLOG_PORT, &c->address, fault);
        if (r == 0 && c->address.path[0]) {
            r = UW_ERROR_INVALID;
            uw_fault_set(fault, r, "log of '%s'", address);
            uw_fault_advice(fault, "a board's log comes over TCP; write HOST or HOST:PORT");
        }
        if (r == 0)
            r = uw_service_hold(loop);
        if (r == UW_ERROR_NO_MEMORY)
            uw_fault_set(fault, r, "log of '%s'", address);
    } else {
        uw_fault_set(fault, r, "log of '%s'", address);
    }
    if (r < 0) {
        free(c);
        return r;
    }
    uw_loop_lock(loop);
    uw_loop_set_timer(loop, &c->timer, uw_usec(0));
    uw_loop_unlock(loop);
    *ret_syslog = &c->base;
    return 0;
}
