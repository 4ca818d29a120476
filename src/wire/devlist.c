/*
 * devlist.c - device lists, from the wire and in memory
 *
 * bNumInterfaces of a record is not always the number of interface records behind it. Three
 * readings are tried, the specified one first: as many as the record says, one each, none. A
 * reading holds when every record where it expects one looks like one; while the bytes so far fit a
 * reading that needs more of them, more are waited for; at the end of the stream the first reading
 * that is complete counts.
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/error.h>

#include "base/bytes.h"
#include "wire/op.h"

#define LIST_HEADER_SIZE (UW_OP_HEADER_SIZE + 4u)

enum reading { AS_SAID, ONE_EACH, NONE, READINGS };

enum fit { FITS, NEEDS_MORE, CONTRADICTS };

static unsigned
interfaces_behind(enum reading reading, uint8_t said)
{
    return reading == AS_SAID ? said : reading == ONE_EACH ? 1u : 0u;
}

static enum fit
try_reading(const uint8_t *bytes, size_t size, uint32_t count, enum reading reading,
            size_t *ret_interfaces, size_t *ret_used)
{
    struct uw_reader r = uw_reader(bytes, size);
    size_t interfaces = 0;

    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *p = uw_rd_take(&r, UW_OP_DEVICE_SIZE);
        unsigned n;

        if (!p)
            return NEEDS_MORE;
        if (!uw_check_device(p))
            return CONTRADICTS;
        n = interfaces_behind(reading, p[UW_OP_DEVICE_SIZE - 1]);
        if (!uw_rd_take(&r, (size_t)n * UW_OP_INTERFACE_SIZE))
            return NEEDS_MORE;
        interfaces += n;
    }
    *ret_interfaces = interfaces;
    *ret_used = size - r.left;
    return FITS;
}

static struct uw_device_list *
list_alloc(unsigned count, size_t interfaces)
{
    struct uw_device_list *list = calloc(1, sizeof(*list));

    if (!list)
        return NULL;
    list->count = count;
    list->infos = calloc(count ? count : 1, sizeof(*list->infos));
    list->interfaces = calloc(interfaces ? interfaces : 1, sizeof(*list->interfaces));
    if (!list->infos || !list->interfaces) {
        uw_device_list_free(list);
        return NULL;
    }
    return list;
}

static int
build(const uint8_t *bytes, size_t size, uint32_t count, enum reading reading, size_t interfaces,
      struct uw_device_list **ret_list)
{
    struct uw_device_list *list = list_alloc(count, interfaces);
    struct uw_interface_class *next;
    struct uw_reader r = uw_reader(bytes, size);

    if (!list)
        return UW_ERROR_NO_MEMORY;
    next = list->interfaces;
    for (uint32_t i = 0; i < count; i++) {
        struct uw_device_info *info = &list->infos[i];
        unsigned n;

        uw_decode_device(uw_rd_take(&r, UW_OP_DEVICE_SIZE), info);
        n = interfaces_behind(reading, info->num_interfaces);
        info->num_interfaces = (uint8_t)n;
        info->interfaces = next;
        for (unsigned j = 0; j < n; j++, next++) {
            next->interface_class = uw_rd_u8(&r);
            next->interface_subclass = uw_rd_u8(&r);
            next->interface_protocol = uw_rd_u8(&r);
            uw_rd_u8(&r);
        }
    }
    *ret_list = list;
    return 1;
}

static int
check_header(const struct uw_op *op)
{
    if (op->code != UW_OP_REP_DEVLIST)
        return UW_ERROR_PROTOCOL;
    if (op->status != UW_OP_ST_OK)
        return UW_ERROR_ACCESS;
    /* The high byte is the protocol's generation; servers differ in the low one. */
    return op->version >> 8 == UW_VERSION_111 >> 8 ? 0 : UW_ERROR_VERSION;
}

int
uw_decode_device_list(const uint8_t *bytes, size_t size, int at_end, uint32_t max_devices,
                      struct uw_device_list **ret_list)
{
    struct uw_reader r = uw_reader(bytes, size);
    const uint8_t *header = uw_rd_take(&r, UW_OP_HEADER_SIZE);
    struct uw_op op;
    uint32_t count;
    int error, waits = 0;

    if (!header)
        return at_end ? UW_ERROR_PROTOCOL : 0;
    uw_decode_op(header, &op);
    if ((error = check_header(&op)) < 0)
        return error;
    count = uw_rd_be32(&r);
    if (r.failed)
        return at_end ? UW_ERROR_PROTOCOL : 0;
    if (count > max_devices)
        return UW_ERROR_LIMIT;
    for (unsigned reading = AS_SAID; reading < READINGS; reading++) {
        size_t interfaces = 0, used = 0;
        enum fit fit = try_reading(r.p, r.left, count, (enum reading)reading, &interfaces, &used);

        if (fit == NEEDS_MORE)
            waits = 1;
        if (fit != FITS || (waits && !at_end))
            continue;
        return build(r.p, r.left, count, (enum reading)reading, interfaces, ret_list);
    }
    return waits && !at_end ? 0 : UW_ERROR_PROTOCOL;
}

struct uw_device_list *
uw_device_list_new(const struct uw_device_info *const *infos, unsigned count)
{
    struct uw_device_list *list;
    struct uw_interface_class *next;
    size_t interfaces = 0;

    for (unsigned i = 0; i < count; i++)
        interfaces += infos[i]->interfaces ? infos[i]->num_interfaces : 0u;
    list = list_alloc(count, interfaces);
    if (!list)
        return NULL;
    next = list->interfaces;
    for (unsigned i = 0; i < count; i++) {
        list->infos[i] = *infos[i];
        list->infos[i].interfaces = next;
        if (!infos[i]->interfaces)
            list->infos[i].num_interfaces = 0;
        else
            memcpy(next, infos[i]->interfaces, infos[i]->num_interfaces * sizeof(*next));
        next += list->infos[i].num_interfaces;
    }
    return list;
}

void
uw_device_list_free(struct uw_device_list *list)
{
    if (!list)
        return;
    free(list->infos);
    free(list->interfaces);
    free(list);
}

unsigned
uw_device_list_count(const struct uw_device_list *list)
{
    return list->count;
}

const struct uw_device_info *
uw_device_list_get(const struct uw_device_list *list, unsigned index)
{
    return index < list->count ? &list->infos[index] : NULL;
}

const struct uw_device_info *
uw_device_list_find(const struct uw_device_list *list, const char *busid)
{
    for (unsigned i = 0; i < list->count; i++)
        if (strcmp(list->infos[i].busid, busid) == 0)
            return &list->infos[i];
    return NULL;
}

const char *
uw_speed_name(uint32_t speed)
{
    static const char *const names[] = {"unknown",  "low",   "full",  "high",
                                        "wireless", "super", "super+"};

    return speed < sizeof(names) / sizeof(names[0]) ? names[speed] : "unknown";
}
