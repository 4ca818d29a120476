/*
 * broker.c - a device shared on a Unix socket: who comes and who goes
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "broker/broker.h"
#include "client/service.h"
#include "transport/listen.h"

#define PREFIX "unix:"

/* Of the requests of all clients together: four that fill theirs, with answers nobody reads. */
#define BYTES_MAX ((size_t)512 << 20)

static const char *
path_of(const struct uw_broker *b)
{
    return b->address + strlen(PREFIX);
}

/* Only processes of this user may come in, whatever the folder's rights say. */
static void
came(struct uw_listener *listener, struct uw_transport *t)
{
    struct uw_broker *b = UW_CONTAINER(listener, struct uw_broker, listener);
    uid_t uid;

    if (uw_transport_user(t, &uid) && uid == geteuid()) {
        broker_client_new(b, t);
        return;
    }
    uw_log(&b->loop->log, UW_LOG_WARNING, "%s: refused a process of another user", b->device->name);
    uw_transport_free(t, 1);
}

static void
free_broker(struct uw_grave *grave)
{
    free(UW_CONTAINER(grave, struct uw_broker, grave));
}

/* ---- the device ---- */

static void
device_ended(struct uw_ending *ending)
{
    struct uw_broker *b = UW_CONTAINER(ending, struct uw_broker, ending);
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &b->clients)
        broker_client_dismiss(UW_CONTAINER(pos, struct broker_client, link));
}

static void
take_device_locked(struct uw_broker *b, struct uw_device *device)
{
    b->device = device;
    device->refs++;
    device->shared_out = 1;
    b->setting.was_set = broker_device_set;
    uw_list_insert(&device->settings, &b->setting.link);
    b->ending.ended = device_ended;
    uw_import_on_ended_locked(device->import, &b->ending);
}

static struct uw_device *
leave_device_locked(struct uw_broker *b)
{
    b->device->shared_out = 0;
    uw_list_remove(&b->setting.link);
    uw_list_remove(&b->ending.link);
    return b->device;
}

/* ---- making and freeing ---- */

static int
refuse(struct uw_broker *b, int code, int raw, const char *came, const char *advice,
       struct uw_fault *fault)
{
    uw_fault_set(fault, code, "share the device");
    uw_fault_on(fault, "%s", b->device->name);
    uw_fault_came(fault, raw, "%s", came);
    uw_fault_advice(fault, "%s", advice);
    return code;
}

static int
refuse_shared(struct uw_broker *b, struct uw_fault *fault)
{
    return refuse(b, UW_ERROR_BUSY, 0, "another process shares it already",
                  "use it through that one", fault);
}

static int
open_socket(struct uw_broker *b, int *ret_fd, struct uw_fault *fault)
{
    const char *server = uw_server_name(uw_import_server(b->device->import));
    int r = uw_held_address(server, b->device->info.busid, b->address);

    if (r == UW_ERROR_ACCESS)
        return refuse(
            b, r, errno, strerror(errno),
            "set XDG_RUNTIME_DIR to a folder of your own; nobody else may have rights there",
            fault);
    if (r == 0) {
        *ret_fd = uw_listen_unix(path_of(b));
        if (*ret_fd >= 0)
            return 0;
        r = errno == ENAMETOOLONG ? UW_ERROR_LIMIT
            : errno == EADDRINUSE ? UW_ERROR_BUSY
                                  : UW_ERROR_ACCESS;
    }
    if (r == UW_ERROR_BUSY)
        return refuse_shared(b, fault);
    if (r == UW_ERROR_LIMIT)
        return refuse(b, r, 0, "the path of its socket would be too long",
                      "set XDG_RUNTIME_DIR to a shorter path, or name the server by its address",
                      fault);
    return refuse(b, r, errno, strerror(errno), "", fault);
}

int
uw_broker_new(struct uw_device *device, struct uw_broker **ret_broker, struct uw_fault *fault)
{
    struct uw_broker *b = calloc(1, sizeof(*b));
    int fd = -1, r;

    if (!b)
        return uw_fault_set(fault, UW_ERROR_NO_MEMORY, "share a device");
    b->device = device;
    b->loop = device->loop;
    b->budget.max = BYTES_MAX;
    uw_list_init(&b->clients);
    b->grave.free = free_broker;
    uw_list_init(&b->grave.link);
    r = device->shared ? refuse_shared(b, fault) : open_socket(b, &fd, fault);
    if (r < 0) {
        free(b);
        return r;
    }
    r = uw_service_hold(b->loop);
    uw_loop_lock(b->loop);
    if (r == 0 && uw_listener_start(&b->listener, b->loop, fd, came) < 0) {
        uw_loop_unlock(b->loop);
        uw_service_release(b->loop);
        uw_loop_lock(b->loop);
        r = UW_ERROR_NO_MEMORY;
    }
    if (r == 0)
        take_device_locked(b, device);
    uw_loop_unlock(b->loop);
    if (r < 0) {
        close(fd);
        unlink(path_of(b));
        free(b);
        return uw_fault_set(fault, r, "share a device");
    }
    *ret_broker = b;
    return 0;
}

static int
have_gone(void *arg)
{
    struct uw_broker *b = (struct uw_broker *)arg;
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp,
                 &b->clients) if (UW_CONTAINER(pos, struct broker_client, link)->closing) return 0;
    return 1;
}

/* Closes all, or those who use the device; returns how many. */
static unsigned
close_clients_locked(struct uw_broker *b, int all)
{
    struct uw_list *pos, *tmp;
    unsigned n = 0;

    uw_list_each(pos, tmp, &b->clients)
    {
        struct broker_client *c = UW_CONTAINER(pos, struct broker_client, link);

        if (!all && !c->imported)
            continue;
        broker_client_close(c);
        n++;
    }
    (void)uw_loop_until(b->loop, have_gone, b, uw_never(), 0, NULL);
    return n;
}

void
uw_broker_replace(struct uw_broker *b, struct uw_device *device)
{
    struct uw_device *old;

    uw_loop_lock(b->loop);
    while (close_clients_locked(b, 0)) /* others may have come meanwhile */
        ;
    old = leave_device_locked(b);
    take_device_locked(b, device);
    uw_loop_unlock(b->loop);
    uw_device_free(old);
}

void
uw_broker_free(struct uw_broker *b)
{
    struct uw_device *device;
    struct uw_loop *loop;

    if (!b)
        return;
    loop = b->loop;
    uw_loop_lock(loop);
    unlink(path_of(b));
    uw_listener_stop(&b->listener);
    (void)close_clients_locked(b, 1);
    device = leave_device_locked(b);
    uw_loop_unlock(loop);
    uw_service_release(loop);
    uw_device_free(device);
    uw_loop_lock(loop);
    uw_loop_bury(loop, &b->grave); /* a thread may still hold an event of the listener */
    uw_loop_unlock(loop);
}

const char *
uw_broker_address(const struct uw_broker *b)
{
    return b->address;
}

unsigned
uw_broker_clients(struct uw_broker *b)
{
    unsigned n;

    uw_loop_lock(b->loop);
    n = b->count;
    uw_loop_unlock(b->loop);
    return n;
}
