/*
 * wire.h - the simplest client there is, so that a test sees what the bench sends
 *
 * Blocking, bounded (a wait of 20 s fails the test), and nothing of the library's engine in it.
 */
#ifndef TEST_WIRE_H
#define TEST_WIRE_H

#include "support/stand.h"
#include "wire/cmd.h"
#include "wire/op.h"

struct wire {
    int fd;
    uint32_t seqnum, devid;
    struct uw_device_info info;
    int holds;
    uint8_t held[4096];
    size_t held_size;
};

/* A reply of the server, with its payload. */
struct wire_reply {
    struct uw_pdu pdu;
    uint8_t data[1 << 17];
    size_t size;
    struct uw_iso_packet iso[64];
};

/* Connects. */
void wire_open(struct wire *wire, const struct stand *stand);
void wire_close(struct wire *wire);

/* The device list; freed with uw_device_list_free. Uses the connection up. */
struct uw_device_list *wire_list(struct wire *wire);
/* The status of the import reply, an enum uw_op_status. */
uint32_t wire_import(struct wire *wire, const char *busid);
/* Connects and imports a device, which has to succeed; as it comes, or in configuration 1. */
void wire_open_unconfigured(struct wire *wire, const struct stand *stand, const char *busid);
void wire_open_device(struct wire *wire, const struct stand *stand, const char *busid);

/* What is sent from one to the other arrives at once, however slow this program is in between. */
void wire_hold(struct wire *wire);
void wire_let_go(struct wire *wire);

/* Sends CMD_SUBMIT of a bulk transfer; the seqnum it has. */
uint32_t wire_submit(struct wire *wire, uint8_t endpoint, const void *data, size_t length);
/* Interrupt: USB/IP tells the interval with it. */
uint32_t wire_submit_interrupt(struct wire *wire, uint8_t endpoint, const void *data,
                               size_t length);
uint32_t wire_submit_control(struct wire *wire, uint8_t type, uint8_t request, uint16_t value,
                             uint16_t index, const void *data, uint16_t length);
/* Isochronous, `count` packets of `size` bytes one after the other. */
uint32_t wire_submit_iso(struct wire *wire, uint8_t endpoint, const void *data, uint32_t count,
                         uint32_t size);
/* Any CMD_SUBMIT, with zeroes for payload and packet table; command, seqnum and devid are filled
 * in. */
uint32_t wire_submit_pdu(struct wire *wire, const struct uw_pdu *pdu);
uint32_t wire_unlink(struct wire *wire, uint32_t target);

/* The next reply; `in` says whether payload follows. 0 when the server closed. */
int wire_next(struct wire *wire, int in, struct wire_reply *ret_reply);

/* How many bytes come before the server closes. */
size_t wire_rest(struct wire *wire);

/* Submit and wait: the bytes moved, or a status below 0. */
int wire_control(struct wire *wire, uint8_t type, uint8_t request, uint16_t value, uint16_t index,
                 void *data, uint16_t length);
int wire_read(struct wire *wire, uint8_t endpoint, void *data, size_t length);
int wire_write(struct wire *wire, uint8_t endpoint, const void *data, size_t length);

#endif
