/*
 * peer.c - the server's end of an engine's connection, in memory
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/urb.h>

#include "base/bytes.h"
#include "support/peer.h"

/* Memory of the test's own, which the failing allocator leaves alone. Zeroed. */
static void *
own_alloc(size_t size)
{
    void *p = NULL;

    if (posix_memalign(&p, 16, size ? size : 1) != 0)
        fail_msg("out of memory");
    memset(p, 0, size);
    return p;
}

const uint8_t *
counting(void)
{
    static uint8_t bytes[1 << 20];

    if (!bytes[1])
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)i;
    return bytes;
}

static void
tapped(void *data, const struct uw_tap_event *ev)
{
    struct peer *p = (struct peer *)data;
    struct peer_event *e = &p->events[p->event_count];

    assert_in_range(p->event_count, 0, 1023);
    *e = (struct peer_event){ev->kind, ev->id,       ev->target, ev->status, ev->length,
                             0,        ev->endpoint, ev->local,  ev->late};
    for (int i = 0; i < ev->data_count; i++)
        e->data += ev->data[i].iov_len;
    assert_non_null(ev->source);
    p->event_count++;
}

void
peer_tap(struct peer *p)
{
    uw_engine_set_tap(p->engine, tapped, p);
}

void
peer_start_sharing(struct peer *p, const char *profile, struct uw_gate *gate)
{
    struct uw_engine_params params = {
        .profile = uw_profile_by_name(profile), .devid = 0x10002, .name = "1-1 (1209:0001)"};

    memset(p, 0, sizeof(*p));
    assert_non_null(params.profile);
    p->rx_split = p->rx_limit = SIZE_MAX;
    p->now = uw_usec(1000000);
    uw_seq_init(&p->seq, 100);
    p->source = (struct uw_tap_source){.connection = 7, .host = "test", .busid = "1-1"};
    params.seq = &p->seq;
    params.gate = gate;
    params.source = &p->source;
    p->engine = NULL;
    if (uw_engine_new(&params, &p->engine) < 0)
        p->engine = NULL;
}

void
peer_start(struct peer *p, const char *profile)
{
    peer_start_sharing(p, profile, NULL);
}

void
peer_stop(struct peer *p)
{
    if (p->engine) {
        uw_engine_abort(p->engine, UW_ERROR_CONNECTION_LOST, p->now);
        peer_collect(p);
        uw_engine_free(p->engine);
    }
    for (unsigned i = 0; i < p->count; i++) {
        free(p->sent[i].payload);
        free(p->sent[i].iso);
    }
}

void
peer_stop_checked(struct peer *p, const struct job *jobs, unsigned count)
{
    struct uw_engine_stats stats;

    uw_engine_abort(p->engine, UW_ERROR_CONNECTION_LOST, p->now);
    peer_collect(p);
    uw_engine_stats(p->engine, &stats);
    assert_int_equal(stats.in_flight, 0);
    assert_int_equal(stats.tombstones, 0);
    for (unsigned i = 0; i < count; i++)
        if (!jobs[i].done && jobs[i].x.status >= 0)
            fail_msg("transfer %u was never handed back", i);
}

/* ---- from the engine ---- */

static size_t
message_size(const uint8_t *raw, size_t size, struct uw_pdu *pdu)
{
    size_t whole = UW_PDU_SIZE;

    if (size < UW_PDU_SIZE)
        return SIZE_MAX;
    assert_int_equal(uw_decode_pdu(raw, pdu), 0);
    if (pdu->command != UW_CMD_SUBMIT)
        return whole;
    if (pdu->direction == UW_DIR_OUT)
        whole += (size_t)pdu->length;
    return whole + (size_t)pdu->packets * UW_ISO_SIZE;
}

static void
keep_message(struct peer *p, const struct uw_pdu *pdu, size_t whole)
{
    struct peer_message *m = &p->sent[p->count++];
    size_t n = (size_t)(pdu->packets > 0 ? pdu->packets : 0);

    assert_in_range(p->count, 1, PEER_SENT_MAX);
    memset(m, 0, sizeof(*m));
    m->pdu = *pdu;
    m->size = whole - UW_PDU_SIZE - n * UW_ISO_SIZE;
    m->payload = own_alloc(m->size + 1);
    memcpy(m->payload, p->raw + UW_PDU_SIZE, m->size);
    if (n) {
        m->iso = own_alloc(n * sizeof(*m->iso));
        uw_decode_iso(p->raw + UW_PDU_SIZE + m->size, m->iso, (uint32_t)n);
    }
}

static void
split_messages(struct peer *p)
{
    for (;;) {
        struct uw_pdu pdu = {0};
        size_t whole = message_size(p->raw, p->raw_size, &pdu);

        if (whole > p->raw_size)
            return;
        keep_message(p, &pdu, whole);
        p->raw_size -= whole;
        memmove(p->raw, p->raw + whole, p->raw_size);
    }
}

unsigned
peer_take(struct peer *p)
{
    struct iovec iov[16];
    int n;

    while ((n = uw_engine_tx(p->engine, iov, 16, p->now)) > 0) {
        size_t took = 0;

        for (int i = 0; i < n; i++) {
            size_t want = iov[i].iov_len;

            if (p->tx_step && took + want > p->tx_step)
                want = p->tx_step - took;
            assert_in_range(p->raw_size + want, 0, sizeof(p->raw));
            memcpy(p->raw + p->raw_size, iov[i].iov_base, want);
            p->raw_size += want;
            took += want;
        }
        uw_engine_tx_done(p->engine, took);
        split_messages(p);
        if (p->tx_step)
            break;
    }
    return p->count;
}

struct peer_message *
peer_message(struct peer *p, unsigned n)
{
    peer_take(p);
    if (n >= p->count)
        fail_msg("message %u was not sent, only %u were", n, p->count);
    return &p->sent[n];
}

/* ---- to the engine ---- */

static void
feed_piece(struct peer *p, const uint8_t *bytes, size_t size)
{
    struct iovec target;

    while (p->rx_direct && size && p->rx_error == 0 && uw_engine_rx_target(p->engine, &target)) {
        size_t n = target.iov_len < size ? target.iov_len : size;

        memcpy(target.iov_base, bytes, n);
        p->rx_error = uw_engine_rx_done(p->engine, n, p->now);
        bytes += n;
        size -= n;
    }
    if (size && p->rx_error == 0)
        p->rx_error = uw_engine_feed(p->engine, bytes, size, p->now);
}

void
peer_feed(struct peer *p, const void *bytes, size_t size)
{
    const uint8_t *at = (const uint8_t *)bytes;

    while (size) {
        size_t n = size;

        if (p->rx_step && n > p->rx_step)
            n = p->rx_step;
        if (p->rx_done == p->rx_limit) {
            uw_engine_abort(p->engine, UW_ERROR_CONNECTION_LOST, p->now);
            break;
        }
        if (p->rx_limit - p->rx_done < n)
            n = p->rx_limit - p->rx_done;
        if (p->rx_split > p->rx_done && p->rx_split < p->rx_done + n)
            n = p->rx_split - p->rx_done;
        feed_piece(p, at, n);
        p->rx_done += n;
        at += n;
        size -= n;
    }
    if (p->rx_error < 0)
        uw_engine_abort(p->engine, p->rx_error, p->now);
    peer_collect(p);
}

static void
send_reply(struct peer *p, const struct uw_pdu *pdu, const void *data, size_t size,
           const struct uw_iso_packet *iso, uint32_t packets)
{
    size_t whole = UW_PDU_SIZE + size + packets * UW_ISO_SIZE;
    uint8_t *bytes = own_alloc(whole);

    uw_encode_pdu(bytes, pdu);
    if (size)
        memcpy(bytes + UW_PDU_SIZE, data, size);
    if (packets)
        uw_encode_iso(bytes + UW_PDU_SIZE + size, iso, packets);
    peer_feed(p, bytes, whole);
    free(bytes);
}

void
peer_answer(struct peer *p, unsigned n, int32_t status, const void *data, size_t size)
{
    struct uw_pdu pdu = {.command = UW_RET_SUBMIT,
                         .seqnum = peer_message(p, n)->pdu.seqnum,
                         .status = status,
                         .length = (int32_t)size};

    send_reply(p, &pdu, data, size, NULL, 0);
}

void
peer_acknowledge(struct peer *p, unsigned n, int32_t status, int32_t actual)
{
    struct uw_pdu pdu = {.command = UW_RET_SUBMIT,
                         .seqnum = peer_message(p, n)->pdu.seqnum,
                         .status = status,
                         .length = actual};

    send_reply(p, &pdu, NULL, 0, NULL, 0);
}

void
peer_answer_iso(struct peer *p, unsigned n, const struct uw_iso_packet *packets, const void *data,
                size_t size)
{
    const struct peer_message *m = peer_message(p, n);
    struct uw_pdu pdu = {.command = UW_RET_SUBMIT,
                         .seqnum = m->pdu.seqnum,
                         .packets = m->pdu.packets,
                         .start_frame = 77};

    for (int32_t i = 0; i < m->pdu.packets; i++) {
        pdu.length += (int32_t)packets[i].actual;
        pdu.error_count += packets[i].status != 0;
    }
    send_reply(p, &pdu, data, size, packets, (uint32_t)m->pdu.packets);
}

void
peer_unlinked(struct peer *p, unsigned n, int32_t status)
{
    const struct peer_message *m = peer_message(p, n);
    struct uw_pdu pdu = {.command = UW_RET_UNLINK, .seqnum = m->pdu.seqnum, .status = status};

    assert_int_equal(m->pdu.command, UW_CMD_UNLINK);
    send_reply(p, &pdu, NULL, 0, NULL, 0);
}

void
peer_wait(struct peer *p, uint64_t us)
{
    p->now.us += us;
    uw_engine_expire(p->engine, p->now);
    peer_collect(p);
}

/* ---- transfers ---- */

static int
submit(struct peer *p, struct job *j, size_t length, uint64_t timeout_us)
{
    j->x.length = length;
    j->x.deadline = timeout_us ? uw_usec_add(p->now, uw_usec(timeout_us)) : uw_never();
    if (length) {
        j->x.buffer = own_alloc(length);
        j->copy = own_alloc(length);
        if (j->x.endpoint & 0x80)
            memset(j->x.buffer, 0xee, length);
        else
            memcpy(j->x.buffer, counting(), length);
    }
    return uw_engine_submit(p->engine, &j->x, p->now);
}

int
peer_control(struct peer *p, struct job *j, uint8_t type, uint8_t request, uint16_t value,
             uint16_t index, size_t length, uint64_t timeout_us)
{
    struct uw_writer w;

    memset(j, 0, sizeof(*j));
    w = uw_writer(j->x.setup, sizeof(j->x.setup));
    uw_wr_u8(&w, type);
    uw_wr_u8(&w, request);
    uw_wr_le16(&w, value);
    uw_wr_le16(&w, index);
    uw_wr_le16(&w, (uint16_t)length);
    j->x.type = UW_CONTROL;
    j->x.endpoint = length ? type & 0x80 : 0;
    return submit(p, j, length, timeout_us);
}

int
peer_submit(struct peer *p, struct job *j, uint8_t endpoint, enum uw_transfer_type type,
            uint16_t max_packet, size_t length, uint64_t timeout_us, unsigned flags)
{
    memset(j, 0, sizeof(*j));
    j->x.endpoint = endpoint;
    j->x.type = (uint8_t)type;
    j->x.max_packet = max_packet;
    j->x.interval = type == UW_INTERRUPT ? 8 : 0;
    j->x.flags = flags;
    return submit(p, j, length, timeout_us);
}

int
peer_iso(struct peer *p, struct job *j, uint8_t endpoint, uint32_t packets, uint32_t length_each)
{
    memset(j, 0, sizeof(*j));
    j->x.endpoint = endpoint;
    j->x.type = UW_ISOCHRONOUS;
    j->x.max_packet = (uint16_t)length_each;
    j->x.interval = 1;
    j->x.iso_count = packets;
    j->x.iso = own_alloc((packets ? packets : 1) * sizeof(*j->x.iso));
    for (uint32_t i = 0; i < packets; i++) {
        j->x.iso[i].offset = i * length_each;
        j->x.iso[i].length = length_each;
    }
    return submit(p, j, (size_t)packets * length_each, 0);
}

void
peer_cancel(struct peer *p, struct job *j)
{
    assert_int_equal(uw_engine_cancel(p->engine, &j->x, p->now), 0);
    peer_collect(p);
}

void
peer_collect(struct peer *p)
{
    struct uw_xfer *x;

    while ((x = uw_engine_completed(p->engine))) {
        struct job *j = (struct job *)(void *)x;

        assert_int_equal(j->done, 0);
        j->done = 1;
        p->done++;
        if (!x->buffer)
            continue;
        memcpy(j->copy, x->buffer, x->length);
        free(x->buffer); /* whoever touches it now is caught */
        x->buffer = NULL;
    }
}

void
job_free(struct job *j)
{
    free(j->x.buffer);
    free(j->copy);
    free(j->x.iso);
    memset(j, 0, sizeof(*j));
}

void
assert_done(const struct job *j, int status, size_t actual)
{
    if (!j->done)
        fail_msg("the transfer is not done");
    if (j->x.status != status)
        fail_msg("status %s, expected %s", uw_error_name(j->x.status), uw_error_name(status));
    assert_int_equal(j->x.actual, actual);
}

void
assert_counts(const struct job *j, size_t size, unsigned first)
{
    for (size_t i = 0; i < size; i++)
        if (j->copy[i] != (uint8_t)(first + i))
            fail_msg("byte %zu is 0x%02x, expected 0x%02x", i, j->copy[i],
                     (unsigned)(uint8_t)(first + i));
}

struct uw_engine_stats
peer_stats(struct peer *p)
{
    struct uw_engine_stats s;

    uw_engine_stats(p->engine, &s);
    return s;
}
