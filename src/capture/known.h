/*
 * known.h - the devices of a capture and their descriptors
 *
 * Wireshark dissects a device's data by the descriptors it has seen before. So they are kept, as
 * they pass by or as the library has them, to be repeated where a section begins without them.
 */
#ifndef UW_CAPTURE_KNOWN_H
#define UW_CAPTURE_KNOWN_H

#include <stddef.h>
#include <stdint.h>

#include <usbwire/tap.h>

#include "base/list.h"

struct uw_known_report {
    struct uw_list link;
    uint8_t interface;
    uint16_t size;
    uint8_t bytes[];
};

struct uw_known {
    struct uw_list link;
    const void *attachment;
    struct uw_tap_source source; /* host and busid point at the next two */
    char host[256], busid[32];
    uint8_t device[18];
    int has_device;
    uint8_t *config; /* the first one */
    uint16_t config_size;
    struct uw_list reports;   /* of struct uw_known_report */
    uint32_t interface;       /* of its server in the capture; UINT32_MAX: not asked for yet */
    unsigned device_section;  /* the last section that has the device descriptor */
    unsigned config_section;  /* ... the configuration */
    unsigned named_section;   /* ... a remark what device this is */
    unsigned reports_section; /* ... its report descriptors, as far as they were known then */
};

/* The device of a connection, or NULL. */
struct uw_known *uw_known_find(struct uw_list *all, const void *attachment, uint32_t connection);

/* Makes one, or gives what is known of the same device over an earlier connection to this one.
 * NULL: no memory. */
struct uw_known *uw_known_add(struct uw_list *all, const void *attachment,
                              const struct uw_tap_source *source);
void uw_known_remove(struct uw_known *known);

/* Takes note of a descriptor: the answer to GET_DESCRIPTOR `setup`. `section` is where it was
 * captured; 0: nowhere. What is not whole is not kept. */
void uw_known_learn(struct uw_known *known, const uint8_t setup[8], const uint8_t *bytes,
                    size_t size, unsigned section);

#endif
