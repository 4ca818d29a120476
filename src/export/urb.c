/*
 * urb.c - CMD_SUBMIT and CMD_UNLINK, and their answers
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/error.h>

#include "export/internal.h"

#define REQUESTS_MAX    4096u
#define REQUEST_MAX     (64u * 1024u * 1024u)  /* bytes of one */
#define BYTES_MAX       (128u * 1024u * 1024u) /* of all of a session */
#define ISO_PACKETS_MAX 1024u

#define STATUS_RESET  (-104)
#define STATUS_EPERM  (-1)
#define STATUS_NO_MEM (-12)
#define STATUS_NODEV  (-19)
#define STATUS_NO_ISO (-95)

void
export_free_request(struct uw_session *s, struct pending *p)
{
    s->bytes -= p->size;
    if (s->cb.budget)
        s->cb.budget->used -= p->size;
    free(p->r.buffer);
    free(p->r.iso);
    free(p->table);
    free(p);
}

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

static int
reply_unlink(struct uw_session *s, const struct uw_pdu *of, int32_t status)
{
    struct uw_pdu pdu = {.command = UW_RET_UNLINK, .seqnum = of->seqnum, .status = status};
    struct out *o = export_new_out(0);

    if (!o)
        return UW_ERROR_NO_MEMORY;
    fill_header(s, of, &pdu);
    uw_encode_pdu(o->head, &pdu);
    o->head_size = UW_PDU_SIZE;
    export_queue(s, o);
    return 0;
}

static void
reply_unlink_or_close(struct uw_session *s, const struct uw_pdu *of, int32_t status)
{
    if (reply_unlink(s, of, status) < 0)
        s->closing = 1;
}

void
uw_session_reply(struct uw_session *s, struct uw_request *request, int32_t status, uint32_t actual)
{
    struct pending *p = UW_CONTAINER(request, struct pending, r);
    int in = request->endpoint & 0x80 ? 1 : 0;
    struct uw_pdu pdu = {.command = UW_RET_SUBMIT, .seqnum = request->seqnum, .status = status};

    drop(s, p);
    if (p->unlinking && status == STATUS_RESET) {
        reply_unlink_or_close(s, &p->unlink, STATUS_RESET);
        export_free_request(s, p);
        return;
    }
    fill_header(s, &p->pdu, &pdu);
    pdu.length = (int32_t)actual;
    p->out.body = request->buffer;
    p->out.body_size = in ? actual : 0;
    if (!in && has(s, UW_HABIT_OUT_LENGTH_0))
        pdu.length = 0;
    if (request->iso_count && !iso_reply(s, p, &pdu, in)) {
        s->closing = 1;
        export_free_request(s, p);
        return;
    }
    uw_encode_pdu(p->out.head, &pdu);
    p->out.head_size = UW_PDU_SIZE;
    export_queue(s, &p->out);
    if (p->unlinking)
        reply_unlink_or_close(s, &p->unlink, 0);
}

void
uw_session_forget(struct uw_session *s, struct uw_request *request)
{
    struct pending *p = UW_CONTAINER(request, struct pending, r);

    drop(s, p);
    export_free_request(s, p);
}

static int
got_unlink(struct uw_session *s, const struct uw_pdu *pdu)
{
    struct pending *p = find(s, pdu->target);
    int verdict = UW_UNLINK_DONE;
    int32_t status = 0;

    if (pdu->devid != s->devid && !has(s, UW_HABIT_ANY_DEVID | UW_HABIT_DEVID_GONE))
        return UW_ERROR_PROTOCOL;
    if (has(s, UW_HABIT_UNLINK_USELESS))
        return has(s, UW_HABIT_UNLINK_SILENT) ? 0 : reply_unlink(s, pdu, 0);
    if (p && s->cb.unlink)
        verdict = s->cb.unlink(s->cb.data, &p->r);
    if (p && verdict == UW_UNLINK_BEGUN) {
        p->unlink = *pdu;
        p->unlinking = 1;
        return 0;
    }
    if (p && verdict == UW_UNLINK_DONE) {
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
        export_free_request(s, p);
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
    if (pdu->length < 0 || (uint32_t)pdu->length > REQUEST_MAX)
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

/* Closing would take the requests with it that are under way; who sent this one can do with less.
 */
static int
is_room(const struct uw_session *s, size_t size)
{
    const struct uw_budget *b = s->cb.budget;

    return s->count < REQUESTS_MAX && size <= BYTES_MAX - s->bytes &&
           (!b || (b->used <= b->max && size <= b->max - b->used));
}

/* What an OUT brings fills its buffer; of an IN, whoever offers the device may answer more than it
 * wrote. */
static int
add_buffer(struct uw_session *s, struct pending *p)
{
    size_t room = (size_t)p->r.length + UW_REQUEST_SLACK;
    size_t size = p->r.length + p->r.iso_count * sizeof(*p->r.iso);

    if (!is_room(s, size)) {
        p->refused = 1;
        return 0;
    }
    p->r.buffer = p->r.endpoint & 0x80 ? calloc(1, room) : malloc(room);
    if (!p->r.buffer)
        return UW_ERROR_NO_MEMORY;
    p->size = size;
    s->bytes += size;
    if (s->cb.budget)
        s->cb.budget->used += size;
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
    if (n)
        p->r.iso = calloc(n, sizeof(*p->r.iso));
    if ((n && !p->r.iso) || add_buffer(s, p) < 0) {
        export_free_request(s, p);
        return NULL;
    }
    return p;
}

/* What it was told of packets is of no use any more. */
static void
refuse(struct uw_session *s, struct pending *p)
{
    free(p->r.iso);
    p->r.iso = NULL;
    p->r.iso_count = 0;
    p->pdu.packets = 0;
    uw_session_reply(s, &p->r, STATUS_NO_MEM, 0);
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
    if (p->refused)
        refuse(s, p);
    else if (p->pdu.devid != s->devid && has(s, UW_HABIT_DEVID_GONE))
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

int
export_got_payload(struct uw_session *s)
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

int
export_got_table(struct uw_session *s)
{
    struct uw_request *r = &s->reading->r;
    uint32_t end = 0;

    uw_decode_iso(s->table, r->iso, r->iso_count);
    free(s->table);
    s->table = NULL;
    /* Behind one another: if they overlapped, their answers could be more than the buffer holds. */
    for (uint32_t i = 0; i < r->iso_count; i++) {
        if (r->iso[i].offset < end || (uint64_t)r->iso[i].offset + r->iso[i].length > r->length)
            return UW_ERROR_PROTOCOL;
        end = r->iso[i].offset + r->iso[i].length;
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

int
export_got_pdu(struct uw_session *s)
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
