/*
 * The drivers by themselves: which requests bring a chip where, and what its bytes mean.
 *
 * Divisors: FTDI's AN_232B-05 and AN_120; Silicon Labs' AN571 and AN205; for CH34x the registers
 * that Linux 6.1's driver writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plans.h"

/* ---- CDC-ACM: PSTN 1.2 ---- */

static void
test_cdc_acm(void **state)
{
    struct serial_chip c = {.driver = &serial_cdc_acm, .interface = 3, .capabilities = 6};
    struct serial_line odd = plan_line(9600, "7O1"), rtscts = plan_line(9600, "8N1");
    static const uint8_t ring[] = {0xa1, 0x20, 0, 0, 3, 0, 2, 0, 0x0b, 0};
    static const uint8_t errors[] = {0xa1, 0x20, 0, 0, 3, 0, 2, 0, 0x74, 0};

    (void)state;
    assert_string_equal(plan_setting(&c, NULL, plan_line(115200, "8N1")),
                        "21 20 0000 0003 =00c20100000008");
    assert_string_equal(plan_setting(&c, &odd, plan_line(300, "5E2")),
                        "21 20 0000 0003 =2c010000020205");
    rtscts.flow = UW_FLOW_RTS_CTS;
    assert_string_equal(plan_setting(&c, NULL, rtscts), "refused");
    assert_string_equal(plan_lines(&c, UW_LINE_DTR, UW_LINE_DTR), "21 22 0001 0003");
    assert_string_equal(plan_lines(&c, UW_LINE_RTS, UW_LINE_DTR | UW_LINE_RTS), "21 22 0002 0003");
    assert_string_equal(plan_break(&c, 1), "21 23 ffff 0003");
    assert_string_equal(plan_break(&c, 0), "21 23 0000 0003");
    c.driver->notified(&c, ring, sizeof(ring));
    assert_int_equal(c.inputs.lines, UW_LINE_CTS | UW_LINE_DCD | UW_LINE_DSR | UW_LINE_RI);
    c.driver->notified(&c, errors, sizeof(errors));
    assert_int_equal(c.inputs.lines, UW_LINE_CTS);
    assert_int_equal(c.inputs.breaks, 1);
    assert_int_equal(c.inputs.framing, 1);
    assert_int_equal(c.inputs.parity, 1);
    assert_int_equal(c.inputs.overrun, 1);
    c.driver->notified(&c, ring, sizeof(ring) - 1);
    assert_int_equal(c.inputs.lines, UW_LINE_CTS);
}

/* ---- CP210x: AN571 ---- */

static void
test_cp210x(void **state)
{
    struct serial_chip c = {.driver = &serial_cp210x, .interface = 1, .type = 0x20};
    struct serial_line plain = plan_line(9600, "8N1"), flow = plain;
    struct serial_plan plan = {0};
    static const uint8_t status[19] = {0x1f, 0, 0, 0, 0, 0, 0, 0, 0x34, 0x12};
    static const uint8_t inputs = 0xb2;

    (void)state;
    assert_string_equal(plan_open(&c), "41 00 0001 0001");
    assert_string_equal(plan_setting(&c, NULL, plain),
                        "41 1e 0000 0001 =80250000; 41 03 0800 0001");
    assert_string_equal(plan_setting(&c, &plain, plan_line(9600, "7E2")), "41 03 0722 0001");
    assert_string_equal(plan_setting(&c, &plain, plan_line(9600, "5S1.5") /* space */),
                        "41 03 0541 0001");
    assert_string_equal(plan_lines(&c, UW_LINE_RTS, 3), "41 07 0302 0001");
    assert_string_equal(plan_lines(&c, UW_LINE_DTR, UW_LINE_DTR), "41 07 0101 0001");
    /* Both are set now, and stay so when flow control is switched. */
    flow.flow = UW_FLOW_XON_XOFF;
    assert_string_equal(plan_setting(&c, &plain, flow),
                        "41 19 0000 0001 =000000001113; "
                        "41 13 0000 0001 =01000000430000004300000080000000");
    flow.flow = UW_FLOW_RTS_CTS;
    assert_string_equal(plan_setting(&c, &plain, flow),
                        "41 13 0000 0001 =09000000800000008000000080000000");
    assert_string_equal(plan_setting(&c, &flow, plain),
                        "41 13 0000 0001 =01000000400000004000000080000000");
    assert_string_equal(plan_break(&c, 1), "41 05 0001 0001");
    assert_string_equal(plan_purge(&c, UW_SERIAL_INPUT), "41 12 000a 0001");
    assert_string_equal(plan_purge(&c, UW_SERIAL_INPUT | UW_SERIAL_OUTPUT), "41 12 000f 0001");
    c.driver->ask(&c, &plan);
    assert_string_equal(plan_text(&plan), "c1 08 0000 0001 +1; c1 10 0000 0001 +19");
    assert_int_equal(c.driver->answer(&c, 0, &inputs, 1), 0);
    assert_int_equal(c.inputs.lines, UW_LINE_CTS | UW_LINE_DSR | UW_LINE_DCD);
    assert_int_equal(c.driver->answer(&c, 1, status, sizeof(status)), 0x1234);
    assert_int_equal(c.inputs.breaks, 1);
    assert_int_equal(c.inputs.framing, 1);
    assert_int_equal(c.inputs.parity, 1);
    assert_int_equal(c.inputs.overrun, 1);
    assert_int_equal(c.driver->answer(&c, 1, status, UW_ERROR_STALL), 0);
}

static void
test_cp210x_rates(void **state)
{
    static const struct {
        uint8_t type, interface;
        unsigned baud, actual; /* 0: refused */
    } rows[] = {
        {0x20, 0, 115200, 115384},   {0x20, 0, 921600, 923076},   {0x20, 0, 3000000, 3000000},
        {0x20, 0, 74880, 74766},     {0x20, 0, 300, 300},         {0x20, 0, 3000001, 0},
        {0x20, 0, 299, 0},           {0x04, 0, 2000000, 2000000}, {0x04, 0, 2000001, 0},
        {0x02, 0, 115200, 115200},   {0x02, 0, 1000000, 1000000}, {0x02, 0, 1000001, 0},
        {0x02, 0, 74880, 76800},     {0x02, 0, 100000, 115200},   {0x03, 0, 4803, 4800},
        {0x02, 0, 4804, 7200},       {0x02, 0, 999999, 921600},   {0x02, 0, 300, 300},
        {0x01, 0, 921600, 921600},   {0x01, 0, 921601, 0},        {0x05, 0, 2000000, 2000000},
        {0x05, 1, 921600, 921600},   {0x05, 1, 921601, 0},        {0x05, 1, 2399, 0},
        {0x08, 3, 2000000, 2000000}, {0x77, 0, 3000000, 3000000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct serial_chip c = {
            .driver = &serial_cp210x, .interface = rows[i].interface, .type = rows[i].type};
        const char *sent = plan_setting(&c, NULL, plan_line(rows[i].baud, "8N1"));

        if (!rows[i].actual)
            assert_string_equal(sent, "refused");
        else
            assert_int_equal(c.actual_baud, rows[i].actual);
    }
}

static void
test_cp2105_standard_port(void **state)
{
    struct serial_chip c = {.driver = &serial_cp210x, .interface = 1, .type = 5};

    (void)state;
    assert_string_equal(plan_setting(&c, NULL, plan_line(9600, "6N1")), "refused");
    assert_string_equal(plan_setting(&c, NULL, plan_line(9600, "8N2")), "refused");
    assert_string_equal(plan_setting(&c, NULL, plan_line(9600, "8M1")), "refused");
    c.interface = 0;
    assert_string_equal(plan_setting(&c, NULL, plan_line(9600, "5S1")),
                        "41 1e 0000 0000 =80250000; 41 03 0540 0000");
}

static void
test_cp210x_learns(void **state)
{
    struct serial_chip c = {.driver = &serial_cp210x};
    struct serial_plan plan = {0};
    static const uint8_t part = 0x08, lines_now = 0x03, flowing[16] = {9, 0, 0, 0, 0x80, 0, 0, 0};

    (void)state;
    c.driver->identify(&c, &plan);
    assert_string_equal(plan_text(&plan),
                        "c0 ff 370b 0000 +1; c1 14 0000 0000 +16; c1 08 0000 0000 +1");
    c.driver->learn(&c, 0, &part, 1);
    c.driver->learn(&c, 1, flowing, 16);
    c.driver->learn(&c, 2, &lines_now, 1);
    assert_string_equal(c.name, "CP2108");
    /* Another program had left it with flow control: that ends, the lines stay. */
    assert_string_equal(plan_setting(&c, NULL, plan_line(9600, "8N1")),
                        "41 1e 0000 0000 =80250000; 41 03 0800 0000; "
                        "41 13 0000 0000 =01000000400000008000000080000000");
}

/* ---- FTDI: AN_232B-05 table 6 and AN_120 ---- */

static void
test_ftdi_rates(void **state)
{
    static const struct {
        uint16_t bcd;
        unsigned type, baud, actual; /* 0: refused */
        const char *sent;
    } rows[] = {
        {0x0600, 0, 300, 300, "40 03 2710 0000"},
        {0x0600, 0, 9600, 9600, "40 03 4138 0000"},
        {0x0600, 0, 19200, 19200, "40 03 809c 0000"},
        {0x0600, 0, 38400, 38400, "40 03 c04e 0000"},
        {0x0600, 0, 57600, 57554, "40 03 c034 0000"},
        {0x0600, 0, 115200, 115385, "40 03 001a 0000"},
        {0x0600, 0, 230400, 230769, "40 03 000d 0000"},
        {0x0600, 0, 460800, 461538, "40 03 4006 0000"},
        {0x0600, 0, 921600, 923077, "40 03 8003 0000"},
        {0x0600, 0, 1500000, 1500000, "40 03 0002 0000"},
        {0x0600, 0, 2000000, 2000000, "40 03 0001 0000"},
        {0x0600, 0, 3000000, 3000000, "40 03 0000 0000"},
        /* a fraction of 5/8: the third bit of its code is in wIndex */
        {0x0600, 0, 1142857, 1142857, "40 03 4002 0001"},
        {0x1000, 0, 1142857, 1142857, "40 03 4002 0100"},
        {0x0600, 0, 3000001, 0, ""},
        {0x0600, 0, 184, 184, "40 03 3fb0 0001"},
        {0x0600, 0, 183, 0, ""},
        {0x0700, 1, 9600, 9600, "40 03 04e2 0201"},
        {0x0700, 2, 115200, 115246, "40 03 c068 0202"},
        {0x0800, 4, 12000000, 12000000, "40 03 0000 0204"},
        {0x0900, 0, 8000000, 8000000, "40 03 0001 0200"},
        {0x0700, 1, 300, 300, "40 03 2710 0001"},
        {0x0500, 2, 115200, 115385, "40 03 001a 0002"},
        /* the HP series and the automotive chip have the fast clock, too */
        {0x2800, 1, 115200, 115246, "40 03 c068 0201"},
        {0x3300, 0, 12000000, 12000000, "40 03 0000 0200"},
        {0x3600, 4, 12000000, 12000000, "40 03 0000 0204"},
        /* the oldest has 1/8, 1/4 and 1/2 alone (AN_232B-05, section 3.1) */
        {0x0200, 0, 9600, 9600, "40 03 4138 0000"},
        {0x0200, 0, 38400, 38400, "40 03 c04e 0000"},
        {0x0200, 0, 57600, 57554, "40 03 c034 0000"},
        {0x0200, 0, 1142857, 1200000, "40 03 4002 0000"},
        {0x0200, 0, 1090909, 1200000, "40 03 4002 0000"},
        {0x0200, 0, 1043478, 1000000, "40 03 0003 0000"},
        {0x0200, 0, 2000000, 1500000, "40 03 0002 0000"},
        {0x0200, 0, 3000000, 3000000, "40 03 0000 0000"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct serial_chip c = {
            .driver = &serial_ftdi, .bcd_device = rows[i].bcd, .type = rows[i].type};
        struct serial_line before = plan_line(1200, "8N1");
        const char *sent = plan_setting(&c, &before, plan_line(rows[i].baud, "8N1"));

        assert_string_equal(sent, rows[i].actual ? rows[i].sent : "refused");
        if (rows[i].actual)
            assert_int_equal(c.actual_baud, rows[i].actual);
    }
}

static void
test_ftdi(void **state)
{
    struct serial_chip c = {
        .driver = &serial_ftdi, .bcd_device = 0x0700, .type = 2, .max_packet = 8};
    struct serial_line plain = plan_line(9600, "8N1"), flow = plain;
    uint8_t bytes[] = {0x31, 0x60, 'a', 'b', 'c', 'd', 'e', 'f', 0xb1, 0x1a, 'g', 'h'};
    uint8_t idle[] = {0x01, 0x6e};

    (void)state;
    assert_string_equal(plan_open(&c), "40 00 0000 0002");
    assert_string_equal(plan_setting(&c, NULL, plain), "40 04 0008 0002; 40 03 04e2 0202; "
                                                       "40 02 0000 0002; 40 09 0010 0002");
    assert_string_equal(plan_setting(&c, &plain, plan_line(9600, "7E2")), "40 04 1207 0002");
    assert_string_equal(plan_break(&c, 1), "40 04 5207 0002");
    assert_string_equal(plan_break(&c, 0), "40 04 1207 0002");
    assert_string_equal(plan_setting(&c, &plain, plan_line(9600, "6N1")), "refused");
    flow.flow = UW_FLOW_RTS_CTS;
    assert_string_equal(plan_setting(&c, &plain, flow), "40 02 0000 0102");
    flow.flow = UW_FLOW_XON_XOFF;
    assert_string_equal(plan_setting(&c, &plain, flow), "40 02 1311 0402");
    assert_string_equal(plan_lines(&c, UW_LINE_DTR, 3), "40 01 0301 0002");
    assert_string_equal(plan_purge(&c, UW_SERIAL_INPUT | UW_SERIAL_OUTPUT),
                        "40 00 0001 0002; 40 00 0002 0002");
    assert_int_equal(c.driver->receive(&c, bytes, sizeof(bytes)), 8);
    assert_memory_equal(bytes, "abcdefgh", 8);
    assert_int_equal(c.inputs.lines, UW_LINE_CTS | UW_LINE_DSR | UW_LINE_DCD);
    assert_int_equal(c.inputs.breaks, 1);
    assert_int_equal(c.inputs.overrun, 1);
    assert_int_equal(c.inputs.framing, 0);
    assert_int_equal(c.driver->receive(&c, idle, sizeof(idle)), 0);
    assert_int_equal(c.inputs.lines, 0);
    assert_int_equal(c.inputs.overrun, 1);
    assert_int_equal(c.driver->receive(&c, idle, 1), 0);
}

/* ---- CH34x ---- */

static void
test_ch341_rates(void **state)
{
    static const struct {
        unsigned baud, actual;
        const char *sent;
    } rows[] = {
        {46, 46, "40 9a 1312 0180"},           {300, 300, "40 9a 1312 d980"},
        {110, 110, "40 9a 1312 2b84"},         {1200, 1202, "40 9a 1312 b281"},
        {9600, 9615, "40 9a 1312 b282"},       {19200, 19231, "40 9a 1312 d982"},
        {57600, 57692, "40 9a 1312 9883"},     {115200, 115385, "40 9a 1312 cc83"},
        {921600, 923077, "40 9a 1312 f387"},   {2000000, 2000000, "40 9a 1312 fd83"},
        {3000000, 3000000, "40 9a 1312 fe83"}, {256000, 255319, "40 9a 1312 d187"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct serial_chip c = {.driver = &serial_ch341, .version = 0x31};
        struct serial_line before = plan_line(1234, "8N1");

        (void)plan_setting(&c, NULL, before);
        assert_string_equal(plan_setting(&c, &before, plan_line(rows[i].baud, "8N1")),
                            rows[i].sent);
        assert_int_equal(c.actual_baud, rows[i].actual);
    }
}

/* Those that stall the question for the break register: fact 1 goes with ps 3 alone, as in Linux,
 * and the rates are what is possible without. */
static void
test_ch341_limited(void **state)
{
    static const struct {
        unsigned baud, actual;
        const char *sent;
    } rows[] = {
        {110, 110, "40 9a 1312 9580"},       {1000, 997, "40 9a 1312 a281"},
        {38400, 38462, "40 9a 1312 6483"},   {46875, 46875, "40 9a 1312 8083"},
        {115200, 115385, "40 9a 1312 cc83"}, {256000, 255319, "40 9a 1312 d187"},
    };
    struct serial_chip c = {.driver = &serial_ch341, .version = 0x31};
    struct serial_line before = plan_line(1234, "8N1");

    (void)state;
    assert_int_equal(c.break_baud, 0);
    c.driver->learn(&c, 1, NULL, UW_ERROR_STALL);
    assert_int_equal(c.break_baud, 46);
    (void)plan_setting(&c, NULL, before);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(plan_setting(&c, &before, plan_line(rows[i].baud, "8N1")),
                            rows[i].sent);
        assert_int_equal(c.actual_baud, rows[i].actual);
    }
}

static void
test_ch341(void **state)
{
    struct serial_chip c = {.driver = &serial_ch341};
    struct serial_line plain = plan_line(9600, "8N1"), flow = plain;
    struct serial_plan plan = {0};
    static const uint8_t version[2] = {0x31, 0}, registers[2] = {0x9f, 0xc3},
                         status[2] = {0xf6, 0xee};
    static const uint8_t told[8] = {0x08, 0x3f, 0xfd, 0xee};

    (void)state;
    c.driver->identify(&c, &plan);
    assert_string_equal(plan_text(&plan),
                        "c0 5f 0000 0000 +2; c0 95 1805 0000 +2; c0 95 0706 0000 +2");
    c.driver->learn(&c, 0, version, 2);
    c.driver->learn(&c, 1, registers, 2);
    c.driver->learn(&c, 2, status, 2);
    assert_int_equal(c.inputs.lines, UW_LINE_CTS | UW_LINE_DCD);
    assert_string_equal(plan_open(&c), "40 a1 0000 0000");
    assert_string_equal(plan_setting(&c, NULL, plain), "40 9a 1312 b282; 40 9a 2518 00c3");
    assert_string_equal(plan_setting(&c, &plain, plan_line(9600, "7E2")), "40 9a 2518 00de");
    assert_string_equal(plan_setting(&c, &plain, plan_line(9600, "5M1")), "40 9a 2518 00e8");
    assert_string_equal(plan_setting(&c, &plain, plan_line(9600, "8N1.5")), "refused");
    (void)plan_setting(&c, NULL, plain);
    assert_string_equal(plan_break(&c, 1), "40 9a 1805 839e");
    assert_string_equal(plan_break(&c, 0), "40 9a 1805 c39f");
    assert_string_equal(plan_lines(&c, UW_LINE_DTR, 3), "40 a4 ffdf 0000");
    assert_string_equal(plan_lines(&c, UW_LINE_RTS | UW_LINE_DTR, 3), "40 a4 ff9f 0000");
    flow.flow = UW_FLOW_RTS_CTS;
    assert_string_equal(plan_setting(&c, &plain, flow), "40 9a 2727 0101");
    assert_string_equal(plan_setting(&c, &flow, plain), "40 9a 2727 0000");
    flow.flow = UW_FLOW_XON_XOFF;
    assert_string_equal(plan_setting(&c, &plain, flow), "refused");
    c.driver->notified(&c, told, sizeof(told));
    assert_int_equal(c.inputs.lines, UW_LINE_DSR);
    /* Before version 0x30 there is 8N1 alone. */
    c.version = 0x27;
    assert_string_equal(plan_setting(&c, NULL, plain), "40 9a 1312 b202");
    assert_string_equal(plan_setting(&c, NULL, plan_line(9600, "7E1")), "refused");
}

/* ---- which driver ---- */

static void
test_table(void **state)
{
    static const struct {
        const struct serial_driver *driver;
        uint16_t vid, pid;
        int is;
    } rows[] = {
        {&serial_cp210x, 0x10c4, 0xea60, 1}, {&serial_cp210x, 0x10c4, 0xea70, 1},
        {&serial_cp210x, 0x10c4, 0xea71, 1}, {&serial_ftdi, 0x0403, 0x6001, 1},
        {&serial_ftdi, 0x0403, 0x6010, 1},   {&serial_ftdi, 0x0403, 0x6011, 1},
        {&serial_ftdi, 0x0403, 0x6014, 1},   {&serial_ftdi, 0x0403, 0x6015, 1},
        {&serial_ch341, 0x1a86, 0x7523, 1},  {&serial_ch341, 0x1a86, 0x55d4, 0},
        {&serial_pl2303, 0x067b, 0x2303, 1}, {&serial_pl2303, 0x067b, 0x23a3, 1},
        {&serial_pl2303, 0x0403, 0x6001, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(serial_id_is(rows[i].driver, rows[i].vid, rows[i].pid), rows[i].is);
    assert_string_equal(serial_quirk_find(0x303a, 0x1001)->name, "USB-Serial-JTAG");
    assert_int_equal(serial_quirk_find(0x2341, 0x0043)->quirks, SERIAL_RESETS_ON_DTR);
    assert_null(serial_quirk_find(0x2341, 0x8036));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cdc_acm),       cmocka_unit_test(test_cp210x),
        cmocka_unit_test(test_cp210x_rates),  cmocka_unit_test(test_cp2105_standard_port),
        cmocka_unit_test(test_cp210x_learns), cmocka_unit_test(test_ftdi_rates),
        cmocka_unit_test(test_ftdi),          cmocka_unit_test(test_ch341_rates),
        cmocka_unit_test(test_ch341_limited), cmocka_unit_test(test_ch341),
        cmocka_unit_test(test_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
