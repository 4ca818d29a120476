/*
 * stand.h - the simulated bench in a thread of its own, for tests
 */
#ifndef UW_TESTS_STAND_H
#define UW_TESTS_STAND_H

#include <pthread.h>

#include <usbwire/sim.h>

struct stand {
    struct uw_sim *sim;
    pthread_t thread;
    uint16_t port; /* of 127.0.0.1 */
};

/* Makes a bench that is not running yet: devices are added, faults set on stand->sim. */
void stand_new(struct stand *stand, const char *personality);
void stand_add(struct stand *stand, const char *device);
void stand_fail(struct stand *stand, const char *fault);

/* Listens on a free port and serves until stand_end. */
void stand_run(struct stand *stand);
void stand_end(struct stand *stand);

#endif
