/*
 * input.h - the bytes to send: --data, operands, --text, --data-file
 */
#ifndef UW_CLI_INPUT_H
#define UW_CLI_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli.h"

/* Either bytes in memory or a file to read from. */
struct input {
    uint8_t *bytes;
    size_t size, at;
    FILE *file; /* NULL: bytes only */
    const char *name;
};

/* Opens what the options name. At most one source may be given; none is an empty input when
 * `optional`. 0, or an exit code after a message. */
int input_open(struct input *input, const struct cli *cli, int optional);
void input_close(struct input *input);

/* Copies up to `size` bytes to buf. Returns how many, 0 at the end, or -1 after a message. */
long input_read(struct input *input, uint8_t *buf, size_t size);

/* 1 when nothing is left to read. */
int input_at_end(struct input *input);

/* From the beginning again. Returns 0 where that is not possible. */
int input_rewind(struct input *input);

/* Bytes in all, 0 when not known beforehand. */
uint64_t input_size(const struct input *input);

#endif
