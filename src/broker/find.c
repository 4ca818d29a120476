/*
 * find.c - brokers of this user
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "broker/broker.h"

/* Tries the broker at "unix:PATH". */
static int
try_broker(struct uw_server *like, const char *address, const struct uw_choice *choice,
           struct uw_usec timeout, struct uw_device **ret_device)
{
    struct uw_server *server;
    int r = uw_server_new(uw_server_loop(like), address, 0, &server, NULL);

    if (r < 0)
        return r;
    r = uw_find(server, choice, uw_usec(0), timeout, ret_device, NULL, NULL);
    uw_server_free(server);
    return r;
}

static int
has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n > m && strcmp(s + n - m, suffix) == 0;
}

static int
not_found(struct uw_server *server, int code, struct uw_fault *fault)
{
    uw_fault_set(fault, code, "find a device that another process shares");
    uw_fault_on(fault, "%s", uw_server_name(server));
    uw_fault_advice(fault, "%s", code == UW_ERROR_NOT_FOUND ? "'usbwire hold' shares one" : "");
    return code;
}

int
uw_broker_find(struct uw_server *server, const struct uw_choice *choice, struct uw_usec timeout,
               struct uw_device **ret_device, struct uw_fault *fault)
{
    char address[sizeof(((struct uw_broker *)0)->address)], *name;
    const struct dirent *entry;
    int r = broker_name(uw_server_name(server), "", address, sizeof(address));
    size_t folder, start;
    DIR *dir;

    if (r < 0)
        return not_found(server, UW_ERROR_NOT_FOUND, fault);
    name = strrchr(address, '/') + 1;
    folder = (size_t)(name - address);
    start = strlen(name) - strlen(BROKER_SUFFIX);
    name[start] = '\0';
    address[folder - 1] = '\0';
    dir = opendir(strchr(address, '/'));
    address[folder - 1] = '/';
    if (!dir)
        return not_found(server, UW_ERROR_NOT_FOUND, fault);
    r = UW_ERROR_NOT_FOUND;
    while (r != 0 && (entry = readdir(dir))) {
        if (strncmp(entry->d_name, name, start) != 0 || !has_suffix(entry->d_name, BROKER_SUFFIX) ||
            folder + strlen(entry->d_name) >= sizeof(address))
            continue;
        snprintf(address + folder, sizeof(address) - folder, "%s", entry->d_name);
        r = try_broker(server, address, choice, timeout, ret_device);
        address[folder + start] = '\0';
    }
    closedir(dir);
    return r == 0 ? 0 : not_found(server, UW_ERROR_NOT_FOUND, fault);
}
