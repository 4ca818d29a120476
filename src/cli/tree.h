/*
 * tree.h - all descriptors of a device as a tree
 *
 * Works on the bytes; what is not among them (strings, report and hub descriptors) it asks for.
 */
#ifndef UW_CLI_TREE_H
#define UW_CLI_TREE_H

#include "sink.h"

/* Where the tree gets what it lacks. */
struct tree_source {
    void *data;
    /* The text of a string descriptor, "" when there is none; valid until the next call. */
    const char *(*string)(void *data, uint8_t index);
    /* GET_DESCRIPTOR of `type`, index 0, with bmRequestType and wIndex. Bytes read, or negative. */
    int (*read)(void *data, uint8_t request_type, uint8_t type, uint16_t index, uint8_t *buf,
                uint16_t size);
};

/* The device descriptor. */
void tree_device(struct sink *sink, const struct tree_source *source, const uint8_t *bytes,
                 size_t size);

/* A configuration with all that is in it. `super`: the device runs at SuperSpeed. */
void tree_config(struct sink *sink, const struct tree_source *source, int super,
                 const uint8_t *bytes, size_t size);

/* The BOS descriptor and its capabilities. */
void tree_bos(struct sink *sink, const struct tree_source *source, const uint8_t *bytes,
              size_t size);

/* One descriptor that stands alone: a device qualifier or a hub descriptor. */
void tree_single(struct sink *sink, const struct tree_source *source, const char *key,
                 const uint8_t *bytes, size_t size);

#endif
