/*
 * folder.h - where the processes of one user meet
 */
#ifndef UW_BASE_FOLDER_H
#define UW_BASE_FOLDER_H

#include <stddef.h>

/* $XDG_RUNTIME_DIR/usbwire, or /tmp/usbwire-UID where there is none; made if need be, with rights
 * for nobody else. 1; 0 with errno when it cannot be made, or is not ours alone (EPERM). */
int uw_own_folder(char *dst, size_t size);

/* The folder of that name in it, likewise. */
int uw_own_folder_in(const char *name, char *dst, size_t size);

#endif
