/*
 * What descriptors say: BOS and its capabilities, companions, associations, strings, sizes, speeds,
 * places; on a server that answers from recorded descriptors.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "unit/usb/peer.h"

#define SUPER     "gadget-zero-zeross-super"
#define COMPOSITE "composite-acm-serial-midi-ncm-high"
#define PLAIN     "functionfs-vendor-echo-high"

static struct peer *peer;
static libusb_context *ctx;

/* The device at that place, opened. */
static libusb_device_handle *
open_at(uint8_t port)
{
    libusb_device_handle *h = NULL;
    libusb_device **list;
    ssize_t n = libusb_get_device_list(ctx, &list);

    for (ssize_t i = 0; i < n; i++)
        if (libusb_get_port_number(list[i]) == port)
            assert_int_equal(libusb_open(list[i], &h), 0);
    libusb_free_device_list(list, 1);
    assert_non_null(h);
    return h;
}

static int
set_up(void **state)
{
    (void)state;
    return libusb_init(&ctx);
}

static int
tear_down(void **state)
{
    (void)state;
    peer_script(peer, NULL, NULL);
    libusb_exit(ctx);
    return 0;
}

/* ---- BOS ---- */

static const uint8_t bos[] = {
    5, 0x0f, 5 + 7 + 10 + 20 + 22 + 20 + 2, 0, 5,
    /* USB 2.0 extension */
    7, 0x10, 2, 0x06, 0x5a, 0, 0,
    /* SuperSpeed */
    10, 0x10, 3, 2, 0x0e, 0, 1, 10, 0xff, 0x07,
    /* container */
    20, 0x10, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
    /* platform: two bytes of its own */
    22, 0x10, 5, 0, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0xab, 0xcd,
    /* SuperSpeedPlus: two attributes */
    20, 0x10, 10, 0, 0x01, 0, 0, 0, 0x01, 0x11, 0, 0, 0x30, 0x40, 0x0a, 0, 0xb0, 0x40, 0x0a, 0,
    /* behind the last, what is none */
    2, 0x99};

struct answer {
    const uint8_t *bytes;
    size_t size;
};

static int
answer_bos(struct peer_conn *conn, const struct uw_pdu *pdu, void *arg)
{
    const struct answer *a = arg;

    if (!peer_is(pdu, 0x80, 6) || peer_value(pdu) != 0x0f00)
        return 0;
    peer_reply(conn, pdu, a->bytes ? 0 : -EPIPE, a->bytes,
               a->size < (size_t)pdu->length ? a->size : (size_t)pdu->length);
    return 1;
}

static void
check_plain_capabilities(struct libusb_bos_dev_capability_descriptor **caps)
{
    struct libusb_usb_2_0_extension_descriptor *extension;
    struct libusb_ss_usb_device_capability_descriptor *super;
    struct libusb_container_id_descriptor *container;

    assert_int_equal(libusb_get_usb_2_0_extension_descriptor(ctx, caps[0], &extension), 0);
    assert_int_equal(extension->bmAttributes, 0x5a06);
    libusb_free_usb_2_0_extension_descriptor(extension);
    assert_int_equal(libusb_get_ss_usb_device_capability_descriptor(ctx, caps[1], &super), 0);
    assert_int_equal(super->bmAttributes, 2);
    assert_int_equal(super->wSpeedSupported, 0x0e);
    assert_int_equal(super->bFunctionalitySupport, 1);
    assert_int_equal(super->bU1DevExitLat, 10);
    assert_int_equal(super->bU2DevExitLat, 0x07ff);
    libusb_free_ss_usb_device_capability_descriptor(super);
    assert_int_equal(libusb_get_container_id_descriptor(ctx, caps[2], &container), 0);
    assert_int_equal(container->ContainerID[15], 16);
    libusb_free_container_id_descriptor(container);
    assert_int_equal(libusb_get_container_id_descriptor(ctx, caps[1], &container),
                     LIBUSB_ERROR_INVALID_PARAM);
}

/* Those that came later. */
static void
check_young_capabilities(struct libusb_bos_dev_capability_descriptor **caps)
{
    struct libusb_platform_descriptor *platform;
    struct libusb_ssplus_usb_device_capability_descriptor *plus;

    assert_int_equal(libusb_get_platform_descriptor(ctx, caps[3], &platform), 0);
    assert_int_equal(platform->bLength, 22);
    assert_int_equal(platform->PlatformCapabilityUUID[0], 16);
    assert_memory_equal(platform->CapabilityData, "\xab\xcd", 2);
    libusb_free_platform_descriptor(platform);
    assert_int_equal(libusb_get_platform_descriptor(ctx, caps[4], &platform),
                     LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_get_ssplus_usb_device_capability_descriptor(ctx, caps[4], &plus), 0);
    assert_int_equal(plus->numSublinkSpeedAttributes, 2);
    assert_int_equal(plus->numSublinkSpeedIDs, 1);
    assert_int_equal(plus->ssid, 1);
    assert_int_equal(plus->minRxLaneCount, 1);
    assert_int_equal(plus->minTxLaneCount, 1);
    assert_int_equal(plus->sublinkSpeedAttributes[0].exponent, LIBUSB_SSPLUS_ATTR_EXP_GBS);
    assert_int_equal(plus->sublinkSpeedAttributes[0].mantissa, 10);
    assert_int_equal(plus->sublinkSpeedAttributes[0].direction, LIBUSB_SSPLUS_ATTR_DIR_RX);
    assert_int_equal(plus->sublinkSpeedAttributes[1].direction, LIBUSB_SSPLUS_ATTR_DIR_TX);
    assert_int_equal(plus->sublinkSpeedAttributes[1].protocol, LIBUSB_SSPLUS_ATTR_PROT_SSPLUS);
    libusb_free_ssplus_usb_device_capability_descriptor(plus);
    caps[4]->bLength = 19; /* an attribute is cut */
    assert_int_equal(libusb_get_ssplus_usb_device_capability_descriptor(ctx, caps[4], &plus),
                     LIBUSB_ERROR_IO);
    caps[3]->bLength = 19; /* shorter than it has to be */
    assert_int_equal(libusb_get_platform_descriptor(ctx, caps[3], &platform), LIBUSB_ERROR_IO);
}

static void
test_bos(void **state)
{
    struct answer a = {bos, sizeof(bos)};
    libusb_device_handle *h = open_at(1);
    struct libusb_bos_descriptor *d;

    (void)state;
    peer_script(peer, answer_bos, &a);
    assert_int_equal(libusb_get_bos_descriptor(h, &d), 0);
    assert_int_equal(d->bLength, 5);
    assert_int_equal(d->bDescriptorType, LIBUSB_DT_BOS);
    assert_int_equal(d->wTotalLength, sizeof(bos));
    assert_int_equal(d->bNumDeviceCaps, 5);
    check_plain_capabilities(d->dev_capability);
    check_young_capabilities(d->dev_capability);
    libusb_free_bos_descriptor(d);
    libusb_close(h);
}

static void
test_bos_that_is_none(void **state)
{
    static const uint8_t other[] = {5, 0x02, 5, 0, 0}, length[] = {5, 0x0f, 4, 0, 0};
    const struct answer answers[] = {{other, 5}, {length, 5}, {bos, 4}, {NULL, 0}};
    const int codes[] = {LIBUSB_ERROR_IO, LIBUSB_ERROR_IO, LIBUSB_ERROR_IO, LIBUSB_ERROR_PIPE};
    libusb_device_handle *h = open_at(1);
    struct libusb_bos_descriptor *d;

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct answer a = answers[i];

        peer_script(peer, answer_bos, &a);
        assert_int_equal(libusb_get_bos_descriptor(h, &d), codes[i]);
        peer_script(peer, NULL, NULL);
    }
    libusb_close(h);
}

/* ---- configurations ---- */

static void
test_companions(void **state)
{
    libusb_device_handle *h = open_at(1);
    struct libusb_ss_endpoint_companion_descriptor *companion;
    struct libusb_config_descriptor *c;

    (void)state;
    assert_int_equal(libusb_get_config_descriptor(libusb_get_device(h), 0, &c), 0);
    assert_int_equal(libusb_get_ss_endpoint_companion_descriptor(
                         ctx, &c->interface[0].altsetting[0].endpoint[0], &companion),
                     0);
    assert_int_equal(companion->bDescriptorType, LIBUSB_DT_SS_ENDPOINT_COMPANION);
    assert_int_equal(companion->bMaxBurst, 0);
    libusb_free_ss_endpoint_companion_descriptor(companion);
    libusb_free_config_descriptor(c);
    libusb_close(h);
}

static void
test_associations(void **state)
{
    libusb_device_handle *h = open_at(2), *plain = open_at(3);
    struct libusb_interface_association_descriptor_array *array;
    libusb_device *dev = libusb_get_device(h);

    (void)state;
    assert_int_equal(libusb_get_interface_association_descriptors(dev, 0, &array), 0);
    assert_int_equal(array->length, 2);
    assert_int_equal(array->iad[0].bFirstInterface, 0);
    assert_int_equal(array->iad[0].bInterfaceCount, 2);
    assert_int_equal(array->iad[1].bFirstInterface, 5);
    assert_int_equal(array->iad[1].bFunctionSubClass, 0x0d);
    libusb_free_interface_association_descriptors(array);
    assert_int_equal(libusb_get_active_interface_association_descriptors(dev, &array), 0);
    assert_int_equal(array->length, 2);
    libusb_free_interface_association_descriptors(array);
    libusb_free_interface_association_descriptors(NULL);
    assert_int_equal(libusb_get_interface_association_descriptors(dev, 1, &array),
                     LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_get_interface_association_descriptors(dev, 0, NULL),
                     LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(
        libusb_get_interface_association_descriptors(libusb_get_device(plain), 0, &array), 0);
    assert_int_equal(array->length, 0);
    libusb_free_interface_association_descriptors(array);
    libusb_close(plain);
    libusb_close(h);
}

static void
test_configurations_that_are_not_there(void **state)
{
    libusb_device_handle *h = open_at(2);
    libusb_device *dev = libusb_get_device(h);
    struct libusb_config_descriptor *c;

    (void)state;
    assert_int_equal(libusb_get_config_descriptor(dev, 1, &c), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_get_config_descriptor_by_value(dev, 1, &c), 0);
    assert_int_equal(c->bNumInterfaces, 7);
    libusb_free_config_descriptor(c);
    assert_int_equal(libusb_get_config_descriptor_by_value(dev, 9, &c), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_get_max_packet_size(dev, 0x85), 10);
    assert_int_equal(libusb_get_max_iso_packet_size(dev, 0x85), 10);
    assert_int_equal(libusb_get_max_packet_size(dev, 0x8f), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_get_max_iso_packet_size(dev, 0x8f), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_get_max_alt_packet_size(dev, 6, 1, 0x82), 512);
    assert_int_equal(libusb_get_max_alt_packet_size(dev, 6, 0, 0x82), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_get_max_alt_packet_size(dev, -1, 0, 0x82), LIBUSB_ERROR_NOT_FOUND);
    libusb_close(h);
}

/* ---- strings without a handle ---- */

static void
test_strings(void **state)
{
    libusb_device_handle *h = open_at(2);
    libusb_device *dev = libusb_get_device(h);
    char text[32];

    (void)state;
    assert_int_equal(
        libusb_get_device_string(dev, LIBUSB_DEVICE_STRING_MANUFACTURER, text, sizeof(text)), 6);
    assert_string_equal(text, "maker");
    assert_int_equal(libusb_get_device_string(dev, LIBUSB_DEVICE_STRING_COUNT, text, 32),
                     LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_get_device_string(dev, LIBUSB_DEVICE_STRING_PRODUCT, text, 0),
                     LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_get_device_string(NULL, LIBUSB_DEVICE_STRING_PRODUCT, text, 32),
                     LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_get_config_string(dev, 0, text, sizeof(text)), 14);
    assert_string_equal(text, "configuration");
    assert_int_equal(libusb_get_config_string(dev, 1, text, 5), 5);
    assert_string_equal(text, "conf");
    assert_int_equal(libusb_get_config_string(dev, 9, text, 32), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_get_config_string(dev, 1, text, 0), LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_get_config_string(NULL, 1, text, 32), LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_get_interface_string(dev, 1, 0, 0, text, sizeof(text)), 8);
    assert_string_equal(text, "control");
    assert_int_equal(libusb_get_interface_string(dev, 0, 2, 0, text, 32), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_get_interface_string(dev, 0, 0, 7, text, 32), LIBUSB_ERROR_NOT_FOUND);
    assert_int_equal(libusb_get_interface_string(NULL, 0, 0, 0, text, 32),
                     LIBUSB_ERROR_INVALID_PARAM);
    libusb_close(h);
}

/* ---- where it is, and how fast ---- */

static void
test_speeds(void **state)
{
    /* by the kernel's numbers, in the order of ports */
    static const int speeds[] = {LIBUSB_SPEED_SUPER,  LIBUSB_SPEED_HIGH, LIBUSB_SPEED_FULL,
                                 LIBUSB_SPEED_LOW,    LIBUSB_SPEED_HIGH, LIBUSB_SPEED_SUPER_PLUS,
                                 LIBUSB_SPEED_UNKNOWN};

    (void)state;
    for (uint8_t port = 1; port <= 7; port++) {
        libusb_device_handle *h = open_at(port);

        assert_int_equal(libusb_get_device_speed(libusb_get_device(h)), speeds[port - 1]);
        libusb_close(h);
    }
}

static void
test_path(void **state)
{
    static const uint8_t path[] = {1, 2, 3, 8};
    libusb_device_handle *h = open_at(8);
    libusb_device *dev = libusb_get_device(h);
    uint8_t ports[7];

    (void)state;
    assert_int_equal(libusb_get_bus_number(dev), 101);
    assert_int_equal(libusb_get_device_address(dev), 9);
    assert_int_equal(libusb_get_port_numbers(dev, ports, sizeof(ports)), 4);
    assert_memory_equal(ports, path, 4);
    assert_int_equal(libusb_get_port_path(ctx, dev, ports, sizeof(ports)), 4);
    assert_int_equal(libusb_get_port_numbers(dev, ports, 3), LIBUSB_ERROR_OVERFLOW);
    assert_int_equal(libusb_get_port_numbers(dev, ports, 0), LIBUSB_ERROR_INVALID_PARAM);
    assert_int_equal(libusb_get_port_numbers(dev, ports, -1), LIBUSB_ERROR_INVALID_PARAM);
    libusb_close(h);
}

static void
name_strings(struct peer_model *m)
{
    m->strings[1] = "maker";
    m->strings[2] = "product";
    m->strings[3] = "serial";
    m->strings[4] = "configuration";
    m->strings[5] = "control";
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_bos),
        TEST(test_bos_that_is_none),
        TEST(test_companions),
        TEST(test_associations),
        TEST(test_configurations_that_are_not_there),
        TEST(test_strings),
        TEST(test_speeds),
        TEST(test_path),
    };
    int r;

    peer = peer_new();
    peer_add(peer, "1-1", SUPER, 5);
    name_strings(peer_add(peer, "1-2", COMPOSITE, 3));
    peer_add(peer, "1-3", PLAIN, 2);
    peer_add(peer, "1-4", PLAIN, 1);
    peer_add(peer, "1-5", PLAIN, 4);
    peer_add(peer, "1-6", SUPER, 6);
    peer_add(peer, "1-7", PLAIN, 0);
    peer_add(peer, "1-1.2.3.8", PLAIN, 3);
    setenv("USBWIRE_SERVERS", peer->address, 1);
    setenv("USBWIRE_DEVICES", "all", 1);
    r = cmocka_run_group_tests(tests, NULL, NULL);
    peer_free(peer);
    return r;
}
