/*
 * op.h - one connection that asks one thing: the device list, or an import
 *
 *     RESOLVING → CONNECTING → ASKING → DONE
 *
 * Everything is a state of the loop. Addresses are tried in turn, the next one after a failure or
 * 0.3 s, whichever comes first; the first connection made is used. Everything needs the lock.
 */
#ifndef UW_CLIENT_OP_H
#define UW_CLIENT_OP_H

#include "client/server.h"
#include "transport/transport.h"

struct uw_asking; /* the state of a request */

struct uw_answer {
    int status;
    struct uw_fault fault;
    struct uw_device_list *list;    /* of OP_REQ_DEVLIST; the callee's */
    struct uw_device_info info;     /* of OP_REQ_IMPORT */
    struct uw_transport *transport; /* likewise, the callee's: the import's from here on */
    const uint8_t *rest;            /* bytes that came behind the answer; borrowed */
    size_t rest_size;
};

/*
 * Starts to ask; busid NULL asks for the list. answered(arg, answer, now) is called once, from the
 * loop or from here; after it the asking is gone. `until` is an instant.
 */
int uw_ask(struct uw_server *server, const char *busid, struct uw_usec until,
           const struct uw_tap_source *source,
           void (*answered)(void *arg, struct uw_answer *answer, struct uw_usec now), void *arg,
           struct uw_asking **ret_asking);

/* Drops it without an answer. */
void uw_ask_abandon(struct uw_asking *asking);

/* In a forked child: drops all of them. */
void uw_asks_abandon(struct uw_loop *loop);

#endif
