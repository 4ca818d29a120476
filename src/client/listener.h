/*
 * listener.h - those who come to a listening socket
 *
 * When there is no descriptor or no memory for one more, who comes waits, and the socket is looked
 * at again after a while: it would be ready all the time.
 */
#ifndef UW_CLIENT_LISTENER_H
#define UW_CLIENT_LISTENER_H

#include "client/loop.h"
#include "transport/transport.h"

struct uw_listener {
    struct uw_source source;
    struct uw_timer again;
    struct uw_loop *loop;
    int full; /* the last one had to wait */
    /* Takes the connection over. Under the lock. */
    void (*came)(struct uw_listener *listener, struct uw_transport *transport);
};

/* Serves `fd`, a socket that listens (transport/listen.h). With the lock. NO_MEMORY: not begun. */
int uw_listener_start(struct uw_listener *listener, struct uw_loop *loop, int fd,
                      void (*came)(struct uw_listener *listener, struct uw_transport *transport));

/* Closes the socket; also of one that was not begun, if its fd is set. With the lock. */
void uw_listener_stop(struct uw_listener *listener);

#endif
