/*
 * listen.h - sockets for those who come to us; non-blocking, closed on exec
 */
#ifndef UW_TRANSPORT_LISTEN_H
#define UW_TRANSPORT_LISTEN_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "transport/transport.h"

/* A numeric address and a port as a socket address; `host` NULL: the IPv6 wildcard. Returns its
 * size, 0 when the host is no numeric address. */
socklen_t uw_socket_address(const char *host, uint16_t port, struct sockaddr_storage *ret_address);

/* The numeric address as text ("fe80::1%eth0" with its interface), "" for other families. An IPv4
 * address inside an IPv6 one is shown as what it is. Returns buf. */
const char *uw_socket_host(const struct sockaddr_storage *address, char *buf, size_t size);
uint16_t uw_socket_port(const struct sockaddr_storage *address);

/*
 * Binds a socket of type SOCK_STREAM, and listens, or SOCK_DGRAM. The IPv6 wildcard takes IPv4 in
 * too; where there is no IPv6, it is the IPv4 one. A port of 0 takes any. Returns a descriptor, or
 * -1 with errno.
 */
int uw_listen(int type, const struct sockaddr_storage *address, socklen_t size,
              struct sockaddr_storage *ret_bound);

/*
 * Listens on a Unix socket at `path`. One that nobody listens on any more, left by a process that
 * died, is replaced. A descriptor, or -1 with errno: EADDRINUSE, ENAMETOOLONG.
 */
int uw_listen_unix(const char *path);

/* The user at the other end of a Unix socket: 1, or 0 when that is not known. */
int uw_transport_user(const struct uw_transport *transport, uid_t *ret_uid);

/* Both ends of a connection, IPv4 inside IPv6 as IPv4. */
void uw_transport_ends(const struct uw_transport *transport, struct sockaddr_storage *ret_from,
                       struct sockaddr_storage *ret_to);

/* One datagram and where it came from and went to; its size, also when that is more than fitted,
 * UW_AGAIN, or -1 with errno. `bound` is what uw_listen gave. */
ssize_t uw_receive(int fd, void *bytes, size_t size, const struct sockaddr_storage *bound,
                   struct sockaddr_storage *ret_from, struct sockaddr_storage *ret_to);

#endif
