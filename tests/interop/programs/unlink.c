/*
 * unlink - cancels that race with completions: each URB ends once, and the device works afterwards
 *
 *   unlink ADDRESS BUSID messages     of a FunctionFS gadget: one message against one cancel
 *   unlink ADDRESS BUSID stream       of gadget zero: data as fast as it goes, both ways
 *   unlink ADDRESS BUSID large        of gadget zero: large writes
 *
 * Not for usbip-host of Linux 6.1, which such races crash.
 */
#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define DEPTH    16
#define MESSAGE  64
#define QUIET_MS 1500

struct race {
    struct peer peer;
    struct uw_urb *urb[DEPTH];
    uint8_t data[DEPTH][16384];
    unsigned in_flight[DEPTH]; /* 1 or 0 */
    uint32_t random, usual;    /* usual: microseconds that URB 0 takes */
    unsigned cancels;
};

/* Takes what has completed, waiting at most `us`. Returns how many. */
static unsigned
collect(struct race *r, uint32_t us)
{
    struct uw_urb *urb;
    unsigned count = 0;

    uw_queue_wait(r->peer.queue, uw_usec(us));
    while ((urb = uw_queue_pop(r->peer.queue)) != NULL) {
        unsigned i = 0;
        while (r->urb[i] != urb)
            i++;
        if (!r->in_flight[i])
            fail("URB %u ended twice", i);
        r->in_flight[i] = 0;
        if (uw_urb_status(urb) != 0 && uw_urb_status(urb) != UW_ERROR_CANCELLED)
            fail("URB %u: %s", i, uw_error_name(uw_urb_status(urb)));
        count++;
    }
    return count;
}

static void
submit(struct race *r, unsigned i, uint8_t endpoint, size_t size)
{
    uw_urb_set_transfer(r->urb[i], r->peer.device, endpoint, r->data[i], size);
    expect(uw_urb_submit(r->urb[i], r->peer.queue), 0, "submit");
    r->in_flight[i] = 1;
}

static void
collect_all(struct race *r)
{
    for (unsigned i = 0; i < DEPTH; i++) {
        struct uw_usec start = uw_now();
        while (r->in_flight[i]) {
            collect(r, 1000000);
            if (since(start) > PATIENCE_MS)
                fail("URB %u does not end", i);
        }
    }
}

/* Whether URB 0 brought a message, a whole one. */
static unsigned
got_message(struct race *r)
{
    if (uw_urb_status(r->urb[0]) != 0)
        return 0;
    if (uw_urb_actual_length(r->urb[0]) != MESSAGE)
        fail("a message of %zu bytes", uw_urb_actual_length(r->urb[0]));
    for (unsigned i = 0; i < MESSAGE; i++) {
        if (r->data[0][i] != (uint8_t)i)
            fail("byte %u of a message is %u", i, r->data[0][i]);
    }
    return 1;
}

/* Waits for URB 0 for a random part of twice the time that it usually takes, then takes it back:
 * now one wins, now the other, however fast this machine is. */
static void
race(struct race *r)
{
    struct uw_usec start = uw_now();

    if (r->usual == 0)
        r->usual = 1000;
    collect(r, next_random(&r->random) % (2 * r->usual));
    if (r->in_flight[0] && uw_urb_cancel(r->urb[0]) == 0)
        r->cancels++;
    collect_all(r);
    if (uw_urb_status(r->urb[0]) == 0)
        r->usual = (3 * r->usual + (uint32_t)uw_usec_sub(uw_now(), start).us) / 4;
    else
        r->usual += r->usual / 4;
}

/* A message and a cancel set out at about the same time. What the cancel's loser brought is lost or
 * comes later, but never in parts. */
static void
messages(struct race *r, unsigned rounds)
{
    unsigned got = 0;
    uint8_t data[512];
    size_t n;

    for (unsigned i = 0; i < rounds; i++) {
        submit(r, 0, r->peer.in, 512);
        uw_urb_set_control(r->urb[1], r->peer.device, 0x40, FFS_SEND, 1, MESSAGE, NULL, 0);
        expect(uw_urb_submit(r->urb[1], r->peer.queue), 0, "submit");
        r->in_flight[1] = 1;
        race(r);
        got += got_message(r);
    }
    if (got == 0 || r->cancels == 0)
        fail("no race: %u messages, %u cancels", got, r->cancels);
    while (uw_transfer(r->peer.device, r->peer.in, data, sizeof(data), uw_msec(QUIET_MS), &n,
                       NULL) == 0)
        got++;
    if (got > rounds)
        fail("%u messages of %u", got, rounds);
    /* Whole, and with its endpoints in step. */
    expect(uw_transfer(r->peer.device, r->peer.out, (void *)(uintptr_t) "alive", 5,
                       uw_msec(PATIENCE_MS), NULL, NULL),
           0, "a write afterwards");
    expect(
        uw_transfer(r->peer.device, r->peer.in, data, sizeof(data), uw_msec(PATIENCE_MS), &n, NULL),
        0, "a read afterwards");
    if (n != 5 || memcmp(data, "alive", 5) != 0)
        fail("%zu other bytes came back", n);
}

/* Control transfers that the device answers about when they are taken back. */
static void
controls(struct race *r, unsigned rounds)
{
    uint8_t data[16];
    size_t n;

    for (unsigned i = 0; i < rounds; i++) {
        uw_urb_set_control(r->urb[0], r->peer.device, 0xc0, FFS_DELAY, 4, 0, r->data[0], 7);
        expect(uw_urb_submit(r->urb[0], r->peer.queue), 0, "submit");
        r->in_flight[0] = 1;
        race(r);
        if (uw_urb_status(r->urb[0]) == 0 && memcmp(r->data[0], "delayed", 7) != 0)
            fail("a wrong answer");
    }
    expect(uw_control(r->peer.device, 0xc0, FFS_DELAY, 0, 0, data, sizeof(data),
                      uw_msec(PATIENCE_MS), &n, NULL),
           0, "a control transfer afterwards");
    if (n != 7)
        fail("%zu bytes instead of 7", n);
}

/* Reads (or writes) as many as go, and takes some of them back at any time. */
static void
stream(struct race *r, uint8_t endpoint, size_t size, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned k = 0; k < DEPTH; k++) {
            /* Pattern 1 of gadget zero, which it checks. */
            for (size_t b = 0; !(endpoint & 0x80) && b < size; b++)
                r->data[k][b] = (uint8_t)(b % 512 % 63);
            if (!r->in_flight[k])
                submit(r, k, endpoint, size);
        }
        collect(r, next_random(&r->random) % 6000);
        for (unsigned k = 0; k < 4; k++) {
            unsigned victim = next_random(&r->random) % DEPTH;
            if (r->in_flight[victim])
                uw_urb_cancel(r->urb[victim]);
        }
    }
    for (unsigned k = 0; k < DEPTH; k++) {
        if (r->in_flight[k])
            uw_urb_cancel(r->urb[k]);
    }
    collect_all(r);
    for (unsigned k = 0; k < 4; k++)
        submit(r, k, endpoint, size);
    collect_all(r);
    for (unsigned k = 0; k < 4; k++)
        expect(uw_urb_status(r->urb[k]), 0, "a transfer afterwards");
}

/* Large writes, in many pieces on their way, taken back at any place. */
static void
large(struct race *r, unsigned rounds)
{
    static uint8_t data[1 << 20];
    size_t whole = 0, part = 0;

    for (size_t b = 0; b < sizeof(data); b++)
        data[b] = (uint8_t)(b % 512 % 63);
    for (unsigned i = 0; i < rounds; i++) {
        uw_urb_set_transfer(r->urb[0], r->peer.device, r->peer.out, data, sizeof(data));
        expect(uw_urb_submit(r->urb[0], r->peer.queue), 0, "submit");
        r->in_flight[0] = 1;
        race(r);
        if (uw_urb_status(r->urb[0]) == 0)
            whole += uw_urb_actual_length(r->urb[0]) == sizeof(data);
        else if (uw_urb_actual_length(r->urb[0]) > 0)
            part++;
    }
    if (whole == 0 || part == 0)
        fail("no race: %zu whole, %zu in part", whole, part);
    uw_urb_set_transfer(r->urb[0], r->peer.device, r->peer.out, data, sizeof(data));
    expect(uw_urb_run(r->urb[0]), 0, "a write afterwards");
}

int
main(int argc, char **argv)
{
    static struct race r = {.random = 11};

    peer_open(&r.peer, argc, argv, 1, "messages|stream|large");
    for (unsigned i = 0; i < DEPTH; i++) {
        if (uw_urb_new(0, &r.urb[i]) < 0)
            fail("out of memory");
    }
    if (strcmp(argv[3], "messages") == 0) {
        messages(&r, 200);
        r.usual = 0;
        controls(&r, 200);
    } else if (strcmp(argv[3], "large") == 0) {
        expect(uw_device_set_configuration(r.peer.device, 1, uw_msec(PATIENCE_MS), NULL), 0,
               "set the configuration");
        large(&r, 40);
    } else {
        expect(uw_device_set_configuration(r.peer.device, 1, uw_msec(PATIENCE_MS), NULL), 0,
               "set the configuration");
        stream(&r, r.peer.in, 2048, 300);
        stream(&r, r.peer.out, 2048, 300);
    }
    for (unsigned i = 0; i < DEPTH; i++)
        uw_urb_free(r.urb[i]);
    peer_close(&r.peer);
    return 0;
}
