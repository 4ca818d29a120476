/*
 * server.c - connections: bytes between sockets and sessions
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <usbwire/descriptor.h>

#include "base/fault.h"
#include "base/log.h"
#include "sim/sim.h"
#include "wire/op.h"

#define RX_SIZE       65536u
#define TX_IOV_MAX    64
#define EVENTS_MAX    64
#define BACKLOG       64
#define TROUBLE_AFTER 20u /* URBs that garbage, half-pdu and vanish let pass */
#define SLOW_BYTES    7u  /* at a time, so that everything is split somewhere */
#define SLOW_MS       1u
#define FLYING_MAX    (1024u * 1024u) /* bytes that wait for the latency to pass */
#define RECORDS_MAX   8u              /* interfaces of a device in the list */

/* ---- the list, imports ---- */

static void
expand(char *dst, size_t size, const char *format, const struct sim_device *d)
{
    size_t n = 0;

    dst[0] = '\0';
    while (*format && n + 1 < size) {
        char number[16];
        const char *piece = NULL;
        static const char *const names[] = {"{busid}", "{bus}", "{dev}"};
        unsigned i = 0;

        while (i < 3 && strncmp(format, names[i], strlen(names[i])) != 0)
            i++;
        if (i == 3) {
            dst[n++] = *format++;
            dst[n] = '\0';
            continue;
        }
        snprintf(number, sizeof(number), "%u", i == 1 ? d->busnum : d->devnum);
        piece = i == 0 ? d->busid : number;
        n += (size_t)snprintf(dst + n, size - n, "%s", piece);
        format += strlen(names[i]);
    }
}

static void
name_device(const struct uw_sim *sim, struct sim_device *d)
{
    const struct sim_personality *p = sim->personality;

    if (p->busid)
        expand(d->busid, sizeof(d->busid), p->busid, d);
    else
        snprintf(d->busid, sizeof(d->busid), "%u-%u", d->busnum, d->devnum - 1);
    if (p->path)
        expand(d->path, sizeof(d->path), p->path, d);
    else
        snprintf(d->path, sizeof(d->path), "/sys/devices/pci0000:00/0000:00:14.0/usb%u/%s",
                 d->busnum, d->busid);
}

/* The speed as the server puts it. */
static uint32_t
speed_of(const struct sim_device *d)
{
    const struct sim_personality *p = d->sim->personality;

    if (p->traits & SIM_SAYS_HIGH)
        return SIM_HIGH;
    return d->speed == SIM_SUPER && p->super_speed ? p->super_speed : d->speed;
}

/* The interface records; how many there are. Alternate settings are no interfaces of their own, and
 * other configurations not in force, but servers differ. */
static unsigned
interface_classes(const struct sim_device *d, struct uw_interface_class classes[RECORDS_MAX])
{
    unsigned traits = d->sim->personality->traits, n = 0;
    unsigned configs = traits & SIM_SUMS_INTERFACES ? d->config_count : 1;

    for (unsigned i = 0; i < configs; i++) {
        struct uw_extra rest = {d->configs[i], d->config_size[i]}, one;

        while (uw_descriptor_next(&rest, &one)) {
            if (one.bytes[1] != UW_DT_INTERFACE || n == RECORDS_MAX ||
                (one.bytes[3] != 0 && !(traits & SIM_COUNTS_ALTSETTINGS)))
                continue;
            classes[n++] = (struct uw_interface_class){one.bytes[5], one.bytes[6], one.bytes[7]};
        }
    }
    return n;
}

static void
describe(const struct sim_device *d, struct uw_device_info *info)
{
    struct uw_interface_class classes[RECORDS_MAX];
    const uint8_t *v = d->device;

    memset(info, 0, sizeof(*info));
    snprintf(info->path, sizeof(info->path), "%s", d->path);
    snprintf(info->busid, sizeof(info->busid), "%s", d->busid);
    info->busnum = d->busnum;
    info->devnum = d->devnum;
    info->speed = speed_of(d);
    info->vid = (uint16_t)(v[8] | v[9] << 8);
    info->pid = (uint16_t)(v[10] | v[11] << 8);
    info->bcd_device = (uint16_t)(v[12] | v[13] << 8);
    info->device_class = v[4];
    info->device_subclass = v[5];
    info->device_protocol = v[6];
    info->configuration_value = d->configs[0][5];
    info->num_configurations = (uint8_t)d->config_count;
    info->num_interfaces = (uint8_t)interface_classes(d, classes);
}

const char *
uw_sim_device_at(struct uw_sim *sim, unsigned index, struct uw_device_info *ret_info)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &sim->devices) if (index-- == 0)
    {
        struct sim_device *d = UW_CONTAINER(pos, struct sim_device, link);

        describe(d, ret_info);
        ret_info->num_interfaces = 0;
        return d->model->name;
    }
    return NULL;
}

static int
is_listed(const struct uw_sim *sim, const struct sim_device *d)
{
    /* A server that looks at no busid has one device. */
    if ((sim->personality->traits & SIM_ANY_BUSID) && sim->devices.next != &d->link)
        return 0;
    return !d->gone && !(d->user && (sim->personality->traits & SIM_HIDES_USED));
}

static struct uw_device_list *
list_devices(void *data)
{
    struct uw_sim *sim = ((struct sim_conn *)data)->sim;
    struct uw_list *pos, *tmp;
    const struct uw_device_info **infos;
    struct uw_device_info *storage;
    struct uw_interface_class *classes;
    struct uw_device_list *list = NULL;
    size_t room = 1;
    unsigned n = 0;

    uw_list_each(pos, tmp, &sim->devices) room++;
    infos = calloc(room, sizeof(*infos));
    storage = calloc(room, sizeof(*storage));
    classes = calloc(room * RECORDS_MAX, sizeof(*classes));
    uw_list_each(pos, tmp, &sim->devices)
    {
        struct sim_device *d = UW_CONTAINER(pos, struct sim_device, link);

        if (!infos || !storage || !classes || !is_listed(sim, d))
            continue;
        describe(d, &storage[n]);
        (void)interface_classes(d, &classes[n * RECORDS_MAX]);
        storage[n].interfaces = &classes[n * RECORDS_MAX];
        infos[n] = &storage[n];
        n++;
    }
    if (infos && storage && classes)
        list = uw_device_list_new(infos, n);
    free((void *)(uintptr_t)infos);
    free(storage);
    free(classes);
    return list;
}

static struct sim_device *
find_device(struct uw_sim *sim, const char *busid)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &sim->devices)
    {
        struct sim_device *d = UW_CONTAINER(pos, struct sim_device, link);

        if (!d->gone &&
            ((sim->personality->traits & SIM_ANY_BUSID) || strcmp(d->busid, busid) == 0))
            return d;
    }
    return NULL;
}

static uint32_t
import_device(void *data, const char *busid, struct uw_device_info *ret_info)
{
    struct sim_conn *c = (struct sim_conn *)data;
    const struct sim_personality *p = c->sim->personality;
    struct sim_device *d = find_device(c->sim, busid);

    if (!d)
        return p->import_refused ? p->import_refused : (uint32_t)UW_OP_ST_NODEV;
    if (d->user && !(p->traits & SIM_NO_EXCLUSION))
        return p->import_refused ? p->import_refused : (uint32_t)UW_OP_ST_DEV_BUSY;
    if (!d->user)
        d->user = c;
    c->device = d;
    describe(d, ret_info);
    uw_log(&c->sim->log, UW_LOG_INFO, "%s imported", d->busid);
    return UW_OP_ST_OK;
}

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
    struct epoll_event ev = {.events = events, .data = {.ptr = c}};

    if (c->events == events)
        return;
    c->events = events;
    (void)epoll_ctl(c->sim->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev);
}

/* A closing connection takes its device back - and on some servers that of its whole host. */
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

        if (other != c && other->device && other->peer == c->peer) {
            other->dead = 1;
            sim_touch(other);
        }
    }
}

static void
close_socket(struct sim_conn *c)
{
    if (c->fd < 0)
        return;
    (void)epoll_ctl(c->sim->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
    c->fd = -1;
}

static void
close_conn(struct sim_conn *c)
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

    (void)send(c->fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
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
        sent = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
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
        close_conn(c);
    }
}

static void
settle_all(struct uw_sim *sim)
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
    struct sim_flight *f = malloc(sizeof(*f) + size), *last;
    uint64_t delay = sim->latency.us;

    if (!f) {
        c->dead = 1;
        return;
    }
    if (sim->jitter.us)
        delay += sim_random(&sim->random) % sim->jitter.us;
    f->at = uw_usec_add(sim->now, uw_usec(delay));
    last =
        uw_list_empty(&c->flights) ? NULL : UW_CONTAINER(c->flights.prev, struct sim_flight, link);
    if (last && last->at.us > f->at.us)
        f->at = last->at;
    f->size = size;
    c->flying += size;
    memcpy(f->bytes, bytes, size);
    uw_list_insert(&c->flights, &f->link);
    if (!last)
        sim_set_timer(sim, &c->flight_timer, f->at);
}

static void
receive(struct sim_conn *c)
{
    static uint8_t buf[RX_SIZE];
    ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

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
add_conn(struct uw_sim *sim, int fd, uint32_t peer)
{
    struct sim_conn *c = calloc(1, sizeof(*c));
    struct epoll_event ev = {.events = EPOLLIN, .data = {.ptr = c}};
    struct uw_export cb = {.list = list_devices,
                           .import = import_device,
                           .submit = submit,
                           .unlink = unlink_request,
                           .data = c};
    int one = 1;

    cb.habits = &sim->personality->habits;
    if (!c || uw_session_new(&cb, &c->session) < 0 ||
        epoll_ctl(sim->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
        if (c)
            uw_session_free(c->session);
        free(c);
        close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->sim = sim;
    c->fd = fd;
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

static void
accept_conns(struct uw_sim *sim)
{
    struct sockaddr_storage from;
    socklen_t size = sizeof(from);
    int fd;

    while ((fd = accept4(sim->listen_fd, (struct sockaddr *)(void *)&from, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        uint32_t peer = 0;

        if (from.ss_family == AF_INET)
            peer = ((struct sockaddr_in *)(void *)&from)->sin_addr.s_addr;
        add_conn(sim, fd, peer);
        size = sizeof(from);
    }
}

/* ---- running ---- */

void
sim_server_init(struct uw_sim *sim)
{
    struct uw_list *pos, *tmp;

    sim_lane_init(&sim->lane);
    uw_list_each(pos, tmp, &sim->devices)
        name_device(sim, UW_CONTAINER(pos, struct sim_device, link));
}

void
sim_server_close(struct uw_sim *sim)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &sim->conns) close_conn(UW_CONTAINER(pos, struct sim_conn, link));
    if (sim->listen_fd >= 0)
        close(sim->listen_fd);
    sim->listen_fd = -1;
}

static int
open_listener(const char *bind_to, uint16_t port, struct sockaddr_storage *address, socklen_t *size)
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

int
uw_sim_listen(struct uw_sim *sim, const char *bind_to, uint16_t port, uint16_t *ret_port,
              struct uw_fault *fault)
{
    struct sockaddr_storage address;
    struct epoll_event ev = {.events = EPOLLIN, .data = {.ptr = &sim->listen_fd}};
    socklen_t size = 0;

    if (!bind_to)
        bind_to = "127.0.0.1";
    sim->listen_fd = open_listener(bind_to, port, &address, &size);
    if (sim->listen_fd < 0) {
        int raw = errno;

        uw_fault_set(fault, UW_ERROR_CONNECT, "listen on %s port %u", bind_to, (unsigned)port);
        uw_fault_came(fault, raw, "%s", strerror(raw));
        uw_fault_advice(fault, "give a numeric address of this machine and a port that is free; "
                               "port 0 takes any");
        return UW_ERROR_CONNECT;
    }
    (void)getsockname(sim->listen_fd, (struct sockaddr *)(void *)&address, &size);
    if (ret_port) {
        unsigned raw = address.ss_family == AF_INET
                           ? ((struct sockaddr_in *)(void *)&address)->sin_port
                           : ((struct sockaddr_in6 *)(void *)&address)->sin6_port;

        *ret_port = (uint16_t)(raw >> 8 | (raw & 0xffu) << 8);
    }
    sim_server_init(sim);
    return epoll_ctl(sim->epoll_fd, EPOLL_CTL_ADD, sim->listen_fd, &ev) < 0 ? UW_ERROR_NO_MEMORY
                                                                            : 0;
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

static void
serve_conn(struct sim_conn *c, unsigned events)
{
    sim_touch(c);
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        receive(c);
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

    if (sim->listen_fd < 0)
        return UW_ERROR_INVALID;
    while (!atomic_load(&sim->stop)) {
        int n;

        sim->now = uw_now();
        n = epoll_wait(sim->epoll_fd, events, EVENTS_MAX, milliseconds(sim));
        sim->now = uw_now();
        for (int i = 0; i < n; i++) {
            void *ptr = events[i].data.ptr;

            if (ptr == &sim->listen_fd)
                accept_conns(sim);
            else if (ptr != &sim->wake_fd)
                serve_conn((struct sim_conn *)ptr, events[i].events);
        }
        run_timers(sim);
        settle_all(sim);
    }
    return 0;
}

void
uw_sim_stop(struct uw_sim *sim)
{
    uint64_t one = 1;
    ssize_t r;

    atomic_store(&sim->stop, 1);
    r = write(sim->wake_fd, &one, sizeof(one));
    (void)r;
}
