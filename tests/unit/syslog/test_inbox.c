/*
 * The inbox: what is put into it comes out, as it was and in order, in another thread and later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <pthread.h>

#include <usbwire/syslog.h>

#include "client/import.h"
#include "support/alloc.h"

struct rig {
    struct uw_loop *loop;
    struct uw_syslog_inbox *inbox;
};

static void
setup(struct rig *rig)
{
    assert_int_equal(uw_loop_new(NULL, &rig->loop), 0);
    assert_int_equal(uw_syslog_inbox_new(rig->loop, &rig->inbox), 0);
}

static void
teardown(struct rig *rig)
{
    uw_syslog_inbox_free(rig->inbox);
    uw_loop_free(rig->loop);
}

/* As a receiver does: under the lock, with memory that is used for something else afterwards. */
static void
put(struct rig *rig, unsigned number)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(1514)};
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(4711)};
    char bytes[128], source[32];
    struct uw_syslog_message m = {.flags = UW_SYSLOG_CUT, .when = uw_usec(5), .wall_us = 7};

    m.raw_size = (size_t)snprintf(bytes, sizeof(bytes), "<11>1 - esp32 esp - - - E (%u) tag: no %u",
                                  number, number);
    snprintf(source, sizeof(source), "board-%u", number);
    m.raw = bytes;
    m.source = source;
    m.from = (const struct sockaddr *)(const void *)&from;
    m.to = (const struct sockaddr *)(const void *)&to;
    uw_loop_lock(rig->loop);
    uw_syslog_inbox_put(rig->inbox, &m);
    uw_loop_unlock(rig->loop);
    memset(bytes, '?', sizeof(bytes));
    memset(source, '?', sizeof(source));
}

static void
take(struct rig *rig, unsigned number)
{
    struct uw_syslog_message m;
    char text[32], source[32];

    assert_int_equal(uw_syslog_inbox_next(rig->inbox, uw_msec(10000), &m), 1);
    snprintf(text, sizeof(text), "no %u", number);
    snprintf(source, sizeof(source), "board-%u", number);
    assert_string_equal(m.text, text);
    assert_string_equal(m.source, source);
    assert_string_equal(m.tag, "tag");
    assert_int_equal(m.level, 'E');
    assert_int_equal(m.priority, 11);
    assert_int_equal(m.flags, UW_SYSLOG_CUT);
    assert_int_equal(m.when.us, 5);
    assert_int_equal(m.wall_us, 7);
    assert_int_equal(m.from->sa_family, AF_INET);
    assert_int_equal(((const struct sockaddr_in6 *)(const void *)m.to)->sin6_port, htons(4711));
}

static void
test_order(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig);
    for (unsigned i = 0; i < 10; i++)
        put(&rig, i);
    for (unsigned i = 0; i < 10; i++)
        take(&rig, i);
    put(&rig, 11); /* left behind */
    teardown(&rig);
}

static void
test_empty(void **state)
{
    struct uw_syslog_message m;
    struct rig rig;

    (void)state;
    setup(&rig);
    assert_int_equal(uw_syslog_inbox_next(rig.inbox, uw_msec(5), &m), 0);
    uw_loop_interrupt(rig.loop);
    assert_int_equal(uw_syslog_inbox_next(rig.inbox, uw_never(), &m), UW_ERROR_INTERRUPTED);
    teardown(&rig);
}

static void
test_full(void **state)
{
    struct rig rig;

    (void)state;
    setup(&rig);
    for (unsigned i = 0; i < UW_SYSLOG_INBOX_MAX + 3; i++)
        put(&rig, i);
    assert_int_equal(uw_syslog_inbox_dropped(rig.inbox), 3);
    for (unsigned i = 0; i < UW_SYSLOG_INBOX_MAX; i++)
        take(&rig, i);
    put(&rig, 5000);
    take(&rig, 5000);
    teardown(&rig);
}

static void *
put_many(void *arg)
{
    for (unsigned i = 0; i < 500; i++)
        put((struct rig *)arg, i);
    return NULL;
}

static void
test_other_thread(void **state)
{
    pthread_t thread;
    struct rig rig;

    (void)state;
    setup(&rig);
    assert_int_equal(pthread_create(&thread, NULL, put_many, &rig), 0);
    for (unsigned i = 0; i < 500; i++)
        take(&rig, i);
    pthread_join(thread, NULL);
    teardown(&rig);
}

static void
test_no_memory(void **state)
{
    struct uw_syslog_inbox *inbox = NULL;
    struct rig rig;

    (void)state;
    setup(&rig);
    alloc_fail_at(0);
    assert_int_equal(uw_syslog_inbox_new(rig.loop, &inbox), UW_ERROR_NO_MEMORY);
    alloc_fail_at(0);
    put(&rig, 1);
    alloc_end();
    assert_null(inbox);
    assert_int_equal(uw_syslog_inbox_dropped(rig.inbox), 1);
    teardown(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),     cmocka_unit_test(test_empty),
        cmocka_unit_test(test_full),      cmocka_unit_test(test_other_thread),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
