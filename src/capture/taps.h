/*
 * taps.h - the folder in which monitors and programs meet
 */
#ifndef UW_CAPTURE_TAPS_H
#define UW_CAPTURE_TAPS_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The path of the folder, which is made if it is not there: 1, or 0 when there can be none. */
int uw_taps_folder(char *dst, size_t size);

/* The address of a socket in the folder that is open as `folder`, however long its path is: 1, or
 * 0 when the name is too long. */
int uw_taps_address(int folder, const char *name, struct sockaddr_un *ret_address);

/* 1 when the other end of a connection is this user's. */
int uw_taps_is_own(int fd);

#endif
