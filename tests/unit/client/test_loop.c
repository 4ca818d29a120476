/*
 * The loop itself: timers, sources, memory that outlives a wait, interrupts, embedding, and when it
 * sends.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/client.h"
#include "support/punctual.h"

static void
test_options(void **state)
{
    struct uw_loop_options options = {.size = sizeof(options), .backend = "select"};
    struct uw_loop *loop;

    (void)state;
    assert_int_equal(uw_loop_new(&options, &loop), UW_ERROR_INVALID);
    options.backend = client_backend();
    options.size = 8;
    assert_int_equal(uw_loop_new(&options, &loop), UW_ERROR_INVALID);
    assert_int_equal(uw_loop_new(NULL, &loop), 0);
    uw_loop_free(loop);
    uw_loop_free(NULL);
}

/* ---- timers ---- */

struct alarm_clock {
    struct uw_timer timer;
    struct uw_loop *loop;
    int *order;
    int number, again;
};

static void
ring(struct uw_timer *timer, struct uw_usec now)
{
    struct alarm_clock *a = UW_CONTAINER(timer, struct alarm_clock, timer);

    *a->order = *a->order * 10 + a->number;
    if (a->again-- > 0)
        uw_loop_set_timer(a->loop, timer, uw_usec_add(now, uw_msec(1)));
}

/* At an instant `ms` behind `from`: clocks that are compared have the same one, or whoever is kept
 * from running between two of them sees their order change. */
static void
set_clock(struct alarm_clock *a, struct uw_loop *loop, int *order, int number, struct uw_usec from,
          uint32_t ms)
{
    *a = (struct alarm_clock){.loop = loop, .order = order, .number = number};
    a->timer.fire = ring;
    uw_loop_set_timer(loop, &a->timer, uw_usec_add(from, uw_msec(ms)));
}

static void
test_timers(void **state)
{
    struct uw_loop *loop = client_new_loop();
    struct alarm_clock a, b, c, d;
    struct uw_usec from = uw_now();
    int order = 0;

    (void)state;
    uw_loop_lock(loop);
    set_clock(&a, loop, &order, 1, from, 20);
    set_clock(&b, loop, &order, 2, from, 5);
    set_clock(&c, loop, &order, 3, from, 10);
    set_clock(&d, loop, &order, 4, from, 1);
    uw_loop_set_timer(loop, &d.timer, uw_never());
    uw_loop_unlock(loop);
    while (order % 10 != 1)
        assert_int_equal(uw_loop_wait(loop, uw_msec(30000)), 0);
    assert_int_equal(order, 231); /* however late it is */
    uw_loop_lock(loop);
    set_clock(&c, loop, &order, 3, from, 1);
    c.again = 2;
    uw_loop_unlock(loop);
    while (order < 231333)
        assert_int_equal(uw_loop_wait(loop, uw_msec(30000)), 0);
    assert_int_equal(order, 231333);
    assert_true(uw_is_never(uw_loop_deadline(loop)));
    uw_loop_free(loop);
}

static void *
set_early_timer(void *arg)
{
    struct alarm_clock *a = (struct alarm_clock *)arg;

    uw_loop_lock(a->loop);
    set_clock(a, a->loop, a->order, 7, uw_now(), 1);
    uw_loop_unlock(a->loop);
    return NULL;
}

/* A timer that is set while somebody sleeps till later wakes him up. */
static void
test_earlier_timer_wakes(void **state)
{
    struct uw_loop *loop = client_new_loop();
    struct alarm_clock a = {.loop = loop};
    pthread_t thread;
    struct uw_usec start = uw_now();
    int order = 0;

    (void)state;
    a.order = &order;
    assert_int_equal(pthread_create(&thread, NULL, set_early_timer, &a), 0);
    while (order == 0)
        assert_int_equal(uw_loop_wait(loop, uw_msec(25000)), 0);
    assert_true(client_since(start) < 20000000);
    assert_int_equal(pthread_join(thread, NULL), 0);
    uw_loop_free(loop);
}

static void
wait_in_loop(void *arg)
{
    assert_int_equal(uw_loop_wait((struct uw_loop *)arg, uw_msec(50)), 0);
}

static void
test_wait_is_exact(void **state)
{
    struct uw_loop *loop = client_new_loop();

    (void)state;
    assert_punctual(50000, wait_in_loop, loop);
    uw_loop_free(loop);
}

/* ---- sources ---- */

struct ear {
    struct uw_source source;
    struct uw_grave grave;
    struct uw_loop *loop;
    struct ear *other; /* is taken out and buried when this one hears something */
    int pipe[2], heard, *freed;
};

static void
hear(struct uw_source *source, unsigned events, struct uw_usec now)
{
    struct ear *e = UW_CONTAINER(source, struct ear, source);

    (void)now;
    assert_true(events & UW_POLL_IN);
    e->heard++;
    if (e->other) {
        uw_loop_remove_source(e->loop, &e->other->source);
        uw_loop_bury(e->loop, &e->other->grave);
        e->other = NULL;
    }
}

static void
free_ear(struct uw_grave *grave)
{
    struct ear *e = UW_CONTAINER(grave, struct ear, grave);

    ++*e->freed;
    close(e->pipe[0]);
    close(e->pipe[1]);
    free(e);
}

static struct ear *
new_ear(struct uw_loop *loop, int *freed)
{
    struct ear *e = calloc(1, sizeof(*e));

    assert_non_null(e);
    assert_int_equal(pipe(e->pipe), 0);
    e->loop = loop;
    e->freed = freed;
    e->source = (struct uw_source){.fd = e->pipe[0], .events = UW_POLL_IN, .ready = hear};
    e->grave.free = free_ear;
    uw_list_init(&e->grave.link);
    uw_list_init(&e->source.link);
    uw_loop_lock(loop);
    assert_int_equal(uw_loop_add_source(loop, &e->source), 0);
    uw_loop_unlock(loop);
    return e;
}

/* Two are ready at once, and whichever is first takes the other out: that is not called any more,
 * though its event was there already, and its memory goes when nobody holds the event. */
static void
test_removed_while_ready(void **state)
{
    struct uw_loop *loop = client_new_loop();
    struct ear *a, *b, *left;
    int freed = 0;

    (void)state;
    a = new_ear(loop, &freed);
    b = new_ear(loop, &freed);
    a->other = b;
    b->other = a;
    assert_int_equal(write(a->pipe[1], "x", 1), 1);
    assert_int_equal(write(b->pipe[1], "x", 1), 1);
    assert_int_equal(uw_loop_wait(loop, uw_msec(30000)), 0);
    assert_int_equal(freed, 1);
    uw_loop_lock(loop);
    left = UW_CONTAINER(loop->sources.next, struct ear, source);
    assert_int_equal(left->heard, 1);
    uw_loop_remove_source(loop, &left->source);
    uw_loop_bury(loop, &left->grave); /* at once: nobody waits */
    assert_int_equal(freed, 2);
    uw_loop_unlock(loop);
    uw_loop_free(loop);
}

/* Not asked for: not told. */
static void
test_changed_events(void **state)
{
    struct uw_loop *loop = client_new_loop();
    int freed = 0;
    struct ear *a = new_ear(loop, &freed);

    (void)state;
    assert_int_equal(write(a->pipe[1], "x", 1), 1);
    uw_loop_lock(loop);
    uw_loop_change_source(loop, &a->source, 0);
    uw_loop_unlock(loop);
    assert_int_equal(uw_loop_step(loop), 0);
    assert_int_equal(a->heard, 0);
    uw_loop_lock(loop);
    uw_loop_change_source(loop, &a->source, UW_POLL_IN);
    uw_loop_unlock(loop);
    assert_int_equal(uw_loop_step(loop), 0);
    assert_int_equal(a->heard, 1);
    uw_loop_lock(loop);
    uw_loop_remove_source(loop, &a->source);
    uw_loop_bury(loop, &a->grave);
    uw_loop_unlock(loop);
    uw_loop_free(loop);
}

/* More sources than one wait can tell of: all get their turn. */
static void
test_many_sources(void **state)
{
    struct uw_loop *loop = client_new_loop();
    struct ear *ears[150];
    int freed = 0;

    (void)state;
    for (unsigned i = 0; i < 150; i++) {
        ears[i] = new_ear(loop, &freed);
        assert_int_equal(write(ears[i]->pipe[1], "x", 1), 1);
    }
    for (unsigned i = 0; i < 150; i++) {
        while (!ears[i]->heard) {
            char byte;

            assert_int_equal(uw_loop_wait(loop, uw_msec(30000)), 0);
            for (unsigned k = 0; k < 150; k++) /* quiet those that were heard */
                if (ears[k]->heard == 1) {
                    assert_int_equal(read(ears[k]->pipe[0], &byte, 1), 1);
                    ears[k]->heard = 2;
                }
        }
    }
    uw_loop_lock(loop);
    for (unsigned i = 0; i < 150; i++) {
        assert_int_equal(ears[i]->heard, 2);
        uw_loop_remove_source(loop, &ears[i]->source);
        uw_loop_bury(loop, &ears[i]->grave);
    }
    uw_loop_unlock(loop);
    assert_int_equal(freed, 150);
    uw_loop_free(loop);
}

/* ---- interrupts ---- */

static void
test_interrupt(void **state)
{
    struct uw_loop *loop = client_new_loop();

    (void)state;
    uw_loop_interrupt(loop); /* before the wait: it ends that one, and no other */
    assert_int_equal(uw_loop_wait(loop, uw_msec(30000)), UW_ERROR_INTERRUPTED);
    assert_int_equal(uw_loop_wait(loop, uw_msec(1)), 0);
    uw_loop_free(loop);
}

struct pest {
    pthread_t victim;
    atomic_int done;
};

static void
ignore(int number)
{
    (void)number;
}

static void *
send_signals(void *arg)
{
    struct pest *p = (struct pest *)arg;

    while (!atomic_load(&p->done)) {
        pthread_kill(p->victim, SIGUSR1);
        sched_yield();
    }
    return NULL;
}

/* Ctrl-C has to end a wait. */
static void
test_signal(void **state)
{
    struct sigaction action = {.sa_handler = ignore};
    struct pest p = {.victim = pthread_self()};
    struct uw_loop *loop = client_new_loop();
    pthread_t thread;

    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, send_signals, &p), 0);
    assert_int_equal(uw_loop_sleep(loop, uw_msec(30000)), UW_ERROR_INTERRUPTED);
    atomic_store(&p.done, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    uw_loop_free(loop);
}

/* ---- embedded ---- */

static int
is_readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms) == 1;
}

static void
test_embedded(void **state)
{
    struct uw_loop *loop = client_new_loop();
    struct alarm_clock a;
    struct ear *ear;
    int fd = uw_loop_fd(loop), order = 0, freed = 0;

    (void)state;
    if (fd < 0) {
        assert_int_equal(fd, UW_ERROR_NOT_SUPPORTED); /* the poller without epoll has none */
        uw_loop_free(loop);
        return;
    }
    assert_int_equal(uw_loop_events(loop), POLLIN);
    assert_int_equal(uw_loop_fd(loop), fd);
    assert_false(is_readable(fd, 0));
    uw_loop_lock(loop);
    set_clock(&a, loop, &order, 5, uw_now(), 5);
    uw_loop_unlock(loop);
    assert_false(uw_is_never(uw_loop_deadline(loop)));
    assert_true(is_readable(fd, 30000));
    while (order == 0)
        assert_int_equal(uw_loop_step(loop), 0);
    assert_false(is_readable(fd, 0));
    ear = new_ear(loop, &freed);
    assert_int_equal(write(ear->pipe[1], "x", 1), 1);
    assert_true(is_readable(fd, 30000));
    assert_int_equal(uw_loop_step(loop), 0);
    assert_int_equal(ear->heard, 1);
    assert_true(is_readable(fd, 0)); /* level-triggered */
    uw_loop_lock(loop);
    uw_loop_remove_source(loop, &ear->source);
    uw_loop_bury(loop, &ear->grave);
    uw_loop_unlock(loop);
    assert_false(is_readable(fd, 0));
    uw_loop_free(loop);
}

/* ---- sending ---- */

static void
act_serve(struct stage *stage, int fd, unsigned number)
{
    (void)stage;
    (void)number;
    if (stage_import(fd, NULL))
        stage_serve(fd);
}

#define TOGETHER 5

struct burst {
    struct uw_timer timer;
    struct client *c;
    struct uw_urb *urbs[TOGETHER];
    int unsent;
};

static void
submit_burst(struct uw_timer *timer, struct uw_usec now)
{
    struct burst *b = UW_CONTAINER(timer, struct burst, timer);
    struct uw_engine *engine = uw_import_engine_locked(b->c->import);
    struct iovec iov[16];

    for (unsigned i = 0; i < TOGETHER; i++)
        assert_int_equal(uw_import_submit_locked(b->c->import, b->urbs[i], b->c->queue), 0);
    b->unsent = uw_engine_tx(engine, iov, 16, now);
}

/* What is submitted while the loop handles what came is sent at the end of that, all at once. */
static void
test_sent_together(void **state)
{
    struct client c;
    struct burst burst = {.c = &c, .timer = {.fire = submit_burst}};

    (void)state;
    client_start(&c, act_serve, NULL);
    client_must_import(&c);
    for (unsigned i = 0; i < TOGETHER; i++) {
        burst.urbs[i] = client_submit(&c, 0x81, 64, 0);
        assert_int_equal(client_finish(&c, burst.urbs[i]), UW_OK);
    }
    uw_loop_lock(c.loop);
    uw_loop_set_timer(c.loop, &burst.timer, uw_usec(0));
    uw_loop_unlock(c.loop);
    for (unsigned i = 0; i < TOGETHER; i++)
        assert_int_equal(client_finish(&c, burst.urbs[i]), UW_OK);
    assert_int_equal(burst.unsent, TOGETHER);
    for (unsigned i = 0; i < TOGETHER; i++)
        client_urb_free(burst.urbs[i]);
    client_stop(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_timers),
        cmocka_unit_test(test_earlier_timer_wakes),
        cmocka_unit_test(test_wait_is_exact),
        cmocka_unit_test(test_removed_while_ready),
        cmocka_unit_test(test_changed_events),
        cmocka_unit_test(test_many_sources),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_embedded),
        cmocka_unit_test(test_sent_together),
    };

    return client_run_tests(tests);
}
