/*
 * Requests before the URBs: golden bytes after the tables of Linux'
 * Documentation/usb/usbip_protocol.rst, and lists as servers really send them (Must 20).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <usbwire/error.h>

#include "base/bytes.h"
#include "wire/op.h"

#define HEADER 12u

static void
test_requests(void **state)
{
    static const uint8_t golden[8] = {0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0};
    const struct uw_op list = {UW_VERSION_111, UW_OP_REQ_DEVLIST, 0};
    uint8_t bytes[UW_OP_HEADER_SIZE + UW_OP_BUSID_SIZE];

    (void)state;
    memset(bytes, 0xee, sizeof(bytes));
    assert_int_equal(uw_encode_import_request(bytes, "1-1.4"), sizeof(bytes));
    assert_memory_equal(bytes, golden, 8);
    assert_string_equal((char *)bytes + 8, "1-1.4");
    for (size_t i = 8 + 5; i < sizeof(bytes); i++)
        assert_int_equal(bytes[i], 0); /* Must 1 */
    uw_encode_op(bytes, &list);
    assert_memory_equal(bytes, "\x01\x11\x80\x05\0\0\0\0", 8);
}

/* The record of the document: strings, numbers from byte 288 on. */
static void
test_record(void **state)
{
    static const uint8_t numbers[24] = {0,    0,    0,    1,    0,    0,    0,    2, 0, 0, 0, 3,
                                        0x30, 0x3a, 0x40, 0x04, 0x01, 0x02, 0xef, 2, 1, 1, 1, 5};
    struct uw_device_info info;
    uint8_t bytes[UW_OP_DEVICE_SIZE], again[UW_OP_DEVICE_SIZE];

    (void)state;
    memset(bytes, 0xa5, sizeof(bytes)); /* some servers leave rubbish behind the strings */
    memcpy(bytes, "/sys/devices/pci0/usb1/1-1", 27);
    memcpy(bytes + 256, "1-1", 4);
    memcpy(bytes + 288, numbers, sizeof(numbers));
    assert_int_equal(uw_check_device(bytes), 1);
    uw_decode_device(bytes, &info);
    assert_string_equal(info.path, "/sys/devices/pci0/usb1/1-1");
    assert_string_equal(info.busid, "1-1");
    assert_int_equal(info.busnum, 1);
    assert_int_equal(info.devnum, 2);
    assert_int_equal(info.speed, 3);
    assert_int_equal(info.vid, 0x303a);
    assert_int_equal(info.pid, 0x4004);
    assert_int_equal(info.bcd_device, 0x0102);
    assert_int_equal(info.device_class, 0xef);
    assert_int_equal(info.configuration_value, 1);
    assert_int_equal(info.num_configurations, 1);
    assert_int_equal(info.num_interfaces, 5);
    uw_encode_device(again, &info);
    assert_memory_equal(again + 288, numbers, sizeof(numbers));
    bytes[0] = '\0';
    assert_int_equal(uw_check_device(bytes), 0);
    bytes[0] = '\n';
    assert_int_equal(uw_check_device(bytes), 0);
    bytes[0] = '/';
    memset(bytes + 256, 'x', 32); /* no NUL */
    assert_int_equal(uw_check_device(bytes), 0);
    uw_decode_device(bytes, &info);
    assert_int_equal(strlen(info.busid), 31);
}

/* A list of `count` devices that say they have `said` interfaces and send `sent` records. */
static size_t
make_list(uint8_t *bytes, size_t room, unsigned count, uint8_t said, unsigned sent)
{
    const struct uw_op op = {UW_VERSION_111, UW_OP_REP_DEVLIST, 0};
    struct uw_writer w = uw_writer(bytes, room);

    uw_encode_op(uw_wr_room(&w, UW_OP_HEADER_SIZE), &op);
    uw_wr_be32(&w, count);
    for (unsigned i = 0; i < count; i++) {
        struct uw_device_info info = {.path = "/sys/devices/x", .busid = "1-1", .speed = 3};

        info.vid = (uint16_t)(i + 1);
        info.num_interfaces = said;
        uw_encode_device(uw_wr_room(&w, UW_OP_DEVICE_SIZE), &info);
        for (unsigned k = 0; k < sent; k++)
            uw_wr_be32(&w, (k + 1) << 24);
    }
    assert_false(w.failed);
    return w.len;
}

static void
check_list(const uint8_t *bytes, size_t size, unsigned count, unsigned interfaces)
{
    struct uw_device_list *list = NULL;

    assert_int_equal(uw_decode_device_list(bytes, size, 1, 100, &list), 1);
    assert_int_equal(uw_device_list_count(list), count);
    for (unsigned i = 0; i < count; i++) {
        const struct uw_device_info *info = uw_device_list_get(list, i);

        assert_int_equal(info->vid, i + 1);
        assert_int_equal(info->num_interfaces, interfaces);
        for (unsigned k = 0; k < interfaces; k++)
            assert_int_equal(info->interfaces[k].interface_class, k + 1);
    }
    uw_device_list_free(list);
}

/* As many interface records as said, one whatever is said (hq), none. */
static void
test_three_readings(void **state)
{
    uint8_t bytes[2048];

    (void)state;
    check_list(bytes, make_list(bytes, sizeof(bytes), 3, 2, 2), 3, 2);
    check_list(bytes, make_list(bytes, sizeof(bytes), 3, 4, 1), 3, 1);
    check_list(bytes, make_list(bytes, sizeof(bytes), 3, 4, 0), 3, 0);
    check_list(bytes, make_list(bytes, sizeof(bytes), 3, 0, 0), 3, 0);
    check_list(bytes, make_list(bytes, sizeof(bytes), 0, 0, 0), 0, 0);
}

/* It is complete exactly at its last byte. */
static void
test_growing(void **state)
{
    uint8_t bytes[2048];
    size_t size = make_list(bytes, sizeof(bytes), 2, 2, 2);

    (void)state;
    for (size_t n = 0; n <= size; n++) {
        struct uw_device_list *list = NULL;

        assert_int_equal(uw_decode_device_list(bytes, n, 0, 100, &list), n == size);
        uw_device_list_free(list);
    }
}

static void
test_refused_lists(void **state)
{
    struct uw_device_list *list = NULL;
    uint8_t bytes[2048];
    size_t size = make_list(bytes, sizeof(bytes), 2, 1, 1);

    (void)state;
    assert_int_equal(uw_decode_device_list(bytes, size, 1, 1, &list), UW_ERROR_LIMIT);
    assert_int_equal(uw_decode_device_list(bytes, HEADER + 5, 1, 9, &list), UW_ERROR_PROTOCOL);
    bytes[7] = 1; /* status */
    assert_int_equal(uw_decode_device_list(bytes, size, 1, 9, &list), UW_ERROR_ACCESS);
    bytes[7] = 0;
    bytes[0] = 2;
    assert_int_equal(uw_decode_device_list(bytes, size, 1, 9, &list), UW_ERROR_VERSION);
    bytes[0] = 1;
    bytes[1] = 0x06; /* servers differ in the low byte */
    assert_int_equal(uw_decode_device_list(bytes, size, 1, 9, &list), 1);
    uw_device_list_free(list);
    bytes[3] = 3;
    assert_int_equal(uw_decode_device_list(bytes, size, 1, 9, &list), UW_ERROR_PROTOCOL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),       cmocka_unit_test(test_record),
        cmocka_unit_test(test_three_readings), cmocka_unit_test(test_growing),
        cmocka_unit_test(test_refused_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
