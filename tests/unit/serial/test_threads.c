/*
 * One port, several threads: one writes, one reads, one moves lines and changes settings, one waits
 * for events and counts; the service thread is behind all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

enum { SIZE = 100000 };

static struct uw_serial *port;
static atomic_int over;
static uint8_t out[SIZE], in[SIZE];

static void *
write_all(void *arg)
{
    size_t sent = 0;

    while (sent < SIZE) {
        size_t n = SIZE - sent < 1000 ? SIZE - sent : 1000;
        long r = uw_serial_write(port, out + sent, n, SOON, NULL);

        if (r < 0)
            return arg;
        sent += (size_t)r;
    }
    return uw_serial_drain(port, SOON, NULL) == 0 ? NULL : arg;
}

static void *
read_all(void *arg)
{
    size_t got = 0;

    while (got < SIZE) {
        long r = uw_serial_read(port, in + got, SIZE - got, 1, SOON, NULL);

        if (r <= 0)
            return arg;
        got += (size_t)r;
    }
    return NULL;
}

static void *
move_lines(void *arg)
{
    struct uw_serial_config c;
    unsigned round = 0;

    while (!atomic_load(&over)) {
        uw_serial_config_init(&c);
        c.flow = round & 1 ? UW_FLOW_RTS_CTS : UW_FLOW_NONE;
        c.latency = (int)(1 + round % 16);
        if (uw_serial_set_lines(port, round & 1, -1, NULL) < 0 ||
            (round & 4 && uw_serial_set_lines(port, -1, round >> 1 & 1, NULL) < 0) ||
            uw_serial_set_config(port, &c, NULL) < 0 || uw_serial_lines(port, NULL) < 0)
            return arg;
        uw_serial_get_config(port, &c);
        round++;
    }
    return NULL;
}

static void *
watch(void *arg)
{
    struct uw_serial_counts counts;

    while (!atomic_load(&over)) {
        int r = uw_serial_wait(port, UW_SERIAL_CHANGED | UW_SERIAL_WRITABLE, uw_msec(5));

        if (r < 0)
            return arg;
        uw_serial_counts(port, &counts);
        if (uw_serial_status(port) < 0 || uw_serial_input_waiting(port) > SIZE)
            return arg;
    }
    return NULL;
}

static void
all_at_once(const char *device, const char *personality)
{
    struct rig *r = rig_new(device, personality);
    pthread_t threads[4];
    void *verdict;
    void *(*const jobs[4])(void *) = {write_all, read_all, move_lines, watch};
    static char names[4][8] = {"write", "read", "lines", "watch"};

    for (size_t i = 0; i < SIZE; i++)
        out[i] = (uint8_t)(i * 3 + i / 256);
    memset(in, 0, sizeof(in));
    atomic_store(&over, 0);
    port = rig_open(r, "interface=0&baud=3000000");
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, jobs[i], names[i]), 0);
    for (int i = 0; i < 4; i++) {
        if (i == 2)
            atomic_store(&over, 1);
        pthread_join(threads[i], &verdict);
        if (verdict)
            fail_msg("%s", (const char *)verdict);
    }
    assert_memory_equal(in, out, SIZE);
    uw_serial_free(port);
    rig_free(r);
}

static void
test_pipelined(void **state)
{
    (void)state;
    all_at_once("ft232h", NULL);
    all_at_once("cp2102n", NULL);
}

static void
test_one_at_a_time(void **state)
{
    (void)state;
    all_at_once("cp2102n", "renode");
}

static void *
end_server(void *arg)
{
    rig_stop_server((struct rig *)arg);
    return NULL;
}

static void *
read_to_the_end(void *arg)
{
    char byte;

    (void)arg;
    while (uw_serial_read(port, &byte, 1, 1, SOON, NULL) >= 0)
        ;
    return NULL;
}

/* The end of the server meets a reader and a writer anywhere. */
static void
test_end(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct rig *r = rig_new("pl2303hx", NULL);
        pthread_t reader, writer, ender;

        port = rig_open(r, "");
        assert_int_equal(pthread_create(&reader, NULL, read_to_the_end, NULL), 0);
        assert_int_equal(pthread_create(&writer, NULL, write_all, NULL), 0);
        assert_int_equal(pthread_create(&ender, NULL, end_server, r), 0);
        pthread_join(reader, NULL);
        pthread_join(writer, NULL);
        pthread_join(ender, NULL);
        assert_int_equal(uw_serial_status(port), UW_ERROR_CONNECTION_LOST);
        uw_serial_free(port);
        rig_free(r);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
