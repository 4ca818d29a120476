/*
 * Corks: what is held back, for how long, and who never waits because of it. How long submitting
 * takes must not decide these tests, so patience is set to none or to endless.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/queue.h"
#include "support/client.h"

static void
act_serve(struct stage *stage, int fd, unsigned number)
{
    (void)stage;
    (void)number;
    if (stage_import(fd, NULL))
        stage_serve(fd);
}

static void
start(struct client *c, struct uw_usec patience)
{
    client_start(c, act_serve, NULL);
    client_must_import(c);
    c->loop->cork.patience = patience;
}

static int
is_held(struct client *c)
{
    int held;

    uw_loop_lock(c->loop);
    held = !uw_list_empty(&c->loop->unsent);
    uw_loop_unlock(c->loop);
    return held;
}

static void
finish(struct client *c, struct uw_urb *urb)
{
    assert_int_equal(client_finish(c, urb), UW_OK);
    client_urb_free(urb);
}

/* To the end of the outermost cork, and not a submission longer. */
static void
test_held_to_the_end(void **state)
{
    struct uw_urb *a, *b, *later;
    struct client c;

    (void)state;
    start(&c, uw_never());
    uw_loop_cork(c.loop);
    uw_loop_cork(c.loop);
    a = client_submit(&c, 0x01, 64, 0);
    assert_true(is_held(&c));
    uw_loop_uncork(c.loop);
    b = client_submit(&c, 0x01, 64, 0);
    assert_true(is_held(&c));
    uw_loop_uncork(c.loop);
    assert_false(is_held(&c));
    later = client_submit(&c, 0x01, 64, 0);
    assert_false(is_held(&c));
    uw_loop_uncork(c.loop); /* once too often does no harm */
    finish(&c, a);
    finish(&c, b);
    finish(&c, later);
    client_stop(&c);
}

struct bystander {
    struct client *c;
    struct uw_urb *urb;
};

static void *
submit_as_another(void *arg)
{
    struct bystander *b = (struct bystander *)arg;

    uw_loop_cork(b->c->loop);
    b->urb = client_submit(b->c, 0x01, 64, 0);
    assert_false(is_held(b->c));
    uw_loop_uncork(b->c->loop);
    return NULL;
}

/* It sends at once, and ends no cork but its own. */
static void
test_another_thread(void **state)
{
    struct bystander b;
    struct client c;
    struct uw_urb *mine;

    (void)state;
    start(&c, uw_never());
    b.c = &c;
    uw_loop_cork(c.loop);
    pthread_join(client_thread(submit_as_another, &b), NULL);
    mine = client_submit(&c, 0x01, 64, 0);
    assert_true(is_held(&c));
    uw_loop_uncork(c.loop);
    finish(&c, b.urb);
    finish(&c, mine);
    client_stop(&c);
}

/* Who waits sends first, the corking thread or another. */
static void
test_waiting_sends(void **state)
{
    struct client c;
    struct uw_urb *urb;

    (void)state;
    start(&c, uw_never());
    uw_loop_cork(c.loop);
    urb = client_submit(&c, 0x01, 64, 0);
    assert_true(is_held(&c));
    finish(&c, urb);
    urb = client_submit(&c, 0x01, 64, 0);
    assert_int_equal(uw_loop_step(c.loop), 0);
    assert_false(is_held(&c));
    uw_loop_uncork(c.loop);
    finish(&c, urb);
    client_stop(&c);
}

static void *
sleep_in_loop(void *arg)
{
    (void)uw_loop_sleep((struct uw_loop *)arg, uw_never());
    return NULL;
}

static int
is_somebody_waiting(struct client *c)
{
    int waiting;

    uw_loop_lock(c->loop);
    waiting = !uw_list_empty(&c->loop->waiters);
    uw_loop_unlock(c->loop);
    return waiting;
}

/* While another thread waits, maybe for just this, nothing is kept from it. */
static void
test_somebody_waits(void **state)
{
    struct client c;
    struct uw_urb *urb;
    pthread_t sleeper;

    (void)state;
    start(&c, uw_never());
    sleeper = client_thread(sleep_in_loop, c.loop);
    while (!is_somebody_waiting(&c))
        usleep(100);
    uw_loop_cork(c.loop);
    urb = client_submit(&c, 0x01, 64, 0);
    assert_false(is_held(&c));
    uw_loop_uncork(c.loop);
    finish(&c, urb);
    uw_loop_interrupt(c.loop);
    pthread_join(sleeper, NULL);
    client_stop(&c);
}

/* Who is slow to uncork: the next submission sends, and corks to come have no effect, twice as many
 * each time. Who is in time again starts with a clean record. */
static void
test_slow(void **state)
{
    struct uw_urb *urbs[16];
    struct client c;
    unsigned n = 0;

    (void)state;
    start(&c, uw_usec(0));
    for (unsigned without = 2; without <= 4; without *= 2) {
        uw_loop_cork(c.loop);
        urbs[n++] = client_submit(&c, 0x01, 64, 0);
        assert_true(is_held(&c));
        usleep(1);
        urbs[n++] = client_submit(&c, 0x01, 64, 0);
        assert_false(is_held(&c));
        uw_loop_uncork(c.loop);
        for (unsigned i = 0; i < without; i++) {
            uw_loop_cork(c.loop);
            urbs[n++] = client_submit(&c, 0x01, 64, 0);
            assert_false(is_held(&c));
            uw_loop_uncork(c.loop);
        }
    }
    c.loop->cork.patience = uw_never();
    uw_loop_cork(c.loop);
    urbs[n++] = client_submit(&c, 0x01, 64, 0);
    assert_true(is_held(&c));
    uw_loop_uncork(c.loop);
    assert_int_equal(c.loop->cork.pause, 1);
    for (unsigned i = 0; i < n; i++)
        finish(&c, urbs[i]);
    client_stop(&c);
}

/* Held back or not, a URB can be cancelled, and its import be freed. */
static void
test_ended_while_held(void **state)
{
    struct client c;
    struct uw_urb *a, *b;

    (void)state;
    start(&c, uw_never());
    uw_loop_cork(c.loop);
    a = client_submit(&c, 0x81, 64, 0);
    assert_int_equal(client_cancel(&c, a), 0);
    assert_int_equal(client_finish(&c, a), UW_ERROR_CANCELLED);
    b = client_submit(&c, 0x81, 64, 0);
    assert_true(is_held(&c));
    uw_import_free(c.import);
    c.import = NULL;
    assert_false(is_held(&c));
    assert_int_equal(client_finish(&c, b), UW_ERROR_CANCELLED);
    uw_loop_uncork(c.loop);
    client_urb_free(a);
    client_urb_free(b);
    client_stop(&c);
}

/* A loop that somebody polls by its descriptor: they wait unseen. */
static void
test_embedded(void **state)
{
    struct client c;
    struct uw_urb *urb;

    (void)state;
    start(&c, uw_never());
    if (uw_loop_fd(c.loop) >= 0) { /* not with every poller */
        uw_loop_cork(c.loop);
        urb = client_submit(&c, 0x01, 64, 0);
        assert_false(is_held(&c));
        uw_loop_uncork(c.loop);
        finish(&c, urb);
    }
    client_stop(&c);
}

/* A child sends nothing that its parent has held back. */
static void
test_fork(void **state)
{
    struct client c;
    struct uw_urb *urb;
    int status = -1;
    pid_t pid;

    (void)state;
    start(&c, uw_never());
    uw_loop_cork(c.loop);
    urb = client_submit(&c, 0x01, 64, 0);
    pid = fork();
    if (pid == 0)
        _exit(is_held(&c));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_false(is_held(&c));
    uw_loop_uncork(c.loop);
    finish(&c, urb);
    client_stop(&c);
}

struct rounds {
    struct client *c;
    int calls, held; /* callbacks; those that left something held back */
};

static void
submit_again(struct uw_urb *urb, void *data)
{
    struct rounds *r = (struct rounds *)data;

    if (r->calls++ >= 2)
        return;
    uw_loop_lock(r->c->loop);
    assert_int_equal(uw_import_submit_locked(r->c->import, urb, r->c->queue), 0);
    uw_loop_unlock(r->c->loop);
    r->held += is_held(r->c);
}

static unsigned
count_done(struct client *c)
{
    struct uw_list *pos, *tmp;
    unsigned n = 0;

    uw_loop_lock(c->loop);
    uw_list_each(pos, tmp, &c->queue->done) n++;
    uw_loop_unlock(c->loop);
    return n;
}

static void
await_completions(struct client *c, unsigned n)
{
    while (count_done(c) < n)
        assert_int_equal(uw_loop_wait(c->loop, uw_msec(30000)), 0);
}

/* Dispatching several completions corks, and a single one does not: it has nothing to gain. */
static void
test_dispatch(void **state)
{
    struct uw_urb *urbs[2], *single;
    struct client c;
    struct rounds r = {&c, 0, 0}, alone = {&c, 0, 0};

    (void)state;
    start(&c, uw_never());
    for (int i = 0; i < 2; i++) {
        urbs[i] = client_submit(&c, 0x01, 64, 0);
        uw_urb_set_callback(urbs[i], submit_again, &r);
    }
    await_completions(&c, 2);
    assert_int_equal(uw_queue_dispatch(c.queue), 2);
    assert_int_equal(r.held, 2);
    assert_false(is_held(&c));
    await_completions(&c, 2);
    assert_int_equal(uw_queue_dispatch(c.queue), 2);
    single = client_submit(&c, 0x01, 64, 0);
    uw_urb_set_callback(single, submit_again, &alone);
    await_completions(&c, 1);
    assert_int_equal(uw_queue_dispatch(c.queue), 1);
    assert_int_equal(alone.held, 0);
    finish(&c, single);
    client_urb_free(urbs[0]);
    client_urb_free(urbs[1]);
    client_stop(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_to_the_end),
        cmocka_unit_test(test_another_thread),
        cmocka_unit_test(test_waiting_sends),
        cmocka_unit_test(test_somebody_waits),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_ended_while_held),
        cmocka_unit_test(test_embedded),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_dispatch),
    };

    return client_run_tests(tests);
}
