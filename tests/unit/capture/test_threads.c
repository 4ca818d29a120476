/*
 * A capture with everybody at it at once: for the thread sanitizer.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <usbwire/monitor.h>

#include "client/import.h"
#include "client/loop.h"
#include "support/peer.h"

#define ROUNDS 3000u

static struct uw_loop *loop;
static struct uw_capture *pulled, *written;
static struct uw_monitor *monitor;
static atomic_int stop;

/* URBs, as whoever drives the loop tells of them. */
static void *
tell(void *arg)
{
    uint32_t connection = *(const uint32_t *)arg;
    struct uw_tap_source source = {.connection = connection,
                                   .server = connection & 1,
                                   .bus = 1,
                                   .address = (uint8_t)connection,
                                   .host = "bench:3240",
                                   .busid = "1-1"};
    uint8_t bytes[64] = {0};
    struct iovec data = {bytes, sizeof(bytes)};

    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct uw_tap_event e = {.kind = UW_TAP_SUBMIT,
                                 .source = &source,
                                 .id = (uint64_t)connection << 32 | (2 * i + 1),
                                 .endpoint = 0x81,
                                 .type = UW_BULK,
                                 .length = sizeof(bytes)};

        uw_loop_lock(loop);
        uw_loop_tell(loop, &e);
        e.kind = UW_TAP_COMPLETE;
        e.data = &data;
        e.data_count = 1;
        uw_loop_tell(loop, &e);
        uw_loop_unlock(loop);
    }
    return NULL;
}

static void *
pull(void *arg)
{
    uint8_t *blocks = malloc(UW_CAPTURE_BLOCK_MAX);

    (void)arg;
    while (blocks && uw_capture_pull(pulled, blocks, UW_CAPTURE_BLOCK_MAX, uw_never()) > 0)
        ;
    free(blocks);
    return NULL;
}

static void *
log_messages(void *arg)
{
    struct sockaddr_in a = {.sin_family = AF_INET};

    (void)arg;
    while (!atomic_load(&stop)) {
        (void)uw_capture_syslog(pulled, (struct sockaddr *)&a, (struct sockaddr *)&a, IPPROTO_TCP,
                                "<14>1 x", 7);
        (void)uw_capture_syslog(written, (struct sockaddr *)&a, (struct sockaddr *)&a, IPPROTO_UDP,
                                "<14>1 x", 7);
    }
    return NULL;
}

static void *
look_on(void *arg)
{
    struct uw_monitor_record record;

    (void)arg;
    while (uw_monitor_next(monitor, uw_never(), &record) == 1)
        ;
    return NULL;
}

/* Others come and go. */
static void *
come_and_go(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        struct uw_capture *other;
        struct uw_capture_stats stats;

        if (uw_capture_new(NULL, &other) < 0)
            continue;
        if (uw_capture_attach(other, loop) == 0)
            (void)uw_loop_step(loop);
        uw_capture_stats(written, &stats);
        uw_capture_free(other);
    }
    return NULL;
}

static void
test_all_at_once(void **state)
{
    static const uint32_t connections[] = {1, 2, 3};
    void *(*const others[])(void *) = {pull, log_messages, come_and_go, look_on};
    pthread_t tellers[3], threads[4];
    char folder[] = "/tmp/usbwire-test-XXXXXX", path[64];
    struct uw_capture_stats stats;
    struct uw_offer *offer;

    (void)state;
    assert_non_null(mkdtemp(folder));
    setenv("XDG_RUNTIME_DIR", folder, 1);
    assert_int_equal(uw_loop_new(NULL, &loop), 0);
    assert_int_equal(uw_monitor_new(&monitor, NULL), 0);
    assert_int_equal(uw_offer_new(loop, &offer), 0);
    assert_int_equal(uw_capture_new(NULL, &pulled), 0);
    assert_int_equal(uw_capture_open("/dev/null", NULL, &written, NULL), 0);
    assert_int_equal(uw_capture_attach(pulled, loop), 0);
    assert_int_equal(uw_capture_attach(written, loop), 0);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, others[i], NULL);
    for (int i = 0; i < 3; i++)
        pthread_create(&tellers[i], NULL, tell, (void *)(uintptr_t)&connections[i]);
    for (int i = 0; i < 3; i++)
        pthread_join(tellers[i], NULL);
    atomic_store(&stop, 1);
    assert_int_equal(uw_capture_close(pulled, NULL), 0);
    assert_int_equal(uw_capture_close(written, NULL), 0);
    uw_offer_free(offer);
    uw_monitor_interrupt(monitor);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    uw_capture_stats(written, &stats);
    assert_true(stats.records >= 3 * 2 * ROUNDS);
    assert_int_equal(stats.dropped, 0); /* a file is waited for */
    uw_monitor_free(monitor);
    uw_capture_free(pulled);
    uw_capture_free(written);
    uw_loop_free(loop);
    snprintf(path, sizeof(path), "%s/usbwire/taps", folder);
    assert_int_equal(rmdir(path), 0);
    snprintf(path, sizeof(path), "%s/usbwire", folder);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_at_once)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
