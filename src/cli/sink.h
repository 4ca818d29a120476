/*
 * sink.h - where a descriptor tree goes: indented text as lsusb writes it, or JSON
 *
 * In JSON an object opened with `many` is appended to the array `key` of the object around it, else
 * it is that member. Numbers are numbers; what a number means is left to the reader, but for string
 * descriptors, which become a second member NAME_string.
 */
#ifndef UW_CLI_SINK_H
#define UW_CLI_SINK_H

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#define SINK_DEPTH 8

enum sink_format { SINK_DECIMAL, SINK_HEX, SINK_BCD };

struct sink {
    FILE *text;                /* NULL: JSON */
    json_t *stack[SINK_DEPTH]; /* borrowed, but for stack[0], which is the result */
    unsigned depth;
};

/* `text` NULL makes JSON: the result is stack[0], to be json_decref'ed. */
void sink_start(struct sink *sink, FILE *text);

void sink_open(struct sink *sink, const char *key, int many, const char *title);
void sink_close(struct sink *sink);

/* `width` counts bytes; `meaning` may be "". */
void sink_number(struct sink *sink, const char *name, uint32_t value, enum sink_format format,
                 unsigned width, const char *meaning);
/* As sink_number, with a value that only people read otherwise: "100mA". */
void sink_quantity(struct sink *sink, const char *name, uint32_t value, const char *text);
/* A string descriptor's index and its text. */
void sink_string(struct sink *sink, const char *name, uint8_t index, const char *text);
/* Bytes in hex. */
void sink_bytes(struct sink *sink, const char *name, const uint8_t *bytes, size_t size);
/* A line of explanation, in text only. */
void sink_remark(struct sink *sink, const char *text);

#endif
