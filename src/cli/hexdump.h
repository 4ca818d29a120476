/*
 * hexdump.h - bytes for people: offset, 16 bytes, characters
 */
#ifndef UW_CLI_HEXDUMP_H
#define UW_CLI_HEXDUMP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Lines for `size` bytes; offsets start at `offset`. */
void hexdump(FILE *out, uint64_t offset, const uint8_t *bytes, size_t size);

/* Two digits a byte and `between` between two bytes, into buf (cut when too long). Returns buf. */
char *hexdump_line(char *buf, size_t room, const uint8_t *bytes, size_t size, const char *between);

#endif
