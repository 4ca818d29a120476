/*
 * boardlog.c - the bench's log as the ESP bridge offers its own: a TCP port to connect to
 *
 * As there: each line is a message of RFC 5424, its octets counted, the newline at its end with
 * them; colours are in the text, so the priority, guessed from its first byte, is always 14; the
 * clock is the uptime, from 2000-01-01 on, and wraps after 24 hours; longer lines than 511 bytes
 * are dropped; there are four places, a fifth client waits in the backlog; nothing is repeated for
 * those who come later; what a full socket does not take is lost, in the middle of a frame.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "sim/sim.h"

#define CLIENTS_MAX 4u
#define FRAME_MAX   512u
#define DAY_MS      86400000u

struct log_client {
    struct sim_source source;
    struct uw_list link;
    struct sim_board_log *log;
};

struct sim_board_log {
    struct sim_source listener;
    struct uw_sim *sim;
    struct uw_list clients; /* of struct log_client */
    unsigned count;
    struct uw_usec started;
};

static const struct {
    char letter;
    const char *colour;
} levels[] = {[UW_LOG_ERROR] = {'E', "\033[0;31m"},
              [UW_LOG_WARNING] = {'W', "\033[0;33m"},
              [UW_LOG_INFO] = {'I', "\033[0;32m"},
              [UW_LOG_DEBUG] = {'D', ""}};

/* ---- frames ---- */

/* The message; 0 when it is too long. */
static size_t
format(const struct sim_board_log *log, int level, const char *line, char *buf, size_t size)
{
    uint64_t ms = uw_usec_sub(log->sim->now, log->started).us / 1000u;
    unsigned day = (unsigned)(ms % DAY_MS);
    const char *colour = levels[level].colour;
    int n = snprintf(buf, size,
                     "<%d>1 2000-01-01T%02u:%02u:%02u.%03uZ esp32 esp - - - %s%c (%llu) usbip: "
                     "%s%s\n",
                     *colour ? 14 : 15, day / 3600000u, day / 60000u % 60u, day / 1000u % 60u,
                     day % 1000u, colour, levels[level].letter, (unsigned long long)ms, line,
                     *colour ? "\033[0m" : "");

    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

/* The bytes that go out for a message, whole or as a fault wants them. */
static size_t
frame(struct sim_board_log *log, const char *message, size_t size, char *buf, size_t room)
{
    const struct sim_fail *f = sim_fail_strikes_log(log->sim);
    const char *before = "";
    size_t count = size, n;

    if (f && f->kind == FAIL_LOG_JUNK)
        before = "\xff\x1b[2Jrst:0x1 (POWERON_RESET)\r\n";
    if (f && f->kind == FAIL_LOG_COUNT)
        count += f->at ? f->at : 100u;
    n = (size_t)snprintf(buf, room, "%s%zu %s", before, count, message);
    if (f && f->kind == FAIL_LOG_CUT)
        n = f->at && f->at < n ? f->at : n / 2;
    return n;
}

static void
send_to(struct log_client *c, const char *bytes, size_t size)
{
    if (send(c->source.fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)
        (void)shutdown(c->source.fd, SHUT_RDWR); /* its end comes as an event */
}

void
sim_board_log_write(struct sim_board_log *log, int level, const char *line)
{
    char message[FRAME_MAX], bytes[FRAME_MAX + 64];
    struct uw_list *pos, *tmp;
    size_t n = format(log, level, line, message, sizeof(message));

    if (!n || uw_list_empty(&log->clients))
        return;
    n = frame(log, message, n, bytes, sizeof(bytes));
    uw_list_each(pos, tmp, &log->clients)
        send_to(UW_CONTAINER(pos, struct log_client, link), bytes, n);
}

/* ---- clients ---- */

static void
watch_listener(struct sim_board_log *log)
{
    struct epoll_event ev = {.events = log->count < CLIENTS_MAX ? EPOLLIN : 0,
                             .data = {.ptr = &log->listener}};

    (void)epoll_ctl(log->sim->epoll_fd, EPOLL_CTL_MOD, log->listener.fd, &ev);
}

static void
drop(struct log_client *c)
{
    uw_list_remove(&c->link);
    close(c->source.fd);
    c->log->count--;
    free(c);
}

/* It has nothing to say; but it may go. */
static void
client_ready(struct uw_sim *sim, struct sim_source *source, unsigned events)
{
    struct log_client *c = UW_CONTAINER(source, struct log_client, source);
    struct sim_board_log *log = c->log;
    char waste[256];
    ssize_t n = recv(source->fd, waste, sizeof(waste), MSG_DONTWAIT);

    (void)sim;
    (void)events;
    if (n > 0 || (n < 0 && errno == EAGAIN))
        return;
    drop(c);
    watch_listener(log);
}

static void
accept_clients(struct uw_sim *sim, struct sim_source *source, unsigned events)
{
    struct sim_board_log *log = UW_CONTAINER(source, struct sim_board_log, listener);
    int fd;

    (void)events;
    while (log->count < CLIENTS_MAX &&
           (fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct log_client *c = calloc(1, sizeof(*c));

        if (!c) {
            close(fd);
            continue;
        }
        c->log = log;
        c->source = (struct sim_source){fd, client_ready};
        if (sim_watch(sim, &c->source) < 0) {
            close(fd);
            free(c);
            continue;
        }
        uw_list_insert(&log->clients, &c->link);
        log->count++;
        uw_log(&sim->log, UW_LOG_INFO, "log client %u of %u", log->count, CLIENTS_MAX);
    }
    watch_listener(log);
}

/* ---- starting and ending ---- */

int
uw_sim_log_listen(struct uw_sim *sim, const char *bind_to, uint16_t port, uint16_t *ret_port,
                  struct uw_fault *fault)
{
    struct sim_board_log *log;
    int fd;

    if (sim->board_log)
        return uw_fault_set(fault, UW_ERROR_INVALID, "a second log of the bench");
    fd = sim_open_listener(bind_to, port, ret_port, fault);
    if (fd < 0)
        return fd;
    log = calloc(1, sizeof(*log));
    if (log) {
        log->sim = sim;
        log->started = uw_now();
        log->listener = (struct sim_source){fd, accept_clients};
        uw_list_init(&log->clients);
    }
    if (!log || sim_watch(sim, &log->listener) < 0) {
        free(log);
        close(fd);
        return uw_fault_set(fault, UW_ERROR_NO_MEMORY, "the log of the bench");
    }
    sim->board_log = log;
    return 0;
}

void
sim_board_log_close(struct sim_board_log *log)
{
    struct uw_list *pos, *tmp;

    if (!log)
        return;
    uw_list_each(pos, tmp, &log->clients) drop(UW_CONTAINER(pos, struct log_client, link));
    close(log->listener.fd);
    free(log);
}
