/*
 * Programs that open a device and then fork; signals.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rig.h"

static int
echo(libusb_device_handle *h, uint8_t byte)
{
    uint8_t in[64] = {0};
    int moved;

    return libusb_bulk_transfer(h, 0x01, &byte, 1, &moved, RIG_SOON) == 0 &&
           libusb_bulk_transfer(h, 0x81, in, sizeof(in), &moved, RIG_SOON) == 0 && moved == 1 &&
           in[0] == byte;
}

/* What a child did, as its exit code: 0 is well. */
static int
ended(pid_t child)
{
    int status;

    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

/* The parent leaves the device to the child, as daemons do. */
static void
test_io_in_the_child(void **state)
{
    libusb_device_handle *h;
    libusb_context *ctx;
    pid_t child;

    (void)state;
    assert_int_equal(libusb_init(&ctx), 0);
    h = rig_open(ctx, RIG_LOOPBACK);
    assert_true(echo(h, 1));
    libusb_free_pollfds(libusb_get_pollfds(ctx));
    child = fork();
    if (child == 0) {
        int fine = echo(h, 2) && echo(h, 3);

        if (fine)
            libusb_close(h);
        _exit(fine ? 0 : 1);
    }
    assert_int_equal(ended(child), 0);
    libusb_close(h);
    libusb_exit(ctx);
}

static void
note(struct libusb_transfer *t)
{
    int *status = t->user_data;

    *status = (int)t->status;
}

/* A child that comes and goes, with all its destructors, is nothing to the parent's transfers. */
static void
test_a_child_that_ends(void **state)
{
    libusb_device_handle *h;
    libusb_context *ctx;
    struct libusb_transfer *t = libusb_alloc_transfer(0);
    uint8_t in[64], byte = 7;
    int status = -1, moved;
    pid_t child;

    (void)state;
    assert_int_equal(libusb_init(&ctx), 0);
    h = rig_open(ctx, RIG_LOOPBACK);
    libusb_fill_bulk_transfer(t, h, 0x81, in, sizeof(in), note, &status, 0);
    assert_int_equal(libusb_submit_transfer(t), 0);
    child = fork();
    if (child == 0) {
        alarm(60);
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    assert_int_equal(ended(child), 0);
    child = fork();
    if (child == 0)
        _exit(0);
    assert_int_equal(ended(child), 0);
    child = fork();
    if (child == 0) {
        libusb_close(h);
        libusb_exit(ctx);
        _exit(status != -1); /* no callback ran */
    }
    assert_int_equal(ended(child), 0);
    assert_int_equal(libusb_bulk_transfer(h, 0x01, &byte, 1, &moved, RIG_SOON), 0);
    while (status < 0)
        assert_int_equal(libusb_handle_events(ctx), 0);
    assert_int_equal(status, LIBUSB_TRANSFER_COMPLETED);
    assert_int_equal(in[0], 7);
    libusb_free_transfer(t);
    libusb_close(h);
    libusb_exit(ctx);
}

/* One of two handles, too, and what it has claimed. */
static void
test_a_child_that_closes_one_of_two(void **state)
{
    libusb_device_handle *one, *two;
    libusb_context *ctx;
    struct libusb_transfer *in = libusb_alloc_transfer(0);
    uint8_t bytes[64], byte = 7;
    int status = -1, moved;
    pid_t child;

    (void)state;
    assert_int_equal(libusb_init(&ctx), 0);
    one = rig_open(ctx, RIG_LOOPBACK);
    assert_int_equal(libusb_open(libusb_get_device(one), &two), 0);
    libusb_fill_bulk_transfer(in, one, 0x81, bytes, sizeof(bytes), note, &status, 0);
    assert_int_equal(libusb_submit_transfer(in), 0);
    child = fork();
    if (child == 0) {
        alarm(60);
        libusb_close(one);
        _exit(status != -1 || libusb_claim_interface(two, 0) != 0);
    }
    assert_int_equal(ended(child), 0);
    assert_int_equal(libusb_claim_interface(two, 0), LIBUSB_ERROR_BUSY);
    assert_int_equal(libusb_bulk_transfer(one, 0x01, &byte, 1, &moved, RIG_SOON), 0);
    while (status < 0)
        assert_int_equal(libusb_handle_events(ctx), 0);
    assert_int_equal(status, LIBUSB_TRANSFER_COMPLETED);
    libusb_free_transfer(in);
    libusb_close(two);
    libusb_close(one);
    libusb_exit(ctx);
}

/* ---- signals ---- */

static void
nothing(int number)
{
    (void)number;
}

struct target {
    pthread_t thread;
    atomic_int over;
};

/* Signals again and again, since the first may come before the wait. */
static void *
disturb(void *arg)
{
    struct target *t = (struct target *)arg;

    while (!t->over) {
        pthread_kill(t->thread, SIGUSR1);
        usleep(1000);
    }
    return NULL;
}

/* Waits in a context of its own, so that somebody leads. */
static void *
wait_elsewhere(void *arg)
{
    return (void *)(intptr_t)libusb_handle_events((libusb_context *)arg);
}

static void
check_interrupted(libusb_context *ctx)
{
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART}, old;
    struct target target = {.thread = pthread_self()};
    pthread_t disturber;
    int r;

    sigaction(SIGUSR1, &action, &old);
    assert_int_equal(pthread_create(&disturber, NULL, disturb, &target), 0);
    r = libusb_handle_events(ctx);
    atomic_store(&target.over, 1);
    pthread_join(disturber, NULL);
    sigaction(SIGUSR1, &old, NULL);
    assert_int_equal(r, LIBUSB_ERROR_INTERRUPTED);
}

static void
test_signals(void **state)
{
    libusb_context *ctx, *other;
    pthread_t leader;

    (void)state;
    assert_int_equal(libusb_init(&ctx), 0);
    assert_int_equal(libusb_init(&other), 0);
    check_interrupted(ctx);
    assert_int_equal(pthread_create(&leader, NULL, wait_elsewhere, other), 0);
    check_interrupted(ctx);
    libusb_interrupt_event_handler(other);
    pthread_join(leader, NULL);
    libusb_exit(other);
    libusb_exit(ctx);
}

/* A synchronous call goes on to its end. */
static void
test_signals_during_a_call(void **state)
{
    struct sigaction action = {.sa_handler = nothing}, old;
    struct target target = {.thread = pthread_self()};
    libusb_device_handle *h;
    libusb_context *ctx;
    pthread_t disturber;
    uint8_t in[64];
    int moved;

    (void)state;
    assert_int_equal(libusb_init(&ctx), 0);
    h = rig_open(ctx, RIG_LOOPBACK);
    sigaction(SIGUSR1, &action, &old);
    assert_int_equal(pthread_create(&disturber, NULL, disturb, &target), 0);
    assert_int_equal(libusb_bulk_transfer(h, 0x81, in, sizeof(in), &moved, 100),
                     LIBUSB_ERROR_TIMEOUT);
    for (uint8_t i = 0; i < 100; i++)
        assert_true(echo(h, i));
    atomic_store(&target.over, 1);
    pthread_join(disturber, NULL);
    sigaction(SIGUSR1, &old, NULL);
    libusb_close(h);
    libusb_exit(ctx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_io_in_the_child),
        cmocka_unit_test(test_a_child_that_ends),
        cmocka_unit_test(test_a_child_that_closes_one_of_two),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_signals_during_a_call),
    };
    int r;

    rig_start("linux", "loopback", "all");
    r = cmocka_run_group_tests(tests, NULL, NULL);
    rig_stop();
    return r;
}
