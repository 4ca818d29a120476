/*
 * punctual.c - how late something is by itself
 */
#include <poll.h>

#include <usbwire/usec.h>

#include "support/punctual.h"

#define LATE_US  20000u /* what is hardly more, beyond a sleep */
#define ATTEMPTS 40     /* one in time is enough */

static uint64_t
measure(void (*run)(void *arg), void *arg)
{
    struct uw_usec start = uw_now();

    run(arg);
    return uw_usec_sub(uw_now(), start).us;
}

static void
sleep_so_long(void *arg)
{
    const uint64_t *us = (const uint64_t *)arg;

    (void)poll(NULL, 0, (int)(*us / 1000));
}

static uint64_t
least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void
assert_punctual(uint64_t us, void (*run)(void *arg), void *arg)
{
    uint64_t best = UINT64_MAX, sleep = us;

    for (int i = 0; i < ATTEMPTS; i++) {
        uint64_t took = measure(run, arg);

        assert_true(took >= us);
        best = least(best, took);
        if (best <= sleep + LATE_US)
            return;
        took = measure(sleep_so_long, &us);
        sleep = i ? least(sleep, took) : took;
    }
    fail_msg("%d us instead of %d, where a sleep takes %d", (int)best, (int)us, (int)sleep);
}
