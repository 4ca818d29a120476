/*
 * known.c - the devices of a capture and their descriptors
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <usbwire/descriptor.h>

#include "base/bytes.h"
#include "capture/known.h"

#define GET_DESCRIPTOR 6

struct uw_known *
uw_known_find(struct uw_list *all, const void *attachment, uint32_t connection)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, all)
    {
        struct uw_known *k = UW_CONTAINER(pos, struct uw_known, link);

        if (k->attachment == attachment && k->source.connection == connection)
            return k;
    }
    return NULL;
}

static int
is_same_device(const struct uw_known *k, const struct uw_tap_source *s)
{
    return k->source.server == s->server && k->source.vid == s->vid && k->source.pid == s->pid &&
           strcmp(k->busid, s->busid) == 0;
}

static struct uw_known *
find_earlier(struct uw_list *all, const void *attachment, const struct uw_tap_source *source)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, all)
    {
        struct uw_known *k = UW_CONTAINER(pos, struct uw_known, link);

        if (k->attachment == attachment && is_same_device(k, source))
            return k;
    }
    return NULL;
}

struct uw_known *
uw_known_add(struct uw_list *all, const void *attachment, const struct uw_tap_source *source)
{
    struct uw_known *k = find_earlier(all, attachment, source);

    if (!k) {
        k = calloc(1, sizeof(*k));
        if (!k)
            return NULL;
        uw_list_init(&k->reports);
        uw_list_insert(all, &k->link);
    } else if (k->source.bus != source->bus || k->source.address != source->address) {
        k->device_section = k->config_section = k->reports_section = 0;
    }
    k->attachment = attachment;
    k->source = *source;
    k->interface = UINT32_MAX;
    snprintf(k->host, sizeof(k->host), "%s", source->host);
    snprintf(k->busid, sizeof(k->busid), "%s", source->busid);
    k->source.host = k->host;
    k->source.busid = k->busid;
    k->named_section = 0;
    return k;
}

void
uw_known_remove(struct uw_known *k)
{
    struct uw_list *pos, *tmp;

    uw_list_remove(&k->link);
    uw_list_each(pos, tmp, &k->reports) free(UW_CONTAINER(pos, struct uw_known_report, link));
    free(k->config);
    free(k);
}

static void
learn_config(struct uw_known *k, const uint8_t *bytes, size_t size, unsigned section)
{
    struct uw_reader r = uw_reader(bytes, size);
    uint8_t *copy;
    uint16_t total;

    (void)uw_rd_le16(&r);
    total = uw_rd_le16(&r);
    if (r.failed || bytes[1] != UW_DT_CONFIG || total < 9 || size < total)
        return;
    copy = malloc(total);
    if (!copy)
        return; /* not repeated, then */
    memcpy(copy, bytes, total);
    free(k->config);
    k->config = copy;
    k->config_size = total;
    k->config_section = section;
}

static void
learn_report(struct uw_known *k, uint8_t interface, const uint8_t *bytes, size_t size,
             unsigned section)
{
    struct uw_known_report *report;
    struct uw_list *pos, *tmp;

    if (size == 0 || size > UINT16_MAX)
        return;
    report = malloc(sizeof(*report) + size);
    if (!report)
        return;
    report->interface = interface;
    report->size = (uint16_t)size;
    memcpy(report->bytes, bytes, size);
    uw_list_each(pos, tmp, &k->reports)
    {
        struct uw_known_report *old = UW_CONTAINER(pos, struct uw_known_report, link);

        if (old->interface == interface) {
            uw_list_remove(&old->link);
            free(old);
        }
    }
    uw_list_insert(&k->reports, &report->link);
    k->reports_section = section;
}

void
uw_known_learn(struct uw_known *k, const uint8_t setup[8], const uint8_t *bytes, size_t size,
               unsigned section)
{
    uint8_t type = setup[3], index = setup[2];

    if (setup[1] != GET_DESCRIPTOR)
        return;
    if (setup[0] == 0x80 && type == UW_DT_DEVICE && size >= sizeof(k->device)) {
        memcpy(k->device, bytes, sizeof(k->device));
        k->has_device = 1;
        k->device_section = section;
    } else if (setup[0] == 0x80 && type == UW_DT_CONFIG && index == 0) {
        learn_config(k, bytes, size, section);
    } else if (setup[0] == 0x81 && type == UW_DT_REPORT) {
        learn_report(k, setup[4], bytes, size, section);
    }
}
