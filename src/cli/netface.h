/*
 * netface.h - a listening TCP port with one client at a time: what face_tcp and face_rfc2217 share
 */
#ifndef UW_CLI_NETFACE_H
#define UW_CLI_NETFACE_H

#include "bridge.h"

#define NETFACE_OUT  32768u
#define NETFACE_NAME 80u

struct netface {
    int listener, client;                           /* client -1: none */
    char address[NETFACE_NAME], peer[NETFACE_NAME]; /* ours, and the client's */
    uint8_t out[NETFACE_OUT];                       /* for the client */
    size_t out_size;
    size_t reserve;        /* of it, for answers: the client is not read while there is less */
    int held;              /* the client wants nothing for now */
    struct uw_usec unread; /* since when the client is not read; never: it is */
    void (*came)(struct bridge *bridge);
    void (*input)(struct bridge *bridge, const uint8_t *bytes, size_t size);
    void (*went)(struct bridge *bridge);
};

/* Listens on "[ADDRESS:]PORT", loopback when no address is given. 0, or an exit code. */
int netface_open(struct bridge *bridge, struct netface *net, const char *argument);
void netface_close(struct netface *net);
unsigned netface_polls(const struct bridge *bridge, struct netface *net, struct pollfd *fds);
void netface_ready(struct bridge *bridge, struct netface *net, const struct pollfd *fds,
                   unsigned count);

/* Room for the port's bytes to the client; the whole when there is none, who then misses them. */
size_t netface_room(const struct netface *net);
/* All of these or, when there is no room, nothing. */
void netface_send(struct netface *net, const uint8_t *bytes, size_t size);
/* What waits while `held` goes when it ends. */
void netface_hold(struct bridge *bridge, struct netface *net, int held);
void netface_where(const struct netface *net, const char *scheme, char *buf, size_t size);

#endif
