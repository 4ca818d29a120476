/*
 * URBs under way, by id (src/capture/flight.c).
 */
#include <stdlib.h>
#include <string.h>

#include "capture/flight.h"
#include "support/peer.h"

#define IDS 5000

static void
test_add_take(void **state)
{
    struct uw_flight flight = {0};
    struct uw_flight_entry e = {.id = 5, .endpoint = 0x81}, got;

    (void)state;
    assert_int_equal(uw_flight_take(&flight, 5, &got), 0);
    assert_int_equal(uw_flight_add(&flight, &e), 0);
    e.endpoint = 0x82;
    assert_int_equal(uw_flight_add(&flight, &e), 0); /* replaces */
    assert_int_equal(flight.count, 1);
    assert_int_equal(uw_flight_take(&flight, 6, &got), 0);
    assert_int_equal(uw_flight_take(&flight, 5, &got), 1);
    assert_int_equal(got.endpoint, 0x82);
    assert_int_equal(uw_flight_take(&flight, 5, &got), 0);
    uw_flight_free(&flight);
}

/* Thousands in random order against a plain table. */
static void
test_random(void **state)
{
    static uint8_t there[IDS];
    struct uw_flight flight = {0};
    struct uw_flight_entry got;
    unsigned seed = 7;
    size_t count = 0;

    (void)state;
    for (int round = 0; round < 100000; round++) {
        unsigned n = (unsigned)rand_r(&seed) % IDS;
        struct uw_flight_entry e = {.id = (1ull << 32) + 2 * n + 1, .type = (uint8_t)n};

        if (rand_r(&seed) % 2) {
            assert_int_equal(uw_flight_add(&flight, &e), 0);
            count += !there[n];
            there[n] = 1;
        } else {
            assert_int_equal(uw_flight_take(&flight, e.id, &got), there[n]);
            if (there[n])
                assert_int_equal(got.type, e.type);
            count -= there[n];
            there[n] = 0;
        }
        assert_int_equal(flight.count, count);
    }
    uw_flight_clear(&flight);
    assert_int_equal(flight.count, 0);
    uw_flight_free(&flight);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_take),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
