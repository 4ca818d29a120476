/*
 * offer.c - whoever offers devices, as a test has it
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "offer.h"

const uint8_t import_request[40] = {0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0, '1', '-', '1'};

/* GET_DESCRIPTOR, as vhci sends it: number_of_packets 0. */
const uint8_t get_descriptor[48] = {
    0,    0, 0,    1,    0, 0, 0, 7, 0, 1, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, /* submit 7, IN, ep 0 */
    0,    0, 0x02, 0x00, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 4 bytes */
    0x80, 6, 0,    1,    0, 0, 4, 0,
};

const uint8_t bulk_out[48 + 3] = {
    0, 0, 0, 1, 0, 0, 0, 8, 0,   1,   0,   2, 0, 0, 0, 0, 0, 0, 0, 2, /* submit 8, OUT, ep 2 */
    0, 0, 0, 0, 0, 0, 0, 3, 0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0, 0, /* 3 bytes */
    0, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c',
};

/* Two packets of 4 bytes at offsets 0 and 4. */
const uint8_t iso_in[48 + 32] = {
    0, 0, 0, 1, 0, 0, 0, 9, 0, 1, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, /* submit 9, IN, ep 3 */
    0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 1, /* 8 bytes, frame 5, 2 packets */
    0, 0, 0, 0, 0, 0, 0, 0,                                     /* no setup */
    0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0,             /* offset, length, actual, status */
    0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0,
};

static const struct uw_interface_class classes[] = {{0xff, 0x01, 0x02}, {0x08, 0x06, 0x50}};

const struct uw_device_info offer_board = {
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
    const struct uw_device_info *infos[] = {&offer_board};

    return ((struct offer *)data)->no_list ? NULL : uw_device_list_new(infos, 1);
}

static uint32_t
import(void *data, const char *busid, struct uw_device_info *ret_info)
{
    (void)data;
    if (strcmp(busid, "busy") == 0)
        return UW_OP_ST_DEV_BUSY;
    if (strcmp(busid, offer_board.busid) != 0)
        return UW_OP_ST_NODEV;
    *ret_info = offer_board;
    return UW_OP_ST_OK;
}

void
offer_answer(struct offer *o, struct uw_request *r)
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
        offer_answer(o, r);
    else
        o->requests[o->count++] = r;
}

static int
take_back(void *data, struct uw_request *r)
{
    struct offer *o = data;

    (void)r;
    o->unlinks++;
    if (o->begins)
        return UW_UNLINK_BEGUN;
    return o->keeps ? UW_UNLINK_REFUSED : UW_UNLINK_DONE;
}

static struct offer *
start(const struct uw_habits *habits, struct uw_budget *budget)
{
    struct offer *o = calloc(1, sizeof(*o));
    const struct uw_export cb = {.habits = &o->habits,
                                 .budget = budget,
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

struct offer *
offer_start_as(const struct uw_habits *habits)
{
    return start(habits, NULL);
}

struct offer *
offer_start(unsigned flags)
{
    const struct uw_habits habits = {.flags = flags};

    return offer_start_as(&habits);
}

void
offer_end(struct offer *o)
{
    uw_session_free(o->session);
    free(o->out);
    free(o);
}

/* Takes what is to be sent, `step` bytes at a time. */
void
offer_drain(struct offer *o, size_t step)
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

void
offer_expect(struct offer *o, const void *bytes, size_t size)
{
    offer_drain(o, SIZE_MAX);
    assert_int_equal(o->size, size);
    assert_memory_equal(o->out, bytes, size);
    o->size = 0;
}

int
offer_feed(struct offer *o, const void *bytes, size_t size)
{
    return uw_session_feed(o->session, bytes, size);
}

int
offer_feed_pdu(struct offer *o, const struct uw_pdu *pdu)
{
    uint8_t bytes[UW_PDU_SIZE];

    uw_encode_pdu(bytes, pdu);
    return offer_feed(o, bytes, sizeof(bytes));
}

int
offer_feed_read(struct offer *o, uint32_t seqnum, int32_t length)
{
    const struct uw_pdu pdu = {.command = UW_CMD_SUBMIT,
                               .seqnum = seqnum,
                               .devid = DEVID,
                               .direction = UW_DIR_IN,
                               .ep = 1,
                               .length = length};

    return offer_feed_pdu(o, &pdu);
}

int
offer_feed_unlink(struct offer *o, uint32_t seqnum, uint32_t target)
{
    const struct uw_pdu pdu = {
        .command = UW_CMD_UNLINK, .seqnum = seqnum, .devid = DEVID, .target = target};

    return offer_feed_pdu(o, &pdu);
}

/* The next RET_ in what was sent. */
struct uw_pdu
offer_next_reply(struct offer *o, size_t *at)
{
    struct uw_pdu pdu;

    assert_true(*at + UW_PDU_SIZE <= o->size);
    assert_int_equal(uw_decode_pdu(o->out + *at, &pdu), 0);
    *at += UW_PDU_SIZE;
    return pdu;
}

static struct offer *
import_first(struct offer *o)
{
    assert_int_equal(offer_feed(o, import_request, sizeof(import_request)), 0);
    offer_drain(o, SIZE_MAX);
    o->size = 0;
    return o;
}

struct offer *
offer_start_imported_as(const struct uw_habits *habits)
{
    return import_first(offer_start_as(habits));
}

struct offer *
offer_start_imported_within(struct uw_budget *budget)
{
    const struct uw_habits habits = {.flags = 0};

    return import_first(start(&habits, budget));
}

struct offer *
offer_start_imported(unsigned flags)
{
    const struct uw_habits habits = {.flags = flags};

    return offer_start_imported_as(&habits);
}
