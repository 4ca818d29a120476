/*
 * layout.h - descriptors shown by tables: layouts.def has the fields, meanings.def the values
 */
#ifndef UW_CLI_LAYOUT_H
#define UW_CLI_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "sink.h"

/* Where a descriptor stands: the class triple of the interface (or device) around it. */
struct layout_place {
    uint8_t class, subclass, protocol;
    unsigned power_unit; /* mA that 1 in bMaxPower stands for: 2, or 8 at SuperSpeed */
    /* The text of a string descriptor, "" when there is none. */
    const char *(*string)(void *data, uint8_t index);
    void *data;
};

/*
 * Shows one descriptor (bLength bytes, 2 at least) as an object of its own under `key`; with
 * `keep_open` it stays open for what belongs into it. What no layout fits is shown in hex.
 */
void layout_show(struct sink *sink, const struct layout_place *place, const char *key, int many,
                 const uint8_t *bytes, size_t size, int keep_open);

/* The little-endian number of 1 to 4 bytes at `offset`; 0 when it is not all there. */
uint32_t layout_number(const uint8_t *bytes, size_t size, size_t offset, size_t width);

#endif
