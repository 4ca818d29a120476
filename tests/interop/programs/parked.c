/*
 * parked - reads that time out, on a FunctionFS gadget: nothing is lost
 *
 *   parked ADDRESS BUSID
 */
#include <string.h>

#include "peer.h"

#define TIMEOUT_MS 120

struct checked {
    struct peer peer;
    unsigned message; /* its number */
};

/* A read of `size` bytes that brings nothing. */
static void
read_in_vain(struct checked *c, size_t size)
{
    uint8_t data[2048];
    struct uw_usec start = uw_now();
    size_t n = 1;
    unsigned took;

    expect(uw_transfer(c->peer.device, c->peer.in, data, size, uw_msec(TIMEOUT_MS), &n, NULL),
           UW_ERROR_TIMEOUT, "a read with nothing to come");
    took = since(start);
    if (n != 0 || took < TIMEOUT_MS || took > TIMEOUT_MS + PATIENCE_MS)
        fail("%zu bytes after %u ms, not none after %d", n, took, TIMEOUT_MS);
}

/* Reads message `c->message` of `size` bytes, in reads of `step` bytes. */
static void
read_message(struct checked *c, size_t size, size_t step)
{
    static uint8_t data[65536];
    size_t done = 0, n;

    while (done < size) {
        size_t room = step < sizeof(data) - done ? step : sizeof(data) - done;
        expect(uw_transfer(c->peer.device, c->peer.in, data + done, room, uw_msec(PATIENCE_MS), &n,
                           NULL),
               0, "a read after the timeout");
        done += n;
    }
    if (done != size)
        fail("a message of %zu bytes instead of %zu", done, size);
    for (size_t i = 0; i < size; i++) {
        if (data[i] != (uint8_t)(c->message + i))
            fail("message %u: byte %zu is %u", c->message, i, data[i]);
    }
    c->message++;
}

/* `parked` reads of `ask` bytes time out; then `count` messages of `size` bytes come. */
static void
round_trip(struct checked *c, unsigned parked, size_t ask, unsigned count, size_t size, size_t step)
{
    for (unsigned i = 0; i < parked; i++)
        read_in_vain(c, ask);
    c->message = 0;
    ffs_request(&c->peer, FFS_SEND, (uint16_t)count, (uint16_t)size);
    for (unsigned i = 0; i < count; i++)
        read_message(c, size, step);
}

/* Timeouts as long as the data is away: whatever wins, all messages come, whole and in order. */
static void
race(struct checked *c, unsigned rounds)
{
    uint8_t data[512];
    uint32_t random = 7;

    for (unsigned i = 0; i < rounds; i++) {
        size_t n;
        int r;
        ffs_request(&c->peer, FFS_SEND, 1, 100);
        do {
            struct uw_usec wait = uw_usec(next_random(&random) % 3000 + 1);
            r = uw_transfer(c->peer.device, c->peer.in, data, sizeof(data), wait, &n, NULL);
        } while (r == UW_ERROR_TIMEOUT);
        expect(r, 0, "a read against the clock");
        if (n != 100 || data[99] != 99)
            fail("round %u: %zu bytes", i, n);
    }
    read_in_vain(c, sizeof(data));
}

int
main(int argc, char **argv)
{
    struct checked c = {.message = 0};

    peer_open(&c.peer, argc, argv, 0, "");
    round_trip(&c, 1, 512, 5, 300, 512);    /* short messages, one a read */
    round_trip(&c, 2, 1024, 3, 1024, 1024); /* whole reads */
    round_trip(&c, 1, 2048, 2, 2000, 512);  /* parked large, read in small pieces */
    round_trip(&c, 1, 512, 4, 20000, 4096); /* a large message through a small parked read */
    race(&c, 200);
    peer_close(&c.peer);
    return 0;
}
