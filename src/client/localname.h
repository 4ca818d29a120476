/*
 * localname.h - addresses of NAME.local, asked for by multicast DNS
 *
 * The C library asks only where a module for it is installed, which containers lack. Everything
 * needs the loop's lock.
 */
#ifndef UW_CLIENT_LOCALNAME_H
#define UW_CLIENT_LOCALNAME_H

#include <sys/socket.h>

#include <usbwire/loop.h>

#define UW_HOSTS_MAX 16

/* Addresses of a host, the best first. */
struct uw_hosts {
    unsigned count;
    struct uw_host {
        struct sockaddr_storage address;
        socklen_t size;
    } at[UW_HOSTS_MAX];
};

struct uw_local_lookup;

/* 1 for a name below .local. */
int uw_is_local_name(const char *host);

/* Asks; found(arg, hosts, now) is called once, later, from the loop, with NULL when nobody answered
 * for 3 s; the look-up is gone then. Errors: INVALID (no such name can be), NOT_FOUND (no link to
 * ask on), NO_MEMORY. */
int uw_local_lookup_start(struct uw_loop *loop, const char *host, uint16_t port,
                          void (*found)(void *arg, const struct uw_hosts *hosts,
                                        struct uw_usec now),
                          void *arg, struct uw_local_lookup **ret_lookup);

/* Ends it without an answer. NULL is fine. */
void uw_local_lookup_abandon(struct uw_local_lookup *lookup);

#endif
