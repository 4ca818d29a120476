/*
 * events.h - who may run a context's callbacks
 */
#ifndef UW_LIBUSB_EVENTS_H
#define UW_LIBUSB_EVENTS_H

#include "libusb/dropin.h"

/* This thread runs callbacks of the context just now. */
int events_inside(const struct libusb_context *ctx);

/* The events lock, from whoever has it: its wait is ended and nobody else gets it before. Inside a
 * callback it is ours already. */
void events_seize(struct libusb_context *ctx);
void events_yield(struct libusb_context *ctx);

/* Runs the callbacks of what has completed; with the events lock held. */
void events_dispatch(struct libusb_context *ctx);

/* Ends the wait of the context's event handler, in progress or next. */
void events_interrupt(struct libusb_context *ctx);

#endif
