/*
 * Every allocation of every scenario fails once. Nothing may crash, leak or be forgotten; what is
 * refused says NO_MEMORY.
 */
#include <stdlib.h>
#include <string.h>

#include "faults/scenarios.h"
#include "support/alloc.h"

static struct peer peer;

static void
run_failing(const struct scenario *sc, long n)
{
    static struct story s;

    memset(&s, 0, sizeof(s));
    s.peer = &peer;
    alloc_fail_at(n);
    peer_start(&peer, sc->profile);
    if (peer.engine) {
        sc->run(&s);
        peer_stop_checked(&peer, s.jobs, s.count);
    }
    alloc_pause();
    story_end(&s);
}

static void
test_every_allocation_fails(void **state)
{
    (void)state;
    for (unsigned i = 0; i < scenario_count; i++) {
        long n = 0;

        do
            run_failing(&scenarios[i], n++);
        while (alloc_has_failed());
        assert_true(n > 1); /* there was something to fail */
    }
    alloc_fail_at(-1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_fails)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
