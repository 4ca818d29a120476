/*
 * server.h - a server as the client layer sees it; everything needs the loop's lock
 */
#ifndef UW_CLIENT_SERVER_H
#define UW_CLIENT_SERVER_H

#include <usbwire/server.h>

#include "client/address.h"
#include "client/loop.h"
#include "engine/gate.h"
#include "wire/op.h"

struct uw_server {
    struct uw_loop *loop;
    unsigned refs;
    struct uw_address address;
    uint32_t number; /* counts up from 0 in the loop */
    const struct uw_profile *profile;
    int fixed; /* by uw_server_set_profile */
    struct uw_usec connect_timeout, reply_timeout;
    struct uw_gate gate;
    struct uw_list imports;      /* of struct uw_import */
    struct uw_device_list *last; /* the last list, or NULL */
};

void uw_server_unref_locked(struct uw_server *server);

/* The profile for one of its devices: the fixed one, or as recognised. */
const struct uw_profile *uw_server_profile_for(struct uw_server *server,
                                               const struct uw_device_info *info);

/* Puts a record right that is known to be wrong or incomplete. */
void uw_server_correct(struct uw_server *server, struct uw_device_info *info);

/* Gives the gate's free places to the engines that wait for one. */
void uw_server_pump(struct uw_server *server, struct uw_usec now);

#endif
