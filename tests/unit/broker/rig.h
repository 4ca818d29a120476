/*
 * rig.h - a broker and programs that use it
 *
 * Each program is a loop of its own; the broker's loop holds the import of a simulated device and
 * is driven by the library's thread.
 */
#ifndef TEST_RIG_H
#define TEST_RIG_H

#include <usbwire/usbwire.h>

#include "support/stand.h"

#define LONG  uw_msec(60000)
#define SHORT uw_msec(150)

/* A program: what it holds of the library. */
struct program {
    struct uw_loop *loop;
    struct uw_server *server;
    struct uw_device *device;
};

struct setup {
    struct stand stand;
    struct program holder, one, two;
    struct uw_broker *broker;
    char folder[64];
};

/* A server of that personality with one device, a holder that shares it, and two programs that have
 * not come to it yet - or have. */
struct setup *rig_start(const char *personality, const char *device);
struct setup *rig_start_joined(const char *device);
/* Also sees that nothing is left behind. */
void rig_end(struct setup *setup);

/* As a command does, which has named the server only. */
int rig_join(struct program *program);

int rig_read(struct program *program, uint8_t endpoint, void *data, size_t size,
             struct uw_usec timeout, size_t *ret_actual);
int rig_write(struct program *program, uint8_t endpoint, const void *data, size_t size);

/* Waits, driving the loop, for something that another program does to be seen by this one. */
void rig_wait(struct program *program, int (*seen)(const struct program *program));

#endif
