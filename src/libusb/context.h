/*
 * context.h - a context: a queue, who may empty it, and what was opened in its name
 */
#ifndef UW_LIBUSB_CONTEXT_H
#define UW_LIBUSB_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>

#include "libusb/dropin.h"

struct libusb_context {
    struct uw_list link; /* all contexts; the world's lock */
    unsigned refs;       /* the default context's: libusb_init(NULL) counts */
    struct uw_queue *queue;

    /* log.c */
    int debug;       /* enum libusb_log_level */
    int debug_fixed; /* by LIBUSB_DEBUG */
    libusb_log_cb log_cb;
    int no_discovery; /* OPTION_NO_DEVICE_DISCOVERY: lists are empty */

    /* events.c */
    pthread_mutex_t events_lock;
    atomic_int handler_active;
    atomic_int closing; /* calls that want the events lock for themselves */
    pthread_mutex_t waiters_lock;
    pthread_cond_t waiters;

    /* pollfd.c; under `lock` */
    int pollfd;   /* an epoll of the loop, the queue and the timer; -1 until asked for */
    int timer_fd; /* readable when lingering imports want to be looked at */

    /* Under `lock`. */
    pthread_mutex_t lock;
    struct uw_list flying; /* of struct flight: submitted, not yet taken out of the queue */
    struct uw_list ready;  /* of struct flight: taken out, callback still to run */
    struct uw_list syncs;  /* of struct sync_slot: synchronous calls in progress */
    struct uw_list slots;  /* of struct sync_slot: for the next ones */
    struct uw_list handles;

    /* hotplug.c; callbacks under `lock`, what they know of under the events lock */
    struct uw_list hotplugs; /* of struct hotplug */
    int next_hotplug;
    atomic_uint listeners;  /* those that are not deregistered */
    struct uw_list present; /* of struct presence: devices that they know of */
    unsigned long told;     /* the change of the world's that they know of */

    struct uw_list devices; /* of libusb_device; the world's lock */
};

/* `ctx`, or the default one, or the first there is when no default was made. NULL: none at all. */
struct libusb_context *context_get(struct libusb_context *ctx);

/* Locks and flags of event handling as nobody holds them: for a new context, and in a forked child.
 */
void context_init_events(struct libusb_context *ctx);

/* Every context in turn. Needs the world's lock. */
void context_each(void (*visit)(struct libusb_context *ctx));

#endif
