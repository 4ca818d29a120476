/*
 * test_dfu.c - the simulated boot loader, and the application that becomes it
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "wire.h"

#define STALL       (-32)
#define APPLICATION 0x0017
#define LOADER      0x0007

static struct stand stand;
static struct wire w;
static struct wire_reply reply;
static uint8_t bytes[2048];

static void
start(void **state, const char *device)
{
    (void)state;
    stand_new(&stand, "linux");
    stand_add(&stand, device);
    stand_run(&stand);
}

static int
tear_down(void **state)
{
    (void)state;
    stand_end(&stand);
    return 0;
}

/* DFU 1.1: down in blocks, each with a GETSTATUS behind it, and up until a short one. */
static void
test_dfu(void **state)
{
    uint8_t status[6];

    start(state, "dfu");
    wire_open_device(&w, &stand, "1-1");
    memset(bytes, 0x5a, 300);
    assert_int_equal(wire_control(&w, 0x01, 11, 1, 0, NULL, 0), 0);    /* the RAM */
    assert_int_equal(wire_control(&w, 0x21, 1, 0, 0, NULL, 0), STALL); /* an end without a start */
    assert_int_equal(wire_control(&w, 0xa1, 3, 0, 0, status, 6), 6);
    assert_int_equal(status[4], 10); /* dfuERROR */
    assert_int_equal(wire_control(&w, 0x21, 4, 0, 0, NULL, 0), 0);
    assert_int_equal(wire_control(&w, 0x21, 1, 0, 0, bytes, 200), 200);
    assert_int_equal(wire_control(&w, 0xa1, 5, 0, 0, status, 1), 1);
    assert_int_equal(status[0], 3);                                       /* dfuDNLOAD-SYNC */
    assert_int_equal(wire_control(&w, 0x21, 1, 1, 0, bytes, 100), STALL); /* without GETSTATUS */
    assert_int_equal(wire_control(&w, 0x21, 4, 0, 0, NULL, 0), 0);
    assert_int_equal(wire_control(&w, 0xa1, 2, 0, 0, bytes + 1000, 128), 128);
    assert_int_equal(wire_control(&w, 0xa1, 2, 1, 0, bytes + 1128, 128), 72); /* the end */
    assert_memory_equal(bytes + 1000, bytes, 200);
    wire_close(&w);
}

/* ---- the application ---- */

/* The bench's only device, as soon as it has that number. */
static struct uw_device_info
wait_for_device(uint16_t pid)
{
    struct uw_device_info found = {.pid = 0};

    while (found.pid != pid) {
        struct uw_device_list *list;

        wire_open(&w, &stand);
        list = wire_list(&w);
        if (uw_device_list_count(list) == 1)
            found = *uw_device_list_get(list, 0);
        uw_device_list_free(list);
        wire_close(&w);
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    return found;
}

/* It answers, and then it is gone. */
static struct uw_device_info
detach(void)
{
    struct uw_device_info application = wait_for_device(APPLICATION);
    uint8_t state = 0xee;

    wire_open_device(&w, &stand, application.busid);
    assert_int_equal(wire_control(&w, 0xa1, 5, 0, 0, &state, 1), 1);
    assert_int_equal(state, 0);                                          /* appIDLE */
    assert_int_equal(wire_control(&w, 0x21, 1, 0, 0, bytes, 64), STALL); /* not here */
    assert_int_equal(wire_control(&w, 0x21, 0, 1000, 0, NULL, 0), 0);
    assert_int_equal(wire_next(&w, 0, &reply), 0);
    wire_close(&w);
    return application;
}

/* The end of an import is a reset, which leads back. */
static void
leave(const struct uw_device_info *loader)
{
    uint8_t status[6];

    wire_open_device(&w, &stand, loader->busid);
    assert_int_equal(wire_control(&w, 0xa1, 3, 0, 0, status, 6), 6);
    assert_int_equal(status[4], 2); /* dfuIDLE */
    wire_close(&w);
}

static void
test_application_that_stays(void **state)
{
    struct uw_device_info application, loader;

    start(state, "dfu:runtime=stays");
    application = detach();
    loader = wait_for_device(LOADER);
    assert_string_equal(loader.busid, application.busid);
    assert_int_not_equal(loader.devnum, application.devnum);
    leave(&loader);
    assert_string_equal(wait_for_device(APPLICATION).busid, application.busid);
}

static void
test_application_that_moves(void **state)
{
    struct uw_device_info application, loader;

    start(state, "dfu:runtime=moves");
    application = detach();
    loader = wait_for_device(LOADER);
    assert_string_not_equal(loader.busid, application.busid);
    leave(&loader);
    assert_string_not_equal(wait_for_device(APPLICATION).busid, loader.busid);
}

/* What it took as a loader it still has after the application. */
static void
test_memory_outlives(void **state)
{
    struct uw_device_info loader;
    uint8_t status[6];

    start(state, "dfu:runtime=stays");
    detach();
    loader = wait_for_device(LOADER);
    wire_open_device(&w, &stand, loader.busid);
    memset(bytes, 0x5a, 300);
    assert_int_equal(wire_control(&w, 0x21, 1, 0, 0, bytes, 300), 300);
    assert_int_equal(wire_control(&w, 0xa1, 3, 0, 0, status, 6), 6);
    assert_int_equal(wire_control(&w, 0x21, 1, 1, 0, NULL, 0), 0);
    assert_int_equal(wire_control(&w, 0xa1, 3, 0, 0, status, 6), 6);
    wire_close(&w);
    detach();
    loader = wait_for_device(LOADER);
    wire_open_device(&w, &stand, loader.busid);
    assert_int_equal(wire_control(&w, 0xa1, 2, 0, 0, bytes + 1000, 1000), 300);
    assert_memory_equal(bytes + 1000, bytes, 300);
    wire_close(&w);
}

static void
test_other_words(void **state)
{
    struct uw_fault fault;

    (void)state;
    stand_new(&stand, "linux");
    assert_int_equal(uw_sim_add(stand.sim, "dfu:runtime=flies", &fault), UW_ERROR_INVALID);
    stand_add(&stand, "dfu");
    stand_run(&stand);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_dfu, tear_down),
        cmocka_unit_test_teardown(test_application_that_stays, tear_down),
        cmocka_unit_test_teardown(test_application_that_moves, tear_down),
        cmocka_unit_test_teardown(test_memory_outlives, tear_down),
        cmocka_unit_test_teardown(test_other_words, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
