/*
 * printable.h - text of a device, for a terminal
 */
#ifndef UW_CLI_PRINTABLE_H
#define UW_CLI_PRINTABLE_H

#include <stddef.h>

/*
 * UTF-8 into buf, always terminated, with a '?' for whatever would do something instead of showing:
 * control characters (C0, DEL, C1), marks that turn the direction of what follows, and bytes that
 * are no UTF-8. Returns buf.
 */
char *printable(const char *text, char *buf, size_t size);

#endif
