/*
 * offer.h - whoever offers devices, as a test has it
 *
 * One device "1-1" behind a session. Requests are kept for the test to answer, or answered at once;
 * what the session sends is collected.
 */
#ifndef TEST_OFFER_H
#define TEST_OFFER_H

#include "export/session.h"
#include "wire/cmd.h"
#include "wire/op.h"

#define DEVID   0x00010002u
#define OUT_MAX (1u << 20)

struct offer {
    struct uw_habits habits;
    struct uw_session *session;
    struct uw_request *requests[5000];
    unsigned count, unlinks;
    int at_once; /* answers by itself, as offer_answer does */
    int keeps;   /* refuses to take a request back */
    int begins;  /* takes it back later */
    int no_list;
    uint8_t *out;
    size_t size;
};

/* OP_REQ_IMPORT of "1-1"; then as vhci sends it: seqnum 7, 4 bytes of the device descriptor, with
 * number_of_packets 0; seqnum 8, "abc" to endpoint 2; seqnum 9, two packets of 4 bytes at offsets 0
 * and 4 from endpoint 3. */
extern const uint8_t import_request[40], get_descriptor[48], bulk_out[48 + 3], iso_in[48 + 32];

/* What it offers. */
extern const struct uw_device_info offer_board;

struct offer *offer_start_as(const struct uw_habits *habits);
struct offer *offer_start(unsigned flags);
/* With the import behind it. */
struct offer *offer_start_imported_as(const struct uw_habits *habits);
struct offer *offer_start_imported(unsigned flags);
struct offer *offer_start_imported_within(struct uw_budget *budget);
void offer_end(struct offer *offer);

int offer_feed(struct offer *offer, const void *bytes, size_t size);
int offer_feed_pdu(struct offer *offer, const struct uw_pdu *pdu);
int offer_feed_read(struct offer *offer, uint32_t seqnum, int32_t length);
int offer_feed_unlink(struct offer *offer, uint32_t seqnum, uint32_t target);

/* Success: IN with 0xa0 and counting, isochronous packets half full. */
void offer_answer(struct offer *offer, struct uw_request *request);

/* Takes what is to be sent, at most `step` bytes at a time, into offer->out. */
void offer_drain(struct offer *offer, size_t step);
/* What is sent is exactly that. */
void offer_expect(struct offer *offer, const void *bytes, size_t size);
/* The next RET_ in offer->out. */
struct uw_pdu offer_next_reply(struct offer *offer, size_t *at);

#endif
