/*
 * dropin.h - what all files of the drop-in see: libusb's own header, and what is newer than it
 *
 * The system's <libusb.h> declares nearly everything that is exported here, so a wrong prototype
 * does not compile; newer.h declares the functions that came after the oldest header supported.
 *
 * Locks, in the order in which they are taken; none is held while a program's callback runs but the
 * events lock, which is its meaning:
 *
 *     a context's events lock     who may run its callbacks (events.c)
 *     a remote's import lock      who imports it or gives it back (remote.c)
 *     enumeration                 who asks the servers for their lists (world.c)
 *     a context's lock            its transfers and handles
 *     the world's lock            contexts, devices, remotes; never held while waiting
 *     a context's waiters lock    the condition that followers of its events wait on
 *     the lookout's lock          whether somebody has to ask for arrivals (lookout.c)
 *     the loop's lock             inside libusbwire
 */
#ifndef UW_LIBUSB_DROPIN_H
#define UW_LIBUSB_DROPIN_H

#include <stddef.h>
#include <stdint.h>

#include <libusb.h>
#include <usbwire/usbwire.h>

#include "base/list.h"
#include "libusb/newer.h"

#endif
