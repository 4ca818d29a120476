/*
 * lost.c - devices that a program was shown and that went away
 */
#include <string.h>

#include "libusb/lost.h"

#define LOST_MAX 32u

struct lost {
    const struct uw_server *server; /* NULL: a free place */
    char busid[sizeof(((struct uw_device_info *)0)->busid)];
    uint16_t vid, pid;
    char serial[REMOTE_SERIAL_MAX]; /* "": it has none */
};

static struct lost table[LOST_MAX];
static unsigned next; /* place of the next one: the oldest has to go */

void
lost_add_locked(const struct remote *r)
{
    struct lost *l = &table[next++ % LOST_MAX];

    l->server = r->server;
    memcpy(l->busid, r->info.busid, sizeof(l->busid));
    l->vid = r->descriptor.idVendor;
    l->pid = r->descriptor.idProduct;
    memcpy(l->serial, r->serial, sizeof(l->serial));
}

static int
is_place_of(const struct lost *l, const struct uw_device_info *info)
{
    return strcmp(l->busid, info->busid) == 0;
}

int
lost_expects_locked(const struct uw_server *server, const struct uw_device_info *info)
{
    for (unsigned i = 0; i < LOST_MAX; i++) {
        const struct lost *l = &table[i];

        /* In another mode a device mostly keeps its vendor. */
        if (l->server == server && (is_place_of(l, info) || (l->serial[0] && l->vid == info->vid)))
            return 1;
    }
    return 0;
}

/* At the same place a twin with another serial number is another device. */
static int
is_it(const struct lost *l, const struct remote *r)
{
    int is_twin = l->vid == r->descriptor.idVendor && l->pid == r->descriptor.idProduct &&
                  l->serial[0] && r->serial[0] && strcmp(l->serial, r->serial) != 0;

    if (l->server != r->server)
        return 0;
    if (is_place_of(l, &r->info))
        return !is_twin;
    return l->serial[0] && l->vid == r->descriptor.idVendor && strcmp(l->serial, r->serial) == 0;
}

int
lost_find_locked(const struct remote *r)
{
    int found = 0;

    for (unsigned i = 0; i < LOST_MAX; i++)
        if (table[i].server && is_it(&table[i], r)) {
            table[i].server = NULL;
            found = 1;
        }
    return found;
}
