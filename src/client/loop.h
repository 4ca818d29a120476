/*
 * loop.h - the loop as the client layer sees it
 *
 * Everything here needs the loop's lock, except uw_loop_poke. The lock is the only one of the
 * library; whoever waits leads or follows (wait.c).
 */
#ifndef UW_CLIENT_LOOP_H
#define UW_CLIENT_LOOP_H

#include <pthread.h>
#include <stdatomic.h>

#include <usbwire/loop.h>

#include "base/heap.h"
#include "base/list.h"
#include "client/poller.h"
#include "engine/engine.h"

#define UW_RX_SIZE (256u * 1024u)

#define UW_SPARES_MAX 16u
#define UW_READY_MAX  64

/* A timer, embedded in whatever it belongs to. Firing early is allowed: the owner looks again. */
struct uw_timer {
    struct uw_heap_node node;
    void (*fire)(struct uw_timer *timer, struct uw_usec now);
};

/* Memory that a thread between poll and lock may still point to; freed once none can. */
struct uw_grave {
    struct uw_list link;
    void (*free)(struct uw_grave *grave);
};

/* One thread's submissions that go out together (cork.c). */
struct uw_cork {
    pthread_t owner;
    unsigned depth;          /* 0: nobody's */
    int leaks;               /* it holds nothing back */
    struct uw_usec since;    /* of the first submission that is held back */
    struct uw_usec patience; /* how long it may be */
    unsigned skip, pause;    /* corks without effect: to come, and after the next late one */
};

/* A look-up going on in a thread of its own (resolve.c). */
struct uw_lookup;

struct uw_loop {
    pthread_mutex_t lock;
    int cancel_state; /* of the thread that has the lock, from before */
    const struct uw_poller_ops *ops;
    struct uw_poller *poller;
    struct uw_limits limits;
    struct uw_log log;

    struct uw_list sources;
    struct uw_heap timers;
    struct uw_list graves;
    struct uw_list waiters;    /* of struct waiter, wait.c */
    int spares[UW_SPARES_MAX]; /* eventfds for waiters to come */
    unsigned num_spares;
    int leading;                         /* a thread has the lead */
    int asleep;                          /* and is in a wait, without the lock */
    int polling;                         /* or at the events of one, with it */
    int handling;                        /* what came is being handled, by who has the lock */
    struct uw_usec wakes_at;             /* when that wait ends by itself */
    struct uw_source *hot;               /* to be read before the next wait; NULL: none */
    unsigned unpolled;                   /* such reads in a row */
    struct uw_usec polled_at, dry_since; /* the last wait; the first of such reads in vain */
    unsigned cold, pause; /* waits until one may be hot again; and after the next miss */
    int embedded;
    unsigned steps;
    atomic_int interrupted;
    struct uw_list lookups; /* of struct uw_lookup */

    struct uw_list imports; /* of struct uw_import */
    struct uw_list unsent;  /* those with something to send when this batch is over */
    struct uw_cork cork;
    struct uw_list asks;   /* of struct uw_asking */
    struct uw_list queues; /* of struct uw_queue */
    struct uw_list taps;
    struct uw_seq seq;
    uint32_t connections, servers, births;
    unsigned forks;             /* between the process that made it and this one */
    struct uw_list all;         /* of every loop of the process, for fork */
    struct uw_service *service; /* NULL: nobody needs it */
    uint8_t rx[UW_RX_SIZE];
};

int uw_loop_add_source(struct uw_loop *loop, struct uw_source *source);
void uw_loop_change_source(struct uw_loop *loop, struct uw_source *source, unsigned events);
void uw_loop_remove_source(struct uw_loop *loop, struct uw_source *source);

/* Plans a timer; "never" takes it out. */
void uw_loop_set_timer(struct uw_loop *loop, struct uw_timer *timer, struct uw_usec at);

/* Frees with grave->free, now or when no thread can hold an event of it any more. */
void uw_loop_bury(struct uw_loop *loop, struct uw_grave *grave);

/*
 * Drives the loop until done(arg) or the instant `until`. The lock is held before and after, not
 * while waiting. Returns 1 when done, 0 at the instant; with `interruptible`, INTERRUPTED after a
 * signal or uw_loop_interrupt. A cancellation point: when the thread is cancelled, `cancelled` (may
 * be NULL) runs with the lock held, which is then released.
 */
int uw_loop_until(struct uw_loop *loop, int (*done)(void *arg), void *arg, struct uw_usec until,
                  int interruptible, void (*cancelled)(void *arg));

/* loop.c, for who leads (wait.c): does what a wait brought; negative `count`: it failed. */
void uw_loop_handle(struct uw_loop *loop, const struct uw_ready *ready, int count);
/* Reads where there is likely to be something. 1: no need to wait yet. */
int uw_loop_take_at_hand(struct uw_loop *loop);
/* No thread can hold an event of what lies there any more. */
void uw_loop_empty_graves(struct uw_loop *loop);

/* Lets those who wait see whether what they wait for has come. After anything that may complete. */
void uw_loop_wake_waiters(struct uw_loop *loop);

/* In a forked child, where they would be the parent's too. */
void uw_loop_close_spares(struct uw_loop *loop);

/* Ends the wait of whoever leads, from any thread. */
void uw_loop_poke(struct uw_loop *loop);

/* cork.c. 1 when what is submitted at this moment is to go out with what follows: see
 * uw_import_settle_later. Ends a cork that has lasted too long. */
void uw_cork_init(struct uw_cork *cork);
int uw_loop_holds_back(struct uw_loop *loop, struct uw_usec now);

/* fork.c: from here on a fork leaves the loop usable in the child, too; until it is freed. */
void uw_forks_watch(struct uw_loop *loop);
void uw_forks_ignore(struct uw_loop *loop);

/* taps.c */
void uw_taps_free(struct uw_loop *loop);
/* uw_loop_add_tap and _remove_tap for who has the lock. */
int uw_loop_add_tap_locked(struct uw_loop *loop, const struct uw_tap *tap);
void uw_loop_remove_tap_locked(struct uw_loop *loop, const struct uw_tap *tap);

/* Tells all taps; what an engine is given as its tap. */
void uw_loop_tell(void *loop, const struct uw_tap_event *event);
static inline int
uw_loop_is_tapped(const struct uw_loop *loop)
{
    return !uw_list_empty(&loop->taps);
}

#endif
