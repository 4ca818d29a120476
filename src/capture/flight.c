/*
 * flight.c - open addressing with linear probing; the table is never more than half full
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/error.h>

#include "capture/flight.h"

#define FIRST_SIZE 64u

static size_t
home(const struct uw_flight *f, uint64_t id)
{
    return (size_t)((id * 0x9e3779b97f4a7c15u) >> 32) & (f->size - 1);
}

/* Where the id is, or the free place where it would go. */
static size_t
find(const struct uw_flight *f, uint64_t id)
{
    size_t i = home(f, id);

    while (f->entries[i].id && f->entries[i].id != id)
        i = (i + 1) & (f->size - 1);
    return i;
}

static int
grow(struct uw_flight *f)
{
    struct uw_flight larger = {.size = f->size ? f->size * 2 : FIRST_SIZE, .count = f->count};

    larger.entries = calloc(larger.size, sizeof(*larger.entries));
    if (!larger.entries)
        return UW_ERROR_NO_MEMORY;
    for (size_t i = 0; i < f->size; i++)
        if (f->entries[i].id)
            larger.entries[find(&larger, f->entries[i].id)] = f->entries[i];
    free(f->entries);
    *f = larger;
    return 0;
}

int
uw_flight_add(struct uw_flight *f, const struct uw_flight_entry *entry)
{
    size_t i;

    if (2 * (f->count + 1) > f->size && grow(f) < 0)
        return UW_ERROR_NO_MEMORY;
    i = find(f, entry->id);
    f->count += !f->entries[i].id;
    f->entries[i] = *entry;
    return 0;
}

int
uw_flight_take(struct uw_flight *f, uint64_t id, struct uw_flight_entry *ret_entry)
{
    size_t hole, i;

    if (!f->count)
        return 0;
    hole = find(f, id);
    if (!f->entries[hole].id)
        return 0;
    *ret_entry = f->entries[hole];
    f->count--;
    /* What was pushed past the hole moves up, so that no search ends at it too early. */
    for (i = (hole + 1) & (f->size - 1); f->entries[i].id; i = (i + 1) & (f->size - 1)) {
        size_t from_home = (i - home(f, f->entries[i].id)) & (f->size - 1);

        if (from_home >= ((i - hole) & (f->size - 1))) {
            f->entries[hole] = f->entries[i];
            hole = i;
        }
    }
    f->entries[hole].id = 0;
    return 1;
}

void
uw_flight_clear(struct uw_flight *f)
{
    if (f->entries)
        memset(f->entries, 0, f->size * sizeof(*f->entries));
    f->count = 0;
}

void
uw_flight_free(struct uw_flight *f)
{
    free(f->entries);
    *f = (struct uw_flight){0};
}
