/*
 * Many threads in one loop: who waits drives, nobody holds up anybody else, the lead always goes to
 * somebody who is there, and every URB completes once whatever is done to it at the same time.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "client/service.h"
#include "support/client.h"
#include "support/keeper.h"

#define THREADS 6

/* ---- nobody holds up anybody ---- */

/* While one thread is blocked in a read - it leads - writes and control transfers of others go
 * through. If they did not this test would not end. */
static void
test_blocked_read_delays_nobody(void **state)
{
    struct client c;
    uint8_t data[512] = {0};
    pthread_t reader;
    void *r;

    (void)state;
    client_start(&c, keeper_act, NULL);
    client_must_import(&c);
    reader = client_thread(keeper_read, &c);
    stage_await(c.stage, 1);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(client_transfer(&c, 0x01, data, sizeof(data), NULL), UW_OK);
        assert_int_equal(client_transfer(&c, 0x80, data, 18, NULL), UW_OK);
        assert_int_equal(client_transfer(&c, 0x81, data, 64, NULL), UW_OK);
    }
    assert_int_equal(keeper_let_go(&c), UW_OK);
    assert_int_equal(pthread_join(reader, &r), 0);
    assert_int_equal((intptr_t)r, UW_OK);
    client_stop(&c);
}

/* ---- many at once ---- */

struct worker {
    struct client *c;
    uint8_t endpoint;
    int rounds;
    int failed; /* line */
};

#define WORKER_CHECK(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            w->failed = __LINE__;                                                                  \
            return NULL;                                                                           \
        }                                                                                          \
    } while (0)

static void *
work(void *arg)
{
    struct worker *w = (struct worker *)arg;
    uint8_t data[512], next = 0;
    size_t actual;

    for (int i = 0; i < w->rounds; i++) {
        size_t length = (size_t)(1 + i % 8) * 64;

        WORKER_CHECK(client_transfer(w->c, w->endpoint | 0x80, data, length, &actual) == UW_OK);
        WORKER_CHECK(actual == length);
        for (size_t k = 0; k < length; k++)
            WORKER_CHECK(data[k] == next++);
        WORKER_CHECK(client_transfer(w->c, w->endpoint, data, length, &actual) == UW_OK);
        WORKER_CHECK(actual == length);
        WORKER_CHECK(client_transfer(w->c, 0x80, data, 18, &actual) == UW_OK && actual == 18);
    }
    return NULL;
}

static void
run_workers(struct client *c, int rounds)
{
    struct worker workers[THREADS];
    pthread_t threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){c, (uint8_t)(i + 1), rounds, 0};
        threads[i] = client_thread(work, &workers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        if (workers[i].failed)
            fail_msg("thread %u failed in line %d", i, workers[i].failed);
    }
}

/* Each endpoint's bytes arrive in order and complete, whoever read the socket. */
static void
test_many_threads(void **state)
{
    struct client c;

    (void)state;
    client_start(&c, keeper_act, NULL);
    client_must_import(&c);
    run_workers(&c, 50);
    client_stop(&c);
}

static void *
hold_and_release(void *arg)
{
    struct worker *w = (struct worker *)arg;

    for (int i = 0; i < w->rounds; i++) {
        WORKER_CHECK(uw_service_hold(w->c->loop) == 0);
        uw_service_release(w->c->loop);
    }
    return NULL;
}

/* The service thread comes and goes among them. */
static void
test_service_among_them(void **state)
{
    struct worker holders[2];
    pthread_t threads[2];
    struct client c;

    (void)state;
    client_start(&c, keeper_act, NULL);
    client_must_import(&c);
    for (unsigned i = 0; i < 2; i++) {
        holders[i] = (struct worker){&c, 0, 100, 0};
        threads[i] = client_thread(hold_and_release, &holders[i]);
    }
    run_workers(&c, 20);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(holders[i].failed, 0);
    }
    client_stop(&c);
}

/* ---- the lead ---- */

/* All wait for an answer on one endpoint, one leads. Answers come one by one; each time one thread
 * leaves, now the leader, now a follower, and the rest must still be served. */
static void
test_lead_is_handed_over(void **state)
{
    struct client c;

    (void)state;
    client_start(&c, keeper_act, NULL);
    client_must_import(&c);
    for (int round = 0; round < 5; round++) {
        pthread_t threads[THREADS];
        void *r;

        for (unsigned i = 0; i < THREADS; i++)
            threads[i] = client_thread(keeper_read, &c);
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(keeper_let_go(&c), UW_OK);
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], &r), 0);
            assert_int_equal((intptr_t)r, UW_OK);
        }
    }
    client_stop(&c);
}

/* ---- races ---- */

struct race {
    struct client c;
    struct uw_urb *urbs[32];
    pthread_barrier_t barrier;
    int rounds;
};

static void *
cancel_them(void *arg)
{
    struct race *r = (struct race *)arg;

    for (int i = 0; i < r->rounds; i++) {
        pthread_barrier_wait(&r->barrier);
        for (unsigned k = 0; k < 32; k++)
            (void)client_cancel(&r->c, r->urbs[k]);
        pthread_barrier_wait(&r->barrier);
    }
    return NULL;
}

/* URBs are cancelled while their answers come in: each completes once, one way or the other. */
static void
test_cancel_races_completion(void **state)
{
    static struct race r;
    pthread_t thread;

    (void)state;
    client_start(&r.c, keeper_act, NULL);
    client_must_import(&r.c);
    r.rounds = 30;
    assert_int_equal(pthread_barrier_init(&r.barrier, NULL, 2), 0);
    thread = client_thread(cancel_them, &r);
    for (int i = 0; i < r.rounds; i++) {
        for (unsigned k = 0; k < 32; k++)
            r.urbs[k] = client_submit(&r.c, k % 3 ? 0x81 : 0x01, 64, 0);
        pthread_barrier_wait(&r.barrier);
        for (unsigned k = 0; k < 32; k++) {
            struct uw_urb *urb;
            int status;

            assert_int_equal(uw_queue_wait(r.c.queue, uw_msec(30000)), 1);
            urb = uw_queue_pop(r.c.queue);
            status = uw_urb_status(urb);
            assert_true(status == UW_OK || status == UW_ERROR_CANCELLED);
        }
        pthread_barrier_wait(&r.barrier);
        assert_null(uw_queue_pop(r.c.queue));
        for (unsigned k = 0; k < 32; k++)
            client_urb_free(r.urbs[k]);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_barrier_destroy(&r.barrier);
    client_stop(&r.c);
}

static void *
wait_for_one(void *arg)
{
    struct client *c = (struct client *)arg;

    return (void *)(intptr_t)uw_queue_wait(c->queue, uw_msec(30000));
}

/* An import is given back while somebody waits for one of its URBs. */
static void
test_freed_while_waited_for(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct client c;
        struct uw_urb *urb;
        pthread_t thread;
        void *r;

        client_start(&c, keeper_act, NULL);
        client_must_import(&c);
        urb = client_submit(&c, 0x8f, 64, 0);
        thread = client_thread(wait_for_one, &c);
        if (i & 1)
            stage_await(c.stage, 1);
        uw_import_free(c.import);
        c.import = NULL;
        assert_int_equal(pthread_join(thread, &r), 0);
        assert_int_equal((intptr_t)r, 1);
        assert_int_equal(client_finish(&c, urb), UW_ERROR_CANCELLED);
        client_urb_free(urb);
        client_stop(&c);
    }
}

static void *
import_and_free(void *arg)
{
    struct worker *w = (struct worker *)arg;
    char busid[8] = "2-0";

    busid[2] = (char)('0' + w->endpoint);
    for (int i = 0; i < w->rounds; i++) {
        struct uw_import *im = NULL;

        WORKER_CHECK(uw_import_new(w->c->server, busid, uw_msec(30000), &im, NULL) == 0);
        uw_import_free(im);
    }
    return NULL;
}

/* Imports come and go while others work. */
static void
test_imports_come_and_go(void **state)
{
    struct worker workers[2];
    pthread_t threads[2];
    struct client c;

    (void)state;
    client_start(&c, keeper_act, NULL);
    client_must_import(&c);
    for (unsigned i = 0; i < 2; i++) {
        workers[i] = (struct worker){&c, (uint8_t)i, 12, 0};
        threads[i] = client_thread(import_and_free, &workers[i]);
    }
    run_workers(&c, 20);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].failed, 0);
    }
    client_stop(&c);
}

/* ---- interrupts ---- */

static void *
interrupt_often(void *arg)
{
    struct worker *w = (struct worker *)arg;

    for (int i = 0; i < w->rounds; i++)
        uw_loop_interrupt(w->c->loop);
    return NULL;
}

/* Waits end early and nothing is lost. */
static void
test_interrupts(void **state)
{
    struct worker w;
    struct client c;
    pthread_t thread;

    (void)state;
    client_start(&c, keeper_act, NULL);
    client_must_import(&c);
    w = (struct worker){&c, 0, 2000, 0};
    thread = client_thread(interrupt_often, &w);
    for (int i = 0; i < 200; i++) {
        struct uw_urb *urb = client_submit(&c, 0x81, 64, 0);
        int r;

        while ((r = uw_queue_wait(c.queue, uw_msec(30000))) == UW_ERROR_INTERRUPTED)
            ;
        assert_int_equal(r, 1);
        assert_ptr_equal(uw_queue_pop(c.queue), urb);
        assert_int_equal(uw_urb_status(urb), UW_OK);
        client_urb_free(urb);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    client_stop(&c);
}

/* A thread that polls the queue's descriptor is told by whoever drives. */
static void *
poll_queue(void *arg)
{
    struct client *c = (struct client *)arg;
    struct pollfd p = {.fd = uw_queue_fd(c->queue), .events = POLLIN};
    intptr_t n = 0;

    while (n < 20 && poll(&p, 1, 30000) == 1) {
        struct uw_urb *urb;

        while ((urb = uw_queue_pop(c->queue))) {
            client_urb_free(urb);
            n++;
        }
    }
    return (void *)n;
}

static void
test_queue_descriptor(void **state)
{
    struct client c;
    uint8_t data[18];
    pthread_t thread;
    void *n;

    (void)state;
    client_start(&c, keeper_act, NULL);
    client_must_import(&c);
    thread = client_thread(poll_queue, &c);
    for (int i = 0; i < 20; i++) {
        (void)client_submit(&c, 0x81, 64, 0);
        assert_int_equal(client_transfer(&c, 0x80, data, 18, NULL), UW_OK);
    }
    assert_int_equal(client_transfer(&c, 0x80, data, 18, NULL), UW_OK);
    assert_int_equal(pthread_join(thread, &n), 0);
    assert_int_equal((intptr_t)n, 20);
    client_stop(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocked_read_delays_nobody),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_service_among_them),
        cmocka_unit_test(test_lead_is_handed_over),
        cmocka_unit_test(test_cancel_races_completion),
        cmocka_unit_test(test_freed_while_waited_for),
        cmocka_unit_test(test_imports_come_and_go),
        cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_queue_descriptor),
    };

    return client_run_tests(tests);
}
