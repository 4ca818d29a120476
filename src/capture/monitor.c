/*
 * monitor.c - looking on at what other programs exchange
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <usbwire/monitor.h>

#include "base/fault.h"
#include "base/list.h"
#include "capture/capture.h"
#include "capture/stream.h"
#include "capture/taps.h"
#include "capture/usbmon.h"

#define PROGRAMS_MAX 64u
#define DEVICES_MAX  256u

/* A device as the first record of it says. */
struct seen_device {
    uint16_t bus;
    uint8_t address;
    uint16_t vid, pid;
    char busid[32];
};

/* A program that is connected. */
struct program {
    struct uw_list link;
    int fd;
    long process;
    uint32_t number;
    struct uw_stream stream;
    char command[UW_STREAM_TEXT_MAX];
    char server[300]; /* of the record in hand */
    struct seen_device devices[DEVICES_MAX];
    unsigned device_count;
    unsigned section;
};

struct uw_monitor {
    int folder, listener, wake;
    char name[64];
    struct uw_list programs;
    unsigned program_count;
    uint32_t counted;
    atomic_int interrupted;
    struct uw_list *next; /* the program to be asked first: all get their turn */
};

/* ---- making ---- */

static int
failed(struct uw_monitor *m, struct uw_fault *fault, int code, const char *what)
{
    int number = errno;

    uw_monitor_free(m);
    uw_fault_set(fault, code, "look on at running programs");
    uw_fault_came(fault, number, "%s: %s", what, strerror(number));
    return code;
}

/* The socket gets its name when it can be connected to, so that one which cannot is known to be
 * dead. */
static int
listen_in(struct uw_monitor *m)
{
    static atomic_uint counter;
    char hidden[80];
    struct sockaddr_un address;

    snprintf(m->name, sizeof(m->name), "%ld-%u", (long)getpid(), atomic_fetch_add(&counter, 1));
    snprintf(hidden, sizeof(hidden), ".%s", m->name);
    (void)unlinkat(m->folder, hidden, 0);
    m->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (m->listener < 0 || !uw_taps_address(m->folder, hidden, &address) ||
        bind(m->listener, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(m->listener, PROGRAMS_MAX) < 0)
        return -1;
    return renameat(m->folder, hidden, m->folder, m->name);
}

int
uw_monitor_new(struct uw_monitor **ret_monitor, struct uw_fault *fault)
{
    char path[PATH_MAX] = "";
    struct uw_monitor *m = calloc(1, sizeof(*m));

    if (!m)
        return uw_fault_set(fault, UW_ERROR_NO_MEMORY, "look on at running programs");
    m->folder = m->listener = m->wake = -1;
    uw_list_init(&m->programs);
    m->next = &m->programs;
    if (!uw_taps_folder(path, sizeof(path)))
        return failed(m, fault, UW_ERROR_ACCESS, *path ? path : "XDG_RUNTIME_DIR");
    m->folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (m->folder < 0 || m->wake < 0 || listen_in(m) < 0)
        return failed(m, fault, UW_ERROR_IO, path);
    *ret_monitor = m;
    return 0;
}

static void
dismiss(struct uw_monitor *m, struct program *p)
{
    if (m->next == &p->link)
        m->next = p->link.next;
    uw_list_remove(&p->link);
    m->program_count--;
    close(p->fd);
    uw_stream_free(&p->stream);
    free(p);
}

void
uw_monitor_free(struct uw_monitor *m)
{
    struct uw_list *pos, *tmp;

    if (!m)
        return;
    if (m->listener >= 0 && m->folder >= 0 && *m->name)
        (void)unlinkat(m->folder, m->name, 0);
    uw_list_each(pos, tmp, &m->programs) dismiss(m, UW_CONTAINER(pos, struct program, link));
    if (m->listener >= 0)
        close(m->listener);
    if (m->folder >= 0)
        close(m->folder);
    if (m->wake >= 0)
        close(m->wake);
    free(m);
}

/* ---- programs ---- */

static void
admit(struct uw_monitor *m)
{
    int fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    struct program *p;

    if (fd < 0)
        return;
    p = m->program_count < PROGRAMS_MAX && uw_taps_is_own(fd) ? calloc(1, sizeof(*p)) : NULL;
    if (!p || uw_stream_init(&p->stream) < 0) {
        free(p);
        close(fd);
        return;
    }
    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    p->fd = fd;
    p->process = peer.pid;
    p->number = ++m->counted;
    uw_list_insert(&m->programs, &p->link);
    m->program_count++;
}

/* 0 when it has ended. */
static int
receive(struct program *p)
{
    size_t room;
    uint8_t *dst = uw_stream_room(&p->stream, &room);
    ssize_t n = recv(p->fd, dst, room, 0);

    if (n > 0)
        uw_stream_added(&p->stream, (size_t)n);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* ---- records ---- */

static void
start_section(struct program *p)
{
    char *rest;

    p->section = p->stream.section;
    p->device_count = 0;
    /* "PID COMMAND", as programs that offer their loops say who they are. */
    (void)strtol(p->stream.comment, &rest, 10);
    uw_printable(p->command, sizeof(p->command), *rest == ' ' ? rest + 1 : p->stream.comment,
                 UW_STREAM_TEXT_MAX);
}

static struct seen_device *
find_device(struct program *p, uint16_t bus, uint8_t address)
{
    for (unsigned i = 0; i < p->device_count; i++)
        if (p->devices[i].bus == bus && p->devices[i].address == address)
            return &p->devices[i];
    return NULL;
}

/* "HOST:PORT BUSID (VID:PID) is device BUS.ADDRESS", as the first record of a device says. */
static void
learn_device(struct program *p, uint16_t bus, uint8_t address, const char *comment)
{
    struct seen_device d = {.bus = bus, .address = address}, *there = find_device(p, bus, address);
    const char *end = strstr(comment, " is device ");
    unsigned vid, pid;

    if (!end || sscanf(comment, "%*s %31s (%4x:%4x)", d.busid, &vid, &pid) != 3)
        return;
    d.vid = (uint16_t)vid;
    d.pid = (uint16_t)pid;
    uw_printable(d.busid, sizeof(d.busid), d.busid, strlen(d.busid));
    if (there)
        *there = d;
    else if (p->device_count < DEVICES_MAX)
        p->devices[p->device_count++] = d;
}

/* "USB/IP HOST:PORT ...", as interfaces are described. */
static const char *
server_of(struct program *p, const char *description)
{
    static const char front[] = "USB/IP ";
    size_t n;

    if (strncmp(description, front, sizeof(front) - 1) != 0)
        return "";
    description += sizeof(front) - 1;
    n = strcspn(description, " ");
    return uw_printable(p->server, sizeof(p->server), description, n);
}

static int
make_record(struct program *p, const struct uw_stream_packet *packet, struct uw_monitor_record *r)
{
    const struct uw_stream_interface *face = &p->stream.interfaces[packet->interface];
    const struct seen_device *device;
    struct uw_usbmon_view v;

    if (p->section != p->stream.section)
        start_section(p);
    if (face->link_type != UW_USBMON_LINK_TYPE)
        return 0;
    if (uw_usbmon_decode(packet->bytes, packet->size, &v) < 0)
        return UW_ERROR_PROTOCOL;
    if (packet->comment)
        learn_device(p, v.record.bus, v.record.address, packet->comment);
    device = find_device(p, v.record.bus, v.record.address);
    *r = (struct uw_monitor_record){
        .process = p->process,
        .program = p->command,
        .server = server_of(p, face->description),
        .busid = device ? device->busid : "",
        .vid = device ? device->vid : 0,
        .pid = device ? device->pid : 0,
        .stream = p->number,
        .section = p->section,
        .stamp = packet->stamp,
        .id = v.record.id,
        .kind = (char)v.record.kind,
        .type = v.record.type,
        .endpoint = v.record.endpoint,
        .bus = v.record.bus,
        .address = v.record.address,
        .status = v.record.status,
        .length = v.record.length,
        .interval = v.record.interval,
        .start_frame = v.record.start_frame,
        .iso_count = v.record.iso_count,
        .error_count = v.record.error_count,
        .data_total = v.data_length - v.record.iso_count * UW_USBMON_PACKET,
        .data = v.payload_size ? v.payload : NULL,
        .data_size = v.payload_size,
        .comment = packet->comment,
        .packet = packet->bytes,
        .packet_size = packet->size,
        .packet_original = packet->original,
        .interface = packet->interface,
        .interface_description = face->description,
    };
    memcpy(r->setup, v.record.setup, sizeof(r->setup));
    return 1;
}

/* A record that has come already, of any program: 1, or 0. Who sends what is no capture is
 * dismissed. */
static int
take(struct uw_monitor *m, struct uw_monitor_record *ret_record)
{
    unsigned tries = m->program_count + 1; /* the head of the list is passed over, too */

    for (; tries > 0; tries--) {
        struct program *p;
        struct uw_stream_packet packet;
        int r;

        if (m->next == &m->programs) {
            m->next = m->programs.next;
            continue;
        }
        p = UW_CONTAINER(m->next, struct program, link);
        while ((r = uw_stream_next(&p->stream, &packet)) == 1)
            if ((r = make_record(p, &packet, ret_record)) != 0)
                break;
        if (r == 1)
            return 1;
        m->next = m->next->next;
        if (r < 0)
            dismiss(m, p);
    }
    return 0;
}

/* ---- waiting ---- */

static void
poll_all(struct uw_monitor *m, struct uw_usec until)
{
    struct pollfd fds[PROGRAMS_MAX + 2] = {{.fd = m->listener, .events = POLLIN},
                                           {.fd = m->wake, .events = POLLIN}};
    struct program *of[PROGRAMS_MAX + 2];
    struct uw_usec left = uw_usec_sub(until, uw_now());
    struct timespec ts = {.tv_sec = (time_t)(left.us / 1000000u),
                          .tv_nsec = (long)(left.us % 1000000u) * 1000};
    struct uw_list *pos, *tmp;
    unsigned n = 2;

    uw_list_each(pos, tmp, &m->programs)
    {
        of[n] = UW_CONTAINER(pos, struct program, link);
        fds[n] = (struct pollfd){.fd = of[n]->fd, .events = POLLIN};
        n++;
    }
    if (ppoll(fds, n, uw_is_never(until) ? NULL : &ts, NULL) < 0) {
        if (errno == EINTR)
            atomic_store(&m->interrupted, 1);
        return;
    }
    for (unsigned i = 2; i < n; i++)
        if (fds[i].revents && !receive(of[i]))
            dismiss(m, of[i]);
    if (fds[0].revents)
        admit(m);
    if (fds[1].revents) {
        uint64_t drained;
        ssize_t r = read(m->wake, &drained, sizeof(drained));

        (void)r; /* `interrupted` says what for */
    }
}

int
uw_monitor_next(struct uw_monitor *m, struct uw_usec timeout, struct uw_monitor_record *ret_record)
{
    struct uw_usec until = uw_usec_add(uw_now(), timeout);

    int over;

    do {
        if (take(m, ret_record))
            return 1;
        if (atomic_exchange(&m->interrupted, 0))
            return UW_ERROR_INTERRUPTED;
        over = !uw_is_never(until) && uw_now().us >= until.us;
        poll_all(m, until);
    } while (!over);
    return take(m, ret_record);
}

void
uw_monitor_interrupt(struct uw_monitor *m)
{
    uint64_t one = 1;
    ssize_t r;

    atomic_store(&m->interrupted, 1);
    r = write(m->wake, &one, sizeof(one));
    (void)r; /* full: it is awake already */
}

unsigned
uw_monitor_programs(const struct uw_monitor *m)
{
    return m->program_count;
}

const char *
uw_monitor_server(const struct uw_monitor *m, unsigned index)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &m->programs)
    {
        struct program *p = UW_CONTAINER(pos, struct program, link);

        for (unsigned i = 0; i < p->stream.interface_count; i++)
            if (p->stream.interfaces[i].link_type == UW_USBMON_LINK_TYPE && index-- == 0)
                return server_of(p, p->stream.interfaces[i].description);
    }
    return NULL;
}
