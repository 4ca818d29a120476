/*
 * op.c - OP_REQ_DEVLIST and OP_REQ_IMPORT
 */
#include <string.h>

#include <usbwire/error.h>

#include "base/bytes.h"
#include "export/internal.h"
#include "wire/op.h"

static void
dirty(struct uw_session *s, uint8_t *record)
{
    static const uint8_t rubbish[] = {0xde, 0xad, 0xbe, 0xef};
    static const size_t fields[][2] = {{0, 256}, {256, 32}};

    for (size_t f = 0; has(s, UW_HABIT_DIRTY_STRINGS) && f < 2; f++) {
        uint8_t *p = record + fields[f][0];

        for (size_t i = strlen((const char *)p) + 1; i < fields[f][1]; i++)
            p[i] = rubbish[i % sizeof(rubbish)];
    }
}

static int
reply_list(struct uw_session *s)
{
    struct uw_device_list *list = s->cb.list(s->cb.data);
    struct uw_op op = {UW_VERSION_111, UW_OP_REP_DEVLIST, UW_OP_ST_OK};
    struct uw_writer w;
    struct out *o;
    size_t size = 4;

    if (!list)
        return UW_ERROR_ACCESS;
    for (unsigned i = 0; i < list->count; i++)
        size += UW_OP_DEVICE_SIZE + (size_t)list->infos[i].num_interfaces * UW_OP_INTERFACE_SIZE;
    o = export_new_out(size);
    if (!o) {
        uw_device_list_free(list);
        return UW_ERROR_NO_MEMORY;
    }
    o->head_size = uw_encode_op(o->head, &op);
    w = uw_writer(o + 1, size);
    uw_wr_be32(&w, list->count);
    for (unsigned i = 0; i < list->count; i++) {
        const struct uw_device_info *info = &list->infos[i];
        uint8_t *record = uw_wr_room(&w, UW_OP_DEVICE_SIZE);
        unsigned n = has(s, UW_HABIT_ONE_INTERFACE) ? 1 : info->num_interfaces;

        uw_encode_device(record, info);
        dirty(s, record);
        for (unsigned j = 0; j < n && j < info->num_interfaces; j++) {
            uw_wr_u8(&w, info->interfaces[j].interface_class);
            uw_wr_u8(&w, info->interfaces[j].interface_subclass);
            uw_wr_u8(&w, info->interfaces[j].interface_protocol);
            uw_wr_u8(&w, 0);
        }
    }
    o->body_size = w.len;
    uw_device_list_free(list);
    export_queue(s, o);
    return 0;
}

static int
reply_import(struct uw_session *s, const char *busid)
{
    struct uw_device_info info = {0};
    struct uw_op op = {UW_VERSION_111, UW_OP_REP_IMPORT, s->cb.import(s->cb.data, busid, &info)};
    size_t extra = has(s, UW_HABIT_EXTRA_IMPORT) ? UW_OP_HEADER_SIZE : 0;
    struct out *o = export_new_out(op.status ? 0 : UW_OP_DEVICE_SIZE + extra);
    uint8_t *record;

    if (!o)
        return UW_ERROR_NO_MEMORY;
    o->head_size = uw_encode_op(o->head, &op);
    if (op.status == UW_OP_ST_OK) {
        if (has(s, UW_HABIT_NO_RECORD))
            info.vid = info.pid = 0;
        record = (uint8_t *)(o + 1);
        uw_encode_device(record, &info);
        dirty(s, record);
        if (extra) {
            op.status = UW_OP_ST_NA;
            uw_encode_op(record + UW_OP_DEVICE_SIZE, &op);
        }
        s->imported = !extra;
        s->devid = info.busnum << 16 | info.devnum;
    }
    export_queue(s, o);
    return 0;
}

static void
next_op(struct uw_session *s)
{
    if (s->imported) {
        s->state = SESSION_PDU;
        uw_framer_start(&s->framer, s->head, UW_PDU_SIZE);
        return;
    }
    s->state = SESSION_OP_HEADER;
    uw_framer_start(&s->framer, s->head, UW_OP_HEADER_SIZE);
    if (!has(s, UW_HABIT_MANY_OPS)) {
        s->state = SESSION_CLOSING;
        s->closing = 1;
    }
}

int
export_got_op(struct uw_session *s)
{
    struct uw_op op;
    int r;

    uw_decode_op(s->head, &op);
    if (op.version != UW_VERSION_111 && !has(s, UW_HABIT_ANY_VERSION))
        return UW_ERROR_VERSION;
    if (op.code == UW_OP_REQ_IMPORT) {
        s->state = SESSION_OP_BUSID;
        uw_framer_start(&s->framer, s->head, UW_OP_BUSID_SIZE);
        return 0;
    }
    if (op.code != UW_OP_REQ_DEVLIST)
        return UW_ERROR_PROTOCOL;
    r = reply_list(s);
    next_op(s);
    return r;
}

int
export_got_busid(struct uw_session *s)
{
    int r;

    s->head[UW_OP_BUSID_SIZE - 1] = 0;
    r = reply_import(s, (const char *)s->head);
    next_op(s);
    return r;
}
