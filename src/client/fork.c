/*
 * fork.c - a child gets descriptors of its own to wait with, keeps the sockets, leads nothing
 */
#include <pthread.h>

#include "client/import.h"
#include "client/loop.h"
#include "client/op.h"
#include "client/queue.h"
#include "client/resolve.h"
#include "client/service.h"

/* Every loop of the process. */
static pthread_mutex_t loops_lock = PTHREAD_MUTEX_INITIALIZER;
static struct uw_list loops = {&loops, &loops};
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void
before_fork(void)
{
    struct uw_list *pos, *tmp;

    pthread_mutex_lock(&loops_lock);
    uw_list_each(pos, tmp, &loops)
    {
        struct uw_loop *loop = UW_CONTAINER(pos, struct uw_loop, all);

        pthread_mutex_lock(&loop->lock);
        uw_imports_send(loop, uw_now()); /* what is held back is sent once, by the parent */
    }
}

static void
after_fork_parent(void)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &loops)
        pthread_mutex_unlock(&UW_CONTAINER(pos, struct uw_loop, all)->lock);
    pthread_mutex_unlock(&loops_lock);
}

/* Threads, and what was theirs, stayed with the parent; so did what was being asked of servers,
 * whose answers are the parent's. */
static void
start_anew(struct uw_loop *loop)
{
    struct uw_list *pos, *tmp;

    uw_service_forget_locked(loop);
    uw_lookups_forget(loop);
    loop->leading = loop->polling = loop->asleep = 0;
    loop->forks++;
    uw_list_init(&loop->waiters);
    loop->ops->renew(loop->poller);
    uw_list_each(pos, tmp, &loop->sources)(void)
        loop->ops->add(loop->poller, UW_CONTAINER(pos, struct uw_source, link));
    uw_list_each(pos, tmp, &loop->queues)
        uw_queue_renew_locked(UW_CONTAINER(pos, struct uw_queue, link));
    uw_imports_forked(loop);
    uw_asks_abandon(loop);
    if (loop->embedded)
        loop->ops->arm(loop->poller, uw_heap_at(&loop->timers));
}

static void
after_fork_child(void)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &loops)
    {
        struct uw_loop *loop = UW_CONTAINER(pos, struct uw_loop, all);

        start_anew(loop);
        pthread_mutex_unlock(&loop->lock);
    }
    pthread_mutex_unlock(&loops_lock);
}

static void
watch_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

void
uw_forks_watch(struct uw_loop *loop)
{
    pthread_once(&fork_once, watch_forks);
    pthread_mutex_lock(&loops_lock);
    uw_list_insert(&loops, &loop->all);
    pthread_mutex_unlock(&loops_lock);
}

void
uw_forks_ignore(struct uw_loop *loop)
{
    pthread_mutex_lock(&loops_lock);
    uw_list_remove(&loop->all);
    pthread_mutex_unlock(&loops_lock);
}
