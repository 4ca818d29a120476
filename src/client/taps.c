/*
 * taps.c - those who look on
 */
#include <stdlib.h>

#include "client/import.h"
#include "client/loop.h"

struct tap_entry {
    struct uw_list link;
    const struct uw_tap *tap;
};

void
uw_loop_tell(void *data, const struct uw_tap_event *event)
{
    struct uw_loop *loop = (struct uw_loop *)data;
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &loop->taps)
    {
        const struct uw_tap *tap = UW_CONTAINER(pos, struct tap_entry, link)->tap;

        tap->event(tap->data, event);
    }
}

int
uw_loop_add_tap_locked(struct uw_loop *loop, const struct uw_tap *tap)
{
    struct tap_entry *entry;

    if (!tap || tap->version != UW_TAP_VERSION || !tap->event)
        return UW_ERROR_INVALID;
    entry = calloc(1, sizeof(*entry));
    if (!entry)
        return UW_ERROR_NO_MEMORY;
    entry->tap = tap;
    uw_list_insert(&loop->taps, &entry->link);
    uw_imports_retap(loop);
    return 0;
}

int
uw_loop_add_tap(struct uw_loop *loop, const struct uw_tap *tap)
{
    int r;

    uw_loop_lock(loop);
    r = uw_loop_add_tap_locked(loop, tap);
    uw_loop_unlock(loop);
    return r;
}

void
uw_loop_remove_tap_locked(struct uw_loop *loop, const struct uw_tap *tap)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &loop->taps)
    {
        struct tap_entry *entry = UW_CONTAINER(pos, struct tap_entry, link);

        if (entry->tap == tap) {
            uw_list_remove(&entry->link);
            free(entry);
        }
    }
    uw_imports_retap(loop);
}

void
uw_loop_remove_tap(struct uw_loop *loop, const struct uw_tap *tap)
{
    uw_loop_lock(loop);
    uw_loop_remove_tap_locked(loop, tap);
    uw_loop_unlock(loop);
}

void
uw_taps_free(struct uw_loop *loop)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &loop->taps) free(UW_CONTAINER(pos, struct tap_entry, link));
}
