/*
 * The heap of instants against the dumbest of models, and the list.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap.h"
#include "base/list.h"

#define NODES 64

static uint32_t
next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static uint64_t
earliest(const struct uw_heap_node *nodes)
{
    uint64_t at = UINT64_MAX;

    for (unsigned i = 0; i < NODES; i++)
        if (uw_heap_contains(&nodes[i]) && nodes[i].at.us < at)
            at = nodes[i].at.us;
    return at;
}

static void
test_heap_against_a_model(void **state)
{
    struct uw_heap_node nodes[NODES] = {{0}};
    struct uw_heap heap = {0};
    uint32_t seed = 1;
    unsigned count = 0;

    (void)state;
    for (unsigned step = 0; step < 20000; step++) {
        struct uw_heap_node *n = &nodes[next_random(&seed) % NODES];
        uint32_t what = next_random(&seed) % 8;

        count -= (unsigned)uw_heap_contains(n);
        if (what < 5)
            uw_heap_set(&heap, n, uw_usec(next_random(&seed) % 100));
        else if (what < 7)
            uw_heap_remove(&heap, n);
        else
            uw_heap_set(&heap, n, uw_never());
        count += (unsigned)uw_heap_contains(n);
        assert_int_equal(uw_heap_at(&heap).us, earliest(nodes));
        assert_int_equal(uw_heap_first(&heap) == NULL, count == 0);
    }
    /* Emptied in order. */
    for (uint64_t last = 0; uw_heap_first(&heap); count--) {
        struct uw_heap_node *n = uw_heap_first(&heap);

        assert_true(n->at.us >= last);
        last = n->at.us;
        uw_heap_remove(&heap, n);
        assert_false(uw_heap_contains(n));
    }
    assert_int_equal(count, 0);
    assert_true(uw_is_never(uw_heap_at(&heap)));
}

static void
test_list(void **state)
{
    struct uw_list head, a, b, c, *pos, *tmp;
    unsigned n = 0;

    (void)state;
    uw_list_init(&head);
    uw_list_init(&a);
    assert_true(uw_list_empty(&head));
    assert_null(uw_list_pop(&head));
    uw_list_remove(&a); /* in none: stays so */
    uw_list_insert(&head, &a);
    uw_list_insert(&head, &b);
    uw_list_insert(head.next, &c); /* at the front */
    uw_list_each(pos, tmp, &head)
    {
        assert_ptr_equal(pos, n == 0 ? &c : n == 1 ? &a : &b);
        uw_list_remove(pos);
        n++;
    }
    assert_int_equal(n, 3);
    uw_list_insert(&head, &a);
    uw_list_insert(&head, &b);
    assert_ptr_equal(uw_list_pop(&head), &a);
    assert_true(uw_list_empty(&a));
    assert_ptr_equal(uw_list_pop(&head), &b);
    assert_true(uw_list_empty(&head));
}

/* "Never" stays never and nothing wraps. */
static void
test_time(void **state)
{
    struct uw_usec before;

    (void)state;
    assert_true(uw_is_never(uw_usec_add(uw_never(), uw_usec(1))));
    assert_true(uw_is_never(uw_usec_add(uw_usec(1), uw_never())));
    assert_true(uw_is_never(uw_usec_sub(uw_never(), uw_usec(5))));
    assert_int_equal(uw_usec_sub(uw_usec(5), uw_usec(7)).us, 0);
    assert_int_equal(uw_usec_sub(uw_usec(7), uw_usec(5)).us, 2);
    assert_int_equal(uw_msec(UINT32_MAX).us, UINT64_C(4294967295000));
    assert_int_equal(uw_usec_min(uw_never(), uw_usec(3)).us, 3);
    before = uw_now();
    assert_true(uw_now().us >= before.us);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_against_a_model),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
