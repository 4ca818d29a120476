/*
 * threads - a read that waits holds up nobody, and neither does a device that answers late
 *
 *   threads ADDRESS BUSID         of a FunctionFS gadget
 */
#include <pthread.h>
#include <string.h>

#include "peer.h"

#define ROUNDS    50
#define ANSWER_MS 3000

static void *
wait_for_data(void *data)
{
    struct peer *peer = data;
    uint8_t bytes[512];
    size_t n;

    expect(
        uw_transfer(peer->device, peer->in, bytes, sizeof(bytes), uw_msec(PATIENCE_MS), &n, NULL),
        0, "the long read");
    if (n != 5)
        fail("the long read got %zu bytes", n);
    return NULL;
}

static void
store(struct peer *peer, uint32_t *random)
{
    uint8_t sent[600], got[1000];
    size_t n;

    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (uint8_t)next_random(random);
    expect(uw_control(peer->device, 0x40, FFS_STORE, 0, 0, sent, sizeof(sent), uw_msec(PATIENCE_MS),
                      &n, NULL),
           0, "control OUT beside a read");
    expect(uw_control(peer->device, 0xc0, FFS_STORE, 0, 0, got, sizeof(got), uw_msec(PATIENCE_MS),
                      &n, NULL),
           0, "control IN beside a read");
    if (n != sizeof(sent) || memcmp(sent, got, n) != 0)
        fail("%zu other bytes came back", n);
}

/* A device that answers late: the caller does not wait for it, and the next request gets its own
 * answer. */
static void
late_answer(struct peer *peer)
{
    struct uw_usec start = uw_now();
    uint8_t data[16];
    unsigned took;
    size_t n;

    expect(uw_control(peer->device, 0xc0, FFS_DELAY, ANSWER_MS, 0, data, sizeof(data), uw_msec(150),
                      &n, NULL),
           UW_ERROR_TIMEOUT, "a control transfer with a slow device");
    took = since(start);
    if (took < 150 || took >= ANSWER_MS)
        fail("the timeout came after %u ms instead of 150", took);
    expect(uw_control(peer->device, 0xc0, FFS_DELAY, 10, 0, data, sizeof(data),
                      uw_msec(PATIENCE_MS), &n, NULL),
           0, "the control transfer after it");
    if (n != 7 || memcmp(data, "delayed", 7) != 0)
        fail("%zu bytes that are not the answer", n);
}

int
main(int argc, char **argv)
{
    struct peer peer;
    pthread_t reader;
    uint32_t random = 3;

    peer_open(&peer, argc, argv, 0, "");
    pthread_create(&reader, NULL, wait_for_data, &peer);
    for (int i = 0; i < ROUNDS; i++)
        store(&peer, &random);
    expect(uw_transfer(peer.device, peer.out, (void *)(uintptr_t) "hello", 5, uw_msec(PATIENCE_MS),
                       NULL, NULL),
           0, "a write beside a read");
    pthread_join(reader, NULL);
    late_answer(&peer);
    peer_close(&peer);
    return 0;
}
