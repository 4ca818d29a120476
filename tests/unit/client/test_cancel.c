/*
 * Threads that are cancelled (pthread_cancel) while they wait. Not in the suite for
 * ThreadSanitizer, which loses its way when a thread is cancelled inside epoll_wait.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "support/client.h"
#include "support/keeper.h"

/* A thread is cancelled inside its read, as leader and as follower. Its URB, which lies on its
 * stack, is out of the engine before the stack is gone, the lock is free, and the others go on. */
static void
cancel_one(int leader)
{
    pthread_t first, second, victim, other;
    struct client c;
    void *r;

    client_start(&c, keeper_act, NULL);
    client_must_import(&c);
    first = client_thread(keeper_read, &c); /* leads */
    stage_await(c.stage, 1);
    second = client_thread(keeper_read, &c);
    stage_await(c.stage, 2);
    victim = leader ? first : second;
    other = leader ? second : first;
    assert_int_equal(pthread_cancel(victim), 0);
    assert_int_equal(pthread_join(victim, &r), 0);
    assert_ptr_equal(r, PTHREAD_CANCELED);
    assert_int_equal(keeper_let_go(&c), UW_OK);
    assert_int_equal(pthread_join(other, &r), 0);
    assert_int_equal((intptr_t)r, UW_OK);
    assert_int_equal(client_run(&c, 0x80, 18, 0), UW_OK);
    client_stop(&c);
}

static void
test_leader_is_cancelled(void **state)
{
    (void)state;
    cancel_one(1);
}

static void
test_follower_is_cancelled(void **state)
{
    (void)state;
    cancel_one(0);
}

static void *
import_another(void *arg)
{
    struct client *c = (struct client *)arg;
    struct uw_import *im;

    (void)uw_import_new(c->server, "9-9", uw_never(), &im, NULL);
    return NULL;
}

static void
act_never_import(struct stage *stage, int fd, unsigned number)
{
    char busid[UW_OP_BUSID_SIZE];

    (void)number;
    if (!stage_request(fd, busid))
        return;
    stage_reach(stage, 1);
    stage_drain(fd);
}

/* Cancelled inside an import, and inside a list: nothing is left of either. */
static void *
list_devices(void *arg)
{
    struct client *c = (struct client *)arg;
    struct uw_device_list *list;

    (void)uw_server_list(c->server, uw_never(), &list, NULL);
    return NULL;
}

static void
test_cancelled_while_asking(void **state)
{
    void *(*const runs[])(void *) = {import_another, list_devices};
    struct client c;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        pthread_t thread;
        void *r;

        client_start(&c, act_never_import, NULL);
        thread = client_thread(runs[i], &c);
        stage_await(c.stage, 1);
        assert_int_equal(pthread_cancel(thread), 0);
        assert_int_equal(pthread_join(thread, &r), 0);
        assert_ptr_equal(r, PTHREAD_CANCELED);
        uw_loop_lock(c.loop); /* free, and the import is gone */
        assert_null(uw_server_find_import_locked(c.server, "9-9"));
        uw_loop_unlock(c.loop);
        client_stop(&c);
    }
}

struct busy {
    struct client c;
    atomic_uint transfers;
};

static void *
transfer_for_ever(void *arg)
{
    struct busy *b = (struct busy *)arg;
    uint8_t data[64];

    for (;;) {
        (void)client_transfer(&b->c, 0x80, data, 18, NULL);
        atomic_fetch_add(&b->transfers, 1);
    }
    return NULL;
}

/* Cancelled wherever it is - submitting, sending, reading the answer, waiting: nothing is left half
 * done, and the next thread finds everything in order. */
static void
test_cancelled_anywhere(void **state)
{
    static struct busy b;

    (void)state;
    client_start(&b.c, keeper_act, NULL);
    client_must_import(&b.c);
    for (unsigned i = 0; i < 100; i++) {
        pthread_t thread = client_thread(transfer_for_ever, &b);
        unsigned target = atomic_load(&b.transfers) + i % 3;
        struct uw_usec start;
        void *r;

        while (atomic_load(&b.transfers) < target)
            sched_yield();
        start = uw_now();
        while (client_since(start) < i * 3) /* a few transfers long at the end */
            ;
        assert_int_equal(pthread_cancel(thread), 0);
        assert_int_equal(pthread_join(thread, &r), 0);
        assert_ptr_equal(r, PTHREAD_CANCELED);
        assert_int_equal(client_run(&b.c, 0x80, 18, 0), UW_OK);
    }
    client_stop(&b.c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leader_is_cancelled),
        cmocka_unit_test(test_follower_is_cancelled),
        cmocka_unit_test(test_cancelled_while_asking),
        cmocka_unit_test(test_cancelled_anywhere),
    };

    return client_run_tests(tests);
}
