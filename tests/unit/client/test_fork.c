/*
 * Forks: what a child does with what it inherited is no matter of its parent's, and the other way
 * round a parent's waiting threads are no matter of its child's.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/client.h"

/* In a child nothing of the test framework may be used: it ends with 0 or the line that failed. */
#define CHILD_CHECK(condition)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            _exit(__LINE__ % 200 + 1);                                                             \
    } while (0)

static void
wait_for(pid_t pid)
{
    int status = -1;

    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        fail_msg("the child ended with 0x%x: line %d (mod 200)", (unsigned)status,
                 WEXITSTATUS(status) - 1);
}

/* Answers the first URB when the test says so, later ones at once. Hangs up at an unlink. */
static void
act_answer_later(struct stage *stage, int fd, unsigned number)
{
    static const uint8_t data[64] = {1, 2, 3};
    struct uw_pdu pdu;

    (void)number;
    if (!stage_import(fd, NULL) || !stage_command(fd, &pdu, NULL, 0))
        return;
    stage_reach(stage, 1);
    stage_await(stage, 2);
    if (!stage_reply(fd, &pdu, 0, data, 64))
        return;
    while (stage_command(fd, &pdu, NULL, 0) && pdu.command != UW_CMD_UNLINK)
        stage_reply(fd, &pdu, 0, data, pdu.length < 64 ? (size_t)pdu.length : 64);
}

static void
free_all_and_exit(struct client *c, struct uw_urb *urb)
{
    (void)urb;
    uw_import_free(c->import);
    (void)uw_queue_wait(c->queue, uw_msec(0));
    while (uw_queue_pop(c->queue))
        ;
    uw_queue_free(c->queue);
    uw_server_free(c->server);
    uw_loop_free(c->loop);
    _exit(0);
}

static void
only_exit(struct client *c, struct uw_urb *urb)
{
    (void)c;
    (void)urb;
    _exit(0);
}

/* The parent's transfer ends for the child alone. */
static void
cancel_and_exit(struct client *c, struct uw_urb *urb)
{
    CHILD_CHECK(client_cancel(c, urb) == UW_OK);
    CHILD_CHECK(client_finish(c, urb) == UW_ERROR_CANCELLED);
    _exit(0);
}

static void
try_child(void (*child)(struct client *c, struct uw_urb *urb))
{
    struct client c;
    struct uw_urb *urb;
    pid_t pid;

    client_start(&c, act_answer_later, NULL);
    client_must_import(&c);
    urb = client_submit(&c, 0x81, 64, 0);
    stage_await(c.stage, 1);
    pid = fork();
    if (pid == 0)
        child(&c, urb);
    wait_for(pid);
    stage_reach(c.stage, 2);
    assert_int_equal(client_finish(&c, urb), UW_OK);
    assert_int_equal(uw_urb_actual_length(urb), 64);
    assert_int_equal(client_run(&c, 0x81, 64, 0), UW_OK);
    assert_int_equal(client_run(&c, 0x80, 18, 0), UW_OK);
    client_urb_free(urb);
    client_stop(&c);
}

/* The parent's transfers run on when a child is done, whatever it did before that. */
static void
test_child_exits(void **state)
{
    (void)state;
    try_child(only_exit);
}

static void
test_child_frees_all(void **state)
{
    (void)state;
    try_child(free_all_and_exit);
}

static void
test_child_cancels(void **state)
{
    (void)state;
    try_child(cancel_and_exit);
}

/* Open, fork, go on in the child: what a daemon does. */
static void
act_serve(struct stage *stage, int fd, unsigned number)
{
    (void)stage;
    (void)number;
    if (stage_import(fd, NULL))
        stage_serve(fd);
}

static void
test_child_goes_on(void **state)
{
    struct client c;
    pid_t pid;

    (void)state;
    client_start(&c, act_serve, NULL);
    client_must_import(&c);
    assert_int_equal(client_run(&c, 0x80, 18, 0), UW_OK);
    pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 10; i++) {
            CHILD_CHECK(client_run(&c, 0x80, 18, 0) == UW_OK);
            CHILD_CHECK(client_run(&c, 0x81, 512, 0) == UW_OK);
        }
        _exit(0);
    }
    wait_for(pid);
    assert_int_equal(client_run(&c, 0x80, 18, 0), UW_OK);
    client_stop(&c);
}

static int
is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

/* Descriptors to wait with have the same numbers and nothing else in common. */
static void
test_descriptors(void **state)
{
    struct client c;
    struct uw_urb *urb;
    int fd, loop_fd;
    pid_t pid;

    (void)state;
    client_start(&c, act_serve, NULL);
    client_must_import(&c);
    fd = uw_queue_fd(c.queue);
    loop_fd = uw_loop_fd(c.loop);
    assert_true(fd >= 0);
    urb = client_submit(&c, 0x81, 64, 0);
    assert_int_equal(uw_queue_wait(c.queue, uw_msec(30000)), 1);
    pid = fork();
    if (pid == 0) {
        CHILD_CHECK(uw_queue_fd(c.queue) == fd && is_readable(fd));
        CHILD_CHECK(uw_loop_fd(c.loop) == loop_fd);
        CHILD_CHECK(uw_queue_pop(c.queue) == urb);
        client_urb_free(urb);
        CHILD_CHECK(!is_readable(fd));
        /* The loop's descriptor sees the inherited socket. */
        urb = client_submit(&c, 0x81, 64, 0);
        if (loop_fd >= 0) {
            struct pollfd p = {.fd = loop_fd, .events = POLLIN};

            CHILD_CHECK(poll(&p, 1, 30000) == 1);
        }
        CHILD_CHECK(uw_queue_wait(c.queue, uw_msec(30000)) == 1);
        CHILD_CHECK(uw_queue_pop(c.queue) == urb);
        client_urb_free(urb);
        uw_loop_interrupt(c.loop); /* wakes the child's poller alone */
        _exit(0);
    }
    wait_for(pid);
    assert_true(is_readable(fd));
    if (loop_fd >= 0)
        assert_false(is_readable(loop_fd));
    assert_ptr_equal(uw_queue_pop(c.queue), urb);
    assert_false(is_readable(fd));
    client_urb_free(urb);
    client_stop(&c);
}

/* A timer of the embedded loop makes the child's descriptor readable, too. */
static void
test_timer_of_an_embedded_loop(void **state)
{
    struct client c;
    struct uw_urb *urb;
    int loop_fd;
    pid_t pid;

    (void)state;
    client_start(&c, act_answer_later, NULL);
    client_must_import(&c);
    loop_fd = uw_loop_fd(c.loop);
    urb = client_submit(&c, 0x81, 64, 100000);
    stage_await(c.stage, 1);
    pid = fork();
    if (pid == 0) {
        struct pollfd p = {.fd = loop_fd, .events = POLLIN};
        struct uw_urb *ended;

        while (!(ended = uw_queue_pop(c.queue))) {
            if (loop_fd >= 0)
                CHILD_CHECK(poll(&p, 1, 30000) == 1);
            CHILD_CHECK(uw_loop_step(c.loop) == 0);
        }
        client_urb_free(ended);
        _exit(0);
    }
    wait_for(pid);
    assert_int_equal(client_finish(&c, urb), UW_ERROR_TIMEOUT);
    client_urb_free(urb);
    client_stop(&c);
}

static void *
wait_in_queue(void *arg)
{
    struct client *c = (struct client *)arg;

    (void)uw_queue_wait(c->queue, uw_never());
    return NULL;
}

static void *
import_slowly(void *arg)
{
    struct client *c = (struct client *)arg;

    (void)uw_import_new(c->server, "9-9", uw_msec(30000), &c->import, NULL);
    return NULL;
}

/* Accepts every device at once but 9-9. */
static void
act_slow(struct stage *stage, int fd, unsigned number)
{
    char busid[UW_OP_BUSID_SIZE];

    (void)number;
    if (!stage_request(fd, busid))
        return;
    if (strcmp(busid, "9-9") == 0) {
        stage_reach(stage, 1);
        stage_await(stage, 2);
    }
    if (stage_accept_import(fd, NULL, busid))
        stage_serve(fd);
}

/* A fork while threads lead, follow and import: the child can use the loop, and what was being
 * imported is the parent's alone. */
static void
test_busy_threads(void **state)
{
    struct client c;
    pthread_t waiting, importing;
    pid_t pid;

    (void)state;
    client_start(&c, act_slow, NULL);
    assert_int_equal(pthread_create(&importing, NULL, import_slowly, &c), 0);
    stage_await(c.stage, 1);
    assert_int_equal(pthread_create(&waiting, NULL, wait_in_queue, &c), 0);
    pid = fork();
    if (pid == 0) {
        struct uw_import *mine = NULL;

        uw_loop_lock(c.loop);
        CHILD_CHECK(uw_server_find_import_locked(c.server, "9-9") == NULL);
        uw_loop_unlock(c.loop);
        CHILD_CHECK(uw_import_new(c.server, "1-2", uw_msec(30000), &mine, NULL) == 0);
        c.import = mine;
        CHILD_CHECK(client_run(&c, 0x81, 64, 0) == UW_OK);
        uw_import_free(mine); /* its own: unlinked and shut down as usual */
        _exit(0);
    }
    wait_for(pid);
    stage_reach(c.stage, 2);
    assert_int_equal(pthread_join(importing, NULL), 0);
    assert_non_null(c.import);
    uw_loop_interrupt(c.loop);
    assert_int_equal(pthread_join(waiting, NULL), 0);
    assert_int_equal(client_run(&c, 0x81, 64, 0), UW_OK);
    client_stop(&c);
}

/* A look-up that was under way has no thread in the child, and holds nothing up. */
static void
test_lookup_under_way(void **state)
{
    struct client c;
    struct uw_device_list *list;
    pid_t pid;

    (void)state;
    client_start(&c, act_serve, NULL);
    pid = fork();
    if (pid == 0) {
        struct uw_server *other;
        pid_t grandchild;
        int status;

        CHILD_CHECK(uw_server_new(c.loop, "no-such-host.invalid", 0, &other, NULL) == 0);
        CHILD_CHECK(uw_server_list(other, uw_usec(1), &list, NULL) < 0);
        grandchild = fork();
        if (grandchild == 0) {
            c.import = NULL;
            CHILD_CHECK(client_import(&c, NULL) == 0);
            uw_server_free(other);
            _exit(0);
        }
        CHILD_CHECK(waitpid(grandchild, &status, 0) == grandchild && status == 0);
        uw_server_free(other);
        _exit(0);
    }
    wait_for(pid);
    client_stop(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child_exits),   cmocka_unit_test(test_child_frees_all),
        cmocka_unit_test(test_child_cancels), cmocka_unit_test(test_child_goes_on),
        cmocka_unit_test(test_descriptors),   cmocka_unit_test(test_timer_of_an_embedded_loop),
        cmocka_unit_test(test_busy_threads),  cmocka_unit_test(test_lookup_under_way),
    };

    return client_run_tests(tests);
}
