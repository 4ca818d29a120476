/*
 * Contexts, the device list, what is known before a device is opened, open and close, claims.
 */
#include <string.h>

#include "rig.h"

static int
set_up(void **state)
{
    return libusb_init((libusb_context **)state);
}

static int
tear_down(void **state)
{
    libusb_exit(*state);
    return 0;
}

static void
test_list(void **state)
{
    libusb_device **first, **second;

    assert_int_equal(libusb_get_device_list(*state, &first), 3);
    assert_null(first[3]);
    assert_int_equal(libusb_get_device_list(*state, &second), 3);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(first[i], second[i]);
    libusb_free_device_list(second, 1);
    libusb_ref_device(first[1]);
    second = (libusb_device *[]){first[1]};
    libusb_free_device_list(first, 1);
    assert_int_equal(libusb_get_device_list(*state, &first), 3);
    assert_ptr_equal(first[1], second[0]);
    libusb_unref_device(second[0]);
    libusb_free_device_list(first, 1);
}

/* Twelve fields, each compared with what the device itself answers. */
static void
check_descriptor(libusb_device *dev)
{
    struct libusb_device_descriptor d;
    libusb_device_handle *h;
    uint8_t raw[18];

    assert_int_equal(libusb_get_device_descriptor(dev, &d), 0);
    assert_int_equal(libusb_open(dev, &h), 0);
    assert_ptr_equal(libusb_get_device(h), dev);
    assert_int_equal(rig_ask(h, raw), 18);
    assert_int_equal(d.bLength, raw[0]);
    assert_int_equal(d.bDescriptorType, raw[1]);
    assert_int_equal(d.bcdUSB, raw[2] | raw[3] << 8);
    assert_int_equal(d.bDeviceClass, raw[4]);
    assert_int_equal(d.bDeviceSubClass, raw[5]);
    assert_int_equal(d.bDeviceProtocol, raw[6]);
    assert_int_equal(d.bMaxPacketSize0, raw[7]);
    assert_int_equal(d.idVendor, raw[8] | raw[9] << 8);
    assert_int_equal(d.idProduct, raw[10] | raw[11] << 8);
    assert_int_equal(d.bcdDevice, raw[12] | raw[13] << 8);
    assert_int_equal(d.iManufacturer, raw[14]);
    assert_int_equal(d.iProduct, raw[15]);
    assert_int_equal(d.iSerialNumber, raw[16]);
    assert_int_equal(d.bNumConfigurations, raw[17]);
    libusb_close(h);
}

static void
test_descriptors_are_the_devices_own(void **state)
{
    libusb_device **list;

    assert_int_equal(libusb_get_device_list(*state, &list), 3);
    for (int i = 0; i < 3; i++)
        check_descriptor(list[i]);
    libusb_free_device_list(list, 1);
}

static libusb_device *
find(libusb_context *ctx, uint16_t pid)
{
    libusb_device **list, *found = NULL;
    ssize_t n = libusb_get_device_list(ctx, &list);

    for (ssize_t i = 0; i < n; i++) {
        struct libusb_device_descriptor d;

        libusb_get_device_descriptor(list[i], &d);
        if (d.idProduct == pid)
            found = libusb_ref_device(list[i]);
    }
    libusb_free_device_list(list, 1);
    assert_non_null(found);
    return found;
}

static void
test_where_it_is(void **state)
{
    libusb_device *dev = find(*state, RIG_LOOPBACK);
    uint8_t ports[7] = {0};

    assert_true(libusb_get_bus_number(dev) > 100); /* not the number of a local bus */
    assert_true(libusb_get_device_address(dev) > 0);
    assert_int_equal(libusb_get_port_numbers(dev, ports, sizeof(ports)), 1);
    assert_int_equal(ports[0], libusb_get_port_number(dev));
    assert_int_equal(libusb_get_port_numbers(dev, ports, 0), LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_get_device_speed(dev), LIBUSB_SPEED_HIGH);
    assert_null(libusb_get_parent(dev));
    assert_true(libusb_get_session_data(dev) > 0);
    libusb_unref_device(dev);
}

static void
test_configurations(void **state)
{
    libusb_device *dev = find(*state, RIG_LOOPBACK);
    struct libusb_config_descriptor *c, *same;
    const struct libusb_interface_descriptor *a;

    assert_int_equal(libusb_get_active_config_descriptor(dev, &c), 0);
    assert_int_equal(libusb_get_config_descriptor_by_value(dev, c->bConfigurationValue, &same), 0);
    assert_int_equal(same->wTotalLength, c->wTotalLength);
    libusb_free_config_descriptor(same);
    assert_int_equal(c->bNumInterfaces, 2);
    assert_int_equal(c->interface[0].num_altsetting, 1);
    assert_int_equal(c->interface[1].num_altsetting, 2);
    a = &c->interface[1].altsetting[1];
    assert_int_equal(a->bNumEndpoints, 2);
    assert_int_equal(a->endpoint[0].bEndpointAddress, 0x03);
    assert_int_equal(a->endpoint[1].wMaxPacketSize, 1024);
    assert_null(c->interface[1].altsetting[0].endpoint);
    libusb_free_config_descriptor(c);
    assert_int_equal(libusb_get_config_descriptor(dev, 1, &c), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_get_max_packet_size(dev, 0x81), 512);
    assert_int_equal(libusb_get_max_iso_packet_size(dev, 0x83), 1024);
    assert_int_equal(libusb_get_max_alt_packet_size(dev, 1, 1, 0x83), 1024);
    assert_int_equal(libusb_get_max_alt_packet_size(dev, 1, 0, 0x83), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_get_max_packet_size(dev, 0x8f), LIBUSB_ERROR_NOT_FOUND);
    libusb_unref_device(dev);
}

static void
test_claims(void **state)
{
    libusb_device *dev = find(*state, RIG_LOOPBACK);
    libusb_device_handle *one, *two;

    assert_int_equal(libusb_open(dev, &one), 0);
    assert_int_equal(libusb_open(dev, &two), 0);
    assert_int_equal(libusb_claim_interface(one, 0), 0);
    assert_int_equal(libusb_claim_interface(one, 0), 0);
    assert_int_equal(libusb_claim_interface(two, 0), LIBUSB_ERROR_BUSY);
    assert_int_equal(libusb_claim_interface(two, 1), 0);
    assert_int_equal(libusb_claim_interface(two, 2), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_claim_interface(two, 32), LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_claim_interface(two, -1), LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_release_interface(two, 0), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_set_interface_alt_setting(one, 1, 1), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_set_interface_alt_setting(two, 1, 1), 0);
    assert_int_equal(libusb_set_interface_alt_setting(two, 1, 7), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_set_configuration(one, 1), LIBUSB_ERROR_BUSY);
    libusb_close(two); /* gives its claims back */
    assert_int_equal(libusb_claim_interface(one, 1), 0);
    assert_int_equal(libusb_release_interface(one, 0), 0);
    assert_int_equal(libusb_release_interface(one, 1), 0);
    assert_int_equal(libusb_set_configuration(one, 1), 0);
    assert_int_equal(libusb_set_configuration(one, 9), LIBUSB_ERROR_NOT_FOUND);
    libusb_close(one);
    libusb_unref_device(dev);
}

static void
test_unconfigured(void **state)
{
    libusb_device *dev = find(*state, RIG_LOOPBACK);
    struct libusb_config_descriptor *c;
    libusb_device_handle *h;
    int value = -1;

    assert_int_equal(libusb_open(dev, &h), 0);
    assert_int_equal(libusb_get_configuration(h, &value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(libusb_set_configuration(h, -1), 0);
    assert_int_equal(libusb_get_configuration(h, &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(libusb_get_active_config_descriptor(dev, &c), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_set_configuration(h, 1), 0);
    libusb_close(h);
    libusb_unref_device(dev);
}

static void
test_kernel_drivers(void **state)
{
    libusb_device_handle *h = rig_open(*state, RIG_KEYBOARD);
    unsigned char *memory;

    assert_int_equal(libusb_kernel_driver_active(h, 0), 0);
    assert_int_equal(libusb_kernel_driver_active(h, 31), 0);
    assert_int_equal(libusb_detach_kernel_driver(h, 0), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_attach_kernel_driver(h, 0), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_set_auto_detach_kernel_driver(h, 1), 0);
    memory = libusb_dev_mem_alloc(h, 4096);
    assert_non_null(memory);
    memset(memory, 1, 4096);
    assert_int_equal(libusb_dev_mem_free(h, memory, 4096), 0);
    assert_int_equal(libusb_alloc_streams(h, 1, NULL, 0), LIBUSB_ERROR_NOT_SUPPORTED);
    assert_int_equal(libusb_wrap_sys_device(*state, 0, &h), LIBUSB_ERROR_NOT_SUPPORTED);
    libusb_close(h);
}

static void
test_strings(void **state)
{
    libusb_device *dev = find(*state, RIG_LOOPBACK);
    libusb_device_handle *h;
    unsigned char text[64];
    char utf8[64];

    assert_int_equal(libusb_open(dev, &h), 0);
    assert_int_equal(libusb_get_string_descriptor_ascii(h, 2, text, sizeof(text)), 26);
    assert_string_equal((char *)text, "usbwire simulated loopback");
    assert_int_equal(libusb_get_string_descriptor_ascii(h, 2, text, 8), 7);
    assert_string_equal((char *)text, "usbwire");
    assert_int_equal(libusb_get_string_descriptor_ascii(h, 0, text, sizeof(text)),
                     LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_get_string_descriptor_ascii(h, 200, text, sizeof(text)),
                     LIBUSB_ERROR_PIPE);
    assert_int_equal(libusb_get_device_string(dev, LIBUSB_DEVICE_STRING_PRODUCT, NULL, 1), 27);
    assert_int_equal(libusb_get_device_string(dev, LIBUSB_DEVICE_STRING_PRODUCT, utf8, 8), 8);
    assert_string_equal(utf8, "usbwire");
    assert_int_equal(libusb_get_config_string(dev, 0, utf8, sizeof(utf8)), LIBUSB_ERROR_NOT_FOUND);
    libusb_close(h);
    libusb_unref_device(dev);
}

static void
test_what_is_no_interface(void **state)
{
    static const int numbers[] = {-1, 32};
    libusb_device_handle *h = rig_open(*state, RIG_LOOPBACK);

    for (int i = 0; i < 2; i++) {
        assert_int_equal(libusb_claim_interface(h, numbers[i]), LIBUSB_ERROR_INVALID_PARAM);
        assert_int_equal(libusb_release_interface(h, numbers[i]), LIBUSB_ERROR_INVALID_PARAM);
        assert_int_equal(libusb_set_interface_alt_setting(h, numbers[i], 0),
                         LIBUSB_ERROR_INVALID_PARAM);
        assert_int_equal(libusb_kernel_driver_active(h, numbers[i]), LIBUSB_ERROR_INVALID_PARAM);
        assert_int_equal(libusb_detach_kernel_driver(h, numbers[i]), LIBUSB_ERROR_INVALID_PARAM);
        assert_int_equal(libusb_attach_kernel_driver(h, numbers[i]), LIBUSB_ERROR_INVALID_PARAM);
    }
    assert_int_equal(libusb_set_interface_alt_setting(h, 0, -1), LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_set_interface_alt_setting(h, 0, 256), LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_set_configuration(h, -2), LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_set_configuration(h, 256), LIBUSB_ERROR_INVALID_PARAM);
    libusb_close(h);
}

/* Halts need no claim; a reset keeps what is claimed. */
static void
test_halts_and_resets(void **state)
{
    libusb_device_handle *h = rig_open(*state, RIG_LOOPBACK), *other;
    uint8_t byte = 7, in[64];
    int moved;

    assert_int_equal(libusb_clear_halt(h, 0x81), 0);
    assert_int_equal(libusb_clear_halt(h, 0x8f), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_reset_device(h), 0);
    assert_int_equal(libusb_open(libusb_get_device(h), &other), 0);
    assert_int_equal(libusb_claim_interface(other, 0), LIBUSB_ERROR_BUSY);
    assert_int_equal(libusb_clear_halt(other, 0x01), 0);
    libusb_close(other);
    assert_int_equal(libusb_bulk_transfer(h, 0x01, &byte, 1, &moved, RIG_SOON), 0);
    assert_int_equal(libusb_bulk_transfer(h, 0x81, in, sizeof(in), &moved, RIG_SOON), 0);
    assert_int_equal(in[0], 7);
    libusb_close(h);
}

static void
test_bad_arguments_of_transfers(void **state)
{
    libusb_device_handle *h = rig_open(*state, RIG_LOOPBACK);
    uint8_t bytes[8];
    int moved;

    assert_int_equal(libusb_control_transfer(h, 0x80, 6, 0x100, 0, NULL, 18, RIG_SOON),
                     LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_bulk_transfer(h, 0x81, bytes, -1, &moved, RIG_SOON),
                     LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_interrupt_transfer(h, 0x82, NULL, 8, &moved, RIG_SOON),
                     LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_interrupt_transfer(h, 0x8f, bytes, 8, &moved, RIG_SOON),
                     LIBUSB_ERROR_IO);
    assert_int_equal(libusb_get_string_descriptor_ascii(h, 1, NULL, 8), LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_get_string_descriptor_ascii(h, 1, bytes, 0),
                     LIBUSB_ERROR_INVALID_PARAM);
    assert_null(libusb_dev_mem_alloc(h, 0));
    assert_int_equal(libusb_free_streams(h, NULL, 0), LIBUSB_ERROR_NOT_SUPPORTED);
    assert_int_equal(libusb_endpoint_supports_raw_io(h, 0x81), 0);
    assert_int_equal(libusb_endpoint_set_raw_io(h, 0x81, 1), LIBUSB_ERROR_NOT_SUPPORTED);
    assert_int_equal(libusb_get_max_raw_io_transfer_size(h, 0x81), LIBUSB_ERROR_NOT_SUPPORTED);
    libusb_close(h);
}

static void LIBUSB_CALL
count_messages(libusb_context *ctx, enum libusb_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

static void
test_init_options(void **state)
{
    struct libusb_init_option options[] = {
        {LIBUSB_OPTION_LOG_LEVEL, {.ival = LIBUSB_LOG_LEVEL_ERROR}},
        {(enum libusb_option)OPTION_LOG_CB, {.log_cbval = count_messages}},
        {(enum libusb_option)OPTION_NO_DEVICE_DISCOVERY, {.ival = 0}},
    };
    libusb_context *ctx = NULL;
    libusb_device **list;

    (void)state;
    assert_int_equal(libusb_init_context(&ctx, options, 3), 0);
    assert_int_equal(libusb_get_device_list(ctx, &list), 0);
    libusb_free_device_list(list, 1);
    libusb_exit(ctx);
    ctx = NULL;
    options[0].value.ival = 5;
    assert_int_equal(libusb_init_context(&ctx, options, 1), LIBUSB_ERROR_INVALID_PARAM);
    options[0] = (struct libusb_init_option){LIBUSB_OPTION_USE_USBDK, {.ival = 0}};
    assert_int_equal(libusb_init_context(&ctx, options, 1), LIBUSB_ERROR_NOT_SUPPORTED);
    options[0].option = (enum libusb_option)4;
    assert_int_equal(libusb_init_context(&ctx, options, 1), LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_init_context(&ctx, NULL, 1), LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_init_context(&ctx, options, -1), LIBUSB_ERROR_INVALID_PARAM);
    assert_null(ctx);
    assert_int_equal(libusb_get_device_list(*state, NULL), LIBUSB_ERROR_INVALID_PARAM);
}

/* Other contexts have other pointers for the same device, and its import is shared. */
static void
test_two_contexts(void **state)
{
    libusb_device_handle *one = rig_open(*state, RIG_LOOPBACK), *two;
    libusb_context *other;
    libusb_device *dev;

    assert_int_equal(libusb_init(&other), 0);
    dev = find(other, RIG_LOOPBACK);
    assert_ptr_not_equal(dev, libusb_get_device(one));
    assert_int_equal(libusb_open(dev, &two), 0);
    assert_int_equal(libusb_claim_interface(two, 0), LIBUSB_ERROR_BUSY);
    libusb_close(two);
    libusb_exit(other);
    libusb_unref_device(dev); /* outlives its context */
    libusb_close(one);
}

static void
test_default_context(void **state)
{
    libusb_device **list;

    (void)state;
    /* The context of the fixture stands in for a default that nobody made. */
    assert_int_equal(libusb_get_device_list(NULL, &list), 3);
    libusb_free_device_list(list, 1);
    assert_int_equal(libusb_init(NULL), 0);
    assert_int_equal(libusb_init(NULL), 0);
    assert_int_equal(libusb_get_device_list(NULL, &list), 3);
    libusb_free_device_list(list, 1);
    libusb_exit(NULL);
    assert_int_equal(libusb_get_device_list(NULL, &list), 3);
    libusb_free_device_list(list, 1);
    libusb_exit(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_descriptors_are_the_devices_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_where_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_configurations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_claims, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unconfigured, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kernel_drivers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_strings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_interface, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_halts_and_resets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_arguments_of_transfers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_init_options, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_contexts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_default_context, set_up, tear_down),
    };
    int r;

    rig_start("linux", "source-sink loopback keyboard disk", "1209:0002,1209:0003,1-3");
    r = cmocka_run_group_tests(tests, NULL, NULL);
    rig_stop();
    return r;
}
