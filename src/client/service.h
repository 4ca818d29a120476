/*
 * service.h - the loop goes on while nobody waits
 *
 * A serial port's reader, a log receiver, a capture that waits for its reader have to be served
 * when the program is busy elsewhere. While one of them is open the loop has one thread of its own,
 * all signals blocked, which waits in the loop as any other does. The libusb drop-in never asks for
 * it: its timers are on its pollfd.
 *
 * A forked child has no such thread until it asks again.
 */
#ifndef UW_CLIENT_SERVICE_H
#define UW_CLIENT_SERVICE_H

#include <usbwire/loop.h>

struct uw_service;

/* One more reason for the thread; the first one starts it. Errors: NO_MEMORY. */
int uw_service_hold(struct uw_loop *loop);

/* One reason less; the last one ends the thread and waits for its end, so: without the lock, and
 * not from something that the loop calls. */
void uw_service_release(struct uw_loop *loop);

/* In a forked child: the thread stayed with the parent. */
void uw_service_forget_locked(struct uw_loop *loop);

#endif
