#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "histogram.h"

static struct histogram h;

static int
clear(void **state)
{
    (void)state;
    memset(&h, 0, sizeof(h));
    return 0;
}

static void
small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t v = 1; v <= 100; v++)
        histogram_add(&h, v);
    assert_int_equal(histogram_percentile(&h, 50), 50);
    assert_int_equal(histogram_percentile(&h, 99), 99);
    assert_int_equal(histogram_percentile(&h, 100), 100);
}

static void
nothing_gives_zero(void **state)
{
    (void)state;
    assert_int_equal(histogram_percentile(&h, 50), 0);
}

static void
every_value_is_found_to_1_6_percent(void **state)
{
    (void)state;
    for (uint64_t v = 1; v < (uint64_t)1 << 62; v += v / 8 + 1) {
        uint64_t got;
        memset(&h, 0, sizeof(h));
        histogram_add(&h, v);
        got = histogram_percentile(&h, 50);
        assert_true((got > v ? got - v : v - got) <= v / 63);
    }
    memset(&h, 0, sizeof(h));
    histogram_add(&h, UINT64_MAX);
    assert_true(histogram_percentile(&h, 99) > UINT64_MAX / 64 * 63);
}

static void
a_rare_slow_one_shows_in_the_high_percentile_only(void **state)
{
    (void)state;
    for (int i = 0; i < 95; i++)
        histogram_add(&h, 40);
    for (int i = 0; i < 5; i++)
        histogram_add(&h, 100000);
    assert_int_equal(histogram_percentile(&h, 50), 40);
    assert_int_equal(histogram_percentile(&h, 95), 40);
    assert_in_range(histogram_percentile(&h, 99), 98000, 102000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(small_values_are_exact, clear),
        cmocka_unit_test_setup(nothing_gives_zero, clear),
        cmocka_unit_test_setup(every_value_is_found_to_1_6_percent, clear),
        cmocka_unit_test_setup(a_rare_slow_one_shows_in_the_high_percentile_only, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
