/*
 * halts - stalls and halts of a FunctionFS gadget, and life after them
 *
 *   halts ADDRESS BUSID
 */
#include <string.h>

#include "peer.h"

static void
echo(struct peer *peer, const char *when)
{
    static const uint8_t sent[7] = "usbwire";
    uint8_t got[512];
    size_t n;

    (void)when;
    expect(uw_transfer(peer->device, peer->out, (void *)(uintptr_t)sent, sizeof(sent),
                       uw_msec(PATIENCE_MS), &n, NULL),
           0, when);
    expect(uw_transfer(peer->device, peer->in, got, sizeof(got), uw_msec(PATIENCE_MS), &n, NULL), 0,
           when);
    if (n != sizeof(sent) || memcmp(sent, got, n) != 0)
        fail("%s: %zu other bytes came back", when, n);
}

static void
control_stalls(struct peer *peer)
{
    uint8_t data[64];

    for (int i = 0; i < 3; i++) {
        expect(uw_control(peer->device, 0xc0, FFS_STALL, 0, 0, data, sizeof(data),
                          uw_msec(PATIENCE_MS), NULL, NULL),
               UW_ERROR_STALL, "a control IN that is refused");
        expect(uw_control(peer->device, 0x40, FFS_STALL, 0, 0, NULL, 0, uw_msec(PATIENCE_MS), NULL,
                          NULL),
               UW_ERROR_STALL, "a control without data that is refused");
        /* Endpoint 0 needs no CLEAR_HALT. */
        ffs_request(peer, FFS_STORE, 0, 0);
    }
}

static void
halted(struct peer *peer, uint8_t endpoint)
{
    int out = !(endpoint & 0x80);
    uint8_t data[512] = {0};

    ffs_request(peer, FFS_HALT, (uint16_t)out, 0);
    /* The gadget halts OUT after one more message. */
    if (out)
        expect(uw_transfer(peer->device, endpoint, data, 10, uw_msec(PATIENCE_MS), NULL, NULL), 0,
               "the last message before the halt");
    for (int i = 0; i < 2; i++)
        expect(uw_transfer(peer->device, endpoint, data, sizeof(data), uw_msec(PATIENCE_MS), NULL,
                           NULL),
               UW_ERROR_STALL, "a transfer on a halted endpoint");
    expect(uw_device_clear_halt(peer->device, endpoint, uw_msec(PATIENCE_MS), NULL), 0,
           "CLEAR_FEATURE(ENDPOINT_HALT)");
    echo(peer, out ? "after the halt of OUT" : "after the halt of IN");
}

/* A read in flight when its endpoint halts. */
static void
halted_meanwhile(struct peer *peer)
{
    struct uw_urb *urb;
    uint8_t data[512];

    if (uw_urb_new(0, &urb) < 0)
        fail("out of memory");
    uw_urb_set_transfer(urb, peer->device, peer->in, data, sizeof(data));
    expect(uw_urb_submit(urb, peer->queue), 0, "submit");
    ffs_request(peer, FFS_HALT, 0, 0);
    if (uw_queue_wait(peer->queue, uw_msec(PATIENCE_MS)) != 1)
        fail("the read did not end when its endpoint halted");
    uw_queue_pop(peer->queue);
    expect(uw_urb_status(urb), UW_ERROR_STALL, "a read whose endpoint halts");
    uw_urb_free(urb);
    expect(uw_device_clear_halt(peer->device, peer->in, uw_msec(PATIENCE_MS), NULL), 0,
           "CLEAR_FEATURE(ENDPOINT_HALT)");
    echo(peer, "after a halt in mid-read");
}

int
main(int argc, char **argv)
{
    struct peer peer;

    peer_open(&peer, argc, argv, 0, "");
    echo(&peer, "at first");
    control_stalls(&peer);
    halted(&peer, peer.in);
    halted(&peer, peer.out);
    halted_meanwhile(&peer);
    peer_close(&peer);
    return 0;
}
