/*
 * The service thread: it drives the loop while it is held and not a moment longer, takes no
 * signals, and stays with the parent of a fork.
 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/service.h"
#include "support/client.h"

static void
act_serve(struct stage *stage, int fd, unsigned number)
{
    (void)stage;
    (void)number;
    if (stage_import(fd, NULL))
        stage_serve(fd);
}

/* Waits for a completion without driving the loop. */
static int
comes_by_itself(struct client *c, int ms)
{
    struct pollfd p = {.fd = uw_queue_fd(c->queue), .events = POLLIN};

    return poll(&p, 1, ms) == 1;
}

static void
test_drives_while_held(void **state)
{
    struct uw_urb *urb;
    struct client c;

    (void)state;
    client_start(&c, act_serve, NULL);
    client_must_import(&c);
    assert_int_equal(uw_service_hold(c.loop), 0);
    assert_int_equal(uw_service_hold(c.loop), 0);
    for (int i = 0; i < 3; i++) {
        urb = client_submit(&c, 0x81, 64, 0);
        assert_true(comes_by_itself(&c, 30000));
        assert_int_equal(client_finish(&c, urb), UW_OK);
        client_urb_free(urb);
        if (i == 1)
            uw_service_release(c.loop); /* one of two */
    }
    uw_service_release(c.loop);
    urb = client_submit(&c, 0x81, 64, 0);
    assert_false(comes_by_itself(&c, 50)); /* nobody drives any more */
    assert_int_equal(client_finish(&c, urb), UW_OK);
    client_urb_free(urb);
    client_stop(&c);
}

/* Timers go on, too. */
static void
test_timers(void **state)
{
    struct uw_urb *urb;
    struct client c;

    (void)state;
    client_start(&c, act_serve, NULL);
    client_must_import(&c);
    assert_int_equal(uw_service_hold(c.loop), 0);
    urb = client_submit(&c, 0x81, 65537 * 2, 20000); /* more than the server sends */
    assert_true(comes_by_itself(&c, 30000));
    (void)client_finish(&c, urb);
    uw_service_release(c.loop);
    client_urb_free(urb);
    client_stop(&c);
}

static void
test_hold_and_release_many_times(void **state)
{
    struct client c;

    (void)state;
    client_start(&c, act_serve, NULL);
    client_must_import(&c);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(uw_service_hold(c.loop), 0);
        if (i % 10 == 0)
            assert_int_equal(client_run(&c, 0x80, 18, 0), UW_OK);
        uw_service_release(c.loop);
    }
    client_stop(&c);
}

/* 1 when every thread of the process has that signal blocked. One that has been joined may be seen
 * for a moment longer. */
static int
all_block(int number)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    int all = tasks != NULL;

    while (tasks && (task = readdir(tasks))) {
        char path[300], line[200];
        unsigned long long blocked = 0;
        FILE *f;

        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", task->d_name);
        f = fopen(path, "r");
        while (f && fgets(line, sizeof(line), f))
            if (strncmp(line, "SigBlk:", 7) == 0)
                blocked = strtoull(line + 7, NULL, 16);
        if (f)
            fclose(f);
        all = all && (blocked >> (number - 1) & 1);
    }
    if (tasks)
        closedir(tasks);
    return all;
}

static void
test_takes_no_signals(void **state)
{
    struct uw_urb *urb;
    struct client c;
    sigset_t set;

    (void)state;
    /* Blocked here and in the threads of the stage, which begin with the mask of this one, but not
     * where the service begins. */
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    client_start(&c, act_serve, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    client_must_import(&c);
    assert_int_equal(uw_service_hold(c.loop), 0);
    urb = client_submit(&c, 0x81, 64, 0);
    assert_true(comes_by_itself(&c, 30000)); /* it runs */
    assert_int_equal(client_finish(&c, urb), UW_OK);
    assert_false(all_block(SIGUSR1)); /* this thread does not */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; !all_block(SIGUSR1); i++) {
        assert_true(i < 10000);
        assert_int_equal(poll(NULL, 0, 1), 0);
    }
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    uw_service_release(c.loop);
    client_urb_free(urb);
    client_stop(&c);
}

/* A child has none until it asks. Not under AddressSanitizer: its allocator, unlike the C
 * library's, may be locked for ever in the child when another thread was in it, as one that just
 * starts is. */
#ifndef __SANITIZE_ADDRESS__
static void
test_fork(void **state)
{
    struct client c;
    int status = -1;
    pid_t pid;

    (void)state;
    client_start(&c, act_serve, NULL);
    client_must_import(&c);
    assert_int_equal(uw_service_hold(c.loop), 0);
    pid = fork();
    if (pid == 0) {
        struct uw_urb *urb;

        /* A connection of its own: the parent goes on reading from the one there is. */
        if (uw_import_new(c.server, "1-2", uw_msec(10000), &c.import, NULL) < 0)
            _exit(1);
        urb = client_submit(&c, 0x81, 64, 0);
        if (comes_by_itself(&c, 50))
            _exit(2);
        if (uw_service_hold(c.loop) < 0 || !comes_by_itself(&c, 30000))
            _exit(3);
        if (uw_queue_pop(c.queue) != urb)
            _exit(4);
        uw_service_release(c.loop);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    uw_service_release(c.loop);
    client_stop(&c);
}
#endif

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drives_while_held),
        cmocka_unit_test(test_timers),
        cmocka_unit_test(test_hold_and_release_many_times),
        cmocka_unit_test(test_takes_no_signals),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(test_fork),
#endif
    };

    return client_run_tests(tests);
}
