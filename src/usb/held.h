/*
 * held.h - devices that brokers (broker.h) of this user hold
 *
 * A broker is a Unix socket in the user's folder, whose name says of which server its device is.
 * Its device has the server's busid for it, which may have changed since the broker began.
 */
#ifndef UW_USB_HELD_H
#define UW_USB_HELD_H

#include <usbwire/server.h>

#define UW_HELD_ADDRESS_MAX 160

/* Where the broker of a device is: "unix:" and the path of its socket. LIMIT, ACCESS. */
int uw_held_address(const char *server, const char *busid, char dst[UW_HELD_ADDRESS_MAX]);

/* The server whose device is at such an address, for people; any other name as it is. */
void uw_held_origin(const char *address, char *dst, size_t size);

/* What brokers hold of `server`, one after the other: visit gets the broker as a server and what it
 * lists, and says with 1 that it has seen enough. A broker that does not answer is passed over. */
void uw_held_each(struct uw_server *server, struct uw_usec timeout,
                  int (*visit)(void *arg, struct uw_server *broker,
                               const struct uw_device_list *list),
                  void *arg);

/* The broker that holds a device, as a server to be freed; NULL: none does. */
struct uw_server *uw_held_broker(struct uw_server *server, const char *busid,
                                 struct uw_usec timeout);

#endif
