/*
 * test_sharing.c - what one program may do beside another, and hears of it
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/import.h"
#include "rig.h"
#include "usb/device.h"

/* ---- claims ---- */

static void
test_claims(void **state)
{
    struct setup *s = rig_start_joined("esp");
    uint8_t bytes[8];
    size_t actual;

    (void)state;
    assert_int_equal(uw_device_claim(s->one.device, 0, s), 0);
    assert_int_equal(uw_device_claim(s->one.device, 0, s), 0); /* again is fine */
    assert_int_equal(uw_device_claim(s->two.device, 0, s), UW_ERROR_BUSY);
    assert_int_equal(uw_device_claim(s->two.device, 1, s), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_claim(s->holder.device, 0, s), UW_ERROR_BUSY);
    assert_int_equal(rig_write(&s->two, 0x01, "x", 1), UW_ERROR_BUSY);
    assert_int_equal(rig_read(&s->two, 0x81, bytes, 8, LONG, &actual), UW_ERROR_BUSY);
    assert_int_equal(uw_device_clear_halt(s->two.device, 0x81, LONG, NULL), UW_ERROR_BUSY);
    assert_int_equal(uw_device_set_altsetting(s->two.device, 0, 0, LONG, NULL), UW_ERROR_BUSY);
    assert_int_equal(rig_write(&s->one, 0x01, "x", 1), 0);
    /* Endpoint 0 is everybody's. */
    assert_int_equal(uw_control(s->two.device, 0xc0, 2, 1, 2, bytes, 4, LONG, NULL, NULL), 0);
    assert_int_equal(uw_device_release(s->one.device, 0, s), 0);
    assert_int_equal(uw_device_claim(s->two.device, 0, s), 0);
    assert_int_equal(uw_device_claim(s->one.device, 0, s), UW_ERROR_BUSY);
    assert_int_equal(uw_device_release(s->two.device, 0, s), 0);
    rig_end(s);
}

/* The claims of a program that ends are free for others, and its reads take nothing any more. */
static void
test_program_ends(void **state)
{
    struct setup *s = rig_start_joined("esp");
    struct uw_usec until = uw_usec_add(uw_now(), uw_msec(20000));
    uint8_t bytes[64];
    size_t actual;
    int r;

    (void)state;
    assert_int_equal(uw_device_claim(s->one.device, 0, s), 0);
    assert_int_equal(rig_read(&s->one, 0x81, bytes, 64, SHORT, &actual), UW_ERROR_TIMEOUT);
    uw_device_free(s->one.device); /* with a read still posted */
    s->one.device = NULL;
    while ((r = uw_device_claim(s->two.device, 0, s)) == UW_ERROR_BUSY)
        assert_true(uw_now().us < until.us);
    assert_int_equal(r, 0);
    while (uw_broker_clients(s->broker) != 1)
        assert_true(uw_now().us < until.us);
    assert_int_equal(rig_write(&s->two, 0x01, "mine", 4), 0);
    assert_int_equal(rig_read(&s->two, 0x81, bytes, 64, LONG, &actual), 0);
    assert_int_equal(actual, 4);
    assert_memory_equal(bytes, "mine", 4);
    rig_end(s);
}

/* What a child gives up of its parent's claims, the parent still has. */
static void
test_claims_of_a_forked_child(void **state)
{
    struct setup *s = rig_start_joined("esp");
    int status = -1;
    pid_t child;

    (void)state;
    assert_int_equal(uw_device_claim(s->one.device, 0, s), 0);
    child = fork();
    if (child == 0)
        _exit(uw_device_release(s->one.device, 0, s) != 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(uw_device_claim(s->two.device, 0, s), UW_ERROR_BUSY);
    assert_int_equal(uw_device_release(s->one.device, 0, s), 0);
    assert_int_equal(uw_device_claim(s->two.device, 0, s), 0);
    rig_end(s);
}

static void
test_configuration(void **state)
{
    struct setup *s = rig_start_joined("source-sink");
    uint8_t value = 0;

    (void)state;
    assert_int_equal(uw_device_claim(s->one.device, 0, s), 0);
    assert_int_equal(uw_device_set_configuration(s->two.device, 2, LONG, NULL), UW_ERROR_BUSY);
    assert_int_equal(uw_device_set_configuration(s->two.device, 1, LONG, NULL), 0);
    assert_int_equal(uw_control(s->two.device, 0x80, 8, 0, 0, &value, 1, LONG, NULL, NULL), 0);
    assert_int_equal(value, 1);
    assert_int_equal(uw_device_release(s->one.device, 0, s), 0);
    assert_int_equal(uw_device_set_configuration(s->two.device, 2, LONG, NULL), 0);
    assert_int_equal(uw_device_configuration(s->holder.device), 2);
    rig_end(s);
}

/* ---- what others do ---- */

static int
has_altsetting_1(const struct program *p)
{
    return uw_device_altsetting(p->device, 1) == 1;
}

static int
has_altsetting_0(const struct program *p)
{
    return uw_device_altsetting(p->device, 1) == 0;
}

static int
has_configuration_2(const struct program *p)
{
    return uw_device_configuration(p->device) == 2;
}

static void
test_altsettings_are_followed(void **state)
{
    struct setup *s = rig_start("linux", "loopback");

    (void)state;
    assert_int_equal(rig_join(&s->one), 0);
    assert_int_equal(uw_device_set_altsetting(s->one.device, 1, 1, LONG, NULL), 0);
    /* Who comes later finds it, who is there hears of it. */
    assert_int_equal(rig_join(&s->two), 0);
    assert_true(has_altsetting_1(&s->two));
    assert_non_null(uw_device_endpoint(s->two.device, 0x83));
    assert_int_equal(uw_device_set_altsetting(s->two.device, 1, 0, LONG, NULL), 0);
    rig_wait(&s->one, has_altsetting_0);
    assert_null(uw_device_endpoint(s->one.device, 0x83));
    assert_int_equal(uw_device_set_altsetting(s->two.device, 1, 1, LONG, NULL), 0);
    rig_wait(&s->one, has_altsetting_1);
    rig_end(s);
}

static void
test_configuration_is_followed(void **state)
{
    struct setup *s = rig_start_joined("source-sink");

    (void)state;
    assert_int_equal(uw_device_set_configuration(s->one.device, 2, LONG, NULL), 0);
    rig_wait(&s->two, has_configuration_2);
    assert_non_null(uw_device_endpoint(s->two.device, 0x83));
    rig_end(s);
}

static void
test_reset(void **state)
{
    struct setup *s = rig_start_joined("loopback");
    char text[64];
    size_t actual;

    (void)state;
    assert_int_equal(rig_write(&s->one, 0x01, "old", 3), 0);
    assert_int_equal(uw_device_reset(s->two.device, LONG, NULL), 0);
    assert_int_equal(rig_write(&s->one, 0x01, "new", 3), 0);
    assert_int_equal(rig_read(&s->two, 0x81, text, 64, LONG, &actual), 0);
    assert_int_equal(actual, 3);
    assert_memory_equal(text, "new", 3);
    rig_end(s);
}

/* What a program's reads brought that nobody took. */
static size_t
kept(const struct program *p)
{
    struct uw_engine_stats stats;

    uw_loop_lock(p->loop);
    uw_engine_stats(uw_import_engine_locked(p->device->import), &stats);
    uw_loop_unlock(p->loop);
    return stats.kept;
}

static int
has_kept(const struct program *p)
{
    return kept(p) > 0;
}

static int
has_kept_nothing(const struct program *p)
{
    return kept(p) == 0;
}

/* A read of program two ended without data, and then some came for it. */
static void
keep_old_data(struct setup *s)
{
    uint8_t bytes[64];
    size_t actual;

    assert_int_equal(rig_read(&s->two, 0x81, bytes, 64, SHORT, &actual), UW_ERROR_TIMEOUT);
    assert_int_equal(rig_write(&s->one, 0x01, "old", 3), 0);
    rig_wait(&s->two, has_kept);
}

static void
clear_halt(struct program *p)
{
    assert_int_equal(uw_device_clear_halt(p->device, 0x81, LONG, NULL), 0);
}

static void
select_anew(struct program *p)
{
    assert_int_equal(uw_device_set_altsetting(p->device, 0, 0, LONG, NULL), 0);
}

static void
configure_anew(struct program *p)
{
    assert_int_equal(uw_device_set_configuration(p->device, 1, LONG, NULL), 0);
}

static void
reset(struct program *p)
{
    assert_int_equal(uw_device_reset(p->device, LONG, NULL), 0);
}

static void (*const restarts[])(struct program *p) = {clear_halt, select_anew, configure_anew,
                                                      reset};

/* What was read before an endpoint starts afresh is of no use after it, whoever has it do that:
 * another program, or the one that holds the device. */
static void
test_old_data_is_dropped(void **state)
{
    struct setup *s = rig_start_joined("loopback");

    (void)state;
    for (size_t i = 0; i < sizeof(restarts) / sizeof(restarts[0]); i++) {
        keep_old_data(s);
        restarts[i](&s->one);
        rig_wait(&s->two, has_kept_nothing);
        keep_old_data(s);
        restarts[i](&s->holder);
        rig_wait(&s->two, has_kept_nothing);
    }
    rig_end(s);
}

/* Of other endpoints nothing is lost. */
static void
test_other_endpoints_go_on(void **state)
{
    struct setup *s = rig_start_joined("loopback");
    uint8_t bytes[64];
    size_t actual;

    (void)state;
    keep_old_data(s);
    assert_int_equal(uw_device_clear_halt(s->one.device, 0x82, LONG, NULL), 0);
    assert_int_equal(uw_device_set_altsetting(s->one.device, 1, 1, LONG, NULL), 0);
    rig_wait(&s->two, has_altsetting_1);
    assert_int_equal(rig_read(&s->two, 0x81, bytes, 64, LONG, &actual), 0);
    assert_int_equal(actual, 3);
    rig_end(s);
}

/* A halt that a read of nobody's has met is not reported when it is cleared by now. */
static void
test_old_halt_is_forgotten(void **state)
{
    struct setup *s = rig_start_joined("loopback");
    uint8_t bytes[64];
    size_t actual;

    (void)state;
    assert_int_equal(rig_read(&s->two, 0x81, bytes, 64, SHORT, &actual), UW_ERROR_TIMEOUT);
    assert_int_equal(
        uw_control(s->one.device, 0x02, UW_SET_FEATURE, 0, 0x81, NULL, 0, LONG, NULL, NULL), 0);
    assert_int_equal(rig_read(&s->one, 0x81, bytes, 64, LONG, &actual), UW_ERROR_STALL);
    clear_halt(&s->one);
    assert_int_equal(uw_device_set_altsetting(s->one.device, 1, 1, LONG, NULL), 0);
    rig_wait(&s->two, has_altsetting_1);
    assert_int_equal(rig_write(&s->one, 0x01, "new", 3), 0);
    assert_int_equal(rig_read(&s->two, 0x81, bytes, 64, LONG, &actual), 0);
    assert_int_equal(actual, 3);
    rig_end(s);
}

/* A read that waits goes on behind it. */
static void
test_waiting_reads_go_on(void **state)
{
    struct setup *s = rig_start_joined("loopback");
    struct uw_queue *queue;
    struct uw_urb *urb;
    uint8_t bytes[64];

    (void)state;
    assert_int_equal(uw_queue_new(s->two.loop, &queue), 0);
    assert_int_equal(uw_urb_new(0, &urb), 0);
    for (size_t i = 0; i < sizeof(restarts) / sizeof(restarts[0]); i++) {
        uw_urb_set_transfer(urb, s->two.device, 0x81, bytes, 64);
        assert_int_equal(uw_urb_submit(urb, queue), 0);
        assert_int_equal(uw_queue_wait(queue, SHORT), 0);
        restarts[i](&s->one);
        restarts[i](&s->holder);
        assert_int_equal(rig_write(&s->one, 0x01, "on", 2), 0);
        assert_int_equal(uw_queue_wait(queue, LONG), 1);
        assert_ptr_equal(uw_queue_pop(queue), urb);
        assert_int_equal(uw_urb_status(urb), 0);
        assert_int_equal(uw_urb_actual_length(urb), 2);
    }
    uw_urb_free(urb);
    uw_queue_free(queue);
    rig_end(s);
}

/* Who claims an interface has it alone: what others had posted before takes nothing any more. */
static void
test_claim_ends_reads_of_others(void **state)
{
    struct setup *s = rig_start_joined("loopback");
    uint8_t bytes[64];
    size_t actual;

    (void)state;
    assert_int_equal(rig_read(&s->two, 0x81, bytes, 64, SHORT, &actual), UW_ERROR_TIMEOUT);
    assert_int_equal(uw_device_claim(s->one.device, 0, s), 0);
    assert_int_equal(rig_write(&s->one, 0x01, "mine", 4), 0);
    assert_int_equal(rig_read(&s->one, 0x81, bytes, 64, LONG, &actual), 0);
    assert_int_equal(actual, 4);
    assert_int_equal(rig_read(&s->two, 0x81, bytes, 64, LONG, &actual), UW_ERROR_BUSY);
    rig_end(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_program_ends),
        cmocka_unit_test(test_claims_of_a_forked_child),
        cmocka_unit_test(test_configuration),
        cmocka_unit_test(test_altsettings_are_followed),
        cmocka_unit_test(test_configuration_is_followed),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_old_data_is_dropped),
        cmocka_unit_test(test_other_endpoints_go_on),
        cmocka_unit_test(test_old_halt_is_forgotten),
        cmocka_unit_test(test_waiting_reads_go_on),
        cmocka_unit_test(test_claim_ends_reads_of_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
