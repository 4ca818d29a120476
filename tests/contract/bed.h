/*
 * bed.h - what the contract tests stand on: the bench in a thread, a loop, a server, a device
 *
 * Public headers and the shared library only. Every test runs with each way of polling: its state
 * is the name of the backend.
 */
#ifndef UW_TESTS_CONTRACT_BED_H
#define UW_TESTS_CONTRACT_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <usbwire/usbwire.h>

#include "support/stand.h"

/* The names of the backends. */
extern char bed_epoll[], bed_poll[];

/* A test for each backend, in a list for cmocka_run_group_tests. */
/* clang-format off */
#define WITH(backend, test) {#test " (" #backend ")", test, NULL, NULL, bed_##backend}
/* clang-format on */
#define WITH_BOTH(test) WITH(epoll, test), WITH(poll, test)

struct bed {
    struct stand stand;
    struct uw_loop *loop;
    struct uw_server *server;
    struct uw_device *device; /* NULL until bed_take */
    struct uw_queue *queue;
};

/* A bench with `devices` (NULL ends them) and a client for it; `fault`: what fails, or NULL. */
void bed_start(struct bed *bed, void **state, const char *const devices[], const char *fault);
/* The same with one device, which is imported. */
void bed_take(struct bed *bed, void **state, const char *device, const char *fault);
void bed_stop(struct bed *bed);

/* A URB on an endpoint of the device, submitted into the bed's queue. */
struct uw_urb *bed_submit(struct bed *bed, uint8_t endpoint, void *data, size_t length,
                          struct uw_usec timeout);
/* Waits until `urb` is the next that comes out of the queue; its status. Does not free it. */
int bed_collect(struct bed *bed, struct uw_urb *urb);

/* Microseconds since an instant. */
uint64_t bed_since(struct uw_usec start);

#endif
