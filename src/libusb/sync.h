/*
 * sync.h - synchronous transfers
 *
 * Each completes into a queue of its own, so that no thread depends on another to see its end.
 * While it waits it also runs the callbacks of its context, if asynchronous transfers are under way
 * and nobody else does: programs count on a synchronous call to be an event handler, too.
 */
#ifndef UW_LIBUSB_SYNC_H
#define UW_LIBUSB_SYNC_H

#include "libusb/dropin.h"

/* An asynchronous transfer was submitted: if nobody handles events, a synchronous call shall. Needs
 * the context's lock. */
void sync_help_wanted_locked(struct libusb_context *ctx);

/* Whoever handled events went away; likewise. */
void sync_handler_left(struct libusb_context *ctx);

void sync_free_slots(struct libusb_context *ctx);

#endif
