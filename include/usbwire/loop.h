/*
 * loop.h - the one place where waiting happens
 *
 * A loop owns the connections, their timers and the only lock of the library. Whoever waits,
 * drives: a thread inside any waiting call (uw_queue_wait, a synchronous transfer, uw_loop_wait)
 * polls and steps the loop for all others while it waits; there is no hidden thread. (Exceptions: a
 * host name that is not a numeric address is looked up in a short-lived thread, and a log receiver
 * - syslog.h - has one thread wait in the loop as long as it is there, both with all signals
 * blocked.)
 *
 * Any number of threads may use one loop and everything made from it. A thread blocked in a read
 * never delays a write of another thread.
 *
 * To embed the loop into one of your own, poll uw_loop_fd() for uw_loop_events() - level-triggered;
 * it also becomes readable when a timer of the loop is due - and then call uw_loop_step(), which
 * never blocks. Toolkits that want a timeout find it in uw_loop_deadline().
 *
 *     struct pollfd p = {.fd = uw_loop_fd(loop), .events = (short)uw_loop_events(loop)};
 *     while (poll(&p, 1, -1) >= 0) {
 *         uw_loop_step(loop);
 *         while ((urb = uw_queue_pop(queue)))
 *             ...;
 *     }
 *
 * A thread may be cancelled (pthread_cancel) while it waits in here and at no other moment of a
 * call; what it waited for is cancelled and has ended before the thread has.
 *
 * Fork: a child keeps the sockets and may go on using them if the parent does not (a program that
 * opens, then becomes a daemon); descriptors to wait with are its own, under the same numbers. Exit
 * sends nothing, and what a child frees of its parent's is only closed: the last close of an import
 * ends it. What was just being imported or listed has failed in the child.
 */
#ifndef USBWIRE_LOOP_H
#define USBWIRE_LOOP_H

#include <usbwire/error.h>
#include <usbwire/log.h>
#include <usbwire/tap.h>
#include <usbwire/usec.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uw_loop;

/* Bounds on what a peer may cause. 0 in any field means its default. */
struct uw_limits {
    uint32_t max_devices;     /* records in a device list; default 1024 */
    uint32_t max_reply;       /* payload bytes of one reply; default 64 MiB */
    uint32_t max_iso_packets; /* isochronous packets of one message; default 1024, as Linux */
    uint32_t max_in_flight;   /* URBs posted at a server on one import; default 4096 */
    uint32_t max_parked; /* bytes kept of reads nobody waits for, per endpoint; default 1 MiB */
};

struct uw_loop_options {
    size_t size;             /* sizeof(struct uw_loop_options) */
    const char *backend;     /* "epoll", "poll" or NULL for the best there is */
    struct uw_limits limits; /* zeroes: defaults */
    struct uw_log log;       /* copied; .write NULL: silence */
};

/* Makes a loop; `options` may be NULL. Free with uw_loop_free. Errors: NO_MEMORY, INVALID, IO. */
int uw_loop_new(const struct uw_loop_options *options, struct uw_loop **ret_loop);

/* Ends every import, then frees the loop. Its servers, devices, queues and URBs must have been
 * freed before. NULL is fine. */
void uw_loop_free(struct uw_loop *loop);

/* A descriptor to poll, valid until uw_loop_free. NOT_SUPPORTED by the backend "poll", which has no
 * single one: there, uw_loop_wait in a thread, or uw_loop_step as often as one likes. */
int uw_loop_fd(struct uw_loop *loop);

/* The poll(2) events to wait for on it. */
int uw_loop_events(struct uw_loop *loop);

/* Instant at which uw_loop_step has something to do even if the descriptor stays quiet. */
struct uw_usec uw_loop_deadline(struct uw_loop *loop);

/* Does what is possible without blocking. Returns 0 or an error of the polling system call. */
int uw_loop_step(struct uw_loop *loop);

/* Waits until something happened or `timeout` (a duration) is over, then does it. 0, or INTERRUPTED
 * after a signal or uw_loop_interrupt. */
int uw_loop_wait(struct uw_loop *loop, struct uw_usec timeout);

/* Ends one uw_loop_wait or uw_queue_wait in progress, or the next. Async-signal-safe. */
void uw_loop_interrupt(struct uw_loop *loop);

/*
 * What the calling thread submits from here to uw_loop_uncork goes out in as few writes as possible
 * - many times the rate for small transfers - instead of one each. Calls nest; one thread at a time
 * has the cork, that of another has no effect meanwhile. What is held back goes out earlier as soon
 * as any thread waits in the loop, and when uncorking is late: 100 us after the first submission
 * the cork has had its day, and some that follow have no effect. In a loop whose uw_loop_fd is used
 * none has. uw_queue_dispatch corks by itself.
 */
void uw_loop_cork(struct uw_loop *loop);
void uw_loop_uncork(struct uw_loop *loop);

/* Adds a tap; the struct must stay valid until it is removed. Errors: NO_MEMORY, INVALID. */
int uw_loop_add_tap(struct uw_loop *loop, const struct uw_tap *tap);
void uw_loop_remove_tap(struct uw_loop *loop, const struct uw_tap *tap);

#ifdef __cplusplus
}
#endif
#endif
