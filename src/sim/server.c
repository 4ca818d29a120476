/*
 * server.c - the server: listening, and the loop it runs in
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fault.h"
#include "sim/sim.h"

#define EVENTS_MAX 64
#define BACKLOG    64

int
sim_watch(struct uw_sim *sim, struct sim_source *source)
{
    struct epoll_event ev = {.events = EPOLLIN, .data = {.ptr = source}};

    return epoll_ctl(sim->epoll_fd, EPOLL_CTL_ADD, source->fd, &ev) < 0 ? UW_ERROR_NO_MEMORY : 0;
}

static void
accept_conns(struct uw_sim *sim, struct sim_source *source, unsigned events)
{
    struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(from);
    int fd;

    (void)events;
    while ((fd = accept4(source->fd, (struct sockaddr *)(void *)&from, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        uint32_t peer = 0;

        if (from.ss_family == AF_INET)
            peer = ((struct sockaddr_in *)(void *)&from)->sin_addr.s_addr;
        sim_conn_add(sim, fd, peer);
        size = sizeof(from);
    }
}

void
sim_server_close(struct uw_sim *sim)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &sim->conns) sim_conn_close(UW_CONTAINER(pos, struct sim_conn, link));
    if (sim->listener.fd >= 0)
        close(sim->listener.fd);
    sim->listener.fd = -1;
}

static int
bind_listener(const char *bind_to, uint16_t port, struct sockaddr_storage *address, socklen_t *size)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)address;
    int one = 1, fd;

    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, bind_to, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = (in_port_t)(port >> 8 | (port & 0xff) << 8);
        *size = sizeof(*v4);
    } else if (inet_pton(AF_INET6, bind_to, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = (in_port_t)(port >> 8 | (port & 0xff) << 8);
        *size = sizeof(*v6);
    } else {
        errno = EINVAL;
        return -1;
    }
    fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (const struct sockaddr *)(const void *)address, *size) < 0 ||
        listen(fd, BACKLOG) < 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static void
name_devices(struct uw_sim *sim)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &sim->devices)
        sim_name_device(sim, UW_CONTAINER(pos, struct sim_device, link));
}

int
sim_open_listener(const char *bind_to, uint16_t port, uint16_t *ret_port, struct uw_fault *fault)
{
    struct sockaddr_storage address;
    socklen_t size = 0;
    int fd;

    if (!bind_to)
        bind_to = "127.0.0.1";
    fd = bind_listener(bind_to, port, &address, &size);
    if (fd < 0) {
        int raw = errno;

        uw_fault_set(fault, UW_ERROR_CONNECT, "listen on %s port %u", bind_to, (unsigned)port);
        uw_fault_came(fault, raw, "%s", strerror(raw));
        uw_fault_advice(fault, "give a numeric address of this machine and a port that is free; "
                               "port 0 takes any");
        return UW_ERROR_CONNECT;
    }
    (void)getsockname(fd, (struct sockaddr *)(void *)&address, &size);
    if (ret_port) {
        unsigned raw = address.ss_family == AF_INET
                           ? ((struct sockaddr_in *)(void *)&address)->sin_port
                           : ((struct sockaddr_in6 *)(void *)&address)->sin6_port;

        *ret_port = (uint16_t)(raw >> 8 | (raw & 0xffu) << 8);
    }
    return fd;
}

int
uw_sim_listen(struct uw_sim *sim, const char *bind_to, uint16_t port, uint16_t *ret_port,
              struct uw_fault *fault)
{
    uint16_t bound_port;
    int fd = sim_open_listener(bind_to, port, &bound_port, fault);

    if (fd < 0)
        return fd;
    sim->listener = (struct sim_source){fd, accept_conns};
    sim->port = bound_port;
    if (ret_port)
        *ret_port = bound_port;
    name_devices(sim);
    return sim_watch(sim, &sim->listener);
}

static void
run_timers(struct uw_sim *sim)
{
    struct uw_heap_node *node;

    while ((node = uw_heap_first(&sim->timers)) && node->at.us <= sim->now.us) {
        struct sim_timer *t = UW_CONTAINER(node, struct sim_timer, node);

        uw_heap_remove(&sim->timers, node);
        t->fire(t, sim->now);
    }
}

static int
milliseconds(const struct uw_sim *sim)
{
    struct uw_usec left = uw_usec_sub(uw_heap_at(&sim->timers), sim->now);

    if (uw_is_never(left))
        return -1;
    return left.us / 1000u > 60000u ? 60000 : (int)((left.us + 999u) / 1000u);
}

int
uw_sim_run(struct uw_sim *sim)
{
    struct epoll_event events[EVENTS_MAX];

    if (sim->listener.fd < 0)
        return UW_ERROR_INVALID;
    while (!atomic_load(&sim->stop)) {
        int n;

        sim->now = uw_now();
        n = epoll_wait(sim->epoll_fd, events, EVENTS_MAX, milliseconds(sim));
        sim->now = uw_now();
        run_timers(sim); /* first: what came meanwhile came after they were due, or may have */
        for (int i = 0; i < n; i++) {
            struct sim_source *source = events[i].data.ptr;

            if (source->ready)
                source->ready(sim, source, events[i].events);
        }
        sim_settle(sim);
        if (sim->mdns)
            sim_mdns_refresh(sim->mdns);
    }
    return 0;
}

void
uw_sim_stop(struct uw_sim *sim)
{
    uint64_t one = 1;
    ssize_t r;

    atomic_store(&sim->stop, 1);
    r = write(sim->wake.fd, &one, sizeof(one));
    (void)r;
}
