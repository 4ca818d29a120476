/*
 * held.c - devices that brokers of this user hold
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/folder.h"
#include "client/import.h"
#include "usb/held.h"
#include "wire/op.h"

#define PREFIX "unix:"
#define SUFFIX ".device"

/* How long a broker may take to say what it holds: it may be a stopped process. */
#define LIST_MS 1000u

/* A name that may stand in a folder, and is the same for all who mean the same. */
static void
add_name(char *dst, size_t size, const char *s)
{
    size_t n = strlen(dst);

    for (; *s && n + 1 < size; s++)
        dst[n++] = *s == '/' ? '%' : *s;
    dst[n] = '\0';
}

int
uw_held_address(const char *server, const char *busid, char dst[UW_HELD_ADDRESS_MAX])
{
    char folder[96], name[320] = "";

    if (!uw_own_folder(folder, sizeof(folder)))
        return errno == ENAMETOOLONG ? UW_ERROR_LIMIT : UW_ERROR_ACCESS;
    add_name(name, sizeof(name), server);
    add_name(name, sizeof(name), "@");
    add_name(name, sizeof(name), busid);
    return snprintf(dst, UW_HELD_ADDRESS_MAX, PREFIX "%s/%s" SUFFIX, folder, name) <
                   UW_HELD_ADDRESS_MAX
               ? UW_OK
               : UW_ERROR_LIMIT;
}

void
uw_held_origin(const char *address, char *dst, size_t size)
{
    const char *name = strrchr(address, '/'), *end = strrchr(address, '@');

    if (strncmp(address, PREFIX, strlen(PREFIX)) != 0 || !name || !end || end < name)
        snprintf(dst, size, "%s", address);
    else
        snprintf(dst, size, "%.*s", (int)(end - name - 1), name + 1);
}

/* The server at that address that this loop imports from already, so that what it has is shared, or
 * a new one. */
static struct uw_server *
server_at(struct uw_loop *loop, const char *address)
{
    struct uw_server *server = NULL;
    struct uw_import *im = NULL;

    uw_loop_lock(loop);
    while (!server && (im = uw_loop_next_import_locked(loop, im)))
        if (strcmp(uw_server_name(uw_import_server(im)), address) == 0)
            server = uw_server_ref(uw_import_server(im));
    uw_loop_unlock(loop);
    if (!server && uw_server_new(loop, address, 0, &server, NULL) < 0)
        return NULL;
    return server;
}

static int
has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n > m && strcmp(s + n - m, suffix) == 0;
}

static int
ask(struct uw_loop *loop, const char *address, struct uw_usec timeout,
    int (*visit)(void *arg, struct uw_server *broker, const struct uw_device_list *list), void *arg)
{
    struct uw_server *broker = server_at(loop, address);
    struct uw_device_list *list;
    int enough = 0;

    if (broker &&
        uw_server_list(broker, uw_usec_min(timeout, uw_msec(LIST_MS)), &list, NULL) == 0) {
        enough = visit(arg, broker, list);
        uw_device_list_free(list);
    }
    uw_server_free(broker);
    return enough;
}

void
uw_held_each(struct uw_server *server, struct uw_usec timeout,
             int (*visit)(void *arg, struct uw_server *broker, const struct uw_device_list *list),
             void *arg)
{
    char address[UW_HELD_ADDRESS_MAX], *name;
    const struct dirent *entry;
    size_t folder, start;
    DIR *dir;

    if (strncmp(uw_server_name(server), PREFIX, strlen(PREFIX)) == 0 || /* it is one itself */
        uw_held_address(uw_server_name(server), "", address) < 0)
        return;
    name = strrchr(address, '/') + 1;
    folder = (size_t)(name - address);
    start = strlen(name) - strlen(SUFFIX);
    address[folder - 1] = '\0';
    dir = opendir(address + strlen(PREFIX));
    address[folder - 1] = '/';
    while (dir && (entry = readdir(dir))) {
        if (strncmp(entry->d_name, name, start) != 0 || !has_suffix(entry->d_name, SUFFIX) ||
            folder + strlen(entry->d_name) >= sizeof(address))
            continue;
        snprintf(name, sizeof(address) - folder, "%s", entry->d_name);
        if (ask(uw_server_loop(server), address, timeout, visit, arg))
            break;
    }
    if (dir)
        closedir(dir);
}

struct search {
    const char *busid;
    struct uw_server *found;
};

static int
has_it(void *arg, struct uw_server *broker, const struct uw_device_list *list)
{
    struct search *s = (struct search *)arg;

    if (!uw_device_list_find(list, s->busid))
        return 0;
    uw_loop_lock(uw_server_loop(broker));
    s->found = uw_server_ref(broker);
    uw_loop_unlock(uw_server_loop(broker));
    return 1;
}

struct uw_server *
uw_held_broker(struct uw_server *server, const char *busid, struct uw_usec timeout)
{
    struct search s = {busid, NULL};

    uw_held_each(server, timeout, has_it, &s);
    return s.found;
}
