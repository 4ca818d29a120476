/*
 * lost.h - devices that a program was shown and that went away
 *
 * A device that is enumerated anew - a reset, a boot loader - may come back with other numbers or
 * at another place, where the program's choice does not mean it any more. The one that comes in its
 * place, or has its serial number, is shown all the same.
 *
 * The world's lock, for all of it.
 */
#ifndef UW_LIBUSB_LOST_H
#define UW_LIBUSB_LOST_H

#include "libusb/world.h"

/* It went away. */
void lost_add_locked(const struct remote *remote);

/* A record that may be of one of them: worth an import, which tells. */
int lost_expects_locked(const struct uw_server *server, const struct uw_device_info *info);

/* A device whose descriptors are known. 1: it is one of them, which is then found. */
int lost_find_locked(const struct remote *remote);

#endif
