/*
 * import_parts.h - an import's insides, for import*.c alone
 *
 *     import.c       what the layers above ask and submit
 *     import_life.c  how it begins, gets a new connection, and ends
 *     import_io.c    bytes between its engine and its transport
 *
 * Everything needs the loop's lock.
 */
#ifndef UW_CLIENT_IMPORT_PARTS_H
#define UW_CLIENT_IMPORT_PARTS_H

#include "client/import.h"
#include "client/loop.h"
#include "transport/transport.h"

enum import_state {
    IMPORT_STARTING,
    IMPORT_UP,
    IMPORT_REPLACING, /* its connection is being made anew; URBs wait */
    IMPORT_ENDED
};

struct uw_import {
    struct uw_grave grave;
    struct uw_list in_server, in_loop;
    struct uw_list unsent; /* in loop->unsent */
    struct uw_server *server;
    struct uw_loop *loop;
    char busid[32];
    enum import_state state;
    int status;
    char why[128];
    struct uw_device_info info;
    char name[400], short_name[64];
    struct uw_tap_source tap_source;
    unsigned generation;
    void *data;
    void (*on_replaced)(void *arg);
    void *on_replaced_arg;
    struct uw_list endings; /* of struct uw_ending */
    uint32_t born, ended;   /* the loop's births then */
    int hold_fd;

    struct uw_source source;
    struct uw_transport *transport;
    struct uw_engine *engine;
    struct uw_timer timer;
    size_t rx_room;
    struct uw_usec partial_since; /* a message began to come then and is not whole; 0: none */
    unsigned in_pieces : 1;       /* the server waits for an acknowledgement before it sends on */

    struct uw_asking *asking;
    struct uw_fault fault;
    int tries;
    struct uw_list postponed; /* URBs submitted while REPLACING */
};

/* ---- import_io.c ---- */

/* Hands what the engine has done to queues and waiters. */
void uw_import_deliver(struct uw_import *im);
void uw_import_complete_postponed(struct uw_import *im, struct uw_urb *urb, int status);
/* Has the timer fire at `at` or before. */
void uw_import_plan(struct uw_import *im, struct uw_usec at);
void uw_import_send(struct uw_import *im, struct uw_usec now);
/* After anything that moved the engine. */
void uw_import_settle(struct uw_import *im, struct uw_usec now);
/* The same, at the end of the batch that is being handled or submitted, if one is. */
void uw_import_settle_later(struct uw_import *im, struct uw_usec now);
/* The source's. */
void uw_import_ready(struct uw_source *source, unsigned events, struct uw_usec now);
int uw_import_take(struct uw_source *source, struct uw_usec now);

/* ---- import_life.c ---- */

/* The connection is of no more use: the import ends with `error`. */
void uw_import_lost(struct uw_import *im, int error, const char *why, struct uw_usec now);
/* Asks for a new connection in place of the one there is. */
void uw_import_replace(struct uw_import *im, struct uw_usec now);

#endif
