/*
 * poller.h - waiting for descriptors: the one place where epoll, eventfd and timerfd are, and its
 * twin on poll(2)
 *
 * A poller knows a set of sources. Its `wait` is called without the loop's lock and may run while
 * other threads change the set; everything else is called with it, but `wake`.
 */
#ifndef UW_CLIENT_POLLER_H
#define UW_CLIENT_POLLER_H

#include <usbwire/usec.h>

#include "base/list.h"

#define UW_POLL_IN    1u
#define UW_POLL_OUT   2u
#define UW_POLL_ERROR 4u

/* Something to be polled, embedded in whatever owns the descriptor. */
struct uw_source {
    struct uw_list link; /* the loop's */
    int fd;
    unsigned events;
    int dead; /* taken out while a thread may still hold an event of it */
    int slot; /* the poller's */
    void (*ready)(struct uw_source *source, unsigned events, struct uw_usec now);
    /* Reads without having been polled; 1 when something was there. NULL: only polled. */
    int (*take)(struct uw_source *source, struct uw_usec now);
};

struct uw_ready {
    struct uw_source *source;
    unsigned events;
};

struct uw_poller;

struct uw_poller_ops {
    const char *name;
    int (*create)(struct uw_poller **ret_poller);
    void (*destroy)(struct uw_poller *poller);
    /* In a forked child: descriptors of its own under the same numbers, and an empty set. */
    void (*renew)(struct uw_poller *poller);
    int (*add)(struct uw_poller *poller, struct uw_source *source);
    int (*change)(struct uw_poller *poller, struct uw_source *source);
    void (*remove)(struct uw_poller *poller, struct uw_source *source);
    /* Before a wait, with the lock: what the wait needs to know of the set. Error: NO_MEMORY. */
    int (*prepare)(struct uw_poller *poller);
    /* How many are ready, 0 after `timeout` (a duration) or a wake; INTERRUPTED. */
    int (*wait)(struct uw_poller *poller, struct uw_ready *ready, int max, struct uw_usec timeout);
    /* Ends a wait, or the next one. Async-signal-safe. */
    void (*wake)(struct uw_poller *poller);
    /* The set changed while a thread waits: 1 when that thread has to be woken to see it. */
    int blind;
    /* A descriptor that is readable when there is something to do; NOT_SUPPORTED. */
    int (*fd)(struct uw_poller *poller);
    /* Makes that descriptor readable at an instant. */
    void (*arm)(struct uw_poller *poller, struct uw_usec at);
};

extern const struct uw_poller_ops uw_poller_epoll, uw_poller_poll;

/* A descriptor that is readable while something waits: for queues, and as the pollers' wake-up. */
int uw_eventfd_new(void);
void uw_eventfd_set(int fd);
void uw_eventfd_clear(int fd);
/* In a forked child: one of its own under the same number. */
void uw_eventfd_renew(int fd);

#endif
