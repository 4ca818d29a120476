/*
 * Every allocation of every scenario fails once. Nothing may crash, leak or be forgotten; what is
 * refused says NO_MEMORY.
 */
#include <stdlib.h>
#include <string.h>

#include "faults/scenarios.h"
#include "support/alloc.h"

static struct peer peer;

/* 1 when that allocation was made, and so failed. */
static int
run_failing(const struct scenario *sc, unsigned n)
{
    static struct story s;
    int failed;

    memset(&s, 0, sizeof(s));
    s.peer = &peer;
    alloc_fail_at(n);
    peer_start(&peer, sc->profile);
    if (peer.engine) {
        sc->run(&s);
        peer_stop_checked(&peer, s.jobs, s.count);
    }
    failed = alloc_end();
    story_end(&s);
    return failed;
}

static void
test_every_allocation_fails(void **state)
{
    (void)state;
    for (unsigned i = 0; i < scenario_count; i++) {
        unsigned n = 0;

        while (run_failing(&scenarios[i], n))
            n++;
        assert_true(n > 0); /* there was something to fail */
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_fails)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
