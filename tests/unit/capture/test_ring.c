/*
 * Blocks between who makes them and who takes them (src/capture/ring.c).
 */
#include <stdlib.h>
#include <string.h>

#include "capture/ring.h"
#include "support/peer.h"

static void
put(struct uw_ring *ring, uint8_t value, size_t n)
{
    uint8_t *p = uw_ring_reserve(ring, n);

    assert_non_null(p);
    memset(p, value, n);
    uw_ring_commit(ring, n);
}

/* Takes n bytes, all of that value. */
static void
take(struct uw_ring *ring, uint8_t value, size_t n)
{
    const uint8_t *bytes;

    assert_true(uw_ring_peek(ring, &bytes) >= n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(bytes[i], value);
    uw_ring_give_back(ring, n);
}

static void
test_order(void **state)
{
    struct uw_ring ring;

    (void)state;
    assert_int_equal(uw_ring_init(&ring, 100), 0);
    put(&ring, 1, 40);
    put(&ring, 2, 40);
    assert_null(uw_ring_reserve(&ring, 40));
    take(&ring, 1, 40);
    put(&ring, 3, 40); /* from the beginning again */
    assert_null(uw_ring_reserve(&ring, 1));
    assert_int_equal(uw_ring_used(&ring), 80);
    take(&ring, 2, 40);
    take(&ring, 3, 40);
    assert_int_equal(uw_ring_used(&ring), 0);
    put(&ring, 4, 100);
    take(&ring, 4, 100);
    uw_ring_free(&ring);
}

/* What a reader has in hand is not overwritten, though the rest is given back. */
static void
test_in_hand(void **state)
{
    struct uw_ring ring;
    const uint8_t *bytes;

    (void)state;
    assert_int_equal(uw_ring_init(&ring, 64), 0);
    put(&ring, 7, 32);
    assert_int_equal(uw_ring_peek(&ring, &bytes), 32);
    put(&ring, 8, 32);
    assert_null(uw_ring_reserve(&ring, 8));
    for (int i = 0; i < 32; i++)
        assert_int_equal(bytes[i], 7);
    uw_ring_give_back(&ring, 20);
    assert_int_equal(uw_ring_peek(&ring, &bytes), 44);
    assert_int_equal(bytes[0], 7);
    assert_int_equal(bytes[12], 8);
    uw_ring_free(&ring);
}

/* Random sizes come out as they went in, whatever the reader takes at a time. */
static void
test_random(void **state)
{
    struct uw_ring ring;
    unsigned seed = 1;
    uint8_t in = 0, out = 0;
    int full = 0, wraps = 0;

    (void)state;
    assert_int_equal(uw_ring_init(&ring, 1000), 0);
    for (int round = 0; round < 20000; round++) {
        const uint8_t *bytes;
        size_t n = (size_t)rand_r(&seed) % 300 + 1;

        if (rand_r(&seed) % 2) {
            uint8_t *p = uw_ring_reserve(&ring, n);

            full += !p;
            for (size_t i = 0; p && i < n; i++)
                p[i] = in++;
            if (p)
                uw_ring_commit(&ring, n);
        } else {
            size_t there = uw_ring_peek(&ring, &bytes);

            wraps += ring.wrapped;
            n = n < there ? n : there;
            for (size_t i = 0; i < n; i++)
                assert_int_equal(bytes[i], out++);
            uw_ring_give_back(&ring, n);
        }
    }
    assert_true(full > 0 && wraps > 0);
    uw_ring_free(&ring);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_in_hand),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
