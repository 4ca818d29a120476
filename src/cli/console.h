/*
 * console.h - lines for a terminal or pipe that may be slow, or stopped with Ctrl-S
 *
 * What the library says while it works is said under its lock, so writing it must not block. A
 * console has a thread that writes, and a pipe to it; when that is full whole lines are left out
 * and counted.
 */
#ifndef UW_CLI_CONSOLE_H
#define UW_CLI_CONSOLE_H

#include <stddef.h>

struct console;

/* For a descriptor, which stays the caller's. `broken(data)` is called, in the console's thread,
 * when it cannot be written any more. NULL when there is no memory or descriptor. */
struct console *console_open(int fd, void (*broken)(void *data), void *data);

/* Never blocks. One thread at a time. */
void console_write(struct console *console, const char *line, size_t size);

/* 1 when the descriptor cannot be written any more. */
int console_is_broken(const struct console *console);

/* Writes what is left, waiting for it, and says what was left out. NULL is fine. */
void console_close(struct console *console);

#endif
