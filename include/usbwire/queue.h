/*
 * queue.h - where completions are collected
 *
 * Every URB completes into the queue it was submitted with, exactly once. Whoever owns the queue
 * takes the completions out: so the thread that happens to read the socket and the thread whose
 * callback runs are two things, and a callback only ever runs inside uw_queue_dispatch of its own
 * queue. URBs of many devices of one loop may share a queue. The order of completions of one
 * endpoint is the order in which its URBs were submitted.
 *
 * Threads: any thread may submit into a queue; one thread at a time may take out of it.
 */
#ifndef USBWIRE_QUEUE_H
#define USBWIRE_QUEUE_H

#include <usbwire/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uw_queue;
struct uw_urb;

/* Makes a queue. Free with uw_queue_free. Errors: NO_MEMORY. */
int uw_queue_new(struct uw_loop *loop, struct uw_queue **ret_queue);

/* Frees a queue. All its URBs must have been taken out, or never submitted. NULL is fine. */
void uw_queue_free(struct uw_queue *queue);

/* An eventfd, readable while completions wait; it does not drive the loop by itself. Made at the
 * first call. Negative: an error. */
int uw_queue_fd(struct uw_queue *queue);

/* The next completed URB, or NULL. Does not block and runs no callback. */
struct uw_urb *uw_queue_pop(struct uw_queue *queue);

/* Drives the loop until a completion waits or `timeout` (a duration; 0: looks once) is over.
 * Returns 1 when one waits, 0 after the timeout or uw_queue_wake, INTERRUPTED after a signal or
 * uw_loop_interrupt. */
int uw_queue_wait(struct uw_queue *queue, struct uw_usec timeout);

/* The same for several queues of one loop: 1 when a completion waits in any of them. */
int uw_queue_wait_any(struct uw_queue *const *queues, unsigned count, struct uw_usec timeout);

/* Ends the wait for this queue that is in progress, or the next one. Its descriptor is readable
 * until then. */
void uw_queue_wake(struct uw_queue *queue);

/* Pops every waiting URB and runs its callback, outside all locks. Returns how many. A callback may
 * submit, cancel and free; completions it causes are left for the next call. What several callbacks
 * submit goes out together (uw_loop_cork). */
int uw_queue_dispatch(struct uw_queue *queue);

#ifdef __cplusplus
}
#endif
#endif
