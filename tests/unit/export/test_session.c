/*
 * test_session.c - the server's half of USB/IP, byte for byte
 *
 * Golden bytes are laid out by hand after the tables of Linux's
 * Documentation/usb/usbip_protocol.rst and, where those are silent, after tools/usb/usbip and
 * drivers/usb/usbip: replies have devid, direction and ep 0, isochronous IN payload is compacted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <usbwire/error.h>

#include "offer.h"

/* ---- golden bytes ---- */

/* usbip_protocol.rst, OP_REP_IMPORT from offset 8: path, busid, numbers; 312 bytes. */
static void
put_record(uint8_t *p)
{
    static const uint8_t numbers[24] = {
        0,    0,    0,    1,    0, 0, 0,    2, 0, 0, 0, 3, /* busnum, devnum, speed */
        0x30, 0x3a, 0x40, 0x04, 1, 2, 0xef, 2, 1, 1, 1, 2  /* ids, classes, configuration */
    };

    memset(p, 0, 312);
    memcpy(p, "/sys/devices/usb1/1-1", 21);
    memcpy(p + 256, "1-1", 3);
    memcpy(p + 288, numbers, sizeof(numbers));
}

static void
test_devlist(void **state)
{
    static const uint8_t request[8] = {0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0};
    uint8_t reply[12 + 312 + 8] = {0x01, 0x11, 0x00, 0x05, 0, 0, 0, 0, 0, 0, 0, 1};
    struct offer *o = offer_start(0);

    (void)state;
    put_record(reply + 12);
    memcpy(reply + 12 + 312, "\xff\x01\x02\x00\x08\x06\x50\x00", 8);
    assert_int_equal(offer_feed(o, request, sizeof(request)), 0);
    assert_false(uw_session_wants_close(o->session));
    offer_expect(o, reply, sizeof(reply));
    assert_true(uw_session_wants_close(o->session));
    offer_end(o);
}

static void
test_import(void **state)
{
    uint8_t reply[8 + 312] = {0x01, 0x11, 0x00, 0x03, 0, 0, 0, 0};
    struct offer *o = offer_start(0);

    (void)state;
    put_record(reply + 8);
    assert_false(uw_session_is_imported(o->session));
    assert_int_equal(offer_feed(o, import_request, sizeof(import_request)), 0);
    offer_expect(o, reply, sizeof(reply));
    assert_true(uw_session_is_imported(o->session));
    assert_true(uw_session_wants_read(o->session));
    assert_false(uw_session_wants_close(o->session));
    offer_end(o);
}

/* A refusal is the header alone, and usbipd closes after it. */
static void
test_import_refused(void **state)
{
    static const uint8_t reply[8] = {0x01, 0x11, 0x00, 0x03, 0, 0, 0, 2};
    uint8_t request[40] = {0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0, 'b', 'u', 's', 'y'};
    struct offer *o = offer_start(0);

    (void)state;
    assert_int_equal(offer_feed(o, request, sizeof(request)), 0);
    offer_expect(o, reply, sizeof(reply));
    assert_true(uw_session_wants_close(o->session));
    assert_false(uw_session_is_imported(o->session));
    offer_end(o);
}

/* A busid of 32 bytes without a NUL ends where the field does. */
static void
test_import_endless_busid(void **state)
{
    uint8_t request[40] = {0x01, 0x11, 0x80, 0x03};
    struct offer *o = offer_start(0);

    (void)state;
    memset(request + 8, 'x', 32);
    assert_int_equal(offer_feed(o, request, sizeof(request)), 0);
    offer_drain(o, SIZE_MAX);
    assert_int_equal(o->size, 8);
    assert_int_equal(o->out[7], UW_OP_ST_NODEV);
    offer_end(o);
}

static void
test_control_in(void **state)
{
    static const uint8_t reply[48 + 4] = {
        0, 0, 0, 3, 0, 0, 0, 7, 0,    0,    0,    0,
        0, 0, 0, 0, 0, 0, 0, 0, /* RET_SUBMIT 7 */
        0, 0, 0, 0, 0, 0, 0, 4, 0,    0,    0,    0,
        0, 0, 0, 0, 0, 0, 0, 0, /* status 0, 4 bytes */
        0, 0, 0, 0, 0, 0, 0, 0, 0xa0, 0xa1, 0xa2, 0xa3,
    };
    struct offer *o = offer_start_imported(0);
    struct uw_request *r;

    (void)state;
    assert_int_equal(offer_feed(o, get_descriptor, sizeof(get_descriptor)), 0);
    assert_int_equal(o->count, 1);
    r = o->requests[0];
    assert_int_equal(r->seqnum, 7);
    assert_int_equal(r->endpoint, 0x80);
    assert_int_equal(r->flags, 0x200);
    assert_int_equal(r->length, 4);
    assert_int_equal(r->iso_count, 0);
    assert_memory_equal(r->setup, get_descriptor + 40, 8);
    offer_answer(o, r);
    offer_expect(o, reply, sizeof(reply));
    offer_end(o);
}

/* OUT: the length is told, no payload. A status is sent as it is. */
static void
test_bulk_out(void **state)
{
    static const uint8_t reply[48] = {
        0,    0,    0,    3,    0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0xff, 0xff, 0xff, 0xe0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    };
    struct offer *o = offer_start_imported(0);

    (void)state;
    assert_int_equal(offer_feed(o, bulk_out, sizeof(bulk_out)), 0);
    assert_int_equal(o->count, 1);
    assert_int_equal(o->requests[0]->endpoint, 0x02);
    assert_memory_equal(o->requests[0]->buffer, "abc", 3);
    uw_session_reply(o->session, o->requests[0], -32, 2);
    offer_expect(o, reply, sizeof(reply));
    offer_end(o);
}

/* Data comes with an error too (Linux: -121 with what was read). */
static void
test_error_with_data(void **state)
{
    struct offer *o = offer_start_imported(0);
    size_t at = 0;
    struct uw_pdu pdu;

    (void)state;
    assert_int_equal(offer_feed_read(o, 9, 8), 0);
    memcpy(o->requests[0]->buffer, "12345678", 8);
    uw_session_reply(o->session, o->requests[0], -121, 5);
    offer_drain(o, SIZE_MAX);
    pdu = offer_next_reply(o, &at);
    assert_int_equal(pdu.status, -121);
    assert_int_equal(pdu.length, 5);
    assert_int_equal(o->size, UW_PDU_SIZE + 5);
    assert_memory_equal(o->out + UW_PDU_SIZE, "12345", 5);
    offer_end(o);
}

static void
test_iso_in(void **state)
{
    static const uint8_t
        reply[48 + 4 + 32] =
            {
                0,    0,    0,    3,    0, 0, 0, 9, 0, 0, 0, 0, 0,    0,    0,    0,
                0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 4, 0,    0,    0,    5,
                0,    0,    0,    2,    0, 0, 0, 1, /* 4 bytes, one failed */
                0,    0,    0,    0,    0, 0, 0, 0, /* */
                0xa0, 0xa1, 0xa4, 0xa5,             /* without the gap */
                0,    0,    0,    0,    0, 0, 0, 4, 0, 0, 0, 2, 0,    0,    0,    0,    /* */
                0,    0,    0,    4,    0, 0, 0, 4, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xb9, /* -71 */
            };
    struct offer *o = offer_start_imported(0);

    (void)state;
    assert_int_equal(offer_feed(o, iso_in, sizeof(iso_in)), 0);
    assert_int_equal(o->requests[0]->iso_count, 2);
    assert_int_equal(o->requests[0]->iso[1].offset, 4);
    assert_int_equal(o->requests[0]->start_frame, 5);
    assert_int_equal(o->requests[0]->interval, 1);
    o->requests[0]->iso[1].status = -71;
    offer_answer(o, o->requests[0]);
    offer_expect(o, reply, sizeof(reply));
    offer_end(o);
}

/* OUT: payload, then table; the reply is the table alone. */
static void
test_iso_out(void **state)
{
    static const uint8_t reply[48 + 32] = {
        0, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        4, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 4, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 0,
    };
    struct offer *o = offer_start_imported(0);
    uint8_t request[48 + 8 + 32];

    (void)state;
    memcpy(request, iso_in, 48);
    request[15] = UW_DIR_OUT;
    memcpy(request + 48, "abcdefgh", 8);
    memcpy(request + 56, iso_in + 48, 32);
    assert_int_equal(offer_feed(o, request, sizeof(request)), 0);
    assert_int_equal(o->requests[0]->endpoint, 0x03);
    assert_memory_equal(o->requests[0]->buffer, "abcdefgh", 8);
    offer_answer(o, o->requests[0]);
    offer_expect(o, reply, sizeof(reply));
    offer_end(o);
}

/* ---- any split of the bytes ---- */

static size_t
conversation(uint8_t *bytes)
{
    static const uint8_t unlink_7[48] = {0, 0, 0, 2, 0, 0, 0, 10, 0, 1, 0, 2, [23] = 7};
    size_t n = 0;

#define PUT(what) (memcpy(bytes + n, what, sizeof(what)), n += sizeof(what))
    PUT(import_request);
    PUT(get_descriptor);
    PUT(bulk_out);
    PUT(iso_in);
    PUT(unlink_7);
    PUT(bulk_out);
#undef PUT
    return n;
}

static void
test_any_split(void **state)
{
    uint8_t bytes[400];
    size_t size = conversation(bytes);
    struct offer *whole = offer_start(0);

    (void)state;
    whole->at_once = 1;
    assert_int_equal(offer_feed(whole, bytes, size), 0);
    offer_drain(whole, SIZE_MAX);
    for (size_t cut = 0; cut <= size; cut++) {
        struct offer *o = offer_start(0);

        o->at_once = 1;
        assert_int_equal(offer_feed(o, bytes, cut), 0);
        if (cut & 1)
            offer_drain(o, 1);
        assert_int_equal(offer_feed(o, bytes + cut, size - cut), 0);
        offer_drain(o, 1 + cut % 50);
        assert_int_equal(o->size, whole->size);
        assert_memory_equal(o->out, whole->out, whole->size);
        offer_end(o);
    }
    offer_end(whole);
}

static void
test_byte_by_byte(void **state)
{
    uint8_t bytes[400];
    size_t size = conversation(bytes);
    struct offer *whole = offer_start(0), *o = offer_start(0);

    (void)state;
    whole->at_once = o->at_once = 1;
    assert_int_equal(offer_feed(whole, bytes, size), 0);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(offer_feed(o, bytes + i, 1), 0);
    offer_drain(whole, SIZE_MAX);
    offer_drain(o, 3);
    assert_int_equal(o->size, whole->size);
    assert_memory_equal(o->out, whole->out, whole->size);
    offer_end(o);
    offer_end(whole);
}

/* A peer that goes away at any byte leaves nothing behind (LeakSanitizer looks). */
static void
test_cut_at_every_byte(void **state)
{
    uint8_t bytes[400];
    size_t size = conversation(bytes);

    (void)state;
    for (size_t cut = 0; cut <= size; cut++)
        for (int at_once = 0; at_once < 2; at_once++) {
            struct offer *o = offer_start(0);

            o->at_once = at_once;
            assert_int_equal(offer_feed(o, bytes, cut), 0);
            offer_end(o);
        }
}

/* ---- hostile peers ---- */

static void
test_bad_requests(void **state)
{
    static const uint8_t rows[][8] = {
        {0x01, 0x10, 0x80, 0x05}, /* another version */
        {0x11, 0x01, 0x80, 0x05}, /* the bytes swapped */
        {0x01, 0x11, 0x80, 0x04}, /* no such request */
        {0x01, 0x11, 0x00, 0x05}, /* a reply */
        {0, 0, 0, 1, 0, 0, 0, 1}, /* a URB where none can be */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct offer *o = offer_start(0);

        assert_true(offer_feed(o, rows[i], 8) < 0);
        assert_true(uw_session_wants_close(o->session));
        assert_false(uw_session_wants_read(o->session));
        /* Whatever follows is not looked at. */
        assert_int_equal(offer_feed(o, import_request, sizeof(import_request)), 0);
        offer_drain(o, SIZE_MAX);
        assert_int_equal(o->size, 0);
        offer_end(o);
    }
}

static void
test_bad_urbs(void **state)
{
#define SUBMIT .command = UW_CMD_SUBMIT, .seqnum = 1
    static const struct uw_pdu rows[] = {
        {SUBMIT, .devid = DEVID, .direction = 1, .ep = 1, .length = -1},
        {SUBMIT, .devid = DEVID, .direction = 0, .ep = 1, .length = INT32_MIN},
        {SUBMIT, .devid = DEVID, .direction = 0, .ep = 1, .length = INT32_MAX},
        {SUBMIT, .devid = DEVID, .direction = 1, .ep = 1, .length = 64 * 1024 * 1024 + 1},
        {SUBMIT, .devid = DEVID, .direction = 2, .ep = 1, .length = 8},
        {SUBMIT, .devid = DEVID, .direction = 1, .ep = 16, .length = 8},
        {SUBMIT, .devid = DEVID, .direction = 1, .ep = 0x80000001u, .length = 8},
        {SUBMIT, .devid = DEVID, .direction = 1, .ep = 1, .length = 8, .packets = 1025},
        {SUBMIT, .devid = DEVID, .direction = 1, .ep = 1, .length = 8, .packets = -2},
        {SUBMIT, .devid = DEVID, .direction = 1, .ep = 1, .length = 8, .packets = INT32_MAX},
        {SUBMIT, .devid = DEVID + 1, .direction = 1, .ep = 1, .length = 8},
        {.command = UW_CMD_UNLINK, .seqnum = 1, .devid = 0, .target = 2},
        {.command = UW_RET_SUBMIT, .seqnum = 1, .devid = DEVID},
        {.command = UW_RET_UNLINK, .seqnum = 1, .devid = DEVID},
    };
#undef SUBMIT

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct offer *o = offer_start_imported(0);

        assert_true(offer_feed_pdu(o, &rows[i]) < 0);
        assert_int_equal(o->count, 0);
        assert_true(uw_session_wants_close(o->session));
        offer_end(o);
    }
}

static void
test_unknown_command(void **state)
{
    static const uint8_t bytes[48] = {0, 0, 0, 5};
    struct offer *o = offer_start_imported(0);

    (void)state;
    assert_int_equal(offer_feed(o, bytes, sizeof(bytes)), UW_ERROR_PROTOCOL);
    offer_end(o);
}

/* A packet that lies outside of the buffer, or over another. */
static void
test_bad_iso_tables(void **state)
{
    static const uint32_t rows[][2] = {{8, 1},           {5, 4}, {0, 9}, {0xffffffffu, 1},
                                       {1, 0xffffffffu}, {0, 8}, {3, 4}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct offer *o = offer_start_imported(0);
        struct uw_iso_packet packets[2] = {{.length = 4}, {rows[i][0], rows[i][1], 0, 0}};
        uint8_t bytes[sizeof(iso_in)];

        memcpy(bytes, iso_in, sizeof(bytes));
        uw_encode_iso(bytes + 48, packets, 2);
        assert_int_equal(offer_feed(o, bytes, sizeof(bytes)), UW_ERROR_PROTOCOL);
        assert_int_equal(o->count, 0);
        offer_end(o);
    }
}

static void
test_no_list(void **state)
{
    static const uint8_t request[8] = {0x01, 0x11, 0x80, 0x05};
    struct offer *o = offer_start(0);

    (void)state;
    o->no_list = 1;
    assert_true(offer_feed(o, request, sizeof(request)) < 0);
    assert_int_equal(uw_session_unsent(o->session), 0);
    offer_end(o);
}

/* ---- bounds ---- */

/* A request for which there is no room is answered, and that is all. */
static void
assert_refused(struct offer *o, uint32_t seqnum)
{
    unsigned before = o->count;
    size_t at = 0;
    struct uw_pdu pdu;

    o->size = 0;
    offer_drain(o, SIZE_MAX);
    pdu = offer_next_reply(o, &at);
    assert_int_equal(pdu.command, UW_RET_SUBMIT);
    assert_int_equal(pdu.seqnum, seqnum);
    assert_int_equal(pdu.status, -12);
    assert_int_equal(pdu.length, 0);
    assert_int_equal(pdu.packets, 0);
    assert_int_equal(at, o->size);
    assert_int_equal(o->count, before);
    assert_false(uw_session_wants_close(o->session));
}

/* Reads that wait at the device keep nobody from unlinking them, but there is an end to them. */
static void
test_too_many_requests(void **state)
{
    struct offer *o = offer_start_imported(0);
    uint32_t n = 0;

    (void)state;
    while (n < 4096) {
        assert_int_equal(offer_feed_read(o, ++n, 64), 0);
        assert_true(uw_session_wants_read(o->session));
    }
    assert_int_equal(offer_feed_unlink(o, 9999, 1), 0);
    assert_int_equal(offer_feed_read(o, ++n, 64), 0); /* in its place */
    offer_drain(o, SIZE_MAX);
    assert_int_equal(offer_feed_read(o, ++n, 64), 0);
    assert_refused(o, n);
    assert_int_equal(o->count, 4097);
    offer_end(o);
}

#define MIB (1024u * 1024u)

static void
test_too_many_bytes(void **state)
{
    struct offer *o = offer_start_imported(0);
    uint8_t answer[64 + 4 * 16];
    struct uw_pdu out = {
        .command = UW_CMD_SUBMIT, .seqnum = 10, .devid = DEVID, .ep = 2, .length = 64};
    struct uw_pdu iso = {.command = UW_CMD_SUBMIT,
                         .seqnum = 11,
                         .devid = DEVID,
                         .ep = 3,
                         .length = 64,
                         .packets = 4};

    (void)state;
    memset(answer, 0, sizeof(answer));
    for (uint32_t n = 1; n <= 2; n++)
        assert_int_equal(offer_feed_read(o, n, 64 * MIB), 0);
    assert_int_equal(offer_feed_read(o, 5, 1), 0);
    assert_refused(o, 5);
    /* What belongs to a refused request is taken off the wire. */
    assert_int_equal(offer_feed_pdu(o, &out), 0);
    assert_int_equal(offer_feed(o, answer, 64), 0);
    assert_refused(o, 10);
    assert_int_equal(offer_feed_pdu(o, &iso), 0);
    assert_int_equal(offer_feed(o, answer, sizeof(answer)), 0);
    assert_refused(o, 11);
    /* An unlink makes room. */
    assert_int_equal(offer_feed_unlink(o, 6, 1), 0);
    assert_int_equal(offer_feed_read(o, 7, 1), 0);
    assert_int_equal(o->count, 3);
    /* What no request may be is another matter. */
    assert_int_equal(offer_feed_read(o, 8, 64 * MIB + 1), UW_ERROR_LIMIT);
    offer_end(o);
}

/* Sessions that share a budget: what one takes, the other has not; its end gives it back. */
static void
test_budget(void **state)
{
    struct uw_budget budget = {.max = 1000};
    struct offer *a = offer_start_imported_within(&budget);
    struct offer *b = offer_start_imported_within(&budget);

    (void)state;
    assert_int_equal(offer_feed_read(a, 1, 600), 0);
    assert_int_equal(offer_feed_read(b, 1, 401), 0);
    assert_refused(b, 1);
    assert_int_equal(offer_feed_read(b, 2, 400), 0);
    assert_int_equal(b->count, 1);
    assert_int_equal(budget.used, 1000);
    offer_end(a);
    assert_int_equal(budget.used, 400);
    assert_int_equal(offer_feed_read(b, 3, 600), 0);
    offer_answer(b, b->requests[0]);
    assert_int_equal(budget.used, 1000); /* until it was sent */
    offer_drain(b, SIZE_MAX);
    assert_int_equal(budget.used, 600);
    offer_end(b);
    assert_int_equal(budget.used, 0);
}

/* A peer that sends requests and reads no answer is not served on and on. */
static void
test_peer_that_does_not_read(void **state)
{
    static uint8_t requests[2000 * UW_PDU_SIZE];
    const struct uw_pdu pdu = {.command = UW_CMD_SUBMIT,
                               .seqnum = 1,
                               .devid = DEVID,
                               .direction = UW_DIR_IN,
                               .ep = 1,
                               .length = 65536};
    struct offer *o = offer_start_imported(0);
    struct iovec iov[6];
    size_t most = 0, total = 0;
    int n;

    (void)state;
    o->at_once = 1;
    for (size_t i = 0; i < 2000; i++)
        uw_encode_pdu(requests + i * UW_PDU_SIZE, &pdu);
    assert_int_equal(offer_feed(o, requests, sizeof(requests)), 0);
    assert_false(uw_session_wants_read(o->session));
    while ((n = uw_session_tx(o->session, iov, 6)) > 0) {
        size_t size = 0;

        for (int i = 0; i < n; i++)
            size += iov[i].iov_len;
        if (uw_session_unsent(o->session) > most)
            most = uw_session_unsent(o->session);
        uw_session_tx_done(o->session, size);
        total += size;
        assert_int_equal(uw_session_resume(o->session), 0);
    }
    assert_int_equal(total, 2000u * (UW_PDU_SIZE + 65536u));
    assert_true(most < 5u * 1024u * 1024u);
    assert_true(uw_session_wants_read(o->session));
    offer_end(o);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_devlist),
        cmocka_unit_test(test_import),
        cmocka_unit_test(test_import_refused),
        cmocka_unit_test(test_import_endless_busid),
        cmocka_unit_test(test_control_in),
        cmocka_unit_test(test_bulk_out),
        cmocka_unit_test(test_error_with_data),
        cmocka_unit_test(test_iso_in),
        cmocka_unit_test(test_iso_out),
        cmocka_unit_test(test_any_split),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_bad_urbs),
        cmocka_unit_test(test_unknown_command),
        cmocka_unit_test(test_bad_iso_tables),
        cmocka_unit_test(test_no_list),
        cmocka_unit_test(test_too_many_requests),
        cmocka_unit_test(test_too_many_bytes),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_peer_that_does_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
