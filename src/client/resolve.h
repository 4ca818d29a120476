/*
 * resolve.h - host names to addresses, without blocking and without the loop's lock
 *
 * getaddrinfo(3) blocks, so a name that is not a numeric address is looked up in a short-lived
 * thread. A name below .local is asked for by multicast DNS as well. The result is picked up by the
 * loop (uw_lookups_collect), or thrown away if by then nobody wants it.
 */
#ifndef UW_CLIENT_RESOLVE_H
#define UW_CLIENT_RESOLVE_H

#include <usbwire/loop.h>

#include "client/localname.h"

struct uw_lookup;

/* Starts; found(arg, hosts, error text) is called from the loop, at once when the host is numeric.
 * `hosts` is NULL on failure and borrowed until found returns. Errors: NO_MEMORY. *ret_lookup is
 * NULL when it is over already. */
int uw_lookup_start(struct uw_loop *loop, const char *host, uint16_t port,
                    void (*found)(void *arg, const struct uw_hosts *hosts, const char *error,
                                  struct uw_usec now),
                    void *arg, struct uw_lookup **ret_lookup);

/* Nobody wants the result any more. NULL is fine. */
void uw_lookup_abandon(struct uw_lookup *lookup);

/* The loop's: hands out what has been found; forgets all at its end. */
void uw_lookups_collect(struct uw_loop *loop, struct uw_usec now);
void uw_lookups_abandon(struct uw_loop *loop);

/* In a forked child, which has none of the threads: whatever they were doing has failed. */
void uw_lookups_forget(struct uw_loop *loop);

#endif
