/*
 * choice.h - which servers, and which of their devices, a program is to see
 *
 *     USBWIRE_SERVERS   addresses, separated by commas; else USBWIRE_HOST, one address
 *     USBWIRE_DEVICES   selectors, likewise: BUSID, VID:PID, VID:PID:SERIAL, or "all"
 *
 * What the environment leaves open is taken from "servers = ..." and "devices = ..." in
 * $XDG_CONFIG_HOME/usbwire.conf (~/.config/usbwire.conf). Without a server nothing is listed;
 * without a selector a server's only device is chosen, and of several none. An address that names a
 * device leaves no other of that server to choose.
 */
#ifndef UW_LIBUSB_CHOICE_H
#define UW_LIBUSB_CHOICE_H

#include "libusb/dropin.h"

#define CHOICE_SERVERS   256u /* 'usbwire run' has one for each device */
#define CHOICE_SELECTORS 32u

struct choice_selector {
    int vid, pid;     /* -1: any */
    char busid[32];   /* "": any */
    char serial[128]; /* "": any */
};

struct choice {
    char *servers[CHOICE_SERVERS];
    unsigned num_servers;
    struct choice_selector selectors[CHOICE_SELECTORS];
    unsigned num_selectors;
    int all;
};

/* Reads environment and file; what makes no sense is said on stderr and left out. */
void choice_read(struct choice *ret_choice);
void choice_free(struct choice *choice);

/* The selector that chooses such a record, but for its serial number, which only the device knows;
 * NULL: not chosen. `after` is the selector to go on behind, NULL at first. */
const struct choice_selector *choice_find(const struct choice *choice,
                                          const struct uw_device_info *info,
                                          const struct choice_selector *after);

#endif
