/*
 * test_devices.c - what each simulated device does at its endpoints
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire.h"

#define STALL    (-32)
#define OVERFLOW (-75)

static struct stand stand;
static struct wire w;
static struct wire_reply reply;
static uint8_t bytes[1 << 17];

/* One of each; 1-1 and so on in this order, all at less than SuperSpeed. */
static int
set_up(void **state)
{
    (void)state;
    stand_new(&stand, "linux");
    stand_add(&stand, "esp");
    stand_add(&stand, "acm-echo");
    stand_add(&stand, "source-sink");
    stand_add(&stand, "loopback");
    stand_add(&stand, "keyboard:type=a1/");
    stand_add(&stand, "source-sink:gadget=1");
    stand_add(&stand, "faulty");
    stand_add(&stand, "cmsis-dap");
    stand_add(&stand, "usbasp");
    stand_add(&stand, "fx2");
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

/* The next reply is to that submit, and succeeded. */
static void
expect(uint32_t seqnum, int in, size_t size)
{
    assert_true(wire_next(&w, in, &reply));
    assert_int_equal(reply.pdu.seqnum, seqnum);
    assert_int_equal(reply.pdu.status, 0);
    assert_int_equal(reply.pdu.length, size);
}

static void
test_esp_stores(void **state)
{
    uint8_t word[4];

    (void)state;
    wire_open_device(&w, &stand, "1-1");
    memset(bytes, 0x5a, 4096);
    assert_int_equal(wire_control(&w, 0x40, 1, 0, 0, bytes, 4096), 4096);
    memset(bytes, 0, 4096);
    assert_int_equal(wire_control(&w, 0xc0, 1, 0, 0, bytes, 4097), 4096);
    assert_true(bytes[0] == 0x5a && bytes[4095] == 0x5a);
    assert_int_equal(wire_control(&w, 0x40, 1, 0, 0, bytes, 4097), STALL);
    assert_int_equal(wire_control(&w, 0xc0, 2, 0x1234, 0x5678, word, 4), 4);
    assert_memory_equal(word, "\x34\x12\x78\x56", 4);
    assert_int_equal(wire_control(&w, 0xc0, 3, 0, 0, word, 4), 4);
    assert_memory_equal(word, "\x05\0\0\0", 4);
    assert_int_equal(wire_control(&w, 0x40, 2, 0, 0, NULL, 0), STALL);
}

/* A read ends at a short packet, at the end of what was written, and when it is full. */
static void
test_esp_echoes(void **state)
{
    uint32_t first, second, third;

    (void)state;
    wire_open_device(&w, &stand, "1-1");
    for (int i = 0; i < 128; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(wire_write(&w, 0x01, bytes, 100), 100);
    assert_int_equal(wire_write(&w, 0x01, bytes, 64), 64);
    assert_int_equal(wire_write(&w, 0x01, bytes, 0), 0);
    first = wire_submit(&w, 0x81, NULL, 1024);
    second = wire_submit(&w, 0x81, NULL, 64);
    third = wire_submit(&w, 0x81, NULL, 64);
    expect(first, 1, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(reply.data[i], i);
    expect(second, 1, 64);
    expect(third, 1, 0);
}

/* A packet that has no room is an overflow; what had room is given. */
static void
test_esp_babble(void **state)
{
    (void)state;
    wire_open_device(&w, &stand, "1-1");
    assert_int_equal(wire_write(&w, 0x01, "0123456789", 10), 10);
    wire_submit(&w, 0x81, NULL, 4);
    assert_true(wire_next(&w, 1, &reply));
    assert_int_equal(reply.pdu.status, OVERFLOW);
    assert_int_equal(reply.size, 4);
    assert_memory_equal(reply.data, "0123", 4);
}

/* What nobody reads ends at 4 MiB, in a stall and not in the bench's memory. */
static void
test_esp_is_bounded(void **state)
{
    int r = 0;

    (void)state;
    wire_open_device(&w, &stand, "1-1");
    for (int i = 0; i < 64; i++)
        assert_int_equal(wire_write(&w, 0x01, bytes, 65536), 65536);
    r = wire_write(&w, 0x01, bytes, 1);
    assert_int_equal(r, STALL);
}

static void
test_acm(void **state)
{
    static const uint8_t coding[7] = {0x80, 0x25, 0, 0, 0, 0, 8}, on[2] = {3, 0};
    uint8_t got[7];
    uint32_t read;

    (void)state;
    wire_open_device(&w, &stand, "1-2");
    memcpy(bytes, coding, 7);
    assert_int_equal(wire_control(&w, 0xa1, 0x21, 0, 0, got, 7), 7);
    assert_memory_equal(got, "\x00\xc2\x01\x00\x00\x00\x08", 7); /* 115200 8N1 */
    assert_int_equal(wire_control(&w, 0x21, 0x20, 0, 0, bytes, 7), 7);
    assert_int_equal(wire_control(&w, 0xa1, 0x21, 0, 0, got, 7), 7);
    assert_memory_equal(got, coding, 7);
    assert_int_equal(wire_control(&w, 0x21, 0x20, 0, 0, bytes, 6), STALL);
    /* DTR brings carrier and DSR. */
    assert_int_equal(wire_control(&w, 0x21, 0x22, 1, 0, NULL, 0), 0);
    wire_submit_interrupt(&w, 0x83, NULL, 16);
    assert_true(wire_next(&w, 1, &reply));
    assert_int_equal(reply.size, 10);
    assert_memory_equal(reply.data, "\xa1\x20\0\0\0\0\x02\0", 8);
    assert_memory_equal(reply.data + 8, on, 2);
    read = wire_submit(&w, 0x82, NULL, 64);
    wire_submit(&w, 0x02, "hello", 5);
    assert_true(wire_next(&w, 0, &reply));
    assert_int_equal(reply.pdu.length, 5);
    expect(read, 1, 5);
    assert_memory_equal(reply.data, "hello", 5);
}

static void
test_source_and_sink(void **state)
{
    uint8_t count[8];

    (void)state;
    wire_open_device(&w, &stand, "1-3");
    assert_int_equal(wire_read(&w, 0x81, bytes, 70000), 70000);
    for (int i = 0; i < 70000; i++)
        if (bytes[i] != (uint8_t)i)
            fail_msg("byte %d is %u", i, bytes[i]);
    assert_int_equal(wire_read(&w, 0x81, bytes, 1), 1);
    assert_int_equal(bytes[0], 70000 % 256);
    assert_int_equal(wire_write(&w, 0x01, bytes, 65536), 65536);
    assert_int_equal(wire_write(&w, 0x01, bytes, 1), 1);
    assert_int_equal(wire_control(&w, 0xc0, 1, 0, 0, count, 8), 8);
    assert_memory_equal(count, "\x01\0\x01\0\0\0\0\0", 8);
    assert_int_equal(wire_control(&w, 0x40, 1, 0, 0, NULL, 0), 0);
    assert_int_equal(wire_control(&w, 0xc0, 1, 0, 0, count, 8), 8);
    assert_memory_equal(count, "\0\0\0\0\0\0\0\0", 8);
    /* The interrupt source is alternate setting 1's. */
    assert_int_equal(wire_control(&w, 0x01, 11, 1, 0, NULL, 0), 0);
    wire_submit_interrupt(&w, 0x82, NULL, 64);
    assert_true(wire_next(&w, 1, &reply));
    assert_int_equal(reply.size, 64);
}

/* What the kernel's usbtest asks of a device. */
static void
test_gadget_zero(void **state)
{
    static const uint8_t zeros[600];
    uint8_t sent[600], got[1000];

    (void)state;
    wire_open_device(&w, &stand, "1-6");
    assert_int_equal(wire_read(&w, 0x81, bytes, sizeof(zeros)), sizeof(zeros));
    assert_memory_equal(bytes, zeros, sizeof(zeros));
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (uint8_t)(i * 7);
    assert_int_equal(wire_control(&w, 0x40, 0x5b, 0, 0, sent, sizeof(sent)), sizeof(sent));
    assert_int_equal(wire_control(&w, 0xc0, 0x5c, 0, 0, got, sizeof(got)), sizeof(sent));
    assert_memory_equal(got, sent, sizeof(sent));
    assert_int_equal(wire_control(&w, 0xc0, 0x5c, 0, 0, got, 10), 10);
}

static void
test_loopback_interrupt(void **state)
{
    uint32_t read;

    (void)state;
    wire_open_device(&w, &stand, "1-4");
    read = wire_submit_interrupt(&w, 0x82, NULL, 64);
    wire_submit_interrupt(&w, 0x02, "int", 3);
    assert_true(wire_next(&w, 0, &reply));
    assert_int_equal(reply.pdu.status, 0);
    expect(read, 1, 3);
    assert_memory_equal(reply.data, "int", 3);
}

/* Packets one for one, in order, and empty ones when there is nothing; frames count on. */
static void
test_loopback_iso(void **state)
{
    uint32_t read;
    int32_t frame;

    (void)state;
    wire_open_device(&w, &stand, "1-4");
    assert_int_equal(wire_control(&w, 0x01, 11, 1, 1, NULL, 0), 0);
    for (int i = 0; i < 300; i++)
        bytes[i] = (uint8_t)i;
    expect(wire_submit_iso(&w, 0x03, bytes, 3, 100), 0, 300);
    frame = reply.pdu.start_frame;
    read = wire_submit_iso(&w, 0x83, NULL, 4, 128);
    expect(read, 1, 300);
    assert_int_equal(reply.pdu.start_frame, frame + 3);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(reply.iso[i].actual, i < 3 ? 100 : 0);
        assert_int_equal(reply.iso[i].status, 0);
        assert_int_equal(reply.iso[i].offset, i * 128);
    }
    for (int i = 0; i < 300; i++)
        assert_int_equal(reply.data[i], (uint8_t)i);
    /* A packet that has no room. */
    expect(wire_submit_iso(&w, 0x03, bytes, 1, 100), 0, 100);
    wire_submit_iso(&w, 0x83, NULL, 1, 60);
    assert_true(wire_next(&w, 1, &reply));
    assert_int_equal(reply.pdu.error_count, 1);
    assert_int_equal(reply.iso[0].status, OVERFLOW);
    assert_int_equal(reply.iso[0].actual, 60);
}

/* "a1/" typed: a key goes down and up again, in boot reports (HID 1.11 B.1). */
static void
test_keyboard(void **state)
{
    static const uint8_t keys[] = {0x04, 0, 0x1e, 0, 0x28, 0};
    uint8_t descriptor[128];

    (void)state;
    wire_open_device(&w, &stand, "1-5");
    assert_int_equal(wire_control(&w, 0x81, 6, 0x2200, 0, descriptor, 128), 63);
    assert_memory_equal(descriptor, "\x05\x01\x09\x06\xa1\x01", 6);
    bytes[0] = 2;
    assert_int_equal(wire_control(&w, 0x21, 9, 0x0200, 0, bytes, 1), 1);
    assert_int_equal(wire_control(&w, 0xa1, 1, 0x0200, 0, descriptor, 1), 1);
    assert_int_equal(descriptor[0], 2); /* the LEDs */
    for (size_t i = 0; i < sizeof(keys); i++) {
        wire_submit_interrupt(&w, 0x81, NULL, 8);
        assert_true(wire_next(&w, 1, &reply));
        assert_int_equal(reply.size, 8);
        assert_int_equal(reply.data[2], keys[i]);
    }
}

static void
test_cmsis_dap(void **state)
{
    (void)state;
    wire_open_device(&w, &stand, "1-8");
    memcpy(bytes, "\x00\x04", 2); /* DAP_Info, version */
    assert_int_equal(wire_write(&w, 0x01, bytes, 2), 2);
    assert_int_equal(wire_read(&w, 0x81, bytes, 512), 8);
    assert_memory_equal(bytes,
                        "\x00\x06"
                        "2.1.0",
                        8);
    memcpy(bytes, "\x05\x00\x01\x02", 4); /* DAP_Transfer: nobody answers */
    assert_int_equal(wire_write(&w, 0x01, bytes, 4), 4);
    assert_int_equal(wire_read(&w, 0x81, bytes, 512), 3);
    assert_int_equal(bytes[2], 7);
}

static void
test_usbasp(void **state)
{
    (void)state;
    wire_open_device(&w, &stand, "1-9");
    assert_int_equal(wire_control(&w, 0xc0, 3, 0x0030, 0x0001, bytes, 4), 4); /* 30 00 01 00 */
    assert_int_equal(bytes[3], 0x95);
    assert_int_equal(wire_control(&w, 0xc0, 9, 0x0100, 0, bytes, 4), 4);
    memcpy(bytes, "page", 4);
    assert_int_equal(wire_control(&w, 0x40, 6, 0, 0, bytes, 4), 4);
    assert_int_equal(wire_control(&w, 0xc0, 9, 0x0100, 0, bytes, 4), 4);
    assert_int_equal(wire_control(&w, 0xc0, 4, 0, 0, bytes, 5), 5);
    assert_memory_equal(bytes, "page\xff", 5);
}

static void
test_fx2(void **state)
{
    (void)state;
    wire_open_device(&w, &stand, "1-10");
    memcpy(bytes, "code", 4);
    assert_int_equal(wire_control(&w, 0x40, 0xa0, 0x1000, 0, bytes, 4), 4);
    assert_int_equal(wire_control(&w, 0xc0, 0xa0, 0x0fff, 0, bytes, 6), 6);
    assert_memory_equal(bytes, "\0code\0", 6);
    assert_int_equal(wire_control(&w, 0xc0, 0xa0, 0xfffe, 0, bytes, 6), 2); /* the end */
    assert_int_equal(wire_control(&w, 0xc0, 0xa1, 0, 0, bytes, 6), STALL);
}

static void
test_faulty_endpoints(void **state)
{
    uint32_t read;

    (void)state;
    wire_open_device(&w, &stand, "1-7");
    assert_int_equal(wire_read(&w, 0x81, bytes, 64), STALL);
    assert_int_equal(wire_write(&w, 0x01, bytes, 64), STALL);
    wire_submit(&w, 0x83, NULL, 64);
    assert_true(wire_next(&w, 1, &reply));
    assert_int_equal(reply.pdu.status, OVERFLOW);
    assert_int_equal(wire_read(&w, 0x84, bytes, 64), 32);
    assert_int_equal(wire_control(&w, 0x40, 0x13, 0, 0, NULL, 0), STALL);
    /* A read that never ends, a control request that never ends: both can be taken back. */
    read = wire_submit(&w, 0x82, NULL, 64);
    wire_unlink(&w, read);
    assert_true(wire_next(&w, 0, &reply));
    assert_int_equal(reply.pdu.command, UW_RET_UNLINK);
    assert_int_equal(reply.pdu.status, -104);
    read = wire_submit_control(&w, 0x40, 0x12, 0, 0, NULL, 0);
    wire_unlink(&w, read);
    assert_true(wire_next(&w, 0, &reply));
    assert_int_equal(reply.pdu.command, UW_RET_UNLINK);
    assert_int_equal(reply.pdu.status, -104);
}

/* It comes back as another product at the same place; the connection to the old one ends. */
static void
test_faulty_bootloader(void **state)
{
    struct uw_device_list *list;
    uint32_t read;

    (void)state;
    wire_open_device(&w, &stand, "1-7");
    read = wire_submit(&w, 0x82, NULL, 64);
    wire_submit_control(&w, 0x40, 0x11, 0, 0, NULL, 0);
    assert_true(wire_next(&w, 0, &reply));
    assert_int_equal(reply.pdu.seqnum, read);
    assert_int_equal(reply.pdu.status, -108);
    assert_true(wire_next(&w, 0, &reply));
    assert_false(wire_next(&w, 0, &reply));
    wire_close(&w);
    wire_open(&w, &stand);
    list = wire_list(&w);
    assert_int_equal(list->count, 10);
    assert_string_equal(list->infos[6].busid, "1-7");
    assert_int_equal(list->infos[6].pid, 0x00b0);
    uw_device_list_free(list);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, close_device)
    const struct CMUnitTest tests[] = {
        TEST(test_esp_stores),
        TEST(test_esp_echoes),
        TEST(test_esp_babble),
        TEST(test_esp_is_bounded),
        TEST(test_acm),
        TEST(test_source_and_sink),
        TEST(test_gadget_zero),
        TEST(test_loopback_interrupt),
        TEST(test_loopback_iso),
        TEST(test_keyboard),
        TEST(test_cmsis_dap),
        TEST(test_usbasp),
        TEST(test_fx2),
        TEST(test_faulty_endpoints),
        TEST(test_faulty_bootloader),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
