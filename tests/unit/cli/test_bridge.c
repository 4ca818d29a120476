/* test_bridge.c - one poll for all that a command with serial ports waits for */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge.h"
#include "rig.h"

#define TURNS_MAX 1000

/* A face that never rests: there is always something at its descriptor, and it takes all that comes
 * and waits until there is more. */
struct restless {
    int pipe[2];
    int signalled, shows, turns; /* the last two: since the signal */
};

static struct restless *
own(const struct bridge *b)
{
    return (struct restless *)b->own;
}

static unsigned
polls(struct bridge *b, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = own(b)->pipe[0], .events = POLLIN};
    return 1;
}

static int
ready(struct bridge *b, const struct pollfd *fds, unsigned count)
{
    assert_int_equal(count, 1);
    assert_int_equal(fds[0].revents, POLLIN);
    own(b)->turns += own(b)->signalled;
    return own(b)->turns == TURNS_MAX;
}

static size_t
room(struct bridge *b)
{
    return own(b)->shows < TURNS_MAX ? BRIDGE_BUFFER : 0;
}

static void
show(struct bridge *b, const uint8_t *bytes, size_t size)
{
    struct restless *r = own(b);

    (void)bytes;
    (void)size;
    if (!r->signalled)
        assert_int_equal(kill(getpid(), SIGTERM), 0);
    r->signalled = 1;
    r->shows++;
    assert_true(uw_serial_wait(b->port, UW_SERIAL_READABLE, SOON) & UW_SERIAL_READABLE);
}

static const struct face restless = {
    .name = "restless", .polls = polls, .ready = ready, .room = room, .show = show};

static void
a_signal_has_its_turn_among_what_is_always_ready(void **state)
{
    struct rig *rig = rig_new("ft232r:far=source,baud=115200,pace=0", NULL);
    struct uw_serial *port = rig_open(rig, "baud=115200&dtr=1");
    struct cli cli = {.loop = rig->loop};
    struct restless r = {.signalled = 0};
    struct bridge b = {.cli = &cli, .face = &restless, .own = &r, .port = port, .again = -1};

    (void)state;
    assert_int_equal(pipe(r.pipe), 0);
    assert_int_equal(write(r.pipe[1], "", 1), 1);
    cli_end_cleanly(&cli);
    assert_int_equal(bridges_run(&cli, &b, 1), CLI_INTERRUPTED);
    assert_true(cli_interrupted());
    assert_in_range(r.shows, 1, TURNS_MAX / 2);
    assert_int_equal(r.turns, 1); /* the one that it came in */
    close(r.pipe[0]);
    close(r.pipe[1]);
    uw_serial_free(port);
    rig_free(rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_has_its_turn_among_what_is_always_ready),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
