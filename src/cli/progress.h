/*
 * progress.h - one line on a terminal's standard error that follows what takes long
 */
#ifndef UW_CLI_PROGRESS_H
#define UW_CLI_PROGRESS_H

#include <stdint.h>

#include "cli.h"

struct progress {
    const char *verb; /* "read" */
    uint64_t total;   /* bytes, 0: not known */
    struct uw_usec start, next;
    int shown; /* -1: not wanted */
};

/* Nothing is shown where standard error is no terminal, or with -q, or before a second is over. */
void progress_start(struct progress *progress, const struct cli *cli, const char *verb,
                    uint64_t total);
void progress_update(struct progress *progress, uint64_t bytes);
/* Clears the line. */
void progress_end(struct progress *progress);

/* "12.3 MB" */
char *progress_bytes(uint64_t bytes, char *buf, size_t size);

#endif
