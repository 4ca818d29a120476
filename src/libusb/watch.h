/*
 * watch.h - letting a person see what an unmodified program does
 */
#ifndef UW_LIBUSB_WATCH_H
#define UW_LIBUSB_WATCH_H

#include <usbwire/loop.h>

/* Starts the capture that USBWIRE_PCAP names, and offers the loop to monitors, until the program
 * ends. What fails is said; the program goes on. */
void watch_start(struct uw_loop *loop);

#endif
