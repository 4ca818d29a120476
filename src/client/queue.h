/*
 * queue.h - a queue as the client layer sees it; everything needs the loop's lock
 */
#ifndef UW_CLIENT_QUEUE_H
#define UW_CLIENT_QUEUE_H

#include <usbwire/queue.h>

#include "base/list.h"

struct uw_queue {
    struct uw_loop *loop;
    struct uw_list done; /* of struct uw_urb */
    int fd;              /* -1 until asked for */
};

void uw_queue_push_locked(struct uw_queue *queue, struct uw_urb *urb);

#endif
