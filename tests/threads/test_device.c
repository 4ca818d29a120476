/*
 * Many threads on one device through the public headers, against the simulated bench in a thread of
 * its own: control, bulk both ways, a read that nobody answers, claims, references.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <usbwire/usbwire.h>

#include "support/stand.h"

#define THREADS 4
#define ROUNDS  40

struct bench {
    struct stand stand;
    struct uw_loop *loop;
    struct uw_server *server;
    struct uw_device *device;
    atomic_int failed; /* line */
};

static struct bench b;

static int
set_up(void **state)
{
    struct uw_device_info info;
    char address[32];
    struct uw_fault fault;

    (void)state;
    memset(&b, 0, sizeof(b));
    stand_new(&b.stand, "linux");
    stand_add(&b.stand, "loopback");
    stand_run(&b.stand);
    snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)b.stand.port);
    assert_int_equal(uw_loop_new(NULL, &b.loop), 0);
    assert_int_equal(uw_server_new(b.loop, address, 0, &b.server, &fault), 0);
    assert_non_null(uw_sim_device_at(b.stand.sim, 0, &info));
    assert_int_equal(uw_device_import(b.server, info.busid, uw_msec(30000), &b.device, &fault), 0);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    uw_device_free(b.device);
    uw_server_free(b.server);
    uw_loop_free(b.loop);
    stand_end(&b.stand);
    return 0;
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            atomic_store(&b.failed, __LINE__);                                                     \
            return NULL;                                                                           \
        }                                                                                          \
    } while (0)

/* Descriptors over endpoint 0, each the same as ever, through a reference of the thread's own. */
static void *
read_descriptors(void *arg)
{
    struct uw_device *d = uw_device_ref(b.device);
    uint8_t first[18], again[18];
    size_t n = 0;

    (void)arg;
    CHECK(uw_control(d, 0x80, 6, 0x0100, 0, first, 18, uw_msec(30000), &n, NULL) == 0 && n == 18);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(uw_control(d, 0x80, 6, 0x0100, 0, again, 18, uw_msec(30000), &n, NULL) == 0);
        CHECK(n == 18 && memcmp(first, again, 18) == 0);
    }
    uw_device_free(d);
    return NULL;
}

/* What one thread writes another reads, in order. */
static void *
write_bulk(void *arg)
{
    uint8_t data[512];
    size_t n;

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        memset(data, i, sizeof(data));
        CHECK(uw_transfer(b.device, 0x01, data, sizeof(data), uw_msec(30000), &n, NULL) == 0);
        CHECK(n == sizeof(data));
    }
    return NULL;
}

static void *
read_bulk(void *arg)
{
    uint8_t data[512];

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        size_t have = 0, n = 0;

        while (have < sizeof(data)) {
            CHECK(uw_transfer(b.device, 0x81, data + have, sizeof(data) - have, uw_msec(30000), &n,
                              NULL) == 0);
            have += n;
        }
        for (size_t k = 0; k < sizeof(data); k++)
            CHECK(data[k] == (uint8_t)i);
    }
    return NULL;
}

/* Nothing was written there: each read times out, and holds up nobody. */
static void *
read_nothing(void *arg)
{
    uint8_t data[8];

    (void)arg;
    for (int i = 0; i < 10; i++)
        CHECK(uw_transfer(b.device, 0x82, data, sizeof(data), uw_msec(10), NULL, NULL) ==
              UW_ERROR_TIMEOUT);
    return NULL;
}

static void
test_one_device(void **state)
{
    void *(*const runs[])(void *) = {read_descriptors, read_descriptors, write_bulk, read_bulk,
                                     read_nothing};
    pthread_t threads[sizeof(runs) / sizeof(runs[0])];

    (void)state;
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, runs[i], NULL), 0);
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    if (atomic_load(&b.failed))
        fail_msg("line %d", atomic_load(&b.failed));
}

static void *
list_and_share(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        struct uw_device_list *list = NULL;
        struct uw_device *same = NULL;

        CHECK(uw_server_list(b.server, uw_msec(30000), &list, NULL) == 0);
        uw_device_list_free(list);
        CHECK(uw_device_import(b.server, uw_device_info(b.device)->busid, uw_msec(30000), &same,
                               NULL) == 0);
        CHECK(same == b.device);
        uw_device_free(same);
    }
    return NULL;
}

/* Importing what is imported gives the same device, from any thread at any time. */
static void
test_shared(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, list_and_share, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    if (atomic_load(&b.failed))
        fail_msg("line %d", atomic_load(&b.failed));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_device, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shared, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
