/*
 * place.h - where the socket of a pseudo-terminal lies
 */
#ifndef UW_TTY_PLACE_H
#define UW_TTY_PLACE_H

#include <sys/stat.h>
#include <sys/un.h>

/* The number of a pseudo-terminal's slave, -1: it is none. */
int tty_number(const struct stat *st);

/* The user's folder for them, made if need be. 1; 0 with errno. */
int tty_folder(char *dst, size_t size);

/* The socket's address in the folder; async-signal-safe. 0 when it is too long for one. */
int tty_address(const char *folder, int number, struct sockaddr_un *ret_address);

#endif
