/*
 * fork.h - programs open a device and then become daemons
 */
#ifndef UW_LIBUSB_FORK_H
#define UW_LIBUSB_FORK_H

/* From here on a forked child can go on where its parent was: once, when the loop is there. */
void fork_watch(void);

#endif
