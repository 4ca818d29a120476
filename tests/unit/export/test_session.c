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

#include "export/session.h"
#include "wire/cmd.h"
#include "wire/op.h"

#define DEVID   0x00010002u
#define OUT_MAX (1u << 20)

/* Whoever offers devices: keeps the requests, for the test to answer. */
struct offer {
    struct uw_habits habits;
    struct uw_session *session;
    struct uw_request *requests[5000];
    unsigned count, unlinks;
    int at_once; /* answers by itself, IN with 0xa5, isochronous packets half full */
    int keeps;   /* refuses to take a request back */
    int no_list;
    uint8_t *out;
    size_t size;
};

static const struct uw_interface_class classes[] = {{0xff, 0x01, 0x02}, {0x08, 0x06, 0x50}};

static const struct uw_device_info board = {
    .path = "/sys/devices/usb1/1-1",
    .busid = "1-1",
    .busnum = 1,
    .devnum = 2,
    .speed = 3,
    .vid = 0x303a,
    .pid = 0x4004,
    .bcd_device = 0x0102,
    .device_class = 0xef,
    .device_subclass = 2,
    .device_protocol = 1,
    .configuration_value = 1,
    .num_configurations = 1,
    .num_interfaces = 2,
    .interfaces = classes,
};

static struct uw_device_list *
list(void *data)
{
    const struct uw_device_info *infos[] = {&board};

    return ((struct offer *)data)->no_list ? NULL : uw_device_list_new(infos, 1);
}

static uint32_t
import(void *data, const char *busid, struct uw_device_info *ret_info)
{
    (void)data;
    if (strcmp(busid, "busy") == 0)
        return UW_OP_ST_DEV_BUSY;
    if (strcmp(busid, board.busid) != 0)
        return UW_OP_ST_NODEV;
    *ret_info = board;
    return UW_OP_ST_OK;
}

static void
answer(struct offer *o, struct uw_request *r)
{
    for (uint32_t i = 0; i < r->iso_count; i++)
        r->iso[i].actual = r->iso[i].length / 2;
    if (r->endpoint & 0x80)
        for (uint32_t i = 0; i < r->length; i++)
            r->buffer[i] = (uint8_t)(0xa0 + i);
    uw_session_reply(o->session, r, 0, r->length);
}

static void
submit(void *data, struct uw_request *r)
{
    struct offer *o = data;

    if (o->at_once)
        answer(o, r);
    else
        o->requests[o->count++] = r;
}

static int
take_back(void *data, struct uw_request *r)
{
    struct offer *o = data;

    (void)r;
    o->unlinks++;
    return !o->keeps;
}

static struct offer *
start_as(const struct uw_habits *habits)
{
    struct offer *o = calloc(1, sizeof(*o));
    const struct uw_export cb = {.habits = &o->habits,
                                 .list = list,
                                 .import = import,
                                 .submit = submit,
                                 .unlink = take_back,
                                 .data = o};

    assert_non_null(o);
    o->habits = *habits;
    o->out = malloc(OUT_MAX);
    assert_non_null(o->out);
    assert_int_equal(uw_session_new(&cb, &o->session), 0);
    return o;
}

static struct offer *
start(unsigned flags)
{
    const struct uw_habits habits = {.flags = flags};

    return start_as(&habits);
}

static void
end(struct offer *o)
{
    uw_session_free(o->session);
    free(o->out);
    free(o);
}

/* Takes what is to be sent, `step` bytes at a time. */
static void
drain(struct offer *o, size_t step)
{
    struct iovec iov[8];
    int n;

    while ((n = uw_session_tx(o->session, iov, 8)) > 0) {
        size_t size = iov[0].iov_len < step ? iov[0].iov_len : step;

        assert_true(o->size + size <= OUT_MAX);
        memcpy(o->out + o->size, iov[0].iov_base, size);
        o->size += size;
        uw_session_tx_done(o->session, size);
    }
    assert_int_equal(uw_session_unsent(o->session), 0);
}

static void
expect_out(struct offer *o, const void *bytes, size_t size)
{
    drain(o, SIZE_MAX);
    assert_int_equal(o->size, size);
    assert_memory_equal(o->out, bytes, size);
    o->size = 0;
}

static int
feed(struct offer *o, const void *bytes, size_t size)
{
    return uw_session_feed(o->session, bytes, size);
}

static int
feed_pdu(struct offer *o, const struct uw_pdu *pdu)
{
    uint8_t bytes[UW_PDU_SIZE];

    uw_encode_pdu(bytes, pdu);
    return feed(o, bytes, sizeof(bytes));
}

static int
feed_read(struct offer *o, uint32_t seqnum, int32_t length)
{
    const struct uw_pdu pdu = {.command = UW_CMD_SUBMIT,
                               .seqnum = seqnum,
                               .devid = DEVID,
                               .direction = UW_DIR_IN,
                               .ep = 1,
                               .length = length};

    return feed_pdu(o, &pdu);
}

static int
feed_unlink(struct offer *o, uint32_t seqnum, uint32_t target)
{
    const struct uw_pdu pdu = {
        .command = UW_CMD_UNLINK, .seqnum = seqnum, .devid = DEVID, .target = target};

    return feed_pdu(o, &pdu);
}

/* The next RET_ in what was sent. */
static struct uw_pdu
next_reply(struct offer *o, size_t *at)
{
    struct uw_pdu pdu;

    assert_true(*at + UW_PDU_SIZE <= o->size);
    assert_int_equal(uw_decode_pdu(o->out + *at, &pdu), 0);
    *at += UW_PDU_SIZE;
    return pdu;
}

static const uint8_t import_request[40] = {0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0, '1', '-', '1'};

static struct offer *
start_imported_as(const struct uw_habits *habits)
{
    struct offer *o = start_as(habits);

    assert_int_equal(feed(o, import_request, sizeof(import_request)), 0);
    drain(o, SIZE_MAX);
    o->size = 0;
    return o;
}

static struct offer *
start_imported(unsigned flags)
{
    const struct uw_habits habits = {.flags = flags};

    return start_imported_as(&habits);
}

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
    struct offer *o = start(0);

    (void)state;
    put_record(reply + 12);
    memcpy(reply + 12 + 312, "\xff\x01\x02\x00\x08\x06\x50\x00", 8);
    assert_int_equal(feed(o, request, sizeof(request)), 0);
    assert_false(uw_session_wants_close(o->session));
    expect_out(o, reply, sizeof(reply));
    assert_true(uw_session_wants_close(o->session));
    end(o);
}

static void
test_import(void **state)
{
    uint8_t reply[8 + 312] = {0x01, 0x11, 0x00, 0x03, 0, 0, 0, 0};
    struct offer *o = start(0);

    (void)state;
    put_record(reply + 8);
    assert_false(uw_session_is_imported(o->session));
    assert_int_equal(feed(o, import_request, sizeof(import_request)), 0);
    expect_out(o, reply, sizeof(reply));
    assert_true(uw_session_is_imported(o->session));
    assert_true(uw_session_wants_read(o->session));
    assert_false(uw_session_wants_close(o->session));
    end(o);
}

/* A refusal is the header alone, and usbipd closes after it. */
static void
test_import_refused(void **state)
{
    static const uint8_t reply[8] = {0x01, 0x11, 0x00, 0x03, 0, 0, 0, 2};
    uint8_t request[40] = {0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0, 'b', 'u', 's', 'y'};
    struct offer *o = start(0);

    (void)state;
    assert_int_equal(feed(o, request, sizeof(request)), 0);
    expect_out(o, reply, sizeof(reply));
    assert_true(uw_session_wants_close(o->session));
    assert_false(uw_session_is_imported(o->session));
    end(o);
}

/* A busid of 32 bytes without a NUL ends where the field does. */
static void
test_import_endless_busid(void **state)
{
    uint8_t request[40] = {0x01, 0x11, 0x80, 0x03};
    struct offer *o = start(0);

    (void)state;
    memset(request + 8, 'x', 32);
    assert_int_equal(feed(o, request, sizeof(request)), 0);
    drain(o, SIZE_MAX);
    assert_int_equal(o->size, 8);
    assert_int_equal(o->out[7], UW_OP_ST_NODEV);
    end(o);
}

/* GET_DESCRIPTOR, as vhci sends it: number_of_packets 0. */
static const uint8_t get_descriptor[48] = {
    0,    0, 0,    1,    0, 0, 0, 7, 0, 1, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, /* submit 7, IN, ep 0 */
    0,    0, 0x02, 0x00, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 4 bytes */
    0x80, 6, 0,    1,    0, 0, 4, 0,
};

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
    struct offer *o = start_imported(0);
    struct uw_request *r;

    (void)state;
    assert_int_equal(feed(o, get_descriptor, sizeof(get_descriptor)), 0);
    assert_int_equal(o->count, 1);
    r = o->requests[0];
    assert_int_equal(r->seqnum, 7);
    assert_int_equal(r->endpoint, 0x80);
    assert_int_equal(r->flags, 0x200);
    assert_int_equal(r->length, 4);
    assert_int_equal(r->iso_count, 0);
    assert_memory_equal(r->setup, get_descriptor + 40, 8);
    answer(o, r);
    expect_out(o, reply, sizeof(reply));
    end(o);
}

static const uint8_t bulk_out[48 + 3] = {
    0, 0, 0, 1, 0, 0, 0, 8, 0,   1,   0,   2, 0, 0, 0, 0, 0, 0, 0, 2, /* submit 8, OUT, ep 2 */
    0, 0, 0, 0, 0, 0, 0, 3, 0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0, 0, /* 3 bytes */
    0, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c',
};

/* OUT: the length is told, no payload. A status is sent as it is. */
static void
test_bulk_out(void **state)
{
    static const uint8_t reply[48] = {
        0,    0,    0,    3,    0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0xff, 0xff, 0xff, 0xe0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    };
    struct offer *o = start_imported(0);

    (void)state;
    assert_int_equal(feed(o, bulk_out, sizeof(bulk_out)), 0);
    assert_int_equal(o->count, 1);
    assert_int_equal(o->requests[0]->endpoint, 0x02);
    assert_memory_equal(o->requests[0]->buffer, "abc", 3);
    uw_session_reply(o->session, o->requests[0], -32, 2);
    expect_out(o, reply, sizeof(reply));
    end(o);
}

/* Data comes with an error too (Linux: -121 with what was read). */
static void
test_error_with_data(void **state)
{
    struct offer *o = start_imported(0);
    size_t at = 0;
    struct uw_pdu pdu;

    (void)state;
    assert_int_equal(feed_read(o, 9, 8), 0);
    memcpy(o->requests[0]->buffer, "12345678", 8);
    uw_session_reply(o->session, o->requests[0], -121, 5);
    drain(o, SIZE_MAX);
    pdu = next_reply(o, &at);
    assert_int_equal(pdu.status, -121);
    assert_int_equal(pdu.length, 5);
    assert_int_equal(o->size, UW_PDU_SIZE + 5);
    assert_memory_equal(o->out + UW_PDU_SIZE, "12345", 5);
    end(o);
}

/* Two packets of 4 bytes at offsets 0 and 4. */
static const uint8_t iso_in[48 + 32] = {
    0, 0, 0, 1, 0, 0, 0, 9, 0, 1, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, /* submit 9, IN, ep 3 */
    0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 1, /* 8 bytes, frame 5, 2 packets */
    0, 0, 0, 0, 0, 0, 0, 0,                                     /* no setup */
    0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0,             /* offset, length, actual, status */
    0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0,
};

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
    struct offer *o = start_imported(0);

    (void)state;
    assert_int_equal(feed(o, iso_in, sizeof(iso_in)), 0);
    assert_int_equal(o->requests[0]->iso_count, 2);
    assert_int_equal(o->requests[0]->iso[1].offset, 4);
    assert_int_equal(o->requests[0]->start_frame, 5);
    assert_int_equal(o->requests[0]->interval, 1);
    o->requests[0]->iso[1].status = -71;
    answer(o, o->requests[0]);
    expect_out(o, reply, sizeof(reply));
    end(o);
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
    struct offer *o = start_imported(0);
    uint8_t request[48 + 8 + 32];

    (void)state;
    memcpy(request, iso_in, 48);
    request[15] = UW_DIR_OUT;
    memcpy(request + 48, "abcdefgh", 8);
    memcpy(request + 56, iso_in + 48, 32);
    assert_int_equal(feed(o, request, sizeof(request)), 0);
    assert_int_equal(o->requests[0]->endpoint, 0x03);
    assert_memory_equal(o->requests[0]->buffer, "abcdefgh", 8);
    answer(o, o->requests[0]);
    expect_out(o, reply, sizeof(reply));
    end(o);
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
    struct offer *whole = start(0);

    (void)state;
    whole->at_once = 1;
    assert_int_equal(feed(whole, bytes, size), 0);
    drain(whole, SIZE_MAX);
    for (size_t cut = 0; cut <= size; cut++) {
        struct offer *o = start(0);

        o->at_once = 1;
        assert_int_equal(feed(o, bytes, cut), 0);
        if (cut & 1)
            drain(o, 1);
        assert_int_equal(feed(o, bytes + cut, size - cut), 0);
        drain(o, 1 + cut % 50);
        assert_int_equal(o->size, whole->size);
        assert_memory_equal(o->out, whole->out, whole->size);
        end(o);
    }
    end(whole);
}

static void
test_byte_by_byte(void **state)
{
    uint8_t bytes[400];
    size_t size = conversation(bytes);
    struct offer *whole = start(0), *o = start(0);

    (void)state;
    whole->at_once = o->at_once = 1;
    assert_int_equal(feed(whole, bytes, size), 0);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(feed(o, bytes + i, 1), 0);
    drain(whole, SIZE_MAX);
    drain(o, 3);
    assert_int_equal(o->size, whole->size);
    assert_memory_equal(o->out, whole->out, whole->size);
    end(o);
    end(whole);
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
            struct offer *o = start(0);

            o->at_once = at_once;
            assert_int_equal(feed(o, bytes, cut), 0);
            end(o);
        }
}

/* ---- unlink ---- */

static void
test_unlink_pending(void **state)
{
    static const uint8_t reply[48] = {0, 0, 0, 4, 0, 0, 0, 21, [20] = 0xff, 0xff, 0xff, 0x98};
    struct offer *o = start_imported(0);

    (void)state;
    assert_int_equal(feed_read(o, 20, 64), 0);
    assert_int_equal(feed_unlink(o, 21, 20), 0);
    assert_int_equal(o->unlinks, 1);
    expect_out(o, reply, sizeof(reply)); /* -104, with the CMD_UNLINK's number; no RET_SUBMIT */
    end(o);
}

static void
test_unlink_too_late(void **state)
{
    struct offer *o = start_imported(0);
    size_t at = 0;
    struct uw_pdu pdu;

    (void)state;
    assert_int_equal(feed_read(o, 20, 4), 0);
    answer(o, o->requests[0]); /* not sent yet: it counts as answered all the same */
    assert_int_equal(feed_unlink(o, 21, 20), 0);
    assert_int_equal(o->unlinks, 0);
    drain(o, SIZE_MAX);
    pdu = next_reply(o, &at);
    assert_int_equal(pdu.command, UW_RET_SUBMIT);
    at += 4;
    pdu = next_reply(o, &at);
    assert_int_equal(pdu.command, UW_RET_UNLINK);
    assert_int_equal(pdu.status, 0);
    assert_int_equal(at, o->size);
    end(o);
}

static void
test_unlink_of_nothing(void **state)
{
    static const uint8_t reply[48] = {0, 0, 0, 4, 0, 0, 0, 21};
    struct offer *o = start_imported(0);

    (void)state;
    assert_int_equal(feed_unlink(o, 21, 12345), 0);
    expect_out(o, reply, sizeof(reply));
    end(o);
}

static void
test_unlink_kept(void **state)
{
    struct offer *o = start_imported(0);
    size_t at = 0;

    (void)state;
    o->keeps = 1;
    assert_int_equal(feed_read(o, 20, 4), 0);
    assert_int_equal(feed_unlink(o, 21, 20), 0);
    answer(o, o->requests[0]);
    drain(o, SIZE_MAX);
    assert_int_equal(next_reply(o, &at).status, 0);
    assert_int_equal(next_reply(o, &at).seqnum, 20);
    end(o);
}

static void
test_forgotten(void **state)
{
    struct offer *o = start_imported(UW_HABIT_ONE_AT_A_TIME);
    size_t at = 0;

    (void)state;
    assert_int_equal(feed_read(o, 20, 4), 0);
    assert_int_equal(feed_read(o, 22, 4), 0);
    assert_int_equal(o->count, 1);
    uw_session_forget(o->session, o->requests[0]);
    assert_int_equal(uw_session_resume(o->session), 0);
    assert_int_equal(o->count, 2); /* it holds up nobody */
    uw_session_forget(o->session, o->requests[1]);
    assert_int_equal(feed_unlink(o, 23, 20), 0);
    drain(o, SIZE_MAX);
    assert_int_equal(next_reply(o, &at).status, 0);
    assert_int_equal(at, o->size);
    end(o);
}

struct unlink_row {
    struct uw_habits habits;
    const char *replies; /* in this order: S is RET_SUBMIT, U is RET_UNLINK */
    int32_t submit_status, unlink_status;
    int stays; /* the request can still be answered */
};

static void
check_unlink(const struct unlink_row *row)
{
    struct offer *o = start_imported_as(&row->habits);
    size_t at = 0;

    assert_int_equal(feed_read(o, 20, 4), 0);
    assert_int_equal(feed_unlink(o, 21, 20), 0);
    drain(o, SIZE_MAX);
    for (const char *c = row->replies; *c; c++) {
        struct uw_pdu pdu = next_reply(o, &at);

        assert_int_equal(pdu.command, *c == 'S' ? UW_RET_SUBMIT : UW_RET_UNLINK);
        assert_int_equal(pdu.seqnum, *c == 'S' ? 20 : 21);
        assert_int_equal(pdu.status, *c == 'S' ? row->submit_status : row->unlink_status);
    }
    assert_int_equal(at, o->size);
    if (row->stays) {
        answer(o, o->requests[0]);
        drain(o, SIZE_MAX);
        assert_int_equal(next_reply(o, &at).seqnum, 20);
    }
    end(o);
}

static void
test_unlink_habits(void **state)
{
    static const struct unlink_row rows[] = {
        {{.flags = UW_HABIT_UNLINK_SILENT, .unlinked = -3}, "S", -3, 0, 0},
        {{.flags = UW_HABIT_UNLINK_USELESS}, "U", 0, 0, 1},
        {{.flags = UW_HABIT_UNLINK_USELESS | UW_HABIT_UNLINK_SILENT}, "", 0, 0, 1},
        {{.flags = UW_HABIT_UNLINK_LOSES}, "U", 0, 0, 0},
        {{.flags = UW_HABIT_UNLINK_EARLY, .unlinked = -104}, "US", -104, 0, 0},
        {{.flags = UW_HABIT_UNLINK_EARLY}, "US", 0, 0, 0},
        {{.flags = UW_HABIT_UNLINK_EPERM}, "U", 0, -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_unlink(&rows[i]);
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
        struct offer *o = start(0);

        assert_true(feed(o, rows[i], 8) < 0);
        assert_true(uw_session_wants_close(o->session));
        assert_false(uw_session_wants_read(o->session));
        /* Whatever follows is not looked at. */
        assert_int_equal(feed(o, import_request, sizeof(import_request)), 0);
        drain(o, SIZE_MAX);
        assert_int_equal(o->size, 0);
        end(o);
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
        struct offer *o = start_imported(0);

        assert_true(feed_pdu(o, &rows[i]) < 0);
        assert_int_equal(o->count, 0);
        assert_true(uw_session_wants_close(o->session));
        end(o);
    }
}

static void
test_unknown_command(void **state)
{
    static const uint8_t bytes[48] = {0, 0, 0, 5};
    struct offer *o = start_imported(0);

    (void)state;
    assert_int_equal(feed(o, bytes, sizeof(bytes)), UW_ERROR_PROTOCOL);
    end(o);
}

/* A packet that lies outside of the buffer. */
static void
test_bad_iso_tables(void **state)
{
    static const uint32_t rows[][2] = {{8, 1}, {5, 4}, {0, 9}, {0xffffffffu, 1}, {1, 0xffffffffu}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct offer *o = start_imported(0);
        struct uw_iso_packet packets[2] = {{.length = 4}, {rows[i][0], rows[i][1], 0, 0}};
        uint8_t bytes[sizeof(iso_in)];

        memcpy(bytes, iso_in, sizeof(bytes));
        uw_encode_iso(bytes + 48, packets, 2);
        assert_int_equal(feed(o, bytes, sizeof(bytes)), UW_ERROR_PROTOCOL);
        assert_int_equal(o->count, 0);
        end(o);
    }
}

static void
test_no_list(void **state)
{
    static const uint8_t request[8] = {0x01, 0x11, 0x80, 0x05};
    struct offer *o = start(0);

    (void)state;
    o->no_list = 1;
    assert_true(feed(o, request, sizeof(request)) < 0);
    assert_int_equal(uw_session_unsent(o->session), 0);
    end(o);
}

/* ---- bounds ---- */

/* Reads that wait at the device keep nobody from unlinking them, but there is an end to them. */
static void
test_too_many_requests(void **state)
{
    struct offer *o = start_imported(0);
    uint32_t n = 0;
    int r = 0;

    (void)state;
    while (n < 4096) {
        assert_int_equal(feed_read(o, ++n, 64), 0);
        assert_true(uw_session_wants_read(o->session));
    }
    assert_int_equal(feed_unlink(o, 9999, 1), 0);
    assert_int_equal(feed_read(o, ++n, 64), 0); /* in its place */
    r = feed_read(o, ++n, 64);
    assert_int_equal(r, UW_ERROR_LIMIT);
    assert_int_equal(o->count, 4097);
    end(o);
}

static void
test_too_many_bytes(void **state)
{
    struct offer *o = start_imported(0);

    (void)state;
    for (uint32_t n = 1; n <= 4; n++)
        assert_int_equal(feed_read(o, n, 16 * 1024 * 1024), 0);
    assert_int_equal(feed_read(o, 5, 1), UW_ERROR_LIMIT);
    end(o);
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
    struct offer *o = start_imported(0);
    struct iovec iov[6];
    size_t most = 0, total = 0;
    int n;

    (void)state;
    o->at_once = 1;
    for (size_t i = 0; i < 2000; i++)
        uw_encode_pdu(requests + i * UW_PDU_SIZE, &pdu);
    assert_int_equal(feed(o, requests, sizeof(requests)), 0);
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
    end(o);
}

/* ---- habits ---- */

static void
test_one_at_a_time(void **state)
{
    struct offer *o = start_imported(UW_HABIT_ONE_AT_A_TIME);

    (void)state;
    assert_int_equal(feed_read(o, 1, 4), 0);
    assert_false(uw_session_wants_read(o->session));
    assert_int_equal(feed(o, bulk_out, sizeof(bulk_out)), 0);
    assert_int_equal(feed_unlink(o, 3, 1), 0); /* not even read */
    assert_int_equal(o->count, 1);
    assert_int_equal(uw_session_resume(o->session), 0);
    assert_int_equal(o->count, 1);
    answer(o, o->requests[0]);
    assert_int_equal(uw_session_resume(o->session), 0);
    assert_int_equal(o->count, 2);
    assert_memory_equal(o->requests[1]->buffer, "abc", 3);
    assert_int_equal(o->unlinks, 0);
    end(o);
}

static void
test_max_requests(void **state)
{
    const struct uw_habits habits = {.max_requests = 2, .too_many = -5};
    struct offer *o = start_imported_as(&habits);
    size_t at = 0;
    struct uw_pdu pdu;

    (void)state;
    for (uint32_t n = 1; n <= 3; n++)
        assert_int_equal(feed_read(o, n, 4), 0);
    assert_int_equal(o->count, 2);
    drain(o, SIZE_MAX);
    pdu = next_reply(o, &at);
    assert_int_equal(pdu.seqnum, 3);
    assert_int_equal(pdu.status, -5);
    end(o);
}

/* OUT beyond the limit is read and refused, or cut and the rest taken for a header. */
static void
test_max_transfer(void **state)
{
    const struct uw_habits refusing = {.max_transfer = 2, .too_large = -122};
    const struct uw_habits cutting = {.max_transfer = 2};
    struct offer *o = start_imported_as(&refusing);
    size_t at = 0;

    (void)state;
    assert_int_equal(feed(o, bulk_out, sizeof(bulk_out)), 0);
    assert_int_equal(feed_read(o, 9, 2), 0);
    drain(o, SIZE_MAX);
    assert_int_equal(next_reply(o, &at).status, -122);
    assert_int_equal(o->count, 1);
    end(o);

    o = start_imported_as(&cutting);
    assert_int_equal(feed(o, bulk_out, sizeof(bulk_out)), 0);
    assert_int_equal(o->count, 1);
    assert_int_equal(o->requests[0]->length, 2);
    assert_int_equal(feed_read(o, 9, 2), UW_ERROR_PROTOCOL); /* begins with 'c' */
    end(o);
}

static void
test_echo(void **state)
{
    static const unsigned habits[] = {UW_HABIT_ECHO, UW_HABIT_ECHO | UW_HABIT_INVERTED};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct offer *o = start_imported(habits[i]);
        size_t at = 0;
        struct uw_pdu pdu;

        o->at_once = 1;
        assert_int_equal(feed_read(o, 1, 0), 0);
        drain(o, SIZE_MAX);
        pdu = next_reply(o, &at);
        assert_int_equal(pdu.devid, DEVID);
        assert_int_equal(pdu.ep, 1);
        assert_int_equal(pdu.direction, i ? UW_DIR_OUT : UW_DIR_IN);
        end(o);
    }
}

static void
test_out_length_0(void **state)
{
    struct offer *o = start_imported(UW_HABIT_OUT_LENGTH_0);
    size_t at = 0;

    (void)state;
    o->at_once = 1;
    assert_int_equal(feed(o, bulk_out, sizeof(bulk_out)), 0);
    drain(o, SIZE_MAX);
    assert_int_equal(next_reply(o, &at).length, 0);
    assert_int_equal(at, o->size);
    end(o);
}

static void
test_devid_habits(void **state)
{
    struct uw_pdu pdu = {.command = UW_CMD_SUBMIT,
                         .seqnum = 1,
                         .devid = 99,
                         .direction = UW_DIR_IN,
                         .ep = 1,
                         .length = 4};
    struct offer *o = start_imported(UW_HABIT_ANY_DEVID);
    size_t at = 0;

    (void)state;
    assert_int_equal(feed_pdu(o, &pdu), 0);
    assert_int_equal(o->count, 1);
    end(o);
    o = start_imported(UW_HABIT_DEVID_GONE);
    assert_int_equal(feed_pdu(o, &pdu), 0);
    assert_int_equal(o->count, 0);
    drain(o, SIZE_MAX);
    assert_int_equal(next_reply(o, &at).status, -19);
    end(o);
}

static void
test_strict_seqnum(void **state)
{
    struct offer *o = start_imported(UW_HABIT_STRICT_SEQNUM);

    (void)state;
    assert_int_equal(feed_read(o, 1, 4), 0);
    answer(o, o->requests[0]);
    assert_int_equal(feed_read(o, 1, 4), 0); /* not pending any more */
    assert_int_equal(feed_read(o, 1, 4), UW_ERROR_PROTOCOL);
    end(o);
}

static void
test_packets_0(void **state)
{
    const struct uw_pdu pdu = {.command = UW_CMD_SUBMIT,
                               .seqnum = 1,
                               .devid = DEVID,
                               .direction = UW_DIR_IN,
                               .ep = 1,
                               .length = 4,
                               .packets = -1};
    struct offer *o = start_imported(0);

    (void)state;
    assert_int_equal(feed_pdu(o, &pdu), 0);
    assert_int_equal(o->requests[0]->iso_count, 0);
    end(o);
    o = start_imported(UW_HABIT_PACKETS_0);
    assert_int_equal(feed_pdu(o, &pdu), UW_ERROR_PROTOCOL);
    end(o);
}

static void
test_table_unread(void **state)
{
    struct offer *o = start_imported(UW_HABIT_TABLE_UNREAD);
    size_t at = 0;

    (void)state;
    assert_int_equal(feed(o, iso_in, sizeof(iso_in)), 0);
    assert_int_equal(o->count, 0);
    drain(o, SIZE_MAX);
    assert_int_equal(next_reply(o, &at).status, -95);
    /* 32 bytes of table and 16 of the next request make a header. */
    assert_true(feed_read(o, 1, 4) < 0);
    end(o);
}

static void
test_one_a_segment(void **state)
{
    struct offer *o = start_imported(UW_HABIT_ONE_A_SEGMENT);
    uint8_t two[2 * sizeof(bulk_out)];

    (void)state;
    memcpy(two, bulk_out, sizeof(bulk_out));
    memcpy(two + sizeof(bulk_out), bulk_out, sizeof(bulk_out));
    assert_int_equal(feed(o, two, sizeof(two)), 0);
    assert_int_equal(o->count, 1); /* the second is lost */
    assert_int_equal(feed(o, bulk_out, 48), 0);
    assert_int_equal(feed(o, "abc", 3), 0);
    assert_int_equal(o->count, 1); /* so is one in two pieces */
    assert_int_equal(feed(o, bulk_out, sizeof(bulk_out)), 0);
    assert_int_equal(o->count, 2);
    end(o);
}

static void
test_many_ops(void **state)
{
    static const uint8_t devlist[8] = {0x01, 0x11, 0x80, 0x05};
    struct offer *o = start(UW_HABIT_MANY_OPS);
    uint8_t wrong[40];

    (void)state;
    memcpy(wrong, import_request, sizeof(wrong));
    wrong[8] = '9';
    assert_int_equal(feed(o, devlist, sizeof(devlist)), 0);
    assert_int_equal(feed(o, devlist, sizeof(devlist)), 0);
    assert_int_equal(feed(o, wrong, sizeof(wrong)), 0);
    assert_int_equal(feed(o, import_request, sizeof(import_request)), 0);
    drain(o, SIZE_MAX);
    assert_int_equal(o->size, 2 * (12 + 312 + 8) + 8 + 320);
    assert_true(uw_session_is_imported(o->session));
    end(o);
}

static void
test_list_habits(void **state)
{
    static const uint8_t devlist[8] = {0x00, 0x00, 0x80, 0x05};
    struct offer *o = start(UW_HABIT_ANY_VERSION | UW_HABIT_ONE_INTERFACE | UW_HABIT_DIRTY_STRINGS);
    struct uw_device_info info;

    (void)state;
    assert_int_equal(feed(o, devlist, sizeof(devlist)), 0);
    drain(o, SIZE_MAX);
    assert_int_equal(o->size, 12 + 312 + 4);
    assert_int_equal(o->out[12 + 256 + 3], 0);
    assert_int_not_equal(o->out[12 + 256 + 4], 0);
    assert_int_not_equal(o->out[12 + 255], 0);
    uw_decode_device(o->out + 12, &info);
    assert_string_equal(info.path, board.path);
    assert_string_equal(info.busid, board.busid);
    assert_int_equal(info.num_interfaces, 2);
    end(o);
}

static void
test_import_habits(void **state)
{
    struct offer *o = start(UW_HABIT_NO_RECORD);
    struct uw_device_info info;

    (void)state;
    assert_int_equal(feed(o, import_request, sizeof(import_request)), 0);
    drain(o, SIZE_MAX);
    uw_decode_device(o->out + 8, &info);
    assert_int_equal(info.vid, 0);
    assert_int_equal(info.pid, 0);
    assert_int_equal(info.devnum, 2);
    end(o);

    o = start(UW_HABIT_EXTRA_IMPORT | UW_HABIT_MANY_OPS);
    assert_int_equal(feed(o, import_request, sizeof(import_request)), 0);
    drain(o, SIZE_MAX);
    assert_int_equal(o->size, 8 + 312 + 8);
    assert_memory_equal(o->out + 320, "\x01\x11\x00\x03\x00\x00\x00\x01", 8);
    assert_false(uw_session_is_imported(o->session));
    end(o);
}

/* Payload with its gaps, all offsets 0. */
static void
test_not_compact(void **state)
{
    struct offer *o = start_imported(UW_HABIT_NOT_COMPACT);
    struct uw_iso_packet packets[2];
    size_t at = 0;

    (void)state;
    o->at_once = 1;
    assert_int_equal(feed(o, iso_in, sizeof(iso_in)), 0);
    drain(o, SIZE_MAX);
    assert_int_equal(next_reply(o, &at).length, 8);
    assert_memory_equal(o->out + 48, "\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7", 8);
    uw_decode_iso(o->out + 56, packets, 2);
    assert_int_equal(packets[0].offset, 0);
    assert_int_equal(packets[1].offset, 0);
    assert_int_equal(packets[1].actual, 2);
    end(o);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_devlist),           cmocka_unit_test(test_import),
        cmocka_unit_test(test_import_refused),    cmocka_unit_test(test_import_endless_busid),
        cmocka_unit_test(test_control_in),        cmocka_unit_test(test_bulk_out),
        cmocka_unit_test(test_error_with_data),   cmocka_unit_test(test_iso_in),
        cmocka_unit_test(test_iso_out),           cmocka_unit_test(test_any_split),
        cmocka_unit_test(test_byte_by_byte),      cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_unlink_pending),    cmocka_unit_test(test_unlink_too_late),
        cmocka_unit_test(test_unlink_of_nothing), cmocka_unit_test(test_unlink_kept),
        cmocka_unit_test(test_forgotten),         cmocka_unit_test(test_unlink_habits),
        cmocka_unit_test(test_bad_requests),      cmocka_unit_test(test_bad_urbs),
        cmocka_unit_test(test_unknown_command),   cmocka_unit_test(test_bad_iso_tables),
        cmocka_unit_test(test_no_list),           cmocka_unit_test(test_too_many_requests),
        cmocka_unit_test(test_too_many_bytes),    cmocka_unit_test(test_peer_that_does_not_read),
        cmocka_unit_test(test_one_at_a_time),     cmocka_unit_test(test_max_requests),
        cmocka_unit_test(test_max_transfer),      cmocka_unit_test(test_echo),
        cmocka_unit_test(test_out_length_0),      cmocka_unit_test(test_devid_habits),
        cmocka_unit_test(test_strict_seqnum),     cmocka_unit_test(test_packets_0),
        cmocka_unit_test(test_table_unread),      cmocka_unit_test(test_one_a_segment),
        cmocka_unit_test(test_many_ops),          cmocka_unit_test(test_list_habits),
        cmocka_unit_test(test_import_habits),     cmocka_unit_test(test_not_compact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
