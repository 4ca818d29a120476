/*
 * session.c - the server's half of USB/IP
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <usbwire/error.h>

#include "base/bytes.h"
#include "export/session.h"
#include "wire/cmd.h"
#include "wire/framer.h"
#include "wire/op.h"

/* What one peer may cause to be kept. */
#define REQUESTS_MAX    4096u
#define BYTES_MAX       (64u * 1024u * 1024u)
#define ISO_PACKETS_MAX 1024u
/* A peer that leaves more than this unread is kept waiting. */
#define UNSENT_PAUSE (4u * 1024u * 1024u)

#define STATUS_RESET  (-104)
#define STATUS_EPERM  (-1)
#define STATUS_NODEV  (-19)
#define STATUS_NO_ISO (-95)

/* A message to be sent: head, body, tail. */
struct out {
    struct uw_list link;
    uint8_t head[UW_PDU_SIZE];
    size_t head_size;
    const uint8_t *body;
    size_t body_size;
    const uint8_t *tail;
    size_t tail_size;
    size_t sent;
    void *owner; /* freed once it is sent */
};

struct pending {
    struct uw_request r; /* first: whoever offers devices hands back this pointer */
    struct uw_list in_session;
    struct uw_pdu pdu;
    struct out out;
    uint8_t *table;     /* of the reply */
    size_t buffer_size; /* as counted in session->bytes */
    int table_unread;   /* an isochronous URB at a server that knows nothing of those */
};

enum session_state {
    SESSION_OP_HEADER,
    SESSION_OP_BUSID,
    SESSION_PDU,
    SESSION_PAYLOAD,
    SESSION_TABLE,
    SESSION_CLOSING
};

struct uw_session {
    struct uw_export cb;
    struct uw_habits habits;
    enum session_state state;
    struct uw_framer framer;
    uint8_t head[UW_PDU_SIZE];
    struct pending *reading; /* its payload is coming in */
    uint8_t *table;          /* its packet table */
    struct uw_list requests; /* of struct pending: not answered */
    unsigned count;
    size_t bytes;
    struct uw_list tx;
    size_t unsent;
    int imported, closing;
    uint32_t devid; /* of the imported device */
    uint8_t *stash; /* bytes behind a request that has to be answered first */
    size_t stashed;
};

static int
has(const struct uw_session *s, unsigned habit)
{
    return (s->habits.flags & habit) != 0;
}

int
uw_session_new(const struct uw_export *callbacks, struct uw_session **ret_session)
{
    struct uw_session *s = calloc(1, sizeof(*s));

    if (!s)
        return UW_ERROR_NO_MEMORY;
    s->cb = *callbacks;
    if (callbacks->habits)
        s->habits = *callbacks->habits;
    uw_list_init(&s->requests);
    uw_list_init(&s->tx);
    s->state = SESSION_OP_HEADER;
    uw_framer_start(&s->framer, s->head, UW_OP_HEADER_SIZE);
    *ret_session = s;
    return 0;
}

static void
free_pending(struct uw_session *s, struct pending *p)
{
    s->bytes -= p->buffer_size;
    free(p->r.buffer);
    free(p->r.iso);
    free(p->table);
    free(p);
}

void
uw_session_free(struct uw_session *s)
{
    struct uw_list *pos, *tmp;

    if (!s)
        return;
    uw_list_each(pos, tmp, &s->tx)
    {
        struct out *o = UW_CONTAINER(pos, struct out, link);

        if (o->owner)
            free(o->owner);
        else
            free_pending(s, UW_CONTAINER(o, struct pending, out));
    }
    uw_list_each(pos, tmp, &s->requests)
        free_pending(s, UW_CONTAINER(pos, struct pending, in_session));
    if (s->reading)
        free_pending(s, s->reading);
    free(s->table);
    free(s->stash);
    free(s);
}

/* ---- sending ---- */

static void
queue(struct uw_session *s, struct out *o)
{
    uw_list_insert(&s->tx, &o->link);
    s->unsent += o->head_size + o->body_size + o->tail_size;
}

/* A message of its own with `size` bytes of body behind the head; NULL without memory. */
static struct out *
new_out(size_t size)
{
    struct out *o = calloc(1, sizeof(*o) + size);

    if (!o)
        return NULL;
    uw_list_init(&o->link);
    o->owner = o;
    o->body = (const uint8_t *)(o + 1);
    o->body_size = size;
    return o;
}

static int
piece(struct iovec *iov, const uint8_t *bytes, size_t size, size_t from, size_t sent)
{
    size_t gone = sent > from ? sent - from : 0;

    if (gone >= size)
        return 0;
    iov->iov_base = (void *)(uintptr_t)(bytes + gone);
    iov->iov_len = size - gone;
    return 1;
}

int
uw_session_tx(struct uw_session *s, struct iovec *iov, int max)
{
    struct uw_list *pos;
    int n = 0;

    for (pos = s->tx.next; pos != &s->tx && max - n >= 3; pos = pos->next) {
        const struct out *o = UW_CONTAINER(pos, struct out, link);

        n += piece(iov + n, o->head, o->head_size, 0, o->sent);
        n += piece(iov + n, o->body, o->body_size, o->head_size, o->sent);
        n += piece(iov + n, o->tail, o->tail_size, o->head_size + o->body_size, o->sent);
    }
    return n;
}

void
uw_session_tx_done(struct uw_session *s, size_t n)
{
    s->unsent -= n;
    while (n > 0) {
        struct out *o = uw_list_first(&s->tx, struct out, link);
        size_t left;

        assert(o);
        left = o->head_size + o->body_size + o->tail_size - o->sent;
        if (n < left) {
            o->sent += n;
            return;
        }
        n -= left;
        uw_list_remove(&o->link);
        if (o->owner)
            free(o->owner);
        else
            free_pending(s, UW_CONTAINER(o, struct pending, out));
    }
}

size_t
uw_session_unsent(const struct uw_session *s)
{
    return s->unsent;
}

int
uw_session_wants_close(const struct uw_session *s)
{
    return s->closing && uw_list_empty(&s->tx);
}

int
uw_session_is_imported(const struct uw_session *s)
{
    return s->imported;
}

/* Only what the peer can end by itself may keep it waiting, or it could not even unlink. */
static int
is_paused(const struct uw_session *s)
{
    return (has(s, UW_HABIT_ONE_AT_A_TIME) && s->count > 0) || s->unsent >= UNSENT_PAUSE;
}

int
uw_session_wants_read(const struct uw_session *s)
{
    return !s->closing && !is_paused(s);
}

/* ---- OP_REQ_DEVLIST, OP_REQ_IMPORT ---- */

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
    o = new_out(size);
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
    queue(s, o);
    return 0;
}

static int
reply_import(struct uw_session *s, const char *busid)
{
    struct uw_device_info info = {0};
    struct uw_op op = {UW_VERSION_111, UW_OP_REP_IMPORT, s->cb.import(s->cb.data, busid, &info)};
    size_t extra = has(s, UW_HABIT_EXTRA_IMPORT) ? UW_OP_HEADER_SIZE : 0;
    struct out *o = new_out(op.status ? 0 : UW_OP_DEVICE_SIZE + extra);
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
    queue(s, o);
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

static int
got_op(struct uw_session *s)
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

static int
got_busid(struct uw_session *s)
{
    int r;

    s->head[UW_OP_BUSID_SIZE - 1] = 0;
    r = reply_import(s, (const char *)s->head);
    next_op(s);
    return r;
}

/* ---- URBs ---- */

static struct pending *
find(struct uw_session *s, uint32_t seqnum)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &s->requests)
    {
        struct pending *p = UW_CONTAINER(pos, struct pending, in_session);

        if (p->r.seqnum == seqnum)
            return p;
    }
    return NULL;
}

static void
fill_header(struct uw_session *s, const struct uw_pdu *of, struct uw_pdu *pdu)
{
    if (!has(s, UW_HABIT_ECHO))
        return;
    pdu->devid = of->devid;
    pdu->direction = has(s, UW_HABIT_INVERTED) ? !of->direction : of->direction;
    pdu->ep = of->ep;
    pdu->packets = of->packets;
}

static void
drop(struct uw_session *s, struct pending *p)
{
    uw_list_remove(&p->in_session);
    s->count--;
}

/* Isochronous IN payload is sent without the gaps, packets in order. */
static uint32_t
compact(const struct pending *p)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < p->r.iso_count; i++) {
        memmove(p->r.buffer + at, p->r.buffer + p->r.iso[i].offset, p->r.iso[i].actual);
        at += p->r.iso[i].actual;
    }
    return at;
}

static int
iso_reply(struct uw_session *s, struct pending *p, struct uw_pdu *pdu, int in)
{
    uint32_t n = p->r.iso_count, sum = 0;

    p->table = malloc((size_t)n * UW_ISO_SIZE);
    if (!p->table)
        return 0;
    for (uint32_t i = 0; i < n && has(s, UW_HABIT_NOT_COMPACT); i++)
        p->r.iso[i].offset = 0;
    uw_encode_iso(p->table, p->r.iso, n);
    for (uint32_t i = 0; i < n; i++) {
        sum += p->r.iso[i].actual;
        pdu->error_count += p->r.iso[i].status != 0;
    }
    pdu->packets = (int32_t)n;
    pdu->start_frame = p->r.start_frame;
    pdu->length = (int32_t)sum;
    if (in && !has(s, UW_HABIT_NOT_COMPACT))
        sum = compact(p);
    else if (in)
        sum = p->r.length;
    if (in && has(s, UW_HABIT_NOT_COMPACT))
        pdu->length = (int32_t)sum;
    p->out.body_size = in ? sum : 0;
    p->out.tail = p->table;
    p->out.tail_size = (size_t)n * UW_ISO_SIZE;
    return 1;
}

void
uw_session_reply(struct uw_session *s, struct uw_request *request, int32_t status, uint32_t actual)
{
    struct pending *p = UW_CONTAINER(request, struct pending, r);
    int in = request->endpoint & 0x80 ? 1 : 0;
    struct uw_pdu pdu = {.command = UW_RET_SUBMIT, .seqnum = request->seqnum, .status = status};

    drop(s, p);
    fill_header(s, &p->pdu, &pdu);
    pdu.length = (int32_t)actual;
    p->out.body = request->buffer;
    p->out.body_size = in ? actual : 0;
    if (!in && has(s, UW_HABIT_OUT_LENGTH_0))
        pdu.length = 0;
    if (request->iso_count && !iso_reply(s, p, &pdu, in)) {
        s->closing = 1;
        free_pending(s, p);
        return;
    }
    uw_encode_pdu(p->out.head, &pdu);
    p->out.head_size = UW_PDU_SIZE;
    queue(s, &p->out);
}

void
uw_session_forget(struct uw_session *s, struct uw_request *request)
{
    struct pending *p = UW_CONTAINER(request, struct pending, r);

    drop(s, p);
    free_pending(s, p);
}

static int
reply_unlink(struct uw_session *s, const struct uw_pdu *of, int32_t status)
{
    struct uw_pdu pdu = {.command = UW_RET_UNLINK, .seqnum = of->seqnum, .status = status};
    struct out *o = new_out(0);

    if (!o)
        return UW_ERROR_NO_MEMORY;
    fill_header(s, of, &pdu);
    uw_encode_pdu(o->head, &pdu);
    o->head_size = UW_PDU_SIZE;
    queue(s, o);
    return 0;
}

static int
got_unlink(struct uw_session *s, const struct uw_pdu *pdu)
{
    struct pending *p = find(s, pdu->target);
    int32_t status = 0;

    if (pdu->devid != s->devid && !has(s, UW_HABIT_ANY_DEVID | UW_HABIT_DEVID_GONE))
        return UW_ERROR_PROTOCOL;
    if (has(s, UW_HABIT_UNLINK_USELESS))
        return has(s, UW_HABIT_UNLINK_SILENT) ? 0 : reply_unlink(s, pdu, 0);
    if (p && (!s->cb.unlink || s->cb.unlink(s->cb.data, &p->r))) {
        status = STATUS_RESET;
        if (has(s, UW_HABIT_UNLINK_SILENT)) {
            uw_session_reply(s, &p->r, s->habits.unlinked, 0);
            return 0;
        }
        if (has(s, UW_HABIT_UNLINK_EARLY)) {
            int r = reply_unlink(s, pdu, 0);

            uw_session_reply(s, &p->r, s->habits.unlinked, 0);
            return r;
        }
        if (has(s, UW_HABIT_UNLINK_LOSES))
            status = 0;
        drop(s, p);
        free_pending(s, p);
    } else if (has(s, UW_HABIT_UNLINK_SILENT)) {
        return 0;
    }
    if (has(s, UW_HABIT_UNLINK_EPERM))
        status = STATUS_EPERM;
    return reply_unlink(s, pdu, status);
}

static int
check_submit(const struct uw_session *s, const struct uw_pdu *pdu)
{
    if (pdu->length < 0 || (uint32_t)pdu->length > BYTES_MAX || s->count >= REQUESTS_MAX ||
        (size_t)pdu->length > BYTES_MAX - s->bytes)
        return UW_ERROR_LIMIT;
    /* -1 stands for "not isochronous" too. */
    if (pdu->packets < -1 || pdu->packets > (int32_t)ISO_PACKETS_MAX || pdu->ep > 15 ||
        pdu->direction > 1)
        return UW_ERROR_PROTOCOL;
    if (has(s, UW_HABIT_PACKETS_0) && pdu->packets != 0)
        return UW_ERROR_PROTOCOL;
    if (pdu->devid != s->devid && !has(s, UW_HABIT_ANY_DEVID | UW_HABIT_DEVID_GONE))
        return UW_ERROR_PROTOCOL;
    return 0;
}

static struct pending *
new_pending(struct uw_session *s, const struct uw_pdu *pdu)
{
    struct pending *p = calloc(1, sizeof(*p));
    uint32_t n = pdu->packets > 0 ? (uint32_t)pdu->packets : 0;

    if (!p)
        return NULL;
    p->pdu = *pdu;
    uw_list_init(&p->r.link);
    uw_list_init(&p->out.link);
    p->r.seqnum = pdu->seqnum;
    p->r.endpoint = (uint8_t)(pdu->ep | (pdu->direction ? 0x80u : 0u));
    memcpy(p->r.setup, pdu->setup, sizeof(p->r.setup));
    p->r.flags = pdu->flags;
    p->r.interval = pdu->interval;
    p->r.start_frame = pdu->start_frame;
    p->r.length = (uint32_t)pdu->length;
    p->r.iso_count = n;
    p->r.buffer = calloc(1, (size_t)p->r.length + UW_REQUEST_SLACK);
    if (n)
        p->r.iso = calloc(n, sizeof(*p->r.iso));
    p->buffer_size = p->r.length;
    s->bytes += p->buffer_size;
    if (!p->r.buffer || (n && !p->r.iso)) {
        free_pending(s, p);
        return NULL;
    }
    return p;
}

static int
hand_over(struct uw_session *s)
{
    struct pending *p = s->reading;

    s->reading = NULL;
    s->state = SESSION_PDU;
    uw_framer_start(&s->framer, s->head, UW_PDU_SIZE);
    uw_list_insert(&s->requests, &p->in_session);
    s->count++;
    if (p->pdu.devid != s->devid && has(s, UW_HABIT_DEVID_GONE))
        uw_session_reply(s, &p->r, STATUS_NODEV, 0);
    else if (p->table_unread)
        uw_session_reply(s, &p->r, STATUS_NO_ISO, 0);
    else if (s->habits.max_requests && s->count > s->habits.max_requests)
        uw_session_reply(s, &p->r, s->habits.too_many, 0);
    else if (s->habits.max_transfer && s->habits.too_large && p->r.length > s->habits.max_transfer)
        uw_session_reply(s, &p->r, s->habits.too_large, 0);
    else
        s->cb.submit(s->cb.data, &p->r);
    return 0;
}

static int
got_payload(struct uw_session *s)
{
    struct pending *p = s->reading;

    if (has(s, UW_HABIT_TABLE_UNREAD) && p->r.iso_count) {
        p->table_unread = 1;
        p->r.iso_count = 0;
    }
    if (!p->r.iso_count)
        return hand_over(s);
    s->table = malloc((size_t)p->r.iso_count * UW_ISO_SIZE);
    if (!s->table)
        return UW_ERROR_NO_MEMORY;
    s->state = SESSION_TABLE;
    uw_framer_start(&s->framer, s->table, (size_t)p->r.iso_count * UW_ISO_SIZE);
    return 0;
}

static int
got_table(struct uw_session *s)
{
    struct uw_request *r = &s->reading->r;

    uw_decode_iso(s->table, r->iso, r->iso_count);
    free(s->table);
    s->table = NULL;
    for (uint32_t i = 0; i < r->iso_count; i++) {
        if ((uint64_t)r->iso[i].offset + r->iso[i].length > r->length)
            return UW_ERROR_PROTOCOL;
        r->iso[i].actual = 0;
        r->iso[i].status = 0;
    }
    return hand_over(s);
}

static int
got_submit(struct uw_session *s, struct uw_pdu *pdu)
{
    int r = check_submit(s, pdu);
    size_t payload;

    if (r < 0)
        return r;
    if (has(s, UW_HABIT_STRICT_SEQNUM) && find(s, pdu->seqnum))
        return UW_ERROR_PROTOCOL;
    /* A server that clamps without reading the rest takes the rest for the next header. */
    if (s->habits.max_transfer && !s->habits.too_large &&
        (uint32_t)pdu->length > s->habits.max_transfer)
        pdu->length = (int32_t)s->habits.max_transfer;
    s->reading = new_pending(s, pdu);
    if (!s->reading)
        return UW_ERROR_NO_MEMORY;
    payload = pdu->direction == UW_DIR_OUT ? s->reading->r.length : 0;
    s->state = SESSION_PAYLOAD;
    uw_framer_start(&s->framer, s->reading->r.buffer, payload);
    return 0;
}

static int
got_pdu(struct uw_session *s)
{
    struct uw_pdu pdu;

    if (uw_decode_pdu(s->head, &pdu) < 0)
        return UW_ERROR_PROTOCOL;
    uw_framer_start(&s->framer, s->head, UW_PDU_SIZE);
    if (pdu.command == UW_CMD_SUBMIT)
        return got_submit(s, &pdu);
    if (pdu.command == UW_CMD_UNLINK)
        return got_unlink(s, &pdu);
    return UW_ERROR_PROTOCOL;
}

static int (*const got[])(struct uw_session *) = {
    [SESSION_OP_HEADER] = got_op,    [SESSION_OP_BUSID] = got_busid, [SESSION_PDU] = got_pdu,
    [SESSION_PAYLOAD] = got_payload, [SESSION_TABLE] = got_table,
};

static int
end_at(struct uw_session *s, int r)
{
    if (r < 0) {
        s->state = SESSION_CLOSING;
        s->closing = 1;
    }
    return r;
}

static int
take(struct uw_session *s, const uint8_t **bytes, size_t *size)
{
    int r = 0;

    while (r == 0 && s->state != SESSION_CLOSING && !is_paused(s) &&
           uw_framer_take(&s->framer, bytes, size))
        r = got[s->state](s);
    return end_at(s, r);
}

static int
is_between(const struct uw_session *s)
{
    return s->state == SESSION_OP_HEADER || s->state == SESSION_PDU || s->state == SESSION_CLOSING;
}

/* What came of a message is forgotten. */
static void
start_over(struct uw_session *s)
{
    if (s->reading)
        free_pending(s, s->reading);
    free(s->table);
    s->reading = NULL;
    s->table = NULL;
    s->state = s->imported ? SESSION_PDU : SESSION_OP_HEADER;
    uw_framer_start(&s->framer, s->head, s->imported ? UW_PDU_SIZE : UW_OP_HEADER_SIZE);
}

/* A server without reassembly takes what one receive call returns for one message. */
static int
take_segment(struct uw_session *s, const uint8_t *bytes, size_t size)
{
    int r = 0, whole = s->state == SESSION_CLOSING;

    while (r == 0 && !whole && uw_framer_take(&s->framer, &bytes, &size)) {
        r = got[s->state](s);
        whole = is_between(s);
    }
    if (r == 0 && !whole)
        start_over(s);
    return end_at(s, r);
}

static int
put_aside(struct uw_session *s, const uint8_t *bytes, size_t size)
{
    uint8_t *larger = realloc(s->stash, s->stashed + size);

    if (!larger)
        return UW_ERROR_NO_MEMORY;
    memcpy(larger + s->stashed, bytes, size);
    s->stash = larger;
    s->stashed += size;
    return 0;
}

int
uw_session_feed(struct uw_session *s, const uint8_t *bytes, size_t size)
{
    int r;

    if (has(s, UW_HABIT_ONE_A_SEGMENT))
        return take_segment(s, bytes, size);
    r = s->stashed ? 0 : take(s, &bytes, &size);

    if (r == 0 && size && s->state != SESSION_CLOSING)
        r = put_aside(s, bytes, size);
    return r;
}

int
uw_session_resume(struct uw_session *s)
{
    uint8_t *stash = s->stash;
    const uint8_t *at = stash;
    size_t left = s->stashed;
    int r;

    if (!left || is_paused(s) || s->state == SESSION_CLOSING)
        return 0;
    s->stash = NULL;
    s->stashed = 0;
    r = take(s, &at, &left);
    if (r == 0 && left && s->state != SESSION_CLOSING)
        r = put_aside(s, at, left);
    free(stash);
    return r;
}
