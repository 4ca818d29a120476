/*
 * discover.h - finding servers by multicast DNS
 *
 * Some servers - the ESP bridges, the simulated bench - say what and where they are on the local
 * network, as service _usbip._tcp. A struct uw_discover asks for them on every link, over IPv4 and
 * IPv6, with no daemon and no privilege, and goes on listening: it tells which servers came,
 * changed and went, one event at a call.
 *
 *     uw_discover_new(loop, NULL, &discover, NULL);
 *     while (uw_discover_next(discover, uw_msec(3000), &event) == 1)
 *         printf("%s %s\n", event.server->address, event.server->host);
 *     uw_discover_free(discover);
 *
 * What servers say is a hint: the device list (server.h) is the truth. All strings are UTF-8 that
 * is safe to print. A server seen on several links is one server. One that lost its power is told
 * as removed when its address is no longer confirmed, after about two minutes.
 *
 * Without a struct uw_discover nothing is sent; with one, a few small packets, ever more rarely.
 * Multicast does not leave the local network, and containers mostly have one of their own.
 *
 * Threads: one thread at a time may use one struct uw_discover.
 */
#ifndef USBWIRE_DISCOVER_H
#define USBWIRE_DISCOVER_H

#include <stdint.h>

#include <usbwire/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uw_discover;

struct uw_discovered_txt {
    const char *key;
    const char *value; /* "" for a key alone */
};

struct uw_discovered {
    const char *instance; /* for people; may be the same for two boards: "ESP USB/IP Bridge (s3)" */
    const char *host;     /* which server it is: "usbip-a1b2c3.local" */
    const char *address;  /* for uw_server_new: the best address, with the port */
    const char *links;    /* where it was seen: "eth0", "eth0,wlan0" */
    uint16_t port;
    unsigned num_addresses; /* numeric, the best first: IPv4 of this network, other IPv4, IPv6 */
    const char *const *addresses;
    unsigned num_txt; /* what it says of itself: transport, state, count, busid, vid, pid, ... */
    const struct uw_discovered_txt *txt;
};

enum uw_discover_change {
    UW_DISCOVER_ADDED,
    UW_DISCOVER_CHANGED, /* most often because a device was plugged in or out */
    UW_DISCOVER_REMOVED
};

struct uw_discover_event {
    enum uw_discover_change change;
    const struct uw_discovered *server; /* borrowed until the next call; REMOVED: as it last was */
};

/* Begins to look for servers. `link` is the name of a network interface, NULL: all. Free with
 * uw_discover_free. Errors: NOT_FOUND (no such interface, or none that could be asked on),
 * NO_MEMORY.
 */
int uw_discover_new(struct uw_loop *loop, const char *link, struct uw_discover **ret_discover,
                    struct uw_fault *fault);

/* NULL is fine. */
void uw_discover_free(struct uw_discover *discover);

/* The next event: 1, or 0 when there is none within `timeout` (a duration); INTERRUPTED after a
 * signal or uw_loop_interrupt; NO_MEMORY. */
int uw_discover_next(struct uw_discover *discover, struct uw_usec timeout,
                     struct uw_discover_event *ret_event);

/* The value of a key, whatever its case, or NULL. */
const char *uw_discovered_get(const struct uw_discovered *server, const char *key);

/* 1 when a server is the board that a person names: by its key "board_id", or by its host name with
 * or without ".local". Case does not matter. */
int uw_discovered_is_board(const struct uw_discovered *server, const char *board_id);

#ifdef __cplusplus
}
#endif
#endif
