/*
 * clean.h - bytes from anywhere as text that a terminal may be given
 */
#ifndef UW_BASE_CLEAN_H
#define UW_BASE_CLEAN_H

#include <stddef.h>

/*
 * Copies n bytes into dst as UTF-8: escape sequences (ECMA-48: CSI, OSC and the other strings, and
 * the short ones) and control characters are left out but for tab and newline, bytes that are no
 * UTF-8 become U+FFFD. Stops when dst is full, at a whole character; always terminated when size is
 * not 0. Returns the length.
 */
size_t uw_clean_text(char *dst, size_t size, const void *src, size_t n);

#endif
