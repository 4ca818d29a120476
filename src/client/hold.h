/*
 * hold.h - a lock on this machine for servers that do not refuse a second importer
 */
#ifndef UW_CLIENT_HOLD_H
#define UW_CLIENT_HOLD_H

#include <usbwire/error.h>

/* Takes the lock of one device of one server, or - `alone` - of all that server's devices. A
 * descriptor to be closed, BUSY with the holder in the fault, or - where no lock file can be made -
 * NOT_SUPPORTED, which is no reason to give up. */
int uw_hold_take(const char *server, const char *busid, int alone, struct uw_fault *fault);

#endif
