/*
 * offer.c - a loop's side of looking on: sockets that appear in the user's folder are connected to
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <usbwire/monitor.h>

#include "base/log.h"
#include "capture/taps.h"
#include "capture/writer.h"
#include "client/import.h"
#include "client/loop.h"

#define GUESTS_MAX 16u

/* Somebody who looks on. */
struct guest {
    struct uw_list link;
    struct uw_offer *offer;
    struct uw_capture *capture;
    char name[NAME_MAX + 1];
    int gone; /* takes nothing any more */
};

struct uw_offer {
    struct uw_loop *loop;
    struct uw_source source; /* inotify */
    int folder;              /* O_PATH */
    unsigned forks;
    struct uw_list guests;
    unsigned guest_count;
};

/* ---- connecting ---- */

static struct guest *
find_guest(const struct uw_offer *o, const char *name)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &o->guests)
    {
        struct guest *g = UW_CONTAINER(pos, struct guest, link);

        if (strcmp(g->name, name) == 0 && !g->gone)
            return g;
    }
    return NULL;
}

/* A connection, or -1. */
static int
connect_to(const struct uw_offer *o, const char *name)
{
    struct sockaddr_un address;
    int fd;

    if (!uw_taps_address(o->folder, name, &address))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 && uw_taps_is_own(fd))
        return fd;
    /* Sockets get their names when they can be connected to: this one's owner has died. */
    if (errno == ECONNREFUSED)
        (void)unlinkat(o->folder, name, 0);
    close(fd);
    return -1;
}

/* In the writer's thread, as the last thing that it does: who sees `gone` under the loop's lock may
 * join it there. */
static void
on_gone(void *arg)
{
    struct guest *g = (struct guest *)arg;

    uw_loop_lock(g->offer->loop);
    uw_capture_detach_locked(g->capture, g->offer->loop);
    g->gone = 1;
    uw_loop_unlock(g->offer->loop);
}

static void
name_program(char *dst, size_t size)
{
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC), n;

    n = snprintf(dst, size, "%ld ", (long)getpid());
    if (fd >= 0 && n > 0) {
        ssize_t got = read(fd, dst + n, size - (size_t)n - 1);

        for (ssize_t i = 0; i + 1 < got; i++)
            if (!dst[n + i])
                dst[n + i] = ' ';
        dst[n + (got > 0 ? got : 0)] = '\0';
    }
    if (fd >= 0)
        close(fd);
}

/* Makes a capture that goes to the socket; takes the descriptor over. */
static int
admit(struct uw_offer *o, struct guest *g, int fd)
{
    char program[400];
    struct uw_capture_options options = {.size = sizeof(options), .comment = program};
    struct uw_target target = {.kind = UW_TARGET_SOCKET, .fd = fd};
    int r;

    snprintf(target.name, sizeof(target.name), "a monitor");
    name_program(program, sizeof(program));
    r = uw_capture_new(&options, &g->capture);
    if (r < 0) {
        close(fd);
        return r;
    }
    g->capture->own_only = 1;
    r = uw_writer_start(g->capture, &target, on_gone, g);
    return r < 0 ? r : uw_capture_attach_locked(g->capture, o->loop);
}

static void
meet(struct uw_offer *o, const char *name)
{
    struct guest *g;
    int fd;

    if (*name == '.' || o->guest_count == GUESTS_MAX || strlen(name) >= sizeof(g->name) ||
        find_guest(o, name))
        return;
    fd = connect_to(o, name);
    if (fd < 0)
        return;
    g = calloc(1, sizeof(*g));
    if (!g) {
        close(fd);
        return;
    }
    g->offer = o;
    snprintf(g->name, sizeof(g->name), "%s", name);
    uw_list_insert(&o->guests, &g->link);
    o->guest_count++;
    if (admit(o, g, fd) < 0) {
        uw_log(&o->loop->log, UW_LOG_WARNING, "out of memory for a monitor");
        g->gone = 1;
    }
}

/* ---- leaving ---- */

/* Those who take nothing any more. Their threads have nothing left to do that needs the lock. */
static void
bury_gone(struct uw_offer *o)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &o->guests)
    {
        struct guest *g = UW_CONTAINER(pos, struct guest, link);

        if (!g->gone)
            continue;
        uw_list_remove(&g->link);
        o->guest_count--;
        uw_capture_free(g->capture); /* attached to no loop, so it takes no lock */
        free(g);
    }
}

/* ---- the folder ---- */

static void
folder_changed(struct uw_source *source, unsigned events, struct uw_usec now)
{
    struct uw_offer *o = UW_CONTAINER(source, struct uw_offer, source);
    char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n;

    (void)events;
    (void)now;
    if (o->forks != uw_capture_forks()) {
        uw_loop_remove_source(o->loop, source); /* what is in there is for the parent */
        return;
    }
    bury_gone(o);
    while ((n = read(source->fd, buf, sizeof(buf))) > 0) {
        const struct inotify_event *e;

        for (ssize_t i = 0; i < n; i += (ssize_t)(sizeof(*e) + e->len)) {
            e = (const struct inotify_event *)(const void *)(buf + i);
            if (e->len)
                meet(o, e->name);
        }
    }
}

/* Those who were there before. */
static void
meet_all(struct uw_offer *o, const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir)))
        if (entry->d_type == DT_SOCK)
            meet(o, entry->d_name);
    closedir(dir);
}

static int
watch(struct uw_offer *o, const char *path)
{
    o->folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    o->source.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    o->source.events = UW_POLL_IN;
    o->source.ready = folder_changed;
    if (o->folder < 0 || o->source.fd < 0 ||
        inotify_add_watch(o->source.fd, path, IN_MOVED_TO | IN_ONLYDIR) < 0)
        return UW_ERROR_NOT_SUPPORTED;
    return uw_loop_add_source(o->loop, &o->source);
}

static void
free_offer(struct uw_offer *o)
{
    if (o->folder >= 0)
        close(o->folder);
    if (o->source.fd >= 0)
        close(o->source.fd);
    free(o);
}

int
uw_offer_new(struct uw_loop *loop, struct uw_offer **ret_offer)
{
    char path[PATH_MAX];
    struct uw_offer *o;
    int r;

    if (!uw_taps_folder(path, sizeof(path)))
        return UW_ERROR_NOT_SUPPORTED;
    o = calloc(1, sizeof(*o));
    if (!o)
        return UW_ERROR_NO_MEMORY;
    o->loop = loop;
    o->folder = o->source.fd = -1;
    uw_list_init(&o->guests);
    uw_capture_watch_forks();
    o->forks = uw_capture_forks();
    uw_loop_lock(loop);
    r = watch(o, path);
    if (r == 0)
        meet_all(o, path);
    uw_loop_unlock(loop);
    if (r < 0) {
        free_offer(o);
        return r;
    }
    *ret_offer = o;
    return 0;
}

void
uw_offer_free(struct uw_offer *o)
{
    struct uw_list *pos, *tmp;

    if (!o)
        return;
    uw_loop_lock(o->loop);
    if (!o->source.dead)
        uw_loop_remove_source(o->loop, &o->source);
    uw_loop_unlock(o->loop);
    uw_list_each(pos, tmp, &o->guests)
    {
        struct guest *g = UW_CONTAINER(pos, struct guest, link);

        uw_capture_free(g->capture);
        free(g);
    }
    free_offer(o);
}
