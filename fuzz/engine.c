/*
 * engine.c - the engine as a script: transfers, cancels, a server that answers in any order or not
 * at all or with nonsense, time, and pieces of any size
 *
 * Each input runs three times - answers as the script cuts them, byte by byte, and read straight
 * into what the engine lends - and ends the same each time. Every transfer is handed back once and
 * in time, and not touched afterwards (it is freed); streams arrive in order and whole unless
 * something was taken back; what is sent is what was given; the tap sees every URB begin and end.
 */
#include <string.h>

#include <usbwire/error.h>
#include <usbwire/urb.h>

#include "engine/engine.h"
#include "fuzz.h"
#include "wire/cmd.h"

#define JOBS_MAX     48
#define MESSAGES_MAX 192
#define STREAM_MAX   65536
#define TEXT_MAX     8192
#define IDS_MAX      256
#define MAX_PACKET   16u

enum way { WHOLE, BYTES, DIRECT, WAYS };

struct input {
    const uint8_t *p;
    size_t left;
};

struct job {
    struct uw_xfer x;
    int taken, done;
    struct uw_usec ends; /* by then it is handed back */
};

struct message {
    struct uw_pdu pdu;
    int answered;
};

struct rig {
    struct input in;
    enum way way;
    struct uw_engine *engine;
    struct uw_seq seq;
    struct uw_tap_source source;
    struct uw_usec now;
    int tapped, over;
    struct job jobs[JOBS_MAX];
    unsigned count;
    struct message sent[MESSAGES_MAX];
    unsigned messages;
    uint8_t raw[STREAM_MAX]; /* a message that is not wholly sent */
    size_t raw_size;
    uint8_t stream[STREAM_MAX]; /* answers that are not delivered yet */
    size_t stream_size;
    uint32_t given[16], got[16]; /* bytes of an IN endpoint's stream */
    int lossy[16];
    uint64_t last_ok[16];
    uint64_t ids[IDS_MAX];
    unsigned id_count, begun[IDS_MAX], ended[IDS_MAX];
    char text[TEXT_MAX];
    size_t text_size;
};

static uint8_t
next(struct rig *r)
{
    if (!r->in.left)
        return 0;
    r->in.left--;
    return *r->in.p++;
}

static uint8_t
stream_byte(uint32_t n)
{
    return (uint8_t)(n * 31u + (n >> 8));
}

static void
tapped(void *data, const struct uw_tap_event *ev)
{
    struct rig *r = (struct rig *)data;
    unsigned i = 0;

    if (ev->kind != UW_TAP_SUBMIT && ev->kind != UW_TAP_COMPLETE)
        return;
    while (i < r->id_count && r->ids[i] != ev->id)
        i++;
    if (i == IDS_MAX || (i == r->id_count && ev->kind == UW_TAP_COMPLETE))
        return; /* of something nobody asked for */
    if (i == r->id_count) {
        r->ids[r->id_count++] = ev->id;
        r->begun[i] = r->ended[i] = 0;
    }
    if (ev->kind == UW_TAP_SUBMIT)
        r->begun[i]++;
    else if (!r->ended[i]++)
        FUZZ_CHECK(r->begun[i] == 1);
    for (int k = 0; k < ev->data_count; k++) { /* readable */
        const uint8_t *p = (const uint8_t *)ev->data[k].iov_base;
        volatile uint8_t sum = 0;

        for (size_t n = 0; n < ev->data[k].iov_len; n++)
            sum = (uint8_t)(sum + p[n]);
    }
}

/* ---- what comes back ---- */

static int
is_stream(const struct uw_xfer *x)
{
    return (x->endpoint & 0x80) && (x->type == UW_BULK || x->type == UW_INTERRUPT);
}

static void
check_stream(struct rig *r, const struct job *j)
{
    unsigned ep = j->x.endpoint & 0x0fu;

    if (j->x.status == UW_ERROR_OVERFLOW || j->x.status == UW_ERROR_NO_MEMORY ||
        j->x.status == UW_ERROR_LIMIT)
        r->lossy[ep] = 1;
    if (j->x.status == UW_OK)
        for (size_t i = j->x.actual; i < j->x.length; i++)
            FUZZ_CHECK(j->x.buffer[i] == 0xee);
    if (r->lossy[ep])
        return;
    for (size_t i = 0; i < j->x.actual; i++)
        FUZZ_CHECK(j->x.buffer[i] == stream_byte(r->got[ep] + (uint32_t)i));
    r->got[ep] += (uint32_t)j->x.actual;
    FUZZ_CHECK(r->got[ep] <= r->given[ep]);
    if (j->x.status == UW_OK) {
        FUZZ_CHECK(j->x.ticket > r->last_ok[ep]);
        r->last_ok[ep] = j->x.ticket;
    }
}

static void
collect(struct rig *r)
{
    struct uw_xfer *x;

    while ((x = uw_engine_completed(r->engine))) {
        struct job *j = (struct job *)(void *)x;
        unsigned sum = 0;

        FUZZ_CHECK(j->taken && !j->done && x->actual <= x->length);
        j->done = 1;
        if (is_stream(x))
            check_stream(r, j);
        for (size_t i = 0; (x->endpoint & 0x80) && i < x->length; i++)
            sum = sum * 33 + x->buffer[i];
        for (uint32_t i = 0; i < x->iso_count; i++)
            sum = sum * 33 + x->iso[i].actual + (unsigned)x->iso[i].status;
        if (r->text_size + 96 < TEXT_MAX)
            r->text_size += (size_t)snprintf(r->text + r->text_size, TEXT_MAX - r->text_size,
                                             "%td %d %d %zu %x\n", j - r->jobs, x->status,
                                             x->raw_status, x->actual, sum);
        free(x->buffer);
        free(x->iso);
        x->buffer = NULL;
        x->iso = NULL;
    }
}

static void
end(struct rig *r, int error)
{
    r->over = 1;
    uw_engine_abort(r->engine, error, r->now);
    collect(r);
}

/* ---- what is sent ---- */

/* Bytes of a whole message at the front of what was sent; 0: not all of it is there. */
static size_t
whole_message(const struct rig *r, struct uw_pdu *pdu)
{
    size_t size = UW_PDU_SIZE;

    if (r->raw_size < UW_PDU_SIZE)
        return 0;
    FUZZ_CHECK(uw_decode_pdu(r->raw, pdu) == 0);
    FUZZ_CHECK(pdu->command == UW_CMD_SUBMIT || pdu->command == UW_CMD_UNLINK);
    if (pdu->command == UW_CMD_SUBMIT) {
        FUZZ_CHECK(pdu->length >= 0 && pdu->packets >= 0);
        if (pdu->direction == UW_DIR_OUT)
            size += (size_t)pdu->length;
        size += (size_t)pdu->packets * UW_ISO_SIZE;
    }
    return size <= r->raw_size ? size : 0;
}

static void
was_sent(struct rig *r, const struct uw_pdu *pdu)
{
    if (pdu->command == UW_CMD_UNLINK) {
        for (unsigned i = 0; i < r->messages; i++)
            if (r->sent[i].pdu.seqnum == pdu->target)
                r->lossy[r->sent[i].pdu.ep & 0x0fu] = 1;
    } else if (pdu->direction == UW_DIR_OUT) {
        for (int32_t i = 1; i < pdu->length; i++)
            FUZZ_CHECK(r->raw[UW_PDU_SIZE + i] == (uint8_t)(r->raw[UW_PDU_SIZE + i - 1] + 1));
    }
    FUZZ_CHECK(pdu->devid == 0x10002);
    if (r->messages < MESSAGES_MAX)
        r->sent[r->messages++] = (struct message){.pdu = *pdu};
}

static void
send_bytes(struct rig *r, size_t most)
{
    struct iovec iov[7];
    int n;

    while (most && (n = uw_engine_tx(r->engine, iov, 7, r->now)) > 0) {
        struct uw_pdu pdu;
        size_t took = 0, whole;

        for (int i = 0; i < n; i++) {
            size_t want = iov[i].iov_len < most ? iov[i].iov_len : most;

            FUZZ_CHECK(r->raw_size + want <= STREAM_MAX);
            memcpy(r->raw + r->raw_size, iov[i].iov_base, want);
            r->raw_size += want;
            took += want;
            most -= want;
        }
        uw_engine_tx_done(r->engine, took);
        while ((whole = whole_message(r, &pdu))) {
            was_sent(r, &pdu);
            r->raw_size -= whole;
            memmove(r->raw, r->raw + whole, r->raw_size);
        }
    }
}

/* ---- what is answered ---- */

static void
append(struct rig *r, const void *bytes, size_t size)
{
    if (r->stream_size + size > STREAM_MAX)
        return;
    memcpy(r->stream + r->stream_size, bytes, size);
    r->stream_size += size;
}

/* A message to be answered: one of the oldest that are open. */
static struct message *
pick(struct rig *r, uint32_t command, unsigned which)
{
    for (unsigned i = 0; i < r->messages; i++) {
        struct message *m = &r->sent[i];

        if (m->pdu.command == command && !m->answered && which-- % 4 == 0)
            return m;
    }
    return NULL;
}

static void
answer_iso(struct rig *r, const struct message *m, struct uw_pdu *pdu)
{
    struct uw_iso_packet packets[8] = {{0}};
    uint8_t table[8 * UW_ISO_SIZE], header[UW_PDU_SIZE], payload[256] = {0};
    uint8_t how = next(r);

    pdu->packets = m->pdu.packets;
    pdu->length = 0;
    for (int32_t i = 0; i < m->pdu.packets && i < 8; i++) {
        packets[i].actual = (how >> i & 1) ? MAX_PACKET : how & 7u;
        pdu->length += (int32_t)packets[i].actual;
    }
    uw_encode_pdu(header, pdu);
    uw_encode_iso(table, packets, (uint32_t)m->pdu.packets);
    append(r, header, sizeof(header));
    if (m->pdu.direction == UW_DIR_IN)
        append(r, payload, (size_t)pdu->length);
    append(r, table, (size_t)m->pdu.packets * UW_ISO_SIZE);
}

static void
answer(struct rig *r, int honest)
{
    static const int32_t statuses[] = {0,    0,   -32,  -75, -104, -121, -110,
                                       -116, -19, -108, 1,   -90,  -122, (int32_t)0x9effffff};
    struct message *m = pick(r, UW_CMD_SUBMIT, next(r));
    struct uw_pdu pdu = {.command = UW_RET_SUBMIT, .direction = next(r), .ep = 99};
    uint8_t bytes[UW_PDU_SIZE], how = next(r);
    unsigned ep;

    if (!m)
        return;
    m->answered = honest || (how & 1);
    ep = m->pdu.ep & 0x0fu;
    pdu.seqnum = m->pdu.seqnum;
    if (!honest) {
        pdu.status = statuses[how % (sizeof(statuses) / sizeof(statuses[0]))];
        r->lossy[ep] = 1;
    }
    if (m->pdu.packets > 0) {
        answer_iso(r, m, &pdu);
        return;
    }
    pdu.length = how & 0x80 ? m->pdu.length : m->pdu.length * (how & 0x7f) / 128;
    if (!honest && how % 5 == 0)
        pdu.length = m->pdu.length + how;
    uw_encode_pdu(bytes, &pdu);
    if (r->stream_size + sizeof(bytes) + (size_t)pdu.length > STREAM_MAX) {
        r->lossy[ep] = 1;
        return;
    }
    append(r, bytes, sizeof(bytes));
    if (m->pdu.direction == UW_DIR_IN)
        for (int32_t i = 0; i < pdu.length; i++) {
            uint8_t byte = stream_byte(r->given[ep]++);

            append(r, &byte, 1);
        }
}

static void
answer_unlink(struct rig *r)
{
    static const int32_t statuses[] = {-104, 0, -2, -1, -32};
    struct message *m = pick(r, UW_CMD_UNLINK, next(r));
    struct uw_pdu pdu = {.command = UW_RET_UNLINK};
    uint8_t bytes[UW_PDU_SIZE];

    if (!m)
        return;
    m->answered = 1;
    pdu.seqnum = m->pdu.seqnum;
    pdu.status = statuses[next(r) % 5];
    uw_encode_pdu(bytes, &pdu);
    append(r, bytes, sizeof(bytes));
}

static void
feed_in_its_way(struct rig *r, const uint8_t *bytes, size_t size)
{
    int status = 0;

    while (size && status == 0) {
        struct iovec lent;
        size_t n = r->way == WHOLE ? size : 1;

        if (r->way == DIRECT && uw_engine_rx_target(r->engine, &lent)) {
            n = lent.iov_len < size ? lent.iov_len : size;
            memcpy(lent.iov_base, bytes, n);
            status = uw_engine_rx_done(r->engine, n, r->now);
        } else {
            uint8_t *exact = malloc(n);

            FUZZ_CHECK(exact);
            memcpy(exact, bytes, n);
            status = uw_engine_feed(r->engine, exact, n, r->now);
            free(exact);
        }
        bytes += n;
        size -= n;
    }
    collect(r);
    if (status < 0)
        end(r, status);
}

static void
deliver(struct rig *r, size_t most)
{
    size_t n = most < r->stream_size ? most : r->stream_size;

    feed_in_its_way(r, r->stream, n);
    r->stream_size -= n;
    memmove(r->stream, r->stream + n, r->stream_size);
}

/* ---- what callers do ---- */

static void
submit(struct rig *r, uint8_t endpoint, enum uw_transfer_type type, size_t length)
{
    static const uint32_t timeouts[] = {0, 1000, 7000, 100000};
    struct job *j = &r->jobs[r->count];
    uint8_t how = next(r);

    if (r->count == JOBS_MAX || r->messages == MESSAGES_MAX)
        return;
    r->count++;
    j->x.endpoint = endpoint;
    j->x.type = (uint8_t)type;
    j->x.max_packet = MAX_PACKET;
    j->x.interval = type == UW_INTERRUPT || type == UW_ISOCHRONOUS;
    j->x.length = length;
    j->x.buffer = length ? malloc(length) : NULL;
    for (size_t i = 0; i < length; i++)
        j->x.buffer[i] = endpoint & 0x80 ? 0xee : (uint8_t)(r->count * 37u + i);
    j->x.deadline = how & 3 ? uw_usec_add(r->now, uw_usec(timeouts[how & 3])) : uw_never();
    j->ends = uw_usec_add(j->x.deadline, uw_usec(UW_UNLINK_GRACE_US));
    if (how & 4)
        j->x.flags = endpoint & 0x80 ? UW_URB_SHORT_NOT_OK : UW_URB_ZERO_PACKET;
    if (type == UW_CONTROL) {
        j->x.setup[0] = endpoint;
        if (how & 8) { /* CLEAR_FEATURE(ENDPOINT_HALT) */
            j->x.setup[0] = 2;
            j->x.setup[1] = 1;
            j->x.setup[4] = (how >> 4 & 1) ? 0x82 : 0x02;
        }
    }
    if (type == UW_ISOCHRONOUS) {
        j->x.iso_count = (uint32_t)(length / MAX_PACKET);
        j->x.iso = calloc(j->x.iso_count ? j->x.iso_count : 1, sizeof(*j->x.iso));
        FUZZ_CHECK(j->x.iso);
        for (uint32_t i = 0; i < j->x.iso_count; i++) {
            j->x.iso[i].offset = i * MAX_PACKET;
            j->x.iso[i].length = MAX_PACKET;
        }
    }
    j->taken = 1;
    if (uw_engine_submit(r->engine, &j->x, r->now) < 0) {
        j->taken = 0;
        free(j->x.buffer);
        free(j->x.iso);
    }
    collect(r);
}

static void
cancel(struct rig *r)
{
    struct job *j = r->count ? &r->jobs[next(r) % r->count] : NULL;
    unsigned ep;

    if (!j || !j->taken || j->done)
        return;
    ep = j->x.endpoint & 0x0fu;
    r->lossy[ep] = 1;
    if (uw_engine_cancel(r->engine, &j->x, r->now) == 0)
        j->ends = uw_usec_add(r->now, uw_usec(UW_UNLINK_PATIENCE_US));
    collect(r);
}

static void
flush(struct rig *r, int all)
{
    uint32_t one = all ? 0 : next(r) & 3u;

    for (unsigned i = 0; i < r->count; i++)
        if (r->jobs[i].taken && !r->jobs[i].done)
            r->jobs[i].ends = uw_usec_add(uw_usec_min(r->jobs[i].ends, r->now),
                                          uw_usec(2 * UW_UNLINK_PATIENCE_US));
    for (unsigned i = 0; i < 16; i++)
        r->lossy[i] = 1;
    one = all ? 0 : 1u << (one | (next(r) & 1 && one ? 16u : 0u));
    uw_engine_flush(r->engine, all ? UW_ALL_ENDPOINTS : one, r->now);
    collect(r);
}

/* Time goes by as a loop lets it: it wakes up whenever something is due. */
static void
wait(struct rig *r, uint64_t us)
{
    struct uw_usec until = uw_usec_add(r->now, uw_usec(us));
    unsigned rounds = 0;

    while (!r->over) {
        struct uw_usec due = uw_usec_min(uw_engine_deadline(r->engine), until);

        if (due.us > r->now.us)
            r->now = due;
        uw_engine_expire(r->engine, r->now);
        collect(r);
        FUZZ_CHECK(++rounds < 10000);
        if (r->now.us >= until.us && uw_engine_deadline(r->engine).us > until.us)
            break;
    }
    for (unsigned i = 0; i < r->count; i++)
        if (r->jobs[i].taken && !r->jobs[i].done && !uw_is_never(r->jobs[i].x.deadline))
            FUZZ_CHECK(r->now.us <= r->jobs[i].ends.us);
}

static void
garbage(struct rig *r)
{
    uint8_t bytes[16], n = next(r) & 15;

    for (unsigned i = 0; i < n; i++)
        bytes[i] = next(r);
    append(r, bytes, n);
    for (unsigned i = 0; i < 16; i++)
        r->lossy[i] = 1;
}

static void
run_step(struct rig *r)
{
    uint8_t op = next(r), n;

    switch (op & 15) {
    case 0:
    case 1: submit(r, (op & 16) ? 0x82 : 0x81, (op & 32) ? UW_INTERRUPT : UW_BULK, next(r)); break;
    case 2: submit(r, (op & 16) ? 0x02 : 0x01, UW_BULK, next(r) * ((op & 32) ? 16u : 1u)); break;
    case 3:
        n = next(r);
        submit(r, n && (op & 16) ? 0x80 : 0, UW_CONTROL, n);
        break;
    case 4: submit(r, (op & 16) ? 0x83 : 0x03, UW_ISOCHRONOUS, (op >> 5) * MAX_PACKET); break;
    case 5: cancel(r); break;
    case 6: flush(r, (op & 0xf0) == 0xf0); break;
    case 7: send_bytes(r, next(r)); break;
    case 8: send_bytes(r, SIZE_MAX); break;
    case 9: answer(r, 1); break;
    case 10: answer(r, 0); break;
    case 11: answer_unlink(r); break;
    case 12: deliver(r, next(r)); break;
    case 13: deliver(r, SIZE_MAX); break;
    case 14: wait(r, (uint64_t)next(r) * ((op & 16) ? 10000u : 250u)); break;
    default:
        if (op == 0xff)
            garbage(r);
        else if (op == 0xef)
            uw_engine_close(r->engine, r->now);
    }
    collect(r);
}

static void
run(struct rig *r)
{
    static const char *const profiles[] = {"linux",     "esp-bridge", "esp-virtual", "pyusbip",
                                           "windows",   "jiegec",     "hq",          "p4",
                                           "usbipdcpp", "poc",        "esp-bridge-8"};
    struct uw_engine_params params = {
        .devid = 0x10002, .name = "1-1", .seq = &r->seq, .limits.max_iso_packets = 3};
    struct uw_engine_stats stats;
    uint8_t first = next(r);

    r->now = uw_usec(1000000);
    r->source = (struct uw_tap_source){.connection = 1, .host = "fuzz", .busid = "1-1"};
    uw_seq_init(&r->seq, 1000);
    params.profile = uw_profile_by_name(profiles[first % 11]);
    params.source = &r->source;
    if (first & 0x80) {
        params.tap = tapped;
        params.tap_data = r;
    }
    if (first & 0x40) {
        params.limits.max_parked = 100; /* reads beyond that are taken back, with their data */
        memset(r->lossy, 1, sizeof(r->lossy));
    }
    if (first & 0x20)
        params.limits.max_in_flight = 2;
    FUZZ_CHECK(uw_engine_new(&params, &r->engine) == 0);
    while (r->in.left && !r->over) {
        run_step(r);
        if (!r->over && uw_engine_status(r->engine) < 0) {
            send_bytes(r, SIZE_MAX);
            end(r, uw_engine_status(r->engine));
        }
    }
    if (!r->over)
        end(r, UW_ERROR_CONNECTION_LOST);
    uw_engine_stats(r->engine, &stats);
    FUZZ_CHECK(stats.in_flight == 0 && stats.tombstones == 0 && stats.parked == 0);
    for (unsigned i = 0; i < r->count; i++)
        FUZZ_CHECK(r->jobs[i].taken == r->jobs[i].done);
    for (unsigned i = 0; i < r->id_count; i++)
        FUZZ_CHECK(r->begun[i] == 1 && r->ended[i] >= 1);
    uw_engine_free(r->engine);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct rig rigs[WAYS];

    if (size > 4096)
        return 0;
    for (unsigned way = 0; way < WAYS; way++) {
        struct rig *r = &rigs[way];

        memset(r, 0, sizeof(*r));
        r->way = (enum way)way;
        r->in = (struct input){bytes, size};
        run(r);
        if (strcmp(r->text, rigs[0].text) != 0) {
            fprintf(stderr, "whole:\n%sway %u:\n%s", rigs[0].text, way, r->text);
            abort();
        }
    }
    return 0;
}
