/*
 * Layouts and numbers that programs were compiled with (x86-64; the same from 1.0.26 to 1.0.31).
 * What does not hold does not compile; the program itself checks the names of errors and the like.
 */
#include <stddef.h>

#include "rig.h"

#define HOLDS(what) _Static_assert(what, #what)

#if defined(__x86_64__)
HOLDS(sizeof(struct libusb_transfer) == 64);
HOLDS(offsetof(struct libusb_transfer, flags) == 8);
HOLDS(offsetof(struct libusb_transfer, endpoint) == 9);
HOLDS(offsetof(struct libusb_transfer, type) == 10);
HOLDS(offsetof(struct libusb_transfer, timeout) == 12);
HOLDS(offsetof(struct libusb_transfer, status) == 16);
HOLDS(offsetof(struct libusb_transfer, length) == 20);
HOLDS(offsetof(struct libusb_transfer, actual_length) == 24);
HOLDS(offsetof(struct libusb_transfer, callback) == 32);
HOLDS(offsetof(struct libusb_transfer, user_data) == 40);
HOLDS(offsetof(struct libusb_transfer, buffer) == 48);
HOLDS(offsetof(struct libusb_transfer, num_iso_packets) == 56);
HOLDS(offsetof(struct libusb_transfer, iso_packet_desc) == 60);
HOLDS(sizeof(struct libusb_iso_packet_descriptor) == 12);
HOLDS(sizeof(struct libusb_endpoint_descriptor) == 32);
HOLDS(offsetof(struct libusb_endpoint_descriptor, extra) == 16);
HOLDS(sizeof(struct libusb_interface_descriptor) == 40);
HOLDS(offsetof(struct libusb_interface_descriptor, endpoint) == 16);
HOLDS(sizeof(struct libusb_interface) == 16);
HOLDS(sizeof(struct libusb_config_descriptor) == 40);
HOLDS(offsetof(struct libusb_config_descriptor, interface) == 16);
HOLDS(sizeof(struct libusb_device_descriptor) == 18);
HOLDS(sizeof(struct libusb_bos_descriptor) == 8);
HOLDS(offsetof(struct libusb_bos_descriptor, dev_capability) == 8);
HOLDS(offsetof(struct libusb_bos_dev_capability_descriptor, dev_capability_data) == 3);
HOLDS(sizeof(struct libusb_platform_descriptor) == 20);
HOLDS(offsetof(struct libusb_platform_descriptor, CapabilityData) == 20);
HOLDS(sizeof(struct libusb_container_id_descriptor) == 20);
HOLDS(sizeof(struct libusb_usb_2_0_extension_descriptor) == 8);
HOLDS(sizeof(struct libusb_ss_usb_device_capability_descriptor) == 10);
HOLDS(sizeof(struct libusb_ssplus_usb_device_capability_descriptor) == 8);
HOLDS(sizeof(struct libusb_ssplus_sublink_attribute) == 24);
HOLDS(sizeof(struct libusb_interface_association_descriptor) == 8);
HOLDS(sizeof(struct libusb_interface_association_descriptor_array) == 16);
HOLDS(sizeof(struct libusb_init_option) == 16);
HOLDS(offsetof(struct libusb_init_option, value) == 8);
HOLDS(sizeof(struct libusb_pollfd) == 8);
HOLDS(sizeof(struct libusb_version) == 24);
HOLDS(offsetof(struct libusb_version, rc) == 8);
#endif
HOLDS(LIBUSB_OPTION_LOG_LEVEL == 0 && LIBUSB_OPTION_USE_USBDK == 1);
HOLDS(OPTION_NO_DEVICE_DISCOVERY == 2 && OPTION_LOG_CB == 3);
HOLDS(LIBUSB_SPEED_SUPER == 4 && LIBUSB_SPEED_SUPER_PLUS == 5);
HOLDS(LIBUSB_CAP_SUPPORTS_DETACH_KERNEL_DRIVER == 0x101);

static void
test_names(void **state)
{
    (void)state;
    assert_string_equal(libusb_error_name(LIBUSB_ERROR_PIPE), "LIBUSB_ERROR_PIPE");
    assert_string_equal(libusb_error_name(0), "LIBUSB_SUCCESS / LIBUSB_TRANSFER_COMPLETED");
    assert_string_equal(libusb_error_name(LIBUSB_TRANSFER_STALL), "LIBUSB_TRANSFER_STALL");
    assert_string_equal(libusb_error_name(7), "**UNKNOWN**");
    assert_string_equal(libusb_strerror(LIBUSB_ERROR_TIMEOUT), "Operation timed out");
    assert_string_equal(libusb_strerror(-50), libusb_strerror(LIBUSB_ERROR_OTHER));
    assert_int_equal(libusb_setlocale("de_DE.UTF-8"), 0);
    assert_int_equal(libusb_setlocale("zz"), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_setlocale("e"), LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_setlocale(NULL), LIBUSB_ERROR_INVALID_PARAM);
}

static void
test_capabilities(void **state)
{
    (void)state;
    assert_int_equal(libusb_has_capability(LIBUSB_CAP_HAS_HOTPLUG), 1);
    assert_int_equal(libusb_has_capability(0x7777), 0);
    assert_int_equal(libusb_get_version()->major, 1);
    assert_true(libusb_get_version()->micro >= 26);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_capabilities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
