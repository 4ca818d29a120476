/*
 * test_slip.c - messages between two ends (RFC 1055)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/slip.h"

static struct sim_slip slip;

/* Takes all of it; how many messages that were, and the last of them. */
static unsigned
take(const void *bytes, size_t size, uint8_t *ret_message, size_t *ret_size)
{
    unsigned count = 0;

    sim_slip_begin(&slip);
    *ret_size = 0;
    for (size_t i = 0; i < size; i++)
        if (sim_slip_take(&slip, ((const uint8_t *)bytes)[i])) {
            count++;
            memcpy(ret_message, slip.bytes, slip.size);
            *ret_size = slip.size;
        }
    return count;
}

static void
expect(const char *bytes, size_t size, unsigned count, const char *message, size_t message_size)
{
    uint8_t got[64];
    size_t got_size;

    assert_int_equal(take(bytes, size, got, &got_size), count);
    assert_int_equal(got_size, message_size);
    assert_memory_equal(got, message, message_size);
}

#define EXPECT(bytes, count, message)                                                              \
    expect(bytes, sizeof(bytes) - 1, count, message, sizeof(message) - 1)

static void
test_take(void **state)
{
    (void)state;
    EXPECT("\xc0OHAI\xc0", 1, "OHAI");
    EXPECT("noise\xc0"
           "a\xc0",
           1, "a");                            /* before the first end */
    EXPECT("\xc0\xc0\xc0OHAI\xc0", 1, "OHAI"); /* nothing is no message */
    EXPECT("\xc0one\xc0\xc0two\xc0", 2, "two");
    EXPECT("\xc0one\xc0two\xc0", 2, "two"); /* one end for both */
    EXPECT("\xc0\xdb\xdc\xdb\xdd\xc0", 1, "\xc0\xdb");
    EXPECT("\xc0one", 0, "");
    EXPECT("\xc0one\xdbtwo\xc0three\xc0", 1, "three"); /* no such escape */
    EXPECT("\xc0one\xdb\xc0two\xc0", 1, "two");
}

static void
test_long(void **state)
{
    static uint8_t bytes[SIM_SLIP_MESSAGE + 8], got[SIM_SLIP_MESSAGE];
    size_t size;

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    bytes[0] = bytes[SIM_SLIP_MESSAGE + 1] = 0xc0;
    assert_int_equal(take(bytes, SIM_SLIP_MESSAGE + 2, got, &size), 1);
    assert_int_equal(size, SIM_SLIP_MESSAGE);
    /* One more does not fit; the next one is there. */
    bytes[SIM_SLIP_MESSAGE + 1] = 'x';
    memcpy(bytes + SIM_SLIP_MESSAGE + 2, "\xc0OK\xc0", 4);
    assert_int_equal(take(bytes, SIM_SLIP_MESSAGE + 6, got, &size), 1);
    assert_int_equal(size, 2);
    assert_memory_equal(got, "OK", 2);
}

static void
test_make(void **state)
{
    uint8_t bytes[256], out[SIM_SLIP_SIZE(sizeof(bytes))], got[256];
    size_t size;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(sim_slip_make(bytes, sizeof(bytes), out), 2 + 256 + 2);
    assert_int_equal(take(out, 2 + 256 + 2, got, &size), 1);
    assert_int_equal(size, 256);
    assert_memory_equal(got, bytes, 256);
    memset(bytes, 0xdb, sizeof(bytes));
    assert_int_equal(sim_slip_make(bytes, sizeof(bytes), out), sizeof(out));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_make),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
