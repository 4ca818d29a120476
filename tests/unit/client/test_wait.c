/*
 * What a wait reads before it polls: data that is at hand.
 */
#include <poll.h>
#include <unistd.h>

#include "support/client.h"

struct tap_water {
    struct uw_source source;
    struct uw_loop *loop;
    int pipe[2];
    unsigned every;                     /* of so many takes one finds something, the last */
    unsigned ready, taken, tries, left; /* takes that are to find something */
    unsigned bouts, last;               /* of tries between two polls; `ready` at the last one */
};

static void
open_tap(struct uw_source *source, unsigned events, struct uw_usec now)
{
    (void)events;
    (void)now;
    UW_CONTAINER(source, struct tap_water, source)->ready++;
}

static int
take_water(struct uw_source *source, struct uw_usec now)
{
    struct tap_water *w = UW_CONTAINER(source, struct tap_water, source);

    (void)now;
    w->bouts += !w->tries || w->last != w->ready;
    w->last = w->ready;
    if (++w->tries % w->every || w->taken == w->left)
        return 0;
    w->taken++;
    return 1;
}

static void
add_tap(struct tap_water *w, struct uw_loop *loop, unsigned left)
{
    *w = (struct tap_water){.loop = loop, .every = 1, .left = left};
    assert_int_equal(pipe(w->pipe), 0);
    assert_int_equal(write(w->pipe[1], "x", 1), 1); /* ready for ever */
    w->source = (struct uw_source){
        .fd = w->pipe[0], .events = UW_POLL_IN, .ready = open_tap, .take = take_water};
    uw_list_init(&w->source.link);
    uw_loop_lock(loop);
    assert_int_equal(uw_loop_add_source(loop, &w->source), 0);
    uw_loop_unlock(loop);
}

static void
remove_tap(struct tap_water *w)
{
    uw_loop_lock(w->loop);
    uw_loop_remove_source(w->loop, &w->source);
    uw_loop_unlock(w->loop);
    close(w->pipe[0]);
    close(w->pipe[1]);
}

/* Who finds data where it found data before does not poll for it, but now and then for the sake of
 * others; who looks in vain does so ever less often. */
static void
test_data_at_hand(void **state)
{
    struct uw_loop *loop = client_new_loop();
    struct tap_water w;

    (void)state;
    add_tap(&w, loop, 80);
    while (w.taken < 80)
        assert_int_equal(uw_loop_wait(loop, uw_msec(30000)), 0);
    assert_in_range(w.ready, 10, 60); /* 10, where nothing holds this thread up */
    w.tries = w.ready = w.bouts = 0;
    while (w.ready < 200)
        assert_int_equal(uw_loop_wait(loop, uw_msec(30000)), 0);
    assert_in_range(w.bouts, 1, 50); /* 8, where nothing holds this thread up */
    remove_tap(&w);
    uw_loop_free(loop);
}

/* What is about to come is worth a moment of looking again: less than falling asleep takes. */
static void
test_data_almost_at_hand(void **state)
{
    struct uw_loop *loop = client_new_loop();
    struct tap_water w;

    (void)state;
    add_tap(&w, loop, 80);
    w.every = 3;
    while (w.taken < 80)
        assert_int_equal(uw_loop_wait(loop, uw_msec(30000)), 0);
    assert_in_range(w.ready, 10, 60); /* 10, where nothing holds this thread up */
    remove_tap(&w);
    uw_loop_free(loop);
}

/* What came for others while nobody waited is not left waiting for the sake of one that is at hand.
 */
static void
test_others_after_a_pause(void **state)
{
    struct uw_loop *loop = client_new_loop();
    struct tap_water a, b;
    char byte;

    (void)state;
    add_tap(&a, loop, 1000);
    add_tap(&b, loop, 0);
    assert_int_equal(read(b.pipe[0], &byte, 1), 1);
    assert_int_equal(uw_loop_wait(loop, uw_msec(30000)), 0);
    assert_int_equal(a.ready, 1);
    assert_int_equal(write(b.pipe[1], "x", 1), 1);
    assert_int_equal(poll(NULL, 0, 5), 0);
    assert_int_equal(uw_loop_wait(loop, uw_msec(30000)), 0);
    assert_int_equal(b.ready, 1);
    remove_tap(&a);
    remove_tap(&b);
    uw_loop_free(loop);
}

/* Taken out: it is not read any more. Two that are ready: polled, so that both get their turn. */
static void
test_nothing_at_hand(void **state)
{
    struct uw_loop *loop = client_new_loop();
    struct tap_water a, b;

    (void)state;
    add_tap(&a, loop, 1000);
    assert_int_equal(uw_loop_wait(loop, uw_msec(30000)), 0);
    assert_int_equal(a.ready, 1);
    remove_tap(&a);
    assert_int_equal(uw_loop_wait(loop, uw_msec(1)), 0);
    assert_int_equal(a.tries, 0);
    add_tap(&a, loop, 1000);
    add_tap(&b, loop, 1000);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(uw_loop_wait(loop, uw_msec(30000)), 0);
    assert_int_equal(a.ready, 10);
    assert_int_equal(b.ready, 10);
    remove_tap(&a);
    remove_tap(&b);
    uw_loop_free(loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_at_hand),
        cmocka_unit_test(test_data_almost_at_hand),
        cmocka_unit_test(test_others_after_a_pause),
        cmocka_unit_test(test_nothing_at_hand),
    };

    return client_run_tests(tests);
}
