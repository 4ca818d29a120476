/*
 * PL2303: which of its kinds a chip is, and what each wants. The facts are those of Linux's driver.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "plans.h"

static void
test_pl2303(void **state)
{
    struct serial_chip c = {.driver = &serial_pl2303, .type = 1, .bcd_usb = 0x0200};
    struct serial_line plain = plan_line(115200, "8N1"), flow = plain,
                       before = plan_line(300, "8N1");
    static const uint8_t state_bytes[10] = {0xa1, 0x20, 0, 0, 0, 0, 2, 0, 0xf6, 0};

    (void)state;
    assert_string_equal(plan_open(&c), "c0 01 8484 0000 +1; 40 01 0404 0000; c0 01 8484 0000 +1; "
                                       "c0 01 8383 0000 +1; c0 01 8484 0000 +1; 40 01 0404 0001; "
                                       "c0 01 8484 0000 +1; c0 01 8383 0000 +1; 40 01 0000 0001; "
                                       "40 01 0001 0000; 40 01 0002 0044");
    assert_string_equal(plan_setting(&c, &before, plain), "21 20 0000 0000 =00c20100000008");
    /* 384 MHz / (384 * 4) */
    assert_string_equal(plan_setting(&c, &before, plan_line(250000, "7E2")),
                        "21 20 0000 0000 =80030080020207");
    assert_int_equal(c.actual_baud, 250000);
    assert_string_equal(plan_setting(&c, &before, plan_line(6000001, "8N1")), "refused");
    /* What is as it was is not sent again: some chips lose bytes by it. */
    flow.flow = UW_FLOW_RTS_CTS;
    assert_string_equal(plan_setting(&c, &plain, flow), "40 01 0000 0061");
    flow.flow = UW_FLOW_XON_XOFF;
    assert_string_equal(plan_setting(&c, &plain, flow), "40 01 0000 00c1");
    flow.xon = 'x';
    assert_string_equal(plan_setting(&c, &plain, flow), "refused");
    assert_string_equal(plan_lines(&c, UW_LINE_RTS, 3), "21 22 0002 0000");
    assert_string_equal(plan_break(&c, 1), "21 23 ffff 0000");
    assert_string_equal(plan_purge(&c, UW_SERIAL_INPUT | UW_SERIAL_OUTPUT),
                        "40 01 0008 0000; 40 01 0009 0000");
    c.driver->notified(&c, state_bytes, sizeof(state_bytes));
    assert_int_equal(c.inputs.lines, UW_LINE_CTS | UW_LINE_DSR);
    assert_int_equal(c.inputs.breaks, 1);
    assert_int_equal(c.inputs.overrun, 1);
}

static void
test_pl2303_ta(void **state)
{
    struct serial_chip c = {.driver = &serial_pl2303, .type = 3};
    struct serial_line before = plan_line(9600, "8N1");

    (void)state;
    /* 384 MHz / (1536 * 2^0) and / (1920 * 2^1) */
    assert_string_equal(plan_setting(&c, &before, plan_line(250000, "8N1")),
                        "21 20 0000 0000 =00060080000008");
    assert_string_equal(plan_setting(&c, &before, plan_line(100000, "8N1")),
                        "21 20 0000 0000 =80070180000008");
    assert_int_equal(c.actual_baud, 100000);
}

/* A port of a PL2303 whose device descriptor says this. */
static struct serial_chip
pl2303(uint16_t bcd_usb, uint16_t bcd_device, uint8_t device_class, uint8_t max_packet0)
{
    static const uint8_t bytes[] = {9, 2,    39, 0,  1, 1, 0, 0x80, 50,   9,  4,  0, 0,
                                    3, 0xff, 0,  0,  0, 7, 5, 0x81, 3,    10, 0,  1, 7,
                                    5, 0x02, 2,  64, 0, 0, 7, 5,    0x83, 2,  64, 0, 0};
    struct uw_device_descriptor d = {.bcdUSB = bcd_usb,
                                     .bcdDevice = bcd_device,
                                     .bDeviceClass = device_class,
                                     .bMaxPacketSize0 = max_packet0,
                                     .idVendor = 0x067b,
                                     .idProduct = 0x2303};
    struct uw_config *config = NULL;
    struct serial_chip c;

    assert_int_equal(uw_config_parse(bytes, sizeof(bytes), &config), 0);
    assert_int_equal(serial_chip_at(&d, config, 0, &c), 1);
    uw_config_free(config);
    return c;
}

/* By its numbers where those are enough: a question that it stalls wedges some servers. */
static void
test_pl2303_kinds(void **state)
{
    static const char *const both = "c0 01 8080 0000 +1; c0 81 000a 0000 +1";
    static const char *const hxn = "c0 81 000a 0000 +1";
    static const struct {
        uint16_t bcd_usb, bcd_device;
        uint8_t device_class, max_packet0;
        const char *asked, *answering, *stalling;
        unsigned max_baud;
    } rows[] = {
        {0x0110, 0x0300, 2, 64, "", "PL2303H", "PL2303H", 1228800},
        {0x0110, 0x0202, 0, 8, "", "PL2303H", "PL2303H", 1228800},
        {0x0110, 0x0300, 0, 64, "", "PL2303HX", "PL2303HX", 6000000},
        {0x0110, 0x0400, 0, 64, "", "PL2303HXD", "PL2303HXD", 12000000},
        {0x0200, 0x0100, 0, 64, hxn, "PL2303G", "PL2303G", 12000000},
        {0x0200, 0x0300, 0, 64, both, "PL2303TA", "PL2303G", 6000000},
        {0x0200, 0x0500, 0, 64, both, "PL2303TB", "PL2303G", 12000000},
        {0x0200, 0x1005, 0, 64, hxn, "PL2303G", "PL2303G", 12000000},
        {0x0200, 0x7777, 0, 64, both, "PL2303HX", "PL2303G", 6000000},
    };
    static const uint8_t zero = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct serial_chip c =
            pl2303(rows[i].bcd_usb, rows[i].bcd_device, rows[i].device_class, rows[i].max_packet0);
        struct serial_chip other = c;
        struct serial_plan plan = {0};

        c.driver->identify(&c, &plan);
        assert_string_equal(plan_text(&plan), rows[i].asked);
        for (unsigned k = 0; k < plan.count; k++)
            assert_true(plan.requests[k].optional);
        if (plan.count) {
            c.driver->learn(&c, 0, &zero, 1);
            other.driver->learn(&other, 0, NULL, UW_ERROR_STALL);
        }
        assert_string_equal(c.name, rows[i].answering);
        assert_string_equal(other.name, rows[i].stalling);
        assert_string_not_equal(plan_setting(&c, NULL, plan_line(rows[i].max_baud, "8N1")),
                                "refused");
        assert_string_equal(plan_setting(&c, NULL, plan_line(rows[i].max_baud + 1, "8N1")),
                            "refused");
    }
}

static void
test_pl2303_h(void **state)
{
    struct serial_chip c = pl2303(0x0110, 0x0300, 2, 64);
    struct serial_line plain = plan_line(9600, "8N1"), flow = plain;

    (void)state;
    flow.flow = UW_FLOW_RTS_CTS;
    assert_string_equal(plan_setting(&c, &plain, flow), "40 01 0000 0041");
    flow.flow = UW_FLOW_XON_XOFF;
    assert_string_equal(plan_setting(&c, &plain, flow), "refused");
    assert_string_equal(plan_purge(&c, UW_SERIAL_INPUT), "a1 21 0000 0000 +7");
}

static void
test_pl2303_hxn(void **state)
{
    struct serial_chip c = pl2303(0x0200, 0x0300, 0, 64);
    struct serial_line plain = plan_line(9600, "8N1"), flow = plain;
    static const uint8_t found = 0xff;

    (void)state;
    c.driver->learn(&c, 0, NULL, UW_ERROR_STALL);
    c.driver->learn(&c, 1, &found, 1);
    assert_string_equal(plan_open(&c), "");
    assert_string_equal(plan_setting(&c, NULL, plan_line(1234567, "8N1")),
                        "21 20 0000 0000 =87d61200000008; 40 80 000a 00ff");
    flow.flow = UW_FLOW_RTS_CTS;
    assert_string_equal(plan_setting(&c, &plain, flow), "40 80 000a 00fb");
    assert_string_equal(plan_purge(&c, UW_SERIAL_INPUT), "40 80 0007 0002");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pl2303),       cmocka_unit_test(test_pl2303_ta),
        cmocka_unit_test(test_pl2303_kinds), cmocka_unit_test(test_pl2303_h),
        cmocka_unit_test(test_pl2303_hxn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
