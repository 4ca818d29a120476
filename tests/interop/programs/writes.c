/*
 * writes - large writes that end early
 *
 *   writes ADDRESS BUSID timeout     of a FunctionFS gadget, which takes no more than is read back
 *   writes ADDRESS BUSID stall       of gadget zero, which halts where the data is not its pattern
 *
 * Many pieces are under way when the end comes. What the write says to have sent was taken by the
 * device, and the next write is not preceded by anything of the old one.
 */
#include <pthread.h>
#include <string.h>

#include "peer.h"

#define SIZE     (4u << 20)
#define TAKEN    (512u << 10)
#define WAIT_MS  4000
#define QUIET_MS 1500

static uint8_t data[SIZE], got[SIZE];

/* Reads until `most` bytes are there or, from `least` on, nothing more comes. */
static size_t
read_back(struct peer *peer, size_t done, size_t least, size_t most)
{
    size_t n;

    while (done < most &&
           uw_transfer(peer->device, peer->in, got + done, 65536,
                       uw_msec(done < least ? PATIENCE_MS : QUIET_MS), &n, NULL) == 0)
        done += n;
    return done;
}

static void *
read_some(void *peer)
{
    size_t done = read_back(peer, 0, TAKEN, TAKEN);

    if (done < TAKEN)
        fail("only %zu bytes came back", done);
    return NULL;
}

/* The device sends back what it gets; a part of that is read, then nothing more. */
static void
timed_out(struct peer *peer)
{
    uint32_t random = 9;
    size_t sent, back;
    pthread_t reader;

    for (size_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)next_random(&random);
    for (int round = 0; round < 2; round++) {
        struct uw_usec start = uw_now();
        pthread_create(&reader, NULL, read_some, peer);
        expect(uw_transfer(peer->device, peer->out, data, SIZE, uw_msec(WAIT_MS), &sent, NULL),
               UW_ERROR_TIMEOUT, "a write that is not taken");
        if (since(start) < WAIT_MS || since(start) > WAIT_MS + PATIENCE_MS)
            fail("the timeout came after %u ms instead of %d", since(start), WAIT_MS);
        pthread_join(reader, NULL);
        back = read_back(peer, TAKEN, sent, SIZE);
        if (sent < TAKEN / 2 || sent >= SIZE || back < sent)
            fail("%zu bytes are said to be sent, %zu were", sent, back);
        if (memcmp(data, got, back) != 0)
            fail("other bytes came back");
        /* Ends the message that the device has begun to take, if any. */
        expect(uw_transfer(peer->device, peer->out, data, 1, uw_msec(PATIENCE_MS), &sent, NULL), 0,
               "the write after it");
        if (read_back(peer, 0, 1, SIZE) == 0)
            fail("the write after it brought nothing back");
    }
}

static void
stalled(struct peer *peer)
{
    size_t wrong = SIZE / 2 + 1000, sent;

    expect(uw_device_set_configuration(peer->device, 1, uw_msec(PATIENCE_MS), NULL), 0,
           "set the configuration");
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < SIZE; i++)
            data[i] = (uint8_t)(i % 512 % 63);
        data[wrong] ^= 1;
        expect(uw_transfer(peer->device, peer->out, data, SIZE, uw_msec(PATIENCE_MS), &sent, NULL),
               UW_ERROR_STALL, "a write that is refused");
        /* The sink looks at 4096 bytes at a time, and may have queued some. */
        if (sent > wrong + 256 * 1024)
            fail("%zu bytes are said to be sent, but byte %zu was refused", sent, wrong);
        expect(uw_device_clear_halt(peer->device, peer->out, uw_msec(PATIENCE_MS), NULL), 0,
               "CLEAR_FEATURE(ENDPOINT_HALT)");
        data[wrong] ^= 1;
        expect(uw_transfer(peer->device, peer->out, data, SIZE, uw_msec(PATIENCE_MS), &sent, NULL),
               0, "the write after it");
        if (sent != SIZE)
            fail("%zu bytes of the write after it", sent);
    }
}

int
main(int argc, char **argv)
{
    struct peer peer;

    peer_open(&peer, argc, argv, 1, "timeout|stall");
    if (strcmp(argv[3], "timeout") == 0)
        timed_out(&peer);
    else
        stalled(&peer);
    peer_close(&peer);
    return 0;
}
