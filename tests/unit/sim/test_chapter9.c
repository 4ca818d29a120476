/*
 * test_chapter9.c - the standard requests, as every simulated device answers them
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <usbwire/descriptor.h>

#include "wire.h"

#define STALL (-32)

static struct stand stand;
static struct wire w;

/* 1-1 full speed, 1-2 high speed with two configurations, 2-1 SuperSpeed, 1-3 alternate settings.
 */
static int
set_up(void **state)
{
    (void)state;
    stand_new(&stand, "linux");
    stand_add(&stand, "esp:serial=abc");
    stand_add(&stand, "source-sink");
    stand_add(&stand, "source-sink:speed=super");
    stand_add(&stand, "loopback");
    stand_run(&stand);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    stand_end(&stand);
    return 0;
}

static int
close_device(void **state)
{
    (void)state;
    wire_close(&w);
    return 0;
}

static void
test_device_descriptor(void **state)
{
    static const uint8_t golden[18] = {18,   1,    0x00, 0x02, 0,    0, 0, 64, 0x3a,
                                       0x30, 0x04, 0x40, 0x00, 0x01, 1, 2, 3,  1};
    uint8_t bytes[64];

    (void)state;
    wire_open_device(&w, &stand, "1-1");
    assert_int_equal(wire_control(&w, 0x80, 6, 0x0100, 0, bytes, 64), 18);
    assert_memory_equal(bytes, golden, 18);
    assert_int_equal(wire_control(&w, 0x80, 6, 0x0100, 0, bytes, 8), 8);
    assert_int_equal(wire_control(&w, 0x80, 6, 0x0100, 0, bytes, 0), 0);
}

/* Each configuration is as long as it says, and a part of it is the beginning of the whole. */
static void
test_config_descriptors(void **state)
{
    uint8_t whole[512], head[9];

    (void)state;
    wire_open_device(&w, &stand, "1-2");
    for (uint16_t i = 0; i < 2; i++) {
        int size = wire_control(&w, 0x80, 6, (uint16_t)(0x0200 | i), 0, whole, sizeof(whole));
        struct uw_extra rest = {whole, 0}, one;
        int sum = 0;

        assert_true(size > 9);
        assert_int_equal(whole[2] | whole[3] << 8, size);
        assert_int_equal(whole[5], i + 1);
        assert_int_equal(wire_control(&w, 0x80, 6, (uint16_t)(0x0200 | i), 0, head, 9), 9);
        assert_memory_equal(head, whole, 9);
        rest.size = (size_t)size;
        while (uw_descriptor_next(&rest, &one))
            sum += (int)one.size;
        assert_int_equal(sum, size);
    }
    assert_int_equal(wire_control(&w, 0x80, 6, 0x0202, 0, whole, sizeof(whole)), STALL);
}

static void
test_strings(void **state)
{
    static const uint8_t languages[4] = {4, 3, 0x09, 0x04}, serial[8] = {8, 3, 'a', 0, 'b', 0, 'c'};
    uint8_t bytes[255];

    (void)state;
    wire_open_device(&w, &stand, "1-1");
    assert_int_equal(wire_control(&w, 0x80, 6, 0x0300, 0, bytes, 255), 4);
    assert_memory_equal(bytes, languages, 4);
    assert_int_equal(wire_control(&w, 0x80, 6, 0x0303, 0x0409, bytes, 255), 8);
    assert_memory_equal(bytes, serial, 8);
    assert_int_equal(wire_control(&w, 0x80, 6, 0x0303, 0x0409, bytes, 4), 4);
    assert_int_equal(wire_control(&w, 0x80, 6, 0x0307, 0x0409, bytes, 255), STALL);
    assert_int_equal(wire_control(&w, 0x80, 6, 0x03ff, 0x0409, bytes, 255), STALL);
}

/* The qualifier is a high-speed device's, the BOS a SuperSpeed device's. */
static void
test_speeds(void **state)
{
    static const struct {
        const char *busid;
        int qualifier, bos;
        uint8_t packet_size;
    } rows[] = {{"1-1", STALL, STALL, 64}, {"1-2", 10, STALL, 64}, {"2-1", STALL, 22, 9}};
    uint8_t bytes[64];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (i)
            wire_close(&w);
        wire_open_device(&w, &stand, rows[i].busid);
        assert_int_equal(wire_control(&w, 0x80, 6, 0x0600, 0, bytes, 64), rows[i].qualifier);
        assert_int_equal(wire_control(&w, 0x80, 6, 0x0700, 0, bytes, 64),
                         rows[i].qualifier == STALL ? STALL : 62);
        assert_int_equal(wire_control(&w, 0x80, 6, 0x0f00, 0, bytes, 64), rows[i].bos);
        assert_int_equal(wire_control(&w, 0x80, 6, 0x0100, 0, bytes, 18), 18);
        assert_int_equal(bytes[7], rows[i].packet_size);
    }
}

/* USB 2.0 9.6.4: the same configuration, with what full speed allows. */
static void
test_other_speed(void **state)
{
    uint8_t now[64], other[64];

    (void)state;
    wire_open_device(&w, &stand, "1-2");
    assert_int_equal(wire_control(&w, 0x80, 6, 0x0200, 0, now, sizeof(now)), 62);
    assert_int_equal(wire_control(&w, 0x80, 6, 0x0700, 0, other, sizeof(other)), 62);
    assert_int_equal(other[1], 7);
    /* Alternate setting 0: bulk 0x81, 512 bytes; 64 at full speed. */
    assert_memory_equal(now + 18, "\x07\x05\x81\x02\x00\x02\x00", 7);
    assert_memory_equal(other + 18, "\x07\x05\x81\x02\x40\x00\x00", 7);
    /* Alternate setting 1: interrupt 0x82, 64 bytes, 2^3 microframes; a millisecond. */
    assert_memory_equal(now + 62 - 7, "\x07\x05\x82\x03\x40\x00\x04", 7);
    assert_memory_equal(other + 62 - 7, "\x07\x05\x82\x03\x40\x00\x01", 7);
    assert_int_equal(wire_control(&w, 0x80, 6, 0x0702, 0, other, sizeof(other)), STALL);
}

static void
test_configuration(void **state)
{
    uint8_t value = 9, bytes[512];

    (void)state;
    wire_open_unconfigured(&w, &stand, "1-2");
    assert_int_equal(wire_control(&w, 0x80, 8, 0, 0, &value, 1), 1);
    assert_int_equal(value, 0); /* as Linux exports them: nothing configured it */
    assert_int_equal(wire_control(&w, 0x00, 9, 3, 0, NULL, 0), STALL);
    assert_int_equal(wire_control(&w, 0x00, 9, 2, 0, NULL, 0), 0);
    assert_int_equal(wire_control(&w, 0x80, 8, 0, 0, &value, 1), 1);
    assert_int_equal(value, 2);
    /* Only its endpoints are there now. */
    assert_int_equal(wire_read(&w, 0x83, bytes, 512), 512);
    wire_close(&w);
    /* The next import finds it as it was. */
    wire_open_unconfigured(&w, &stand, "1-2");
    assert_int_equal(wire_control(&w, 0x80, 8, 0, 0, &value, 1), 1);
    assert_int_equal(value, 0);
}

static void
test_altsettings(void **state)
{
    uint8_t value = 9;

    (void)state;
    wire_open_device(&w, &stand, "1-3");
    assert_int_equal(wire_control(&w, 0x81, 10, 0, 1, &value, 1), 1);
    assert_int_equal(value, 0);
    assert_int_equal(wire_control(&w, 0x01, 11, 1, 1, NULL, 0), 0);
    assert_int_equal(wire_control(&w, 0x81, 10, 0, 1, &value, 1), 1);
    assert_int_equal(value, 1);
    assert_int_equal(wire_control(&w, 0x01, 11, 2, 1, NULL, 0), STALL);
    assert_int_equal(wire_control(&w, 0x01, 11, 0, 2, NULL, 0), STALL);
    assert_int_equal(wire_control(&w, 0x81, 10, 0, 9, &value, 1), STALL);
    /* SET_CONFIGURATION puts them back. */
    assert_int_equal(wire_control(&w, 0x00, 9, 1, 0, NULL, 0), 0);
    assert_int_equal(wire_control(&w, 0x81, 10, 0, 1, &value, 1), 1);
    assert_int_equal(value, 0);
    /* Unconfigured there are none. */
    assert_int_equal(wire_control(&w, 0x00, 9, 0, 0, NULL, 0), 0);
    assert_int_equal(wire_control(&w, 0x81, 10, 0, 1, &value, 1), STALL);
}

static void
test_halt(void **state)
{
    uint8_t status[2], bytes[512] = "data";

    (void)state;
    wire_open_device(&w, &stand, "1-1");
    assert_int_equal(wire_control(&w, 0x02, 3, 0, 0x01, NULL, 0), 0);
    assert_int_equal(wire_control(&w, 0x82, 0, 0, 0x01, status, 2), 2);
    assert_int_equal(status[0], 1);
    assert_int_equal(wire_write(&w, 0x01, bytes, 4), STALL);
    assert_int_equal(wire_control(&w, 0x82, 0, 0, 0x81, status, 2), 2);
    assert_int_equal(status[0], 0); /* the other direction is not concerned */
    assert_int_equal(wire_control(&w, 0x02, 1, 0, 0x01, NULL, 0), 0);
    assert_int_equal(wire_control(&w, 0x82, 0, 0, 0x01, status, 2), 2);
    assert_int_equal(status[0], 0);
    assert_int_equal(wire_write(&w, 0x01, bytes, 4), 4);
    assert_int_equal(wire_control(&w, 0x02, 3, 1, 0x01, NULL, 0), STALL); /* no such feature */
}

/* A read that waits is failed by a halt, and one that comes later as well. */
static void
test_halt_fails_what_waits(void **state)
{
    static struct wire_reply reply;
    uint32_t read;

    (void)state;
    wire_open_device(&w, &stand, "1-3");
    read = wire_submit(&w, 0x81, NULL, 64);
    wire_submit_control(&w, 0x02, 3, 0, 0x81, NULL, 0);
    assert_true(wire_next(&w, 1, &reply));
    assert_int_equal(reply.pdu.seqnum, read);
    assert_int_equal(reply.pdu.status, STALL);
    assert_true(wire_next(&w, 0, &reply));
    assert_int_equal(reply.pdu.status, 0);
}

/* SET_FEATURE(PORT_RESET), as vhci puts a reset: the configuration comes back, data does not. */
static void
test_port_reset(void **state)
{
    uint8_t value, bytes[64] = "lost";
    static struct wire_reply reply;
    uint32_t read;

    (void)state;
    wire_open_device(&w, &stand, "1-3");
    assert_int_equal(wire_write(&w, 0x01, bytes, 4), 4);
    assert_int_equal(wire_control(&w, 0x23, 3, 4, 1, NULL, 0), 0);
    assert_int_equal(wire_control(&w, 0x80, 8, 0, 0, &value, 1), 1);
    assert_int_equal(value, 1);
    read = wire_submit(&w, 0x81, NULL, 64);
    wire_submit(&w, 0x01, "new", 3);
    for (int i = 0; i < 2; i++) {
        assert_true(wire_next(&w, i == 1, &reply));
        if (reply.pdu.seqnum == read) {
            assert_int_equal(reply.size, 3);
            assert_memory_equal(reply.data, "new", 3);
        }
    }
    assert_int_equal(reply.pdu.seqnum, read);
}

static void
test_unknown_requests(void **state)
{
    static const struct {
        uint8_t type, request;
        uint16_t value;
    } rows[] = {{0x80, 6, 0x0400}, {0x80, 7, 0}, {0xc0, 0x55, 0}, {0xa1, 1, 0}, {0x9f, 0, 0}};
    uint8_t bytes[64];

    (void)state;
    wire_open_device(&w, &stand, "1-1");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(
            wire_control(&w, rows[i].type, rows[i].request, rows[i].value, 0, bytes, 64), STALL);
    assert_int_equal(wire_control(&w, 0x80, 0, 0, 0, bytes, 2), 2); /* and it goes on */
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, close_device)
    const struct CMUnitTest tests[] = {
        TEST(test_device_descriptor),
        TEST(test_config_descriptors),
        TEST(test_strings),
        TEST(test_speeds),
        TEST(test_other_speed),
        TEST(test_configuration),
        TEST(test_altsettings),
        TEST(test_halt),
        TEST(test_halt_fails_what_waits),
        TEST(test_port_reset),
        TEST(test_unknown_requests),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
