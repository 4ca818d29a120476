/*
 * peer.h - what the test programs share: a device of a guest's, imported
 *
 * They are called with ADDRESS BUSID and more, end with 0 when all was as it should be, and else
 * with a sentence and 1.
 */
#ifndef INTEROP_PEER_H
#define INTEROP_PEER_H

#include <usbwire/usbwire.h>

struct peer {
    struct uw_loop *loop;
    struct uw_server *server;
    struct uw_device *device;
    struct uw_queue *queue;
    /* The first endpoint of each kind: controllers choose the addresses. 0: none */
    uint8_t out, in, interrupt_in;
};

#define PATIENCE_MS 40000u /* for anything to happen, on the slowest of machines */

/* Imports argv[2] from argv[1]. */
void peer_open(struct peer *peer, int argc, char **argv, int arguments, const char *usage);
void peer_close(struct peer *peer);

/* Ends the program with a message. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `r` has to be `wanted`. */
void expect(int r, int wanted, const char *what);

/* A control transfer without data, to a FunctionFS gadget (guest/ffs.c). */
void ffs_request(struct peer *peer, uint8_t request, uint16_t value, uint16_t index);

enum ffs { FFS_STORE = 1, FFS_STALL, FFS_DELAY, FFS_HALT, FFS_SEND };

/* Milliseconds since `start`. */
unsigned since(struct uw_usec start);

/* The same numbers in every run. */
uint32_t next_random(uint32_t *state);

#endif
