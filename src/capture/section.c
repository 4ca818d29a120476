/*
 * section.c - what stands before the records and behind them, and room for blocks
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include <usbwire/usbwire.h>

#include "base/log.h"
#include "capture/capture.h"
#include "capture/usbmon.h"

#define EXPORTED_PDU_LINK_TYPE 252u

const char uw_section_foreign;

uint64_t
uw_section_stamp_locked(struct uw_capture *c)
{
    struct timespec t;
    uint64_t now;

    clock_gettime(CLOCK_MONOTONIC, &t);
    now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    now = c->real_base + (now - c->monotonic_base);
    if (now <= c->last_stamp)
        now = c->last_stamp + 1;
    c->last_stamp = now;
    return now;
}

/* ---- room in the ring ---- */

/* Only a file is waited for: it takes no longer than the disk does. */
static uint8_t *
reserve(struct uw_capture *c, size_t size)
{
    uint8_t *p = uw_ring_reserve(&c->ring, size);

    while (!p && c->lossless && !c->absent) {
        c->wanted = 0;
        pthread_cond_signal(&c->some);
        pthread_cond_wait(&c->room, &c->lock);
        p = uw_ring_reserve(&c->ring, size);
    }
    return p;
}

static void
add_block(struct uw_capture *c, const struct uw_writer *w)
{
    uint8_t *p;

    if (c->absent || w->failed)
        return;
    p = reserve(c, w->len);
    if (!p)
        return;
    memcpy(p, w->p, w->len);
    uw_ring_commit(&c->ring, w->len);
    uw_reader_wake_locked(c);
}

static void
say_slow(struct uw_capture *c)
{
    if (c->slow || c->absent)
        return;
    c->slow = 1;
    uw_log(&c->log, UW_LOG_WARNING,
           "the reader of the capture is too slow: records are left out and counted");
}

void
uw_section_leave_out_locked(struct uw_capture *c, uint32_t interface)
{
    c->stats.records++;
    c->stats.dropped++;
    c->interfaces[interface].received++;
    c->interfaces[interface].dropped++;
    say_slow(c);
}

uint8_t *
uw_section_packet_locked(struct uw_capture *c, uint32_t interface, uint64_t stamp,
                         uint32_t captured, uint32_t original, const char *comment)
{
    size_t size = uw_packet_block_size(captured, comment);
    uint8_t *p = c->absent ? NULL : reserve(c, size);
    struct uw_writer w;

    if (!p) {
        uw_section_leave_out_locked(c, interface);
        return NULL;
    }
    c->stats.records++;
    c->interfaces[interface].received++;
    w = uw_writer(p, size);
    p = uw_encode_packet(&w, interface, stamp, captured, original, comment);
    uw_ring_commit(&c->ring, size);
    uw_reader_wake_locked(c);
    return p;
}

/* ---- before the records ---- */

static const char *
system_name(char *dst, size_t size)
{
    struct utsname u;

    if (uname(&u) < 0)
        return NULL;
    snprintf(dst, size, "%s %s", u.sysname, u.release);
    return dst;
}

static void
put_section(struct uw_capture *c)
{
    uint8_t block[UW_SMALL_BLOCK_MAX];
    struct uw_writer w = uw_writer(block, sizeof(block));
    char os[160], application[64];
    struct utsname u;

    snprintf(application, sizeof(application), "usbwire %s", uw_version());
    uw_encode_section(&w, *c->comment ? c->comment : NULL, uname(&u) < 0 ? NULL : u.machine,
                      system_name(os, sizeof(os)), application);
    add_block(c, &w);
}

static void
put_interface(struct uw_capture *c, const struct uw_capture_interface *i)
{
    uint8_t block[UW_SMALL_BLOCK_MAX];
    struct uw_writer w = uw_writer(block, sizeof(block));
    char os[160];

    uw_encode_interface(&w, i->link_type, i->name, i->description, system_name(os, sizeof(os)));
    add_block(c, &w);
}

void
uw_section_alias_locked(struct uw_capture *c, const struct uw_capture_alias *alias)
{
    uint8_t block[UW_SMALL_BLOCK_MAX];
    struct uw_writer w = uw_writer(block, sizeof(block));

    uw_encode_name(&w, alias->address, alias->address_size, alias->name);
    add_block(c, &w);
}

void
uw_section_begin_locked(struct uw_capture *c)
{
    struct uw_list *pos, *tmp;

    uw_ring_clear(&c->ring);
    uw_flight_clear(&c->flight);
    /* What an earlier section had is not this one's; what nobody was there to read is. */
    for (uint32_t i = 0; i < c->interface_count; i++)
        c->interfaces[i].received = c->interfaces[i].dropped;
    c->absent = 0;
    c->section++;
    c->started = uw_section_stamp_locked(c);
    put_section(c);
    for (uint32_t i = 0; i < c->interface_count; i++)
        put_interface(c, &c->interfaces[i]);
    uw_list_each(pos, tmp, &c->aliases)
        uw_section_alias_locked(c, UW_CONTAINER(pos, struct uw_capture_alias, link));
}

void
uw_section_end_locked(struct uw_capture *c)
{
    uint64_t now = uw_section_stamp_locked(c);

    for (uint32_t i = 0; i < c->interface_count; i++) {
        struct uw_capture_interface *face = &c->interfaces[i];
        uint8_t block[UW_SMALL_BLOCK_MAX];
        struct uw_writer w = uw_writer(block, sizeof(block));
        struct uw_statistics s = {c->started, now, face->received, face->dropped,
                                  face->received - face->dropped};

        uw_encode_statistics(&w, i, &s);
        add_block(c, &w);
        face->received = face->dropped = 0;
    }
}

/* ---- interfaces ---- */

static uint32_t
count_of_type(const struct uw_capture *c, uint16_t link_type)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->interface_count; i++)
        n += c->interfaces[i].link_type == link_type;
    return n;
}

static uint32_t
add_interface(struct uw_capture *c, const struct uw_capture_interface *new)
{
    uint32_t n = c->interface_count;
    struct uw_capture_interface *more = realloc(c->interfaces, (n + 1) * sizeof(*more));

    if (!more)
        return UINT32_MAX;
    c->interfaces = more;
    more[n] = *new;
    c->interface_count++;
    put_interface(c, &more[n]);
    return n;
}

uint32_t
uw_section_server_locked(struct uw_capture *c, const void *origin, uint32_t number,
                         const char *host, const char *text)
{
    struct uw_capture_interface new = {
        .origin = origin, .number = number, .link_type = UW_USBMON_LINK_TYPE};

    for (uint32_t i = 0; i < c->interface_count; i++) {
        const struct uw_capture_interface *face = &c->interfaces[i];

        if (face->link_type == UW_USBMON_LINK_TYPE && face->origin == origin &&
            face->number == number)
            return i;
    }
    snprintf(new.name, sizeof(new.name), "usbip%" PRIu32, count_of_type(c, UW_USBMON_LINK_TYPE));
    snprintf(new.description, sizeof(new.description), "USB/IP %s%s%s", host, text ? " " : "",
             text ? text : "");
    return add_interface(c, &new);
}

uint32_t
uw_section_syslog_locked(struct uw_capture *c)
{
    struct uw_capture_interface new = {.link_type = EXPORTED_PDU_LINK_TYPE,
                                       .name = "syslog0",
                                       .description = "syslog messages of USB/IP servers"};

    for (uint32_t i = 0; i < c->interface_count; i++)
        if (c->interfaces[i].link_type == EXPORTED_PDU_LINK_TYPE)
            return i;
    return add_interface(c, &new);
}
