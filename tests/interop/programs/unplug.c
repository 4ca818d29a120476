/*
 * unplug - transfers in flight when their device is pulled out
 *
 *   unplug ADDRESS BUSID IN
 *
 * Says "in flight" when they are; then each has to end, with a status that says why.
 */
#include <stdio.h>
#include <stdlib.h>

#include "peer.h"

#define READS 4

static int
gone(int status)
{
    return status == UW_ERROR_NO_DEVICE || status == UW_ERROR_CONNECTION_LOST;
}

int
main(int argc, char **argv)
{
    struct peer peer;
    struct uw_urb *urb[READS];
    static uint8_t data[READS][512], byte[2];
    struct uw_fault fault;
    struct uw_usec start;
    int r;

    peer_open(&peer, argc, argv, 1, "IN");
    for (int i = 0; i < READS; i++) {
        if (uw_urb_new(0, &urb[i]) < 0)
            fail("out of memory");
        uw_urb_set_transfer(urb[i], peer.device, (uint8_t)strtoul(argv[3], NULL, 0), data[i],
                            sizeof(data[i]));
        expect(uw_urb_submit(urb[i], peer.queue), 0, "submit");
    }
    puts("in flight");
    fflush(stdout);
    /* Control transfers go on until the device is gone. */
    start = uw_now();
    do {
        r = uw_control(peer.device, 0x80, 0, 0, 0, byte, 2, uw_msec(PATIENCE_MS), NULL, NULL);
        if (since(start) > PATIENCE_MS)
            fail("the device is still there");
    } while (r == 0);
    for (int i = 0; i < READS; i++) {
        if (uw_queue_wait(peer.queue, uw_msec(PATIENCE_MS)) != 1)
            fail("a read did not end");
        uw_queue_pop(peer.queue);
    }
    for (int i = 0; i < READS; i++) {
        if (!gone(uw_urb_status(urb[i])))
            fail("read %d: %s", i, uw_error_name(uw_urb_status(urb[i])));
        uw_urb_free(urb[i]);
    }
    r = uw_control(peer.device, 0x80, 0, 0, 0, byte, 2, uw_msec(PATIENCE_MS), NULL, &fault);
    if (!gone(r) || !gone(uw_device_status(peer.device)))
        fail("afterwards: %s, device status %s", uw_error_name(r),
             uw_error_name(uw_device_status(peer.device)));
    printf("%s\n", uw_fault_text(&fault, (char[UW_FAULT_TEXT_MAX]){0}, UW_FAULT_TEXT_MAX));
    peer_close(&peer);
    return 0;
}
