/*
 * test_bench.c - putting a bench together, its list and imports, latency, faults on purpose
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire.h"

#define STALL (-32)

static struct wire w;
static struct wire_reply reply;
static uint8_t bytes[1 << 16];

/* ---- putting it together ---- */

static void
test_devices_by_name(void **state)
{
    struct uw_device_info info;
    struct stand s;
    unsigned n = 0;

    (void)state;
    stand_new(&s, "linux");
    for (; uw_sim_device_name(n); n++) {
        assert_non_null(uw_sim_device_text(n));
        stand_add(&s, uw_sim_device_name(n));
    }
    assert_true(n >= 7);
    assert_null(uw_sim_device_text(n));
    stand_run(&s);
    for (unsigned i = 0; i < n; i++) {
        assert_string_equal(uw_sim_device_at(s.sim, i, &info), uw_sim_device_name(i));
        assert_true(info.busid[0] && info.vid && info.pid);
        wire_open_device(&w, &s, info.busid);
        wire_close(&w);
    }
    assert_null(uw_sim_device_at(s.sim, n, &info));
    stand_end(&s);
}

static void
test_specs(void **state)
{
    static const struct {
        const char *spec;
        int error;
    } rows[] = {
        {"nothing", UW_ERROR_NOT_FOUND},
        {"", UW_ERROR_NOT_FOUND},
        {"es", UW_ERROR_NOT_FOUND},
        {"esp2", UW_ERROR_NOT_FOUND},
        {"esp:", 0},
        {"esp:count=2,serial=x", 0},
        {"esp:count=0", UW_ERROR_INVALID},
        {"esp:count=501", UW_ERROR_INVALID},
        {"esp:count=two", UW_ERROR_INVALID},
        {"esp:speed=warp", UW_ERROR_INVALID},
        {"esp:speed", UW_ERROR_INVALID},
        {"esp:=1", UW_ERROR_INVALID},
        {"esp:image=x", UW_ERROR_INVALID},
        {"esp:count=1,,", UW_ERROR_INVALID},
        {"esp:count=2x", UW_ERROR_INVALID},
        {"esp:count=-1", UW_ERROR_INVALID},
        {"esp:count=99999999999999999999", UW_ERROR_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[UW_FAULT_TEXT_MAX];
        struct uw_fault fault;
        struct stand s;
        int r;

        stand_new(&s, "linux");
        r = uw_sim_add(s.sim, rows[i].spec, &fault);
        if (r != rows[i].error)
            fail_msg("%s: %d", rows[i].spec, r);
        /* A refusal names what was asked for. */
        if (r < 0)
            assert_non_null(strstr(uw_fault_text(&fault, text, sizeof(text)), rows[i].spec));
        uw_sim_free(s.sim);
    }
}

static void
test_long_options(void **state)
{
    char spec[400] = "esp:serial=";
    struct uw_fault fault;
    struct stand s;

    (void)state;
    stand_new(&s, "linux");
    memset(spec + 11, 'x', 300);
    assert_int_equal(uw_sim_add(s.sim, spec, &fault), UW_ERROR_INVALID);
    assert_int_equal(uw_sim_add(s.sim,
                                "esp:count=1,count=1,count=1,count=1,count=1,count=1,count=1,"
                                "count=1,count=1",
                                &fault),
                     UW_ERROR_INVALID);
    uw_sim_free(s.sim);
}

static void
test_listening(void **state)
{
    struct uw_fault fault;
    struct uw_sim *other;
    uint16_t port;
    struct stand s;

    (void)state;
    stand_new(&s, "linux");
    assert_int_equal(uw_sim_run(s.sim), UW_ERROR_INVALID); /* it does not listen yet */
    assert_int_equal(uw_sim_set_personality(s.sim, "no such server"), UW_ERROR_NOT_FOUND);
    stand_run(&s);
    assert_true(s.port);
    assert_int_equal(uw_sim_new(NULL, &other), 0);
    assert_int_equal(uw_sim_listen(other, "somewhere", 0, &port, &fault), UW_ERROR_CONNECT);
    assert_int_equal(uw_sim_listen(other, "127.0.0.1", s.port, &port, &fault), UW_ERROR_CONNECT);
    assert_int_equal(uw_sim_listen(other, NULL, 0, &port, &fault), 0);
    assert_true(port && port != s.port);
    uw_sim_free(other);
    stand_end(&s);
}

/* ---- list and imports ---- */

static void
test_list(void **state)
{
    struct uw_device_list *list;
    struct stand s;

    (void)state;
    stand_new(&s, "linux");
    stand_add(&s, "esp:count=3");
    stand_add(&s, "acm-echo:speed=super");
    stand_run(&s);
    wire_open(&w, &s);
    list = wire_list(&w);
    wire_close(&w);
    assert_int_equal(list->count, 4);
    for (unsigned i = 0; i < 3; i++) {
        char busid[8];

        snprintf(busid, sizeof(busid), "1-%u", i + 1);
        assert_string_equal(list->infos[i].busid, busid);
        assert_int_equal(list->infos[i].devnum, i + 2);
        assert_int_equal(list->infos[i].speed, 2);
        assert_int_equal(list->infos[i].vid, 0x303a);
        assert_int_equal(list->infos[i].pid, 0x4004);
    }
    assert_string_equal(list->infos[3].busid, "2-1");
    assert_int_equal(list->infos[3].speed, 5);
    assert_int_equal(list->infos[3].num_interfaces, 2);
    assert_int_equal(list->infos[3].interfaces[0].interface_class, 0x02);
    assert_int_equal(list->infos[3].interfaces[1].interface_class, 0x0a);
    uw_device_list_free(list);
    stand_end(&s);
}

static void
test_imports(void **state)
{
    struct wire second;
    struct stand s;

    (void)state;
    stand_new(&s, "linux");
    stand_add(&s, "esp");
    stand_run(&s);
    wire_open(&second, &s);
    assert_int_equal(wire_import(&second, "1-9"), UW_OP_ST_NODEV);
    wire_close(&second);
    wire_open_device(&w, &s, "1-1");
    wire_open(&second, &s);
    assert_int_equal(wire_import(&second, "1-1"), UW_OP_ST_DEV_BUSY);
    wire_close(&second);
    wire_close(&w);
    /* Free again, as soon as the bench has seen the end of the first. */
    wire_open_device(&w, &s, "1-1");
    wire_close(&w);
    stand_end(&s);
}

/* A device that a server took for free goes on working for who has it until another is let in. */
static void
test_freed_by_host(void **state)
{
    struct wire second;
    struct stand s;
    uint8_t status[2];

    (void)state;
    stand_new(&s, "p4");
    stand_add(&s, "esp");
    stand_run(&s);
    wire_open_device(&w, &s, "1-1");
    wire_open(&second, &s);
    assert_int_equal(wire_import(&second, "1-1"), UW_OP_ST_NA);
    wire_close(&second);
    assert_int_equal(wire_write(&w, 0x01, "x", 1), 1);
    assert_int_equal(wire_read(&w, 0x81, status, 1), 1);
    (void)wire_submit(&w, 0x81, NULL, 64);
    assert_int_equal(wire_control(&w, 0x80, 0, 0, 0, status, 2), 2);
    wire_open_device(&second, &s, "1-1");
    assert_int_equal(wire_write(&second, 0x01, "x", 1), 1);
    assert_int_equal(wire_read(&second, 0x81, status, 1), 1); /* not the read that waited first */
    wire_close(&second);
    wire_close(&w);
    stand_end(&s);
}

/* A URB of one connection says nothing to another. */
static void
test_two_devices(void **state)
{
    struct wire second;
    struct stand s;
    uint32_t read;

    (void)state;
    stand_new(&s, "linux");
    stand_add(&s, "esp:count=2");
    stand_run(&s);
    wire_open_device(&w, &s, "1-1");
    wire_open_device(&second, &s, "1-2");
    read = wire_submit(&w, 0x81, NULL, 64);
    assert_int_equal(wire_write(&second, 0x01, "two", 3), 3);
    assert_int_equal(wire_read(&second, 0x81, bytes, 64), 3);
    wire_close(&second);
    wire_submit(&w, 0x01, "one", 3);
    assert_true(wire_next(&w, 0, &reply));
    assert_true(wire_next(&w, 1, &reply));
    assert_int_equal(reply.pdu.seqnum, read);
    assert_memory_equal(reply.data, "one", 3);
    wire_close(&w);
    stand_end(&s);
}

/* What Linux does with what usb_submit_urb refuses: the connection ends. */
static void
test_strictness(void **state)
{
    static const struct uw_pdu rows[] = {
        {.direction = UW_DIR_IN, .length = 18, .setup = {0x80, 6, 0, 1, 0, 0, 17}},
        {.direction = UW_DIR_IN, .ep = 1, .length = 512, .packets = 1},
        {.direction = UW_DIR_IN, .ep = 2, .length = 64, .interval = 0},
    };
    struct stand s;

    (void)state;
    stand_new(&s, "linux");
    stand_add(&s, "loopback");
    stand_run(&s);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wire_open_device(&w, &s, "1-1");
        wire_submit_pdu(&w, &rows[i]);
        assert_false(wire_next(&w, 1, &reply));
        wire_close(&w);
    }
    stand_end(&s);
}

/* ---- latency ---- */

static void
test_latency(void **state)
{
    struct uw_usec start, took;
    struct stand s;

    (void)state;
    stand_new(&s, "linux");
    stand_add(&s, "esp");
    uw_sim_set_latency(s.sim, uw_msec(200), uw_msec(20));
    stand_run(&s);
    wire_open_device(&w, &s, "1-1");
    start = uw_now();
    assert_int_equal(wire_control(&w, 0x80, 6, 0x0100, 0, bytes, 18), 18);
    took = uw_usec_sub(uw_now(), start);
    assert_true(took.us >= 200000);
    /* Forty at a time take no longer than one: it is latency, not the time that each takes. */
    start = uw_now();
    for (int i = 0; i < 40; i++)
        wire_submit_control(&w, 0x80, 6, 0x0100, 0, NULL, 18);
    for (int i = 0; i < 40; i++)
        assert_true(wire_next(&w, 1, &reply));
    took = uw_usec_sub(uw_now(), start);
    assert_true(took.us >= 200000 && took.us < 6000000);
    wire_close(&w);
    stand_end(&s);
}

/* ---- faults on purpose ---- */

static void
start_failing(struct stand *s, const char *spec)
{
    stand_new(s, "linux");
    stand_add(s, "source-sink");
    stand_fail(s, spec);
    stand_run(s);
    wire_open_device(&w, s, "1-1");
}

static void
end_failing(struct stand *s)
{
    wire_close(&w);
    stand_end(s);
}

static void
test_fail_specs(void **state)
{
    static const struct {
        const char *spec;
        int error;
    } rows[] = {
        {"stall", 0},
        {"drop:ep=0x81", 0},
        {"delay:ms=5,every=2,count=3", 0},
        {"close:at=payload", 0},
        {"close:at=header", 0},
        {"short:percent=50,seed=7", 0},
        {"gone:urb=3", 0},
        {"overlong:after=1", 0},
        {"melt", UW_ERROR_INVALID},
        {"", UW_ERROR_INVALID},
        {"stall:", UW_ERROR_INVALID},
        {"stall:ep", UW_ERROR_INVALID},
        {"stall:ep=", UW_ERROR_INVALID},
        {"stall:ep=0x100", UW_ERROR_INVALID},
        {"stall:ep=-1", UW_ERROR_INVALID},
        {"stall:urb=0", UW_ERROR_INVALID},
        {"stall:percent=101", UW_ERROR_INVALID},
        {"stall:colour=1", UW_ERROR_INVALID},
        {"stall:after=4294967296", UW_ERROR_INVALID},
        {"close:at=middle", UW_ERROR_INVALID},
    };
    struct uw_sim *sim;

    (void)state;
    assert_int_equal(uw_sim_new(NULL, &sim), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct uw_fault fault;
        int r = uw_sim_fail(sim, rows[i].spec, &fault);

        if (r != rows[i].error)
            fail_msg("%s: %d", rows[i].spec, r);
    }
    uw_sim_free(sim);
}

static void
test_fail_stall(void **state)
{
    struct stand s;

    (void)state;
    start_failing(&s, "stall:ep=0x81,urb=3");
    assert_int_equal(wire_read(&w, 0x81, bytes, 512), 512);
    assert_int_equal(wire_write(&w, 0x01, bytes, 512), 512); /* is not counted */
    assert_int_equal(wire_read(&w, 0x81, bytes, 512), 512);
    assert_int_equal(wire_read(&w, 0x81, bytes, 512), STALL);
    assert_int_equal(wire_read(&w, 0x81, bytes, 512), STALL); /* halted now */
    assert_int_equal(wire_control(&w, 0x02, 1, 0, 0x81, NULL, 0), 0);
    assert_int_equal(wire_read(&w, 0x81, bytes, 512), 512);
    end_failing(&s);
}

static void
test_fail_drop(void **state)
{
    struct stand s;
    uint32_t dropped, next;

    (void)state;
    start_failing(&s, "drop:ep=0x81,count=1");
    dropped = wire_submit(&w, 0x81, NULL, 512);
    next = wire_submit(&w, 0x81, NULL, 512);
    assert_true(wire_next(&w, 1, &reply));
    assert_int_equal(reply.pdu.seqnum, next);
    wire_unlink(&w, dropped);
    assert_true(wire_next(&w, 0, &reply));
    assert_int_equal(reply.pdu.command, UW_RET_UNLINK);
    assert_int_equal(reply.pdu.status, 0); /* there is nothing to take back */
    end_failing(&s);
}

static void
test_fail_delay(void **state)
{
    struct uw_usec start;
    struct stand s;
    uint32_t late, soon;

    (void)state;
    start_failing(&s, "delay:ep=0x81,ms=80");
    start = uw_now();
    wire_hold(&w);
    late = wire_submit(&w, 0x81, NULL, 512);
    soon = wire_submit(&w, 0x01, bytes, 512);
    wire_let_go(&w);
    assert_true(wire_next(&w, 0, &reply));
    assert_int_equal(reply.pdu.seqnum, soon);
    assert_true(wire_next(&w, 1, &reply));
    assert_int_equal(reply.pdu.seqnum, late);
    assert_int_equal(reply.size, 512);
    assert_true(uw_usec_sub(uw_now(), start).us >= 80000);
    /* What waits can be taken back, and is not answered after that. */
    wire_hold(&w);
    late = wire_submit(&w, 0x81, NULL, 512);
    wire_unlink(&w, late);
    wire_let_go(&w);
    assert_true(wire_next(&w, 0, &reply));
    assert_int_equal(reply.pdu.command, UW_RET_UNLINK);
    assert_int_equal(reply.pdu.status, -104);
    assert_int_equal(wire_read(&w, 0x81, bytes, 64), 64);
    end_failing(&s);
}

static void
test_fail_lengths(void **state)
{
    struct stand s;

    (void)state;
    start_failing(&s, "short:ep=0x81");
    assert_int_equal(wire_read(&w, 0x81, bytes, 512), 256);
    end_failing(&s);
    start_failing(&s, "overlong:ep=0x81,after=1");
    assert_int_equal(wire_read(&w, 0x81, bytes, 512), 512);
    assert_int_equal(wire_read(&w, 0x81, bytes, 512), 576);
    end_failing(&s);
}

static void
test_fail_gone(void **state)
{
    struct stand s;

    (void)state;
    start_failing(&s, "gone:ep=0x81,after=1");
    assert_int_equal(wire_read(&w, 0x81, bytes, 512), 512);
    assert_int_equal(wire_read(&w, 0x81, bytes, 512), -108);
    assert_false(wire_next(&w, 0, &reply)); /* Linux closes */
    wire_close(&w);
    wire_open(&w, &s);
    assert_int_equal(wire_import(&w, "1-1"), UW_OP_ST_NODEV);
    end_failing(&s);
}

/* The connection ends in the middle of an answer: after so many bytes of it. */
static void
test_fail_close(void **state)
{
    static const struct {
        const char *spec;
        size_t bytes;
    } rows[] = {{"close:ep=0x81,at=header", 24},
                {"close:ep=0x81,at=payload", 49},
                {"close:ep=0x81,at=0", 0},
                {"close:ep=0x81,at=100", 100}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct stand s;

        start_failing(&s, rows[i].spec);
        wire_submit(&w, 0x81, NULL, 512);
        assert_int_equal(wire_rest(&w), rows[i].bytes);
        end_failing(&s);
    }
}

/* every=3 strikes the first, the fourth and so on; a seed makes runs alike. */
static void
test_fail_schedules(void **state)
{
    struct stand s;
    uint64_t pattern[2] = {0, 0};

    (void)state;
    start_failing(&s, "short:ep=0x81,every=3,count=2");
    for (int i = 0; i < 9; i++)
        assert_int_equal(wire_read(&w, 0x81, bytes, 512), i == 0 || i == 3 ? 256 : 512);
    end_failing(&s);
    for (int run = 0; run < 2; run++) {
        start_failing(&s, "short:ep=0x81,percent=50,seed=42");
        for (int i = 0; i < 64; i++)
            pattern[run] = pattern[run] << 1 | (wire_read(&w, 0x81, bytes, 512) == 256);
        end_failing(&s);
    }
    assert_true(pattern[0] == pattern[1]);
    assert_true(pattern[0] != 0 && pattern[0] != UINT64_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_devices_by_name),
        cmocka_unit_test(test_specs),
        cmocka_unit_test(test_long_options),
        cmocka_unit_test(test_listening),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_imports),
        cmocka_unit_test(test_freed_by_host),
        cmocka_unit_test(test_two_devices),
        cmocka_unit_test(test_strictness),
        cmocka_unit_test(test_latency),
        cmocka_unit_test(test_fail_specs),
        cmocka_unit_test(test_fail_stall),
        cmocka_unit_test(test_fail_drop),
        cmocka_unit_test(test_fail_delay),
        cmocka_unit_test(test_fail_lengths),
        cmocka_unit_test(test_fail_gone),
        cmocka_unit_test(test_fail_close),
        cmocka_unit_test(test_fail_schedules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
