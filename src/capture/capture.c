/*
 * capture.c - making, attaching and ending captures; syslog and names
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cond.h"
#include "base/fault.h"
#include "capture/exported.h"
#include "capture/writer.h"
#include "client/import.h"
#include "client/loop.h"
#include "client/server.h"
#include "usb/device.h"

#define RING_SIZE (8u << 20)
#define RING_MIN  (1u << 20)

/* Ids and bus numbers have room for so many loops. */
#define LOOPS_MAX 4u

static atomic_uint forks;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void
after_fork_child(void)
{
    atomic_fetch_add(&forks, 1);
}

static void
watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, after_fork_child);
}

void
uw_capture_watch_forks(void)
{
    pthread_once(&fork_once, watch_forks);
}

unsigned
uw_capture_forks(void)
{
    return atomic_load(&forks);
}

/* ---- making ---- */

static uint64_t
nanoseconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
init_locks(struct uw_capture *c)
{
    pthread_mutex_init(&c->lock, NULL);
    uw_cond_init(&c->some);
    uw_cond_init(&c->room);
}

int
uw_capture_new(const struct uw_capture_options *options, struct uw_capture **ret_capture)
{
    struct uw_capture *c;
    size_t size = options && options->ring ? options->ring : RING_SIZE;

    if (options && (options->size != sizeof(*options) || size < RING_MIN))
        return UW_ERROR_INVALID;
    c = calloc(1, sizeof(*c));
    if (!c)
        return UW_ERROR_NO_MEMORY;
    if (uw_ring_init(&c->ring, size) < 0) {
        free(c);
        return UW_ERROR_NO_MEMORY;
    }
    uw_capture_watch_forks();
    c->forks = uw_capture_forks();
    if (options) {
        c->log = options->log;
        if (options->comment)
            snprintf(c->comment, sizeof(c->comment), "%s", options->comment);
    }
    init_locks(c);
    uw_list_init(&c->aliases);
    uw_list_init(&c->hosts);
    uw_list_init(&c->known);
    uw_list_init(&c->attachments);
    c->monotonic_base = nanoseconds(CLOCK_MONOTONIC);
    c->real_base = nanoseconds(CLOCK_REALTIME);
    pthread_mutex_lock(&c->lock);
    uw_section_begin_locked(c);
    pthread_mutex_unlock(&c->lock);
    *ret_capture = c;
    return 0;
}

static int
no_memory(struct uw_fault *fault)
{
    return uw_fault_set(fault, UW_ERROR_NO_MEMORY, "start a capture");
}

int
uw_capture_open(const char *target_name, const struct uw_capture_options *options,
                struct uw_capture **ret_capture, struct uw_fault *fault)
{
    struct uw_target target;
    struct uw_capture *c;
    int r = uw_capture_new(options, &c);

    if (r < 0)
        return r == UW_ERROR_NO_MEMORY
                   ? no_memory(fault)
                   : uw_fault_set(fault, r, "start a capture with such options");
    r = uw_target_open(target_name, &target, fault);
    if (r == 0 && (r = uw_writer_start(c, &target, NULL, NULL)) < 0)
        no_memory(fault);
    if (r < 0) {
        uw_capture_free(c);
        return r;
    }
    *ret_capture = c;
    return 0;
}

/* ---- loops ---- */

static struct uw_attachment *
find_attachment(const struct uw_capture *c, const struct uw_loop *loop)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &c->attachments)
    {
        struct uw_attachment *a = UW_CONTAINER(pos, struct uw_attachment, link);

        if (a->loop == loop)
            return a;
    }
    return NULL;
}

/* Devices that were imported before. Both locks are held. */
static void
introduce(struct uw_attachment *a)
{
    struct uw_import *im = NULL;

    while ((im = uw_loop_next_import_locked(a->loop, im))) {
        const struct uw_device *d = (const struct uw_device *)uw_import_data(im);
        const struct uw_tap_source *source = uw_import_tap_source_locked(im);
        int has_config = d && d->num_configs > 0;

        if (!source || (a->capture->own_only && source->shared))
            continue;
        uw_record_introduce_locked(a->capture, a, source, d ? d->descriptor_bytes : NULL,
                                   has_config ? d->configs[0].bytes : NULL,
                                   has_config ? d->configs[0].size : 0);
    }
}

int
uw_capture_attach_locked(struct uw_capture *c, struct uw_loop *loop)
{
    struct uw_attachment *a = calloc(1, sizeof(*a));
    int r = 0;

    if (!a)
        return UW_ERROR_NO_MEMORY;
    a->capture = c;
    a->loop = loop;
    a->tap = (struct uw_tap){.version = UW_TAP_VERSION, .event = uw_record_event, .data = a};
    pthread_mutex_lock(&c->lock);
    if (find_attachment(c, loop) || c->closed || c->attached == LOOPS_MAX)
        r = UW_ERROR_INVALID;
    else
        r = uw_loop_add_tap_locked(loop, &a->tap);
    if (r == 0) {
        a->number = c->attached++;
        uw_list_insert(&c->attachments, &a->link);
        introduce(a);
    }
    pthread_mutex_unlock(&c->lock);
    if (r < 0)
        free(a);
    return r;
}

int
uw_capture_attach(struct uw_capture *c, struct uw_loop *loop)
{
    int r;

    uw_loop_lock(loop);
    r = uw_capture_attach_locked(c, loop);
    uw_loop_unlock(loop);
    return r;
}

/* Takes an attachment out of its list; the caller frees it once its tap is gone. */
static struct uw_attachment *
unhook(struct uw_capture *c, const struct uw_loop *loop)
{
    struct uw_attachment *a;

    pthread_mutex_lock(&c->lock);
    a = loop ? find_attachment(c, loop)
             : uw_list_first(&c->attachments, struct uw_attachment, link);
    if (a)
        uw_list_remove(&a->link);
    pthread_mutex_unlock(&c->lock);
    return a;
}

static void
forget_attachment(struct uw_capture *c, const struct uw_attachment *a)
{
    struct uw_list *pos, *tmp;

    pthread_mutex_lock(&c->lock);
    uw_list_each(pos, tmp, &c->known)
    {
        struct uw_known *k = UW_CONTAINER(pos, struct uw_known, link);

        if (k->attachment == a)
            uw_known_remove(k);
    }
    for (uint32_t i = 0; i < c->interface_count; i++)
        if (c->interfaces[i].origin == a)
            c->interfaces[i].origin = NULL;
    pthread_mutex_unlock(&c->lock);
}

void
uw_capture_detach_locked(struct uw_capture *c, struct uw_loop *loop)
{
    struct uw_attachment *a = unhook(c, loop);

    if (!a)
        return;
    uw_loop_remove_tap_locked(a->loop, &a->tap);
    forget_attachment(c, a);
    free(a);
}

void
uw_capture_detach(struct uw_capture *c, struct uw_loop *loop)
{
    uw_loop_lock(loop);
    uw_capture_detach_locked(c, loop);
    uw_loop_unlock(loop);
}

int
uw_capture_add_server(struct uw_capture *c, const struct uw_server *server)
{
    const struct uw_attachment *a;
    int r = 0;

    pthread_mutex_lock(&c->lock);
    a = find_attachment(c, uw_server_loop(server));
    if (!a || c->closed)
        r = UW_ERROR_INVALID;
    else if (uw_section_server_locked(c, a, server->number, uw_server_name(server), NULL) ==
             UINT32_MAX)
        r = UW_ERROR_NO_MEMORY;
    pthread_mutex_unlock(&c->lock);
    return r;
}

/* ---- syslog and names ---- */

int
uw_capture_syslog(struct uw_capture *c, const struct sockaddr *source,
                  const struct sockaddr *destination, int protocol, const void *message,
                  size_t size)
{
    uint8_t front[UW_EXPORTED_MAX];
    struct uw_writer w = uw_writer(front, sizeof(front));
    uint32_t interface, captured;
    uint8_t *dst;
    int r = uw_encode_exported_syslog(&w, source, destination, protocol);

    size = uw_syslog_message_size(message, size);
    if (r < 0 || !size)
        return UW_ERROR_INVALID;
    captured = (uint32_t)(size < UW_SNAPLEN - w.len ? size + w.len : UW_SNAPLEN);
    pthread_mutex_lock(&c->lock);
    if (!c->closed && c->forks == uw_capture_forks()) {
        interface = uw_section_syslog_locked(c);
        r = interface == UINT32_MAX ? UW_ERROR_NO_MEMORY : 0;
        dst = r < 0 ? NULL
                    : uw_section_packet_locked(c, interface, uw_section_stamp_locked(c), captured,
                                               (uint32_t)(size + w.len), NULL);
        if (dst) {
            memcpy(dst, front, w.len);
            memcpy(dst + w.len, message, captured - w.len);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return r;
}

static int
is_known(const struct uw_capture *c, const struct uw_capture_alias *alias)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &c->aliases)
    {
        const struct uw_capture_alias *a = UW_CONTAINER(pos, struct uw_capture_alias, link);

        if (a->address_size == alias->address_size &&
            memcmp(a->address, alias->address, sizeof(a->address)) == 0 &&
            strcmp(a->name, alias->name) == 0)
            return 1;
    }
    return 0;
}

int
uw_capture_name(struct uw_capture *c, const struct sockaddr *address, const char *name)
{
    struct uw_capture_alias alias = {.address_size = 0}, *kept;
    const void *bytes;
    uint8_t numeric[16];
    int r = 0;

    alias.address_size = uw_exported_address(address, &bytes);
    if (!alias.address_size || !name || !*name || inet_pton(AF_INET, name, numeric) == 1 ||
        inet_pton(AF_INET6, name, numeric) == 1)
        return UW_ERROR_INVALID;
    memcpy(alias.address, bytes, alias.address_size);
    snprintf(alias.name, sizeof(alias.name), "%s", name);
    pthread_mutex_lock(&c->lock);
    if (!is_known(c, &alias)) {
        kept = malloc(sizeof(*kept));
        r = kept ? 0 : UW_ERROR_NO_MEMORY;
        if (kept) {
            *kept = alias;
            uw_list_insert(&c->aliases, &kept->link);
            if (!c->closed)
                uw_section_alias_locked(c, kept);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return r;
}

void
uw_capture_stats(struct uw_capture *c, struct uw_capture_stats *ret_stats)
{
    pthread_mutex_lock(&c->lock);
    *ret_stats = c->stats;
    if (c->writer) {
        uw_writer_stats(c, ret_stats);
    } else {
        ret_stats->reader = !c->closed;
        ret_stats->readers = 1;
    }
    pthread_mutex_unlock(&c->lock);
}

/* ---- ending ---- */

void
uw_capture_end(struct uw_capture *c)
{
    pthread_mutex_lock(&c->lock);
    if (!c->closed) {
        uw_section_end_locked(c);
        c->closed = 1;
    }
    pthread_cond_broadcast(&c->some);
    pthread_mutex_unlock(&c->lock);
}

int
uw_capture_close(struct uw_capture *c, struct uw_fault *fault)
{
    struct uw_attachment *a;

    if (c->forks != uw_capture_forks())
        return 0; /* the parent's */
    while ((a = unhook(c, NULL))) {
        uw_loop_remove_tap(a->loop, &a->tap);
        forget_attachment(c, a);
        free(a);
    }
    uw_capture_end(c);
    return c->writer ? uw_writer_finish(c, fault) : 0;
}

void
uw_capture_hurry(struct uw_capture *c)
{
    if (c->writer)
        uw_writer_hurry(c);
}

static void
free_lists(struct uw_capture *c)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &c->aliases) free(UW_CONTAINER(pos, struct uw_capture_alias, link));
    uw_list_each(pos, tmp, &c->hosts) free(UW_CONTAINER(pos, struct uw_capture_host, link));
    uw_list_each(pos, tmp, &c->known) uw_known_remove(UW_CONTAINER(pos, struct uw_known, link));
}

/* In a forked child nobody may take the capture's lock: a thread of the parent may have had it. */
static void
leave_to_parent(struct uw_capture *c)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &c->attachments)
    {
        struct uw_attachment *a = UW_CONTAINER(pos, struct uw_attachment, link);

        uw_loop_remove_tap(a->loop, &a->tap);
        free(a);
    }
}

void
uw_capture_free(struct uw_capture *c)
{
    if (!c)
        return;
    if (c->forks == uw_capture_forks())
        (void)uw_capture_close(c, NULL);
    else
        leave_to_parent(c);
    uw_writer_free(c);
    free_lists(c);
    uw_flight_free(&c->flight);
    uw_ring_free(&c->ring);
    free(c->interfaces);
    free(c);
}
