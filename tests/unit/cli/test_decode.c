/*
 * What USB traffic means (src/cli/decode.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "decode.h"

static char text[DECODE_MAX];

static const char *
request(const struct decoder *d, uint8_t type, uint8_t number, uint16_t value, uint16_t index)
{
    uint8_t setup[8] = {type,
                        number,
                        (uint8_t)(value & 0xff),
                        (uint8_t)(value >> 8),
                        (uint8_t)(index & 0xff),
                        (uint8_t)(index >> 8)};

    return decode_request(d, setup, text, sizeof(text));
}

/* USB 2.0 table 9-4. */
static void
test_standard(void **state)
{
    static const struct decoder none;

    (void)state;
    assert_string_equal(request(&none, 0x80, 6, 0x0100, 0), "GET_DESCRIPTOR DEVICE");
    assert_string_equal(request(&none, 0x80, 6, 0x0302, 0x409), "GET_DESCRIPTOR STRING 2");
    assert_string_equal(request(&none, 0x81, 6, 0x2200, 1), "GET_DESCRIPTOR HID REPORT");
    assert_string_equal(request(&none, 0x80, 6, 0x7700, 1), "GET_DESCRIPTOR 0x77 0");
    assert_string_equal(request(&none, 0x00, 9, 1, 0), "SET_CONFIGURATION 1");
    assert_string_equal(request(&none, 0x01, 11, 2, 3), "SET_INTERFACE 3 alternate 2");
    assert_string_equal(request(&none, 0x02, 1, 0, 0x81),
                        "CLEAR_FEATURE ENDPOINT_HALT of endpoint 0x81");
    assert_string_equal(request(&none, 0x80, 0, 0, 0), "GET_STATUS of the device");
    assert_string_equal(request(&none, 0x00, 3, 9, 0), "SET_FEATURE 9 of the device");
    assert_string_equal(request(&none, 0xff, 0, 0, 0),
                        "reserved request 0x00 value 0x0000 index 0x0000");
}

/* A composite device: HID 0, CDC 1 and 2, mass storage 3. */
static const uint8_t config[] = {9, 2, 83,   0, 4,    1, 0,  0x80, 50, /* clang-format off */
    9, 4, 0, 0, 0, 3, 0, 0, 0,
    9, 4, 1, 0, 1, 2, 2, 1, 0,
    7, 5, 0x82, 3, 8, 0, 10,
    9, 4, 2, 0, 2, 0x0a, 0, 0, 0,
    7, 5, 0x03, 2, 64, 0, 0,
    7, 5, 0x83, 2, 64, 0, 0,
    9, 4, 3, 0, 2, 8, 6, 0x50, 0,
    7, 5, 0x04, 2, 64, 0, 0,
    7, 5, 0x84, 2, 64, 0, 0}; /* clang-format on */

static void
learn(struct decoder *d)
{
    static const uint8_t get_config[8] = {0x80, 6, 0, 2, 0, 0, 0xff, 0};

    memset(d, 0, sizeof(*d));
    decode_learn(d, get_config, config, sizeof(config));
}

static void
test_class(void **state)
{
    struct decoder d;

    (void)state;
    memset(&d, 0, sizeof(d));
    assert_string_equal(request(&d, 0x21, 9, 0x0201, 0),
                        "class request 0x09 value 0x0201 index 0x0000");
    learn(&d);
    assert_string_equal(request(&d, 0x21, 9, 0x0201, 0), "SET_REPORT output 1");
    assert_string_equal(request(&d, 0x21, 0x22, 1, 1), "SET_CONTROL_LINE_STATE DTR rts");
    assert_string_equal(request(&d, 0x21, 0x23, 200, 2), "SEND_BREAK 200 ms");
    assert_string_equal(request(&d, 0xa1, 0xfe, 0, 3), "GET_MAX_LUN of interface 3");
    assert_string_equal(request(&d, 0xc0, 5, 1, 2),
                        "vendor request 0x05 value 0x0001 index 0x0002");
}

static void
test_data(void **state)
{
    static const uint8_t coding[8] = {0x21, 0x20, 0, 0, 1, 0, 7, 0};
    static const uint8_t bytes[] = {0x00, 0xc2, 0x01, 0x00, 2, 2, 7};
    static const uint8_t command[31] = {'U', 'S', 'B', 'C', 1,    2, 3, 4,
                                        36,  0,   0,   0,   0x80, 0, 6, 0x12};
    static const uint8_t ended[13] = {'U', 'S', 'B', 'S', 1, 2, 3, 4, 0, 0, 0, 0, 1};
    static const uint8_t state_bits[10] = {0xa1, 0x20, 0, 0, 1, 0, 2, 0, 3, 0};
    struct decoder d;

    (void)state;
    learn(&d);
    assert_string_equal(decode_answer(&d, coding, bytes, 7, text, sizeof(text)), "115200 7E2");
    assert_string_equal(decode_answer(&d, coding, bytes, 6, text, sizeof(text)), "");
    assert_string_equal(decode_data(&d, 0x04, command, 31, text, sizeof(text)),
                        "SCSI INQUIRY, 36 bytes");
    assert_string_equal(decode_data(&d, 0x84, ended, 13, text, sizeof(text)), "SCSI failed");
    assert_string_equal(decode_data(&d, 0x82, state_bits, 10, text, sizeof(text)),
                        "SERIAL_STATE DCD DSR");
    assert_string_equal(decode_data(&d, 0x82, state_bits, 9, text, sizeof(text)), "");
    assert_string_equal(decode_data(&d, 0x01, command, 31, text, sizeof(text)), "");
}

/* Every request and every short buffer: always a string that ends. */
static void
test_all(void **state)
{
    struct decoder d;
    char small[9];

    (void)state;
    learn(&d);
    for (unsigned type = 0; type < 256; type++)
        for (unsigned number = 0; number < 256; number++) {
            uint8_t setup[8] = {(uint8_t)type, (uint8_t)number, 0xff, 0xff, 3, 0, 0, 0};

            memset(small, 'x', sizeof(small));
            decode_request(&d, setup, small, sizeof(small));
            assert_true(strlen(small) < sizeof(small));
            assert_true(*decode_request(&d, setup, text, sizeof(text)));
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_standard),
        cmocka_unit_test(test_class),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
