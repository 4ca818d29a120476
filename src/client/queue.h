/*
 * queue.h - a queue as the client layer sees it; everything needs the loop's lock
 */
#ifndef UW_CLIENT_QUEUE_H
#define UW_CLIENT_QUEUE_H

#include <usbwire/queue.h>

#include "base/list.h"

struct uw_queue {
    struct uw_loop *loop;
    struct uw_list link; /* the loop's queues */
    struct uw_list done; /* of struct uw_urb */
    int fd;              /* -1 until asked for */
    int woken;           /* by uw_queue_wake, and not told yet */
};

void uw_queue_push_locked(struct uw_queue *queue, struct uw_urb *urb);

/* In a forked child: the descriptor gets a file of its own under the same number. */
void uw_queue_renew_locked(struct uw_queue *queue);

#endif
