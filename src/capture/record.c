/*
 * record.c - from a tap's event to records
 */
#include <stdio.h>
#include <string.h>

#include "capture/capture.h"
#include "capture/usbmon.h"
#include "wire/shared.h"

#define COMMENT_MAX 400

/* Statuses of completions that the library concluded, errno of Linux. */
#define CONNECTION_RESET 104
#define SHUT_DOWN        108

/* Ids of repeated descriptors: no connection counts that far. */
#define SYNTHETIC_ID (1ull << 63)

#define STANDARD_IN     0x80
#define GET_DESCRIPTOR  6
#define CLASS_OR_VENDOR 0x60
#define DIRECTION_IN    0x200u /* URB_DIR_IN of transfer_flags */
#define DEVICE_SIZE     18u
#define DEVICE_VALUE    0x0100u
#define CONFIG_VALUE    0x0200u
#define REPORT_VALUE    0x2200u

/* One device's records, as they are made. */
struct making {
    struct uw_capture *capture;
    const struct uw_attachment *attachment;
    struct uw_known *known;
    uint32_t interface;
    char comment[COMMENT_MAX];
};

/* Makes a record; 0 when it was left out. */
static int
put(struct making *m, struct uw_usbmon *r)
{
    struct uw_usbmon_size size;
    uint8_t *dst;

    uw_usbmon_measure(r, &size);
    if (size.captured < size.original && size.captured == UW_SNAPLEN && !*m->comment)
        snprintf(m->comment, sizeof(m->comment), "payload cut: %u bytes of %u are here",
                 size.captured, size.original);
    r->stamp = uw_section_stamp_locked(m->capture);
    dst = uw_section_packet_locked(m->capture, m->interface, r->stamp, size.captured, size.original,
                                   *m->comment ? m->comment : NULL);
    m->comment[0] = '\0';
    if (!dst)
        return 0;
    uw_usbmon_encode(r, &size, dst);
    return 1;
}

/* What is the same in all records of a device. */
static struct uw_usbmon
record_of(const struct making *m, enum uw_usbmon_kind kind, uint64_t id)
{
    const struct uw_tap_source *s = &m->known->source;
    struct uw_usbmon r = {
        .kind = kind,
        .id = id ^ (uint64_t)m->attachment->number << 56,
        .address = s->address & 0x7f ? s->address & 0x7f : 1,
        .bus = (uint16_t)(s->bus + (m->attachment->number << 14)),
    };

    return r;
}

/* ---- descriptors that Wireshark has not seen ---- */

/* Behind what the comment says already. */
static void
mark_synthetic(struct making *m)
{
    size_t n = strlen(m->comment);

    snprintf(m->comment + n, sizeof(m->comment) - n, "%ssynthetic: descriptors replayed",
             n ? "; " : "");
}

static void
repeat_descriptor(struct making *m, uint8_t recipient, uint16_t value, uint16_t index,
                  const uint8_t *bytes, uint16_t size)
{
    uint64_t id = SYNTHETIC_ID | ++m->capture->synthetic;
    struct uw_usbmon r = record_of(m, UW_USBMON_SUBMIT, id);
    struct uw_writer setup = uw_writer(r.setup, sizeof(r.setup));
    struct iovec data = {(void *)(uintptr_t)bytes, size};

    r.type = UW_CONTROL;
    r.endpoint = 0x80;
    r.flags = DIRECTION_IN;
    r.length = size;
    uw_wr_u8(&setup, STANDARD_IN | recipient);
    uw_wr_u8(&setup, GET_DESCRIPTOR);
    uw_wr_le16(&setup, value);
    uw_wr_le16(&setup, index);
    uw_wr_le16(&setup, size);
    mark_synthetic(m);
    if (!put(m, &r))
        return;
    r.kind = UW_USBMON_COMPLETE;
    r.data = &data;
    r.data_count = 1;
    mark_synthetic(m);
    put(m, &r);
}

/* Whatever is known of the device and not in this section, before its data. */
static void
repeat_descriptors(struct making *m)
{
    struct uw_known *k = m->known;
    unsigned section = m->capture->section;
    struct uw_list *pos, *tmp;

    if (k->has_device && k->config &&
        (k->device_section != section || k->config_section != section)) {
        repeat_descriptor(m, 0, DEVICE_VALUE, 0, k->device, DEVICE_SIZE);
        repeat_descriptor(m, 0, CONFIG_VALUE, 0, k->config, k->config_size);
        k->device_section = k->config_section = section;
    }
    if (k->reports_section == section)
        return;
    uw_list_each(pos, tmp, &k->reports)
    {
        const struct uw_known_report *report = UW_CONTAINER(pos, struct uw_known_report, link);

        repeat_descriptor(m, 1, REPORT_VALUE, report->interface, report->bytes, report->size);
    }
    k->reports_section = section;
}

/* 1 when the URB may be what enumerates the device: standard requests need no descriptors. */
static int
is_enumeration(const struct uw_tap_event *e)
{
    return e->type == UW_CONTROL && !(e->setup[0] & CLASS_OR_VENDOR);
}

/* The first record of a device in a section says which one it is. */
static void
name_device(struct making *m)
{
    struct uw_known *k = m->known;
    const struct uw_tap_source *s = &k->source;

    if (k->named_section == m->capture->section)
        return;
    k->named_section = m->capture->section;
    snprintf(m->comment, sizeof(m->comment), "%s %s (%04x:%04x) is device %u.%u", k->host, k->busid,
             s->vid, s->pid, record_of(m, UW_USBMON_SUBMIT, 0).bus, s->address);
}

/* ---- events ---- */

/* The interface of the device's server; the first of its devices is in its description. */
static int
find_interface(struct making *m)
{
    const struct uw_tap_source *s = &m->known->source;
    char text[64];

    snprintf(text, sizeof(text), "%s (%04x:%04x)", s->busid, s->vid, s->pid);
    m->known->interface =
        uw_section_server_locked(m->capture, m->attachment, s->server, s->host, text);
    return m->known->interface != UINT32_MAX;
}

static int
begin(struct making *m, const struct uw_tap_event *e)
{
    m->known = uw_known_find(&m->capture->known, m->attachment, e->source->connection);
    if (!m->known)
        m->known = uw_known_add(&m->capture->known, m->attachment, e->source);
    if (!m->known || (m->known->interface == UINT32_MAX && !find_interface(m)))
        return 0;
    m->interface = m->known->interface;
    return 1;
}

static void
attached(struct making *m, const struct uw_tap_event *e)
{
    m->known = uw_known_add(&m->capture->known, m->attachment, e->source);
    begin(m, e);
}

static void
detached(struct making *m, const struct uw_tap_event *e)
{
    struct uw_known *k = uw_known_find(&m->capture->known, m->attachment, e->source->connection);

    if (k)
        uw_known_remove(k);
}

/* usbmon's endpoint of a control transfer says where its data goes; without data it goes out. */
static uint8_t
usbmon_endpoint(const struct uw_tap_event *e)
{
    if (e->type != UW_CONTROL)
        return e->endpoint;
    return e->setup[0] & 0x80 && e->length ? 0x80 : 0;
}

static struct uw_usbmon
submission(struct making *m, const struct uw_tap_event *e)
{
    struct uw_usbmon r = record_of(m, UW_USBMON_SUBMIT, e->id);

    r.type = e->type;
    r.endpoint = usbmon_endpoint(e);
    r.length = e->length;
    memcpy(r.setup, e->setup, sizeof(r.setup));
    r.interval = e->interval;
    r.start_frame = e->start_frame;
    r.flags = e->flags;
    r.iso_count = e->iso ? e->iso_count : 0;
    r.iso = e->iso;
    r.data = e->data;
    r.data_count = e->data_count;
    return r;
}

/* What a program and the process that holds the device say to each other is no USB traffic. */
static int
is_for_broker(const struct uw_tap_event *e)
{
    return e->source->shared && e->type == UW_CONTROL && e->setup[0] == UW_SHARED_TYPE;
}

static void
submitted(struct making *m, const struct uw_tap_event *e)
{
    struct uw_flight_entry entry = {.id = e->id, .type = e->type};
    struct uw_usbmon r;

    if (is_for_broker(e) || !begin(m, e)) /* no flight then: its completion is left out, too */
        return;
    name_device(m);
    if (!is_enumeration(e))
        repeat_descriptors(m);
    r = submission(m, e);
    entry.dropped = !put(m, &r);
    entry.endpoint = r.endpoint;
    entry.interval = r.interval;
    entry.flags = r.flags;
    memcpy(entry.setup, e->setup, sizeof(entry.setup));
    entry.id ^= (uint64_t)m->attachment->number << 56;
    (void)uw_flight_add(&m->capture->flight, &entry); /* no memory: its end is left out */
}

/* Descriptors are kept from where they pass by. */
static void
learn(struct making *m, const struct uw_flight_entry *entry, const struct uw_tap_event *e,
      int captured)
{
    if (entry->type != UW_CONTROL || e->status != 0 || e->data_count != 1 ||
        e->data[0].iov_len > e->length)
        return;
    uw_known_learn(m->known, entry->setup, e->data[0].iov_base, e->data[0].iov_len,
                   captured ? m->capture->section : 0);
}

static void
completed(struct making *m, const struct uw_tap_event *e)
{
    struct uw_flight_entry entry;
    struct uw_usbmon r;
    int captured = 0;

    if (!begin(m, e) ||
        !uw_flight_take(&m->capture->flight, e->id ^ (uint64_t)m->attachment->number << 56, &entry))
        return; /* submitted before the section began */
    r = record_of(m, UW_USBMON_COMPLETE, e->id);
    r.type = entry.type;
    r.endpoint = entry.endpoint;
    r.status = e->status;
    r.length = e->length;
    r.error_count = (uint32_t)e->error_count;
    r.interval = entry.interval;
    r.start_frame = e->start_frame;
    r.flags = entry.flags;
    r.iso_count = e->iso ? e->iso_count : 0;
    r.iso = e->iso;
    r.data = e->data;
    r.data_count = e->data_count;
    if (e->local && e->status == -CONNECTION_RESET)
        snprintf(m->comment, sizeof(m->comment), "ended by an unlink");
    else if (e->local && e->status == -SHUT_DOWN)
        snprintf(m->comment, sizeof(m->comment), "the connection was lost");
    if (entry.dropped)
        uw_section_leave_out_locked(m->capture, m->interface);
    else
        captured = put(m, &r);
    learn(m, &entry, e, captured);
}

static void
refused(struct making *m, const struct uw_tap_event *e)
{
    struct uw_usbmon r;

    if (is_for_broker(e) || !begin(m, e))
        return;
    name_device(m);
    r = submission(m, e);
    if (!put(m, &r))
        return;
    r = record_of(m, UW_USBMON_ERROR, e->id);
    r.type = e->type;
    r.endpoint = usbmon_endpoint(e);
    r.status = -uw_error_errno(e->status);
    snprintf(m->comment, sizeof(m->comment), "not sent: %s", uw_error_text(e->status));
    put(m, &r);
}

void
uw_record_event(void *data, const struct uw_tap_event *e)
{
    static void (*const handlers[])(struct making *, const struct uw_tap_event *) = {
        [UW_TAP_ATTACHED] = attached,  [UW_TAP_DETACHED] = detached, [UW_TAP_SUBMIT] = submitted,
        [UW_TAP_COMPLETE] = completed, [UW_TAP_REFUSED] = refused,
    };
    struct uw_attachment *a = (struct uw_attachment *)data;
    struct making m = {.capture = a->capture, .attachment = a};

    if ((size_t)e->kind >= sizeof(handlers) / sizeof(handlers[0]) || !handlers[e->kind] ||
        a->capture->forks != uw_capture_forks() || (a->capture->own_only && e->source->shared))
        return;
    pthread_mutex_lock(&a->capture->lock);
    if (!a->capture->closed)
        handlers[e->kind](&m, e);
    pthread_mutex_unlock(&a->capture->lock);
}

void
uw_record_introduce_locked(struct uw_capture *c, const struct uw_attachment *attachment,
                           const struct uw_tap_source *source, const uint8_t *device,
                           const uint8_t *config, size_t config_size)
{
    static const uint8_t get_device[8] = {STANDARD_IN, GET_DESCRIPTOR, 0, DEVICE_VALUE >> 8};
    static const uint8_t get_config[8] = {STANDARD_IN, GET_DESCRIPTOR, 0, CONFIG_VALUE >> 8};
    struct uw_tap_event event = {.source = source};
    struct making m = {.capture = c, .attachment = attachment};

    attached(&m, &event);
    if (!m.known)
        return;
    if (device)
        uw_known_learn(m.known, get_device, device, DEVICE_SIZE, 0);
    if (config)
        uw_known_learn(m.known, get_config, config, config_size, 0);
}
