/*
 * wire.c - the simplest client there is
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include <usbwire/error.h>

#include "wire.h"

#define PATIENCE_S 20 /* of a loaded machine */

/* 0 when the server closed. */
static int
receive(struct wire *w, void *buf, size_t size)
{
    for (size_t have = 0; have < size;) {
        ssize_t n = recv(w->fd, (char *)buf + have, size - have, 0);

        if (n < 0 && errno == EAGAIN)
            fail_msg("the server says nothing for %d s", PATIENCE_S);
        if (n <= 0)
            return 0;
        have += (size_t)n;
    }
    return 1;
}

static void
transmit(struct wire *w, const void *buf, size_t size)
{
    if (!size)
        return; /* and there may be no buffer */
    if (w->holds) {
        assert_true(size <= sizeof(w->held) - w->held_size);
        memcpy(w->held + w->held_size, buf, size);
        w->held_size += size;
        return;
    }
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(w->fd, (const char *)buf + sent, size - sent, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* the reading side sees the end, too */
        sent += (size_t)n;
    }
}

void
wire_open(struct wire *w, const struct stand *stand)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(stand->port)};
    struct timeval patience = {.tv_sec = PATIENCE_S};

    memset(w, 0, sizeof(*w));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(w->fd >= 0);
    setsockopt(w->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(w->fd, (struct sockaddr *)(void *)&a, sizeof(a)), 0);
}

void
wire_close(struct wire *w)
{
    close(w->fd);
}

struct uw_device_list *
wire_list(struct wire *w)
{
    const struct uw_op op = {UW_VERSION_111, UW_OP_REQ_DEVLIST, 0};
    static uint8_t bytes[1 << 18];
    struct uw_device_list *list = NULL;
    size_t size = 0;
    ssize_t n;

    transmit(w, bytes, uw_encode_op(bytes, &op));
    while ((n = recv(w->fd, bytes + size, sizeof(bytes) - size, 0)) > 0)
        size += (size_t)n;
    assert_int_equal(uw_decode_device_list(bytes, size, 1, 1000, &list), 1);
    assert_non_null(list);
    return list;
}

uint32_t
wire_import(struct wire *w, const char *busid)
{
    uint8_t bytes[UW_OP_DEVICE_SIZE];
    struct uw_op op;

    transmit(w, bytes, uw_encode_import_request(bytes, busid));
    assert_true(receive(w, bytes, UW_OP_HEADER_SIZE));
    uw_decode_op(bytes, &op);
    if (op.status == UW_OP_ST_OK) {
        assert_true(receive(w, bytes, UW_OP_DEVICE_SIZE));
        uw_decode_device(bytes, &w->info);
        w->devid = w->info.busnum << 16 | w->info.devnum;
    }
    return op.status;
}

void
wire_open_unconfigured(struct wire *w, const struct stand *stand, const char *busid)
{
    struct uw_usec until = uw_usec_add(uw_now(), uw_msec(PATIENCE_S * 1000u));
    uint32_t status;

    /* The bench may not have seen yet that its last user left. */
    wire_open(w, stand);
    while ((status = wire_import(w, busid)) == UW_OP_ST_DEV_BUSY && uw_now().us < until.us) {
        wire_close(w);
        wire_open(w, stand);
    }
    assert_int_equal(status, UW_OP_ST_OK);
}

void
wire_open_device(struct wire *w, const struct stand *stand, const char *busid)
{
    wire_open_unconfigured(w, stand, busid);
    assert_int_equal(wire_control(w, 0x00, 0x09, 1, 0, NULL, 0), 0);
}

void
wire_hold(struct wire *w)
{
    w->holds = 1;
    w->held_size = 0;
}

void
wire_let_go(struct wire *w)
{
    w->holds = 0;
    transmit(w, w->held, w->held_size);
}

static void
send_submit(struct wire *w, struct uw_pdu *pdu, const void *data)
{
    uint8_t bytes[UW_PDU_SIZE];

    pdu->command = UW_CMD_SUBMIT;
    pdu->seqnum = ++w->seqnum;
    pdu->devid = w->devid;
    uw_encode_pdu(bytes, pdu);
    transmit(w, bytes, sizeof(bytes));
    if (pdu->direction == UW_DIR_OUT)
        transmit(w, data, (size_t)pdu->length);
}

static uint32_t
submit_every(struct wire *w, uint8_t endpoint, const void *data, size_t length, int32_t interval)
{
    struct uw_pdu pdu = {.direction = endpoint & 0x80 ? UW_DIR_IN : UW_DIR_OUT,
                         .ep = endpoint & 0x0fu,
                         .interval = interval,
                         .length = (int32_t)length};

    send_submit(w, &pdu, data);
    return w->seqnum;
}

uint32_t
wire_submit(struct wire *w, uint8_t endpoint, const void *data, size_t length)
{
    return submit_every(w, endpoint, data, length, 0);
}

uint32_t
wire_submit_interrupt(struct wire *w, uint8_t endpoint, const void *data, size_t length)
{
    return submit_every(w, endpoint, data, length, 8);
}

uint32_t
wire_submit_control(struct wire *w, uint8_t type, uint8_t request, uint16_t value, uint16_t index,
                    const void *data, uint16_t length)
{
    struct uw_pdu pdu = {.direction = type & 0x80 ? UW_DIR_IN : UW_DIR_OUT,
                         .length = length,
                         .setup = {type, request, (uint8_t)value, (uint8_t)(value >> 8),
                                   (uint8_t)index, (uint8_t)(index >> 8), (uint8_t)length,
                                   (uint8_t)(length >> 8)}};

    send_submit(w, &pdu, data);
    return w->seqnum;
}

uint32_t
wire_submit_iso(struct wire *w, uint8_t endpoint, const void *data, uint32_t count, uint32_t size)
{
    struct uw_pdu pdu = {.direction = endpoint & 0x80 ? UW_DIR_IN : UW_DIR_OUT,
                         .ep = endpoint & 0x0fu,
                         .interval = 1,
                         .length = (int32_t)(count * size),
                         .packets = (int32_t)count};
    struct uw_iso_packet packets[64];
    uint8_t table[64 * UW_ISO_SIZE];

    memset(packets, 0, sizeof(packets));
    for (uint32_t i = 0; i < count; i++) {
        packets[i].offset = i * size;
        packets[i].length = size;
    }
    uw_encode_iso(table, packets, count);
    send_submit(w, &pdu, data);
    transmit(w, table, (size_t)count * UW_ISO_SIZE);
    return w->seqnum;
}

uint32_t
wire_submit_pdu(struct wire *w, const struct uw_pdu *pdu)
{
    struct uw_pdu copy = *pdu;
    static const uint8_t nothing[1024];

    send_submit(w, &copy, nothing);
    transmit(w, nothing, (size_t)copy.packets * UW_ISO_SIZE);
    return w->seqnum;
}

uint32_t
wire_unlink(struct wire *w, uint32_t target)
{
    const struct uw_pdu pdu = {
        .command = UW_CMD_UNLINK, .seqnum = ++w->seqnum, .devid = w->devid, .target = target};
    uint8_t bytes[UW_PDU_SIZE];

    uw_encode_pdu(bytes, &pdu);
    transmit(w, bytes, sizeof(bytes));
    return pdu.seqnum;
}

int
wire_next(struct wire *w, int in, struct wire_reply *reply)
{
    uint8_t bytes[UW_PDU_SIZE], table[64 * UW_ISO_SIZE];
    uint32_t packets;

    if (!receive(w, bytes, sizeof(bytes)))
        return 0;
    assert_int_equal(uw_decode_pdu(bytes, &reply->pdu), 0);
    if (reply->pdu.command != UW_RET_SUBMIT)
        return 1;
    packets = (uint32_t)reply->pdu.packets;
    reply->size = (size_t)reply->pdu.length;
    assert_true(reply->size <= sizeof(reply->data) && packets <= 64);
    if (in && !receive(w, reply->data, reply->size))
        return 0;
    if (packets && !receive(w, table, packets * UW_ISO_SIZE))
        return 0;
    uw_decode_iso(table, reply->iso, packets);
    return 1;
}

size_t
wire_rest(struct wire *w)
{
    size_t n = 0;
    uint8_t byte;

    while (receive(w, &byte, 1))
        n++;
    return n;
}

/* The reply to what was just sent. */
static int
finish(struct wire *w, int in, void *data)
{
    static struct wire_reply reply;

    assert_true(wire_next(w, in, &reply));
    assert_int_equal(reply.pdu.command, UW_RET_SUBMIT);
    assert_int_equal(reply.pdu.seqnum, w->seqnum);
    if (reply.pdu.status < 0)
        return reply.pdu.status;
    if (in)
        memcpy(data, reply.data, reply.size);
    return reply.pdu.length;
}

int
wire_control(struct wire *w, uint8_t type, uint8_t request, uint16_t value, uint16_t index,
             void *data, uint16_t length)
{
    wire_submit_control(w, type, request, value, index, data, length);
    return finish(w, type & 0x80, data);
}

int
wire_read(struct wire *w, uint8_t endpoint, void *data, size_t length)
{
    wire_submit(w, endpoint, NULL, length);
    return finish(w, 1, data);
}

int
wire_write(struct wire *w, uint8_t endpoint, const void *data, size_t length)
{
    wire_submit(w, endpoint, data, length);
    return finish(w, 0, NULL);
}
