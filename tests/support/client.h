/*
 * client.h - a loop, a server and an import on a stage: what tests of the client layer need
 */
#ifndef UW_TESTS_CLIENT_H
#define UW_TESTS_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include <usbwire/usbwire.h>

#include "client/import.h"
#include "client/loop.h"
#include "support/stage.h"

struct client {
    struct stage *stage; /* may be NULL */
    struct uw_loop *loop;
    struct uw_server *server;
    struct uw_import *import;
    struct uw_queue *queue;
    char log[4096]; /* what the library said */
};

/* Runs every test once for each poller; client_backend says with which just now. */
#define client_run_tests(tests) client_run_each(tests, sizeof(tests) / sizeof((tests)[0]))
int client_run_each(const struct CMUnitTest *tests, size_t count);
const char *client_backend(void);
/* A loop with that poller and nothing else. */
struct uw_loop *client_new_loop(void);

/* Everything up to a server object; `address` NULL: that of the stage. */
void client_start(struct client *c, stage_act *act, void *arg);
void client_start_at(struct client *c, const char *address);
void client_stop(struct client *c);

/* Imports 1-1 within 10 s; client_must_import fails the test where that fails. */
int client_import(struct client *c, struct uw_fault *fault);
void client_must_import(struct client *c);

/* A URB in flight with a buffer of its own (IN: 0xee, OUT: 0, 1, 2 ...). Bulk of 64-byte packets,
 * or control for endpoint 0 and 0x80. `timeout_us` 0: none. */
struct uw_urb *client_submit(struct client *c, uint8_t endpoint, size_t length,
                             uint64_t timeout_us);
/* Waits until that URB is the next to come out of the queue; returns its status. */
int client_finish(struct client *c, struct uw_urb *urb);
/* Submit, finish, free. */
int client_run(struct client *c, uint8_t endpoint, size_t length, uint64_t timeout_us);
int client_cancel(struct client *c, struct uw_urb *urb);
void client_urb_free(struct uw_urb *urb);

/* Why the import ended; "" while it lives. */
const char *client_why(struct client *c);
int client_status(struct client *c);

/* Microseconds since. */
uint64_t client_since(struct uw_usec start);

/* A blocking transfer, as uw_transfer makes them: the URB is on the stack of whoever waits.
 * Endpoint 0 is a vendor request. `ret_actual` may be NULL. */
int client_transfer(struct client *c, uint8_t endpoint, void *data, size_t length,
                    size_t *ret_actual);

pthread_t client_thread(void *(*run)(void *arg), void *arg);

#endif
