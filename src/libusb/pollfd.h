/*
 * pollfd.h - a context's one descriptor, for programs that poll by themselves
 *
 * An epoll descriptor over the loop (sockets and timers), the context's queue, and a timer of the
 * context's own. It never changes, so notifiers have nothing to tell.
 */
#ifndef UW_LIBUSB_POLLFD_H
#define UW_LIBUSB_POLLFD_H

#include "libusb/dropin.h"

/* Sets the timer, if there is a descriptor. */
void pollfd_arm(struct libusb_context *ctx);

void pollfd_close(struct libusb_context *ctx);

/* In a forked child: files of its own under the same numbers. Needs the context's lock. */
void pollfd_renew_locked(struct libusb_context *ctx);

#endif
