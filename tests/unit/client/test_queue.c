/*
 * Queues: the descriptor, and callbacks.
 */
#include <poll.h>

#include "client/queue.h"
#include "support/client.h"

static int
is_readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms) == 1;
}

static void
act_serve(struct stage *stage, int fd, unsigned number)
{
    (void)stage;
    (void)number;
    if (stage_import(fd, NULL))
        stage_serve(fd);
}

static void
test_queue_descriptor(void **state)
{
    struct uw_urb *a, *b;
    struct client c;
    int fd;

    (void)state;
    client_start(&c, act_serve, NULL);
    client_must_import(&c);
    a = client_submit(&c, 0x81, 64, 0);
    b = client_submit(&c, 0x81, 64, 0);
    for (unsigned n = 0; n < 2;) {
        struct uw_list *pos, *tmp;

        assert_int_equal(uw_loop_wait(c.loop, uw_msec(30000)), 0);
        n = 0;
        uw_list_each(pos, tmp, &c.queue->done) n++;
    }
    fd = uw_queue_fd(c.queue); /* made late, with completions waiting */
    assert_true(is_readable(fd, 0));
    assert_ptr_equal(uw_queue_pop(c.queue), a); /* in the order of submission */
    assert_true(is_readable(fd, 0));
    assert_ptr_equal(uw_queue_pop(c.queue), b);
    assert_false(is_readable(fd, 0));
    assert_null(uw_queue_pop(c.queue));
    assert_int_equal(uw_queue_wait(c.queue, uw_msec(1)), 0);
    client_urb_free(a);
    client_urb_free(b);
    client_stop(&c);
}

struct chain {
    struct client *c;
    int calls;
};

static void
submit_again(struct uw_urb *urb, void *data)
{
    struct chain *chain = (struct chain *)data;

    assert_int_equal(uw_urb_status(urb), UW_OK);
    if (++chain->calls == 5)
        return;
    uw_loop_lock(chain->c->loop);
    assert_int_equal(uw_import_submit_locked(chain->c->import, urb, chain->c->queue), 0);
    uw_loop_unlock(chain->c->loop);
}

/* Callbacks run in dispatch, outside the lock; what they cause is for the next one. */
static void
test_dispatch(void **state)
{
    struct client c;
    struct chain chain = {&c, 0};
    struct uw_urb *urb;

    (void)state;
    client_start(&c, act_serve, NULL);
    client_must_import(&c);
    urb = client_submit(&c, 0x81, 64, 0);
    uw_urb_set_callback(urb, submit_again, &chain);
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(uw_queue_wait(c.queue, uw_msec(30000)), 1);
        assert_int_equal(chain.calls, i - 1);
        assert_int_equal(uw_queue_dispatch(c.queue), 1);
        assert_int_equal(chain.calls, i);
    }
    assert_int_equal(uw_queue_dispatch(c.queue), 0);
    client_urb_free(urb);
    client_stop(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_descriptor),
        cmocka_unit_test(test_dispatch),
    };

    return client_run_tests(tests);
}
