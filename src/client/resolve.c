/*
 * resolve.c - host names to addresses
 */
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <usbwire/error.h>

#include "client/localname.h"
#include "client/loop.h"
#include "client/resolve.h"

#define HOST_MAX 256

struct uw_lookup {
    struct uw_list link; /* the loop's, with its lock */
    void (*found)(void *arg, const struct uw_hosts *hosts, const char *error, struct uw_usec now);
    void *arg;
    uint16_t port;
    struct uw_local_lookup *local; /* by multicast DNS, meanwhile */
    int nobody;                    /* and nobody answered */

    pthread_mutex_t lock; /* for what follows: shared with the thread */
    struct uw_loop *loop; /* NULL: abandoned */
    int finished;
    int error;
    struct addrinfo *addresses;
    char host[HOST_MAX], service[8];
};

static int
look_up(struct uw_lookup *l, int flags, struct addrinfo **ret_addresses)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};

    return getaddrinfo(l->host, l->service, &hints, ret_addresses);
}

/* As many as there is room for. */
static void
copy_hosts(const struct addrinfo *addresses, struct uw_hosts *ret_hosts)
{
    ret_hosts->count = 0;
    for (const struct addrinfo *a = addresses; a && ret_hosts->count < UW_HOSTS_MAX;
         a = a->ai_next) {
        struct uw_host *host = &ret_hosts->at[ret_hosts->count];

        if (a->ai_addrlen > sizeof(host->address))
            continue;
        memset(&host->address, 0, sizeof(host->address));
        memcpy(&host->address, a->ai_addr, a->ai_addrlen);
        host->size = a->ai_addrlen;
        ret_hosts->count++;
    }
}

static void
destroy(struct uw_lookup *l)
{
    if (l->addresses)
        freeaddrinfo(l->addresses);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static void *
run(void *arg)
{
    struct uw_lookup *l = (struct uw_lookup *)arg;
    struct addrinfo *addresses = NULL;
    int error = look_up(l, 0, &addresses), wanted;

    pthread_mutex_lock(&l->lock);
    l->error = error;
    l->addresses = error ? NULL : addresses;
    l->finished = 1;
    wanted = l->loop != NULL;
    if (wanted)
        uw_loop_poke(l->loop);
    pthread_mutex_unlock(&l->lock);
    if (!wanted)
        destroy(l);
    return NULL;
}

static int
start_thread(struct uw_lookup *l)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, old;
    int r;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&thread, &attr, run, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return r ? UW_ERROR_NO_MEMORY : 0;
}

/* ---- NAME.local, by two ways at once: whichever finds it first ---- */

static void
found_local(void *arg, const struct uw_hosts *hosts, struct uw_usec now)
{
    struct uw_lookup *l = (struct uw_lookup *)arg;

    l->local = NULL;
    l->nobody = !hosts;
    if (hosts) {
        l->found(l->arg, hosts, NULL, now);
        uw_lookup_abandon(l);
    }
    /* Else the thread's result counts, when it comes or if it has. */
}

static int
start_local(struct uw_lookup *l)
{
    int r;

    if (!uw_is_local_name(l->host))
        return 0;
    r = uw_local_lookup_start(l->loop, l->host, l->port, found_local, l, &l->local);
    return r == UW_ERROR_NO_MEMORY ? r : 0;
}

int
uw_lookup_start(struct uw_loop *loop, const char *host, uint16_t port,
                void (*found)(void *arg, const struct uw_hosts *hosts, const char *error,
                              struct uw_usec now),
                void *arg, struct uw_lookup **ret_lookup)
{
    struct uw_lookup *l = calloc(1, sizeof(*l));
    struct addrinfo *addresses = NULL;
    int r;

    if (!l)
        return UW_ERROR_NO_MEMORY;
    uw_list_init(&l->link);
    pthread_mutex_init(&l->lock, NULL);
    l->found = found;
    l->arg = arg;
    l->loop = loop;
    snprintf(l->host, sizeof(l->host), "%s", host);
    snprintf(l->service, sizeof(l->service), "%u", (unsigned)port);
    l->port = port;
    if (look_up(l, AI_NUMERICHOST, &addresses) == 0) {
        struct uw_hosts hosts;

        copy_hosts(addresses, &hosts);
        freeaddrinfo(addresses);
        destroy(l);
        *ret_lookup = NULL;
        found(arg, &hosts, NULL, uw_now());
        return 0;
    }
    /* Before the thread: it may be done before this returns. */
    uw_list_insert(&loop->lookups, &l->link);
    *ret_lookup = l;
    r = start_local(l);
    if (r == 0)
        r = start_thread(l);
    if (r < 0) {
        uw_local_lookup_abandon(l->local);
        uw_list_remove(&l->link);
        *ret_lookup = NULL;
        destroy(l);
    }
    return r;
}

void
uw_lookup_abandon(struct uw_lookup *l)
{
    int finished;

    if (!l)
        return;
    uw_list_remove(&l->link);
    uw_local_lookup_abandon(l->local);
    l->local = NULL;
    pthread_mutex_lock(&l->lock);
    l->loop = NULL;
    finished = l->finished;
    pthread_mutex_unlock(&l->lock);
    /* Otherwise the thread frees it. */
    if (finished)
        destroy(l);
}

static int
is_finished(struct uw_lookup *l)
{
    int finished;

    pthread_mutex_lock(&l->lock);
    finished = l->finished;
    pthread_mutex_unlock(&l->lock);
    return finished;
}

static void
collect(struct uw_lookup *l, struct uw_usec now)
{
    struct uw_hosts hosts;
    const char *error = l->nobody ? "nobody answers to this name by multicast DNS" : NULL;

    uw_list_remove(&l->link);
    uw_local_lookup_abandon(l->local);
    l->local = NULL;
    copy_hosts(l->addresses, &hosts);
    if (!error && l->error)
        error = gai_strerror(l->error);
    l->found(l->arg, hosts.count ? &hosts : NULL, error, now);
    destroy(l);
}

void
uw_lookups_collect(struct uw_loop *loop, struct uw_usec now)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &loop->lookups)
    {
        struct uw_lookup *l = UW_CONTAINER(pos, struct uw_lookup, link);

        if (is_finished(l) && (!l->error || !l->local))
            collect(l, now);
    }
}

void
uw_lookups_forget(struct uw_loop *loop)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &loop->lookups)
    {
        struct uw_lookup *l = UW_CONTAINER(pos, struct uw_lookup, link);

        /* Its thread may have held the lock, and may have been at its result. */
        pthread_mutex_init(&l->lock, NULL);
        l->addresses = NULL;
        l->error = EAI_AGAIN;
        l->finished = 1;
    }
}

void
uw_lookups_abandon(struct uw_loop *loop)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &loop->lookups)
        uw_lookup_abandon(UW_CONTAINER(pos, struct uw_lookup, link));
}
