/*
 * flight.h - URBs whose submission was captured and whose completion was not yet: a hash table of
 * their ids
 */
#ifndef UW_CAPTURE_FLIGHT_H
#define UW_CAPTURE_FLIGHT_H

#include <stddef.h>
#include <stdint.h>

struct uw_flight_entry {
    uint64_t id; /* 0: free, which no URB has */
    uint8_t endpoint, type;
    uint8_t dropped; /* its submission was left out */
    uint8_t setup[8];
    int32_t interval;
    uint32_t flags;
};

struct uw_flight {
    struct uw_flight_entry *entries;
    size_t size; /* a power of two, or 0 */
    size_t count;
};

/* Adds or replaces. NO_MEMORY. */
int uw_flight_add(struct uw_flight *flight, const struct uw_flight_entry *entry);

/* Takes an entry out: 1, or 0 when there is none. */
int uw_flight_take(struct uw_flight *flight, uint64_t id, struct uw_flight_entry *ret_entry);

/* Forgets all and keeps the memory; frees it. */
void uw_flight_clear(struct uw_flight *flight);
void uw_flight_free(struct uw_flight *flight);

#endif
