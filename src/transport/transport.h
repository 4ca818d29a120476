/*
 * transport.h - moves bytes, non-blocking, and nothing else
 *
 * Sockets are CLOEXEC, never raise SIGPIPE, and have NODELAY and keepalive set (TCP: 10 s idle, 1 s
 * apart, 5 times, and the same bound for unacknowledged data), so that a cut cable is noticed.
 */
#ifndef UW_TRANSPORT_TRANSPORT_H
#define UW_TRANSPORT_TRANSPORT_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct uw_transport;

/* uw_transport_readv/_writev: nothing possible now. Distinct from 0, the end of the stream. */
#define UW_AGAIN (-11)

/* Start a connection; it is made when uw_transport_connected says so. Negative enum uw_error. */
int uw_transport_tcp(const struct sockaddr *address, socklen_t size,
                     struct uw_transport **ret_transport);
int uw_transport_unix(const char *path, struct uw_transport **ret_transport);

/* Two ends of a pipe in memory's stead (a socketpair), for tests and for embedding a server. */
int uw_transport_pair(struct uw_transport *ret_ends[2]);

/* The next connection that came to a listening TCP socket (listen.h): 0, UW_AGAIN, NO_MEMORY. */
int uw_transport_accept(int listener, struct uw_transport **ret_transport);

/* The descriptor to poll. */
int uw_transport_fd(const struct uw_transport *transport);

/* 1 connected, 0 not yet, negative: CONNECT, with the system's errno in *ret_errno. */
int uw_transport_connected(struct uw_transport *transport, int *ret_errno);

/* Bytes moved; 0 at the end of the stream (readv); UW_AGAIN; or -1 with the system's errno in
 * *ret_errno. One system call each. */
ssize_t uw_transport_readv(struct uw_transport *transport, const struct iovec *iov, int count,
                           int *ret_errno);
ssize_t uw_transport_writev(struct uw_transport *transport, const struct iovec *iov, int count,
                            int *ret_errno);

/* Has what came acknowledged at once, not when the system sees fit (TCP; up to 40 ms later): a peer
 * without NODELAY sends the rest of a message only then. */
void uw_transport_acknowledge(struct uw_transport *transport);

/* 0 in a process that was forked from the one that made the connection. */
int uw_transport_is_ours(const struct uw_transport *transport);

/* Closes. `graceful` also shuts down, which ends the connection even if a forked child holds the
 * descriptor; but never from such a child, whose last close alone may end it. NULL is fine. */
void uw_transport_free(struct uw_transport *transport, int graceful);

#endif
