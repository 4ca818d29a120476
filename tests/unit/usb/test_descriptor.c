/*
 * Descriptors of devices that exist, of devices that lie, and cut ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <usbwire/descriptor.h>
#include <usbwire/error.h>

#include "support/alloc.h"
#include "vector.h"

static struct uw_config *
parse(const uint8_t *bytes, size_t size)
{
    struct uw_config *c = NULL;

    assert_int_equal(uw_config_parse(bytes, size, &c), 0);
    return c;
}

static struct uw_config *
parse_vector(const char *name, unsigned index)
{
    struct vector v;
    struct uw_config *c;

    vector_read(&v, name);
    assert_true(index < v.num_configs);
    c = parse(v.configs[index], v.sizes[index]);
    vector_free(&v);
    return c;
}

/* ---- every vector, against a count made without the parser's walk ---- */

static unsigned
count_type(const uint8_t *bytes, size_t size, uint8_t type)
{
    unsigned n = 0;

    for (size_t at = 0; at + 2 <= size; at += bytes[at])
        n += bytes[at + 1] == type;
    return n;
}

static void
check_altsetting(const struct uw_altsetting *a, unsigned *endpoints, size_t *covered)
{
    for (unsigned i = 0; i < a->bNumEndpoints; i++) {
        const struct uw_endpoint *e = &a->endpoints[i];

        assert_int_equal(e->bDescriptorType, UW_DT_ENDPOINT);
        assert_true(uw_endpoint_max_packet(e) > 0);
        *covered += e->bLength + e->extra.size;
    }
    *endpoints += a->bNumEndpoints;
    *covered += a->bLength + a->extra.size;
}

static void
check_vector(const struct vector *v, void *arg)
{
    struct uw_device_descriptor d;

    (void)arg;
    assert_int_equal(uw_device_descriptor_parse(v->device, sizeof(v->device), &d), 0);
    assert_int_equal(d.bNumConfigurations, v->num_configs);
    for (unsigned i = 0; i < v->num_configs; i++) {
        const uint8_t *b = v->configs[i];
        struct uw_config *c = parse(b, v->sizes[i]);
        unsigned altsettings = 0, endpoints = 0;
        size_t covered = c->bLength + c->extra.size;

        assert_int_equal(c->wTotalLength, v->sizes[i]);
        assert_int_equal(c->bNumInterfaces, b[4]);
        assert_int_equal(c->num_associations,
                         count_type(b, v->sizes[i], UW_DT_INTERFACE_ASSOCIATION));
        for (unsigned j = 0; j < c->bNumInterfaces; j++) {
            altsettings += c->interfaces[j].num_altsettings;
            for (unsigned k = 0; k < c->interfaces[j].num_altsettings; k++)
                check_altsetting(&c->interfaces[j].altsettings[k], &endpoints, &covered);
        }
        assert_int_equal(altsettings, count_type(b, v->sizes[i], UW_DT_INTERFACE));
        assert_int_equal(endpoints, count_type(b, v->sizes[i], UW_DT_ENDPOINT));
        assert_int_equal(covered, v->sizes[i]); /* every byte is somebody's */
        uw_config_free(c);
    }
}

static void
test_every_vector(void **state)
{
    (void)state;
    assert_true(vector_each(check_vector, NULL) >= 20);
}

static void
test_device(void **state)
{
    struct vector v;
    struct uw_device_descriptor d;

    (void)state;
    vector_read(&v, "qemu-usb-serial-full");
    assert_int_equal(uw_device_descriptor_parse(v.device, 18, &d), 0);
    assert_int_equal(d.bcdUSB, 0x0200);
    assert_int_equal(d.idVendor, 0x0403);
    assert_int_equal(d.idProduct, 0x6001);
    assert_int_equal(d.bcdDevice, 0x0400);
    assert_int_equal(d.bMaxPacketSize0, 8);
    assert_int_equal(d.iManufacturer, 1);
    assert_int_equal(d.iProduct, 2);
    assert_int_equal(d.iSerialNumber, 4);
    assert_int_equal(d.bNumConfigurations, 1);
    vector_free(&v);
}

static void
test_no_device_descriptor(void **state)
{
    uint8_t bytes[18] = {18, 1};
    struct uw_device_descriptor d = {.idVendor = 0xabcd};

    (void)state;
    for (size_t size = 0; size < 18; size++)
        assert_int_equal(uw_device_descriptor_parse(bytes, size, &d), UW_ERROR_PROTOCOL);
    bytes[0] = 17;
    assert_int_equal(uw_device_descriptor_parse(bytes, 18, &d), UW_ERROR_PROTOCOL);
    bytes[0] = 18;
    bytes[1] = UW_DT_CONFIG;
    assert_int_equal(uw_device_descriptor_parse(bytes, 18, &d), UW_ERROR_PROTOCOL);
    assert_int_equal(d.idVendor, 0xabcd);
}

/* ---- what belongs where ---- */

static void
test_audio(void **state)
{
    struct uw_config *c = parse_vector("qemu-usb-audio-full", 0);
    const struct uw_altsetting *a;

    (void)state;
    assert_int_equal(c->bNumInterfaces, 2);
    assert_int_equal(c->bMaxPower, 50);
    assert_int_equal(c->interfaces[0].num_altsettings, 1);
    assert_int_equal(c->interfaces[0].altsettings[0].extra.size, 0x2b);
    assert_int_equal(c->interfaces[1].num_altsettings, 2);
    assert_int_equal(c->interfaces[1].altsettings[0].bNumEndpoints, 0);
    assert_null(c->interfaces[1].altsettings[0].extra.bytes);
    a = &c->interfaces[1].altsettings[1];
    assert_int_equal(a->bAlternateSetting, 1);
    assert_int_equal(a->extra.size, 7 + 11);
    assert_int_equal(a->endpoints[0].bLength, 9);
    assert_int_equal(a->endpoints[0].bRefresh, 0);
    assert_int_equal(a->endpoints[0].extra.size, 7);
    assert_int_equal(a->endpoints[0].extra.bytes[1], UW_DT_CS_ENDPOINT);
    assert_int_equal(uw_endpoint_type(&a->endpoints[0]), UW_ISOCHRONOUS);
    assert_int_equal(uw_endpoint_max_packet(&a->endpoints[0]), 192);
    assert_int_equal(uw_endpoint_interval(&a->endpoints[0], 2), 1);
    uw_config_free(c);
}

static void
test_audio_sync_endpoint(void **state)
{
    static const uint8_t bytes[] = {
        9, 2, 27, 0, 1, 1, 0,    0x80, 50, 9, 4, 0, 0,    1,
        1, 2, 0,  0, 9, 5, 0x82, 0x05, 3,  0, 1, 4, 0x03,
    };
    struct uw_config *c = parse(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(c->interfaces[0].altsettings[0].endpoints[0].bRefresh, 4);
    assert_int_equal(c->interfaces[0].altsettings[0].endpoints[0].bSynchAddress, 3);
    uw_config_free(c);
}

/* An association that stands behind an endpoint is found there, and is part of its extra. */
static void
test_associations(void **state)
{
    struct uw_config *c = parse_vector("composite-acm-serial-midi-ncm-high", 0);
    const struct uw_endpoint *midi_in;

    (void)state;
    assert_int_equal(c->num_associations, 2);
    assert_int_equal(c->associations[0].bFirstInterface, 0);
    assert_int_equal(c->associations[0].bFunctionClass, 2);
    assert_int_equal(c->associations[0].iFunction, 7);
    assert_int_equal(c->associations[1].bFirstInterface, 5);
    assert_int_equal(c->associations[1].bInterfaceCount, 2);
    assert_int_equal(c->associations[1].bFunctionSubClass, 13);
    assert_int_equal(c->extra.size, 8);
    midi_in = &c->interfaces[4].altsettings[0].endpoints[1];
    assert_int_equal(midi_in->extra.size, 5 + 8);
    uw_config_free(c);
}

static void
test_companions(void **state)
{
    struct uw_config *c = parse_vector("usb-attached-scsi-hba-super", 0);
    const struct uw_endpoint *e = c->interfaces[0].altsettings[0].endpoints;

    (void)state;
    assert_int_equal(c->interfaces[0].altsettings[0].bNumEndpoints, 4);
    assert_true(e[0].has_companion);
    assert_int_equal(e[0].bMaxBurst, 15);
    assert_int_equal(e[0].ss_bmAttributes, 0);
    assert_int_equal(e[1].ss_bmAttributes, 4);
    assert_int_equal(e[1].extra.size, 6 + 4); /* the companion and the pipe usage */
    assert_int_equal(uw_endpoint_max_packet(&e[0]), 1024);
    uw_config_free(c);
}

static void
test_two_configurations(void **state)
{
    struct uw_config *first = parse_vector("rndis-qemu-usb-network-device-full", 0);
    struct uw_config *second = parse_vector("rndis-qemu-usb-network-device-full", 1);

    (void)state;
    assert_int_equal(first->bConfigurationValue, 2);
    assert_int_equal(second->bConfigurationValue, 1);
    assert_int_equal(first->interfaces[0].altsettings[0].extra.size, 5 + 5 + 4 + 5);
    assert_int_equal(second->interfaces[1].num_altsettings, 2);
    uw_config_free(first);
    uw_config_free(second);
}

/* ---- devices that lie ---- */

#define HEAD(total, interfaces) 9, 2, (total), 0, (interfaces), 1, 0, 0x80, 50
#define INTERFACE(n, alt, eps)  9, 4, (n), (alt), (eps), 0xff, 0, 0, 0
#define BULK(address)           7, 5, (address), 2, 64, 0, 0

static void
test_altsettings_apart(void **state)
{
    static const uint8_t bytes[] = {
        HEAD(66, 2),        INTERFACE(3, 0, 0), INTERFACE(1, 0, 1), BULK(0x81),
        INTERFACE(3, 1, 1), BULK(0x02),         INTERFACE(1, 1, 1), BULK(0x83),
    };
    struct uw_config *c = parse(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(c->bNumInterfaces, 2);
    assert_int_equal(c->interfaces[0].num_altsettings, 2);
    assert_int_equal(c->interfaces[0].altsettings[0].bInterfaceNumber, 3);
    assert_int_equal(c->interfaces[0].altsettings[1].bInterfaceNumber, 3);
    assert_int_equal(c->interfaces[0].altsettings[1].bAlternateSetting, 1);
    assert_int_equal(c->interfaces[0].altsettings[1].endpoints[0].bEndpointAddress, 0x02);
    assert_int_equal(c->interfaces[1].num_altsettings, 2);
    assert_int_equal(c->interfaces[1].altsettings[0].endpoints[0].bEndpointAddress, 0x81);
    assert_int_equal(c->interfaces[1].altsettings[1].endpoints[0].bEndpointAddress, 0x83);
    uw_config_free(c);
}

static void
test_fewer_than_claimed(void **state)
{
    static const uint8_t bytes[] = {HEAD(32, 7), INTERFACE(0, 0, 4), BULK(0x81), BULK(0x02)};
    struct uw_config *c = parse(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(c->bNumInterfaces, 1);
    assert_int_equal(c->interfaces[0].altsettings[0].bNumEndpoints, 2);
    uw_config_free(c);
}

/* What is too much is left out, with all that belongs to it. */
static void
test_more_than_claimed(void **state)
{
    static const uint8_t bytes[] = {
        HEAD(47, 1), BULK(0x85), INTERFACE(0, 0, 1), BULK(0x81), 3, 0x25, 1, BULK(0x02), 5, 0x25, 2,
        0,           0,
    };
    struct uw_config *c = parse(bytes, sizeof(bytes));
    const struct uw_altsetting *a = c->interfaces[0].altsettings;

    (void)state;
    assert_int_equal(c->extra.size, 0);
    assert_int_equal(a->bNumEndpoints, 1);
    assert_int_equal(a->endpoints[0].bEndpointAddress, 0x81);
    assert_int_equal(a->endpoints[0].extra.size, 3);
    uw_config_free(c);
}

static void
test_senseless_length_ends_it(void **state)
{
    static const uint8_t zero[] = {HEAD(34, 1), INTERFACE(0, 0, 2), BULK(0x81), 0, 5, BULK(0x02)};
    static const uint8_t far[] = {
        HEAD(32, 1), INTERFACE(0, 0, 2), BULK(0x81), 8, 5, 2, 2, 64, 0, 0};
    struct uw_config *c = parse(zero, sizeof(zero));

    (void)state;
    assert_int_equal(c->interfaces[0].altsettings[0].bNumEndpoints, 1);
    uw_config_free(c);
    c = parse(far, sizeof(far));
    assert_int_equal(c->interfaces[0].altsettings[0].bNumEndpoints, 1);
    assert_int_equal(c->interfaces[0].altsettings[0].endpoints[0].extra.size, 0);
    uw_config_free(c);
}

/* Short ones are not what their type says, but still bytes of the device. */
static void
test_short_descriptors(void **state)
{
    static const uint8_t bytes[] = {
        HEAD(31, 1), INTERFACE(0, 0, 1), 6, 5, 0x81, 2, 64, 0, 4, 0x30, 1, 2, 3, 11};
    struct uw_config *c = parse(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(c->interfaces[0].altsettings[0].bNumEndpoints, 0);
    assert_int_equal(c->interfaces[0].altsettings[0].extra.size, 6 + 4);
    uw_config_free(c);
}

static void
test_total_length(void **state)
{
    uint8_t bytes[] = {HEAD(25, 1), INTERFACE(0, 0, 1), BULK(0x81), BULK(0x82)};
    struct uw_config *c = parse(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(c->interfaces[0].altsettings[0].bNumEndpoints, 1);
    assert_int_equal(c->interfaces[0].altsettings[0].endpoints[0].extra.size, 0);
    uw_config_free(c);
    bytes[2] = bytes[3] = 0xff; /* more than there is */
    c = parse(bytes, sizeof(bytes));
    assert_int_equal(c->wTotalLength, 0xffff);
    uw_config_free(c);
    bytes[2] = bytes[3] = 0; /* not even itself: what was given counts */
    c = parse(bytes, sizeof(bytes));
    assert_int_equal(c->bNumInterfaces, 1);
    uw_config_free(c);
}

static void
test_256_interfaces(void **state)
{
    size_t size = 9 + 256 * 9;
    uint8_t *bytes = calloc(1, size);
    struct uw_config *c;

    (void)state;
    memcpy(bytes, (const uint8_t[]){HEAD(0, 255)}, 9);
    bytes[2] = (uint8_t)size;
    bytes[3] = (uint8_t)(size >> 8);
    for (unsigned i = 0; i < 256; i++)
        memcpy(bytes + 9 + i * 9, (const uint8_t[]){INTERFACE((uint8_t)i, 0, 0)}, 9);
    c = parse(bytes, size);
    assert_int_equal(c->bNumInterfaces, 255);
    assert_int_equal(c->interfaces[254].altsettings[0].bInterfaceNumber, 254);
    uw_config_free(c);
    free(bytes);
}

static void
test_no_config(void **state)
{
    uint8_t bytes[] = {HEAD(9, 0)};
    struct uw_config *c = NULL;

    (void)state;
    for (size_t size = 0; size < sizeof(bytes); size++)
        assert_int_equal(uw_config_parse(bytes, size, &c), UW_ERROR_PROTOCOL);
    bytes[1] = UW_DT_DEVICE;
    assert_int_equal(uw_config_parse(bytes, sizeof(bytes), &c), UW_ERROR_PROTOCOL);
    bytes[1] = UW_DT_OTHER_SPEED_CONFIG;
    assert_int_equal(uw_config_parse(bytes, sizeof(bytes), &c), 0);
    uw_config_free(c);
    c = NULL;
    bytes[0] = 8;
    assert_int_equal(uw_config_parse(bytes, sizeof(bytes), &c), UW_ERROR_PROTOCOL);
    bytes[0] = 10;
    assert_int_equal(uw_config_parse(bytes, sizeof(bytes), &c), UW_ERROR_PROTOCOL);
    assert_null(c);
    uw_config_free(NULL);
}

/* Cut anywhere, in memory of just that size so that a sanitizer sees one byte too far. */
static void
cut_everywhere(const struct vector *v, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < v->num_configs; i++)
        for (size_t size = 9; size <= v->sizes[i]; size++) {
            uint8_t *cut = malloc(size);
            struct uw_config *c;

            memcpy(cut, v->configs[i], size);
            c = parse(cut, size);
            free(cut); /* nothing is borrowed from the caller */
            for (unsigned j = 0; j < c->bNumInterfaces; j++) {
                unsigned endpoints = 0;
                size_t covered = 0;

                assert_true(c->interfaces[j].num_altsettings > 0);
                for (unsigned k = 0; k < c->interfaces[j].num_altsettings; k++)
                    check_altsetting(&c->interfaces[j].altsettings[k], &endpoints, &covered);
                assert_true(covered <= size);
            }
            uw_config_free(c);
        }
}

static void
test_cut_everywhere(void **state)
{
    (void)state;
    vector_each(cut_everywhere, NULL);
}

static void
test_no_memory(void **state)
{
    static const uint8_t bytes[] = {HEAD(25, 1), INTERFACE(0, 0, 1), BULK(0x81)};
    struct uw_config *c = NULL;
    unsigned n = 0;
    int r;

    (void)state;
    for (;; n++) {
        alloc_fail_at(n);
        r = uw_config_parse(bytes, sizeof(bytes), &c);
        if (!alloc_end())
            break;
        assert_int_equal(r, UW_ERROR_NO_MEMORY);
        assert_null(c);
    }
    assert_int_equal(r, 0);
    assert_int_equal(n, 1); /* one allocation holds it all */
    uw_config_free(c);
}

/* ---- arithmetic of endpoints ---- */

static void
test_max_packet(void **state)
{
    static const struct {
        uint8_t attributes;
        uint16_t size;
        uint8_t companion, burst, mult;
        unsigned expected;
    } rows[] = {
        {UW_BULK, 512, 0, 0, 0, 512},
        {UW_BULK, 1024, 1, 15, 0, 1024},         /* a burst is many packets */
        {UW_BULK, 0x1a00, 0, 0, 0, 512},         /* bits 12..11 mean nothing here */
        {UW_INTERRUPT, 64, 0, 0, 0, 64},         /* USB 2.0 9.6.6 */
        {UW_INTERRUPT, 0x1400, 0, 0, 0, 3072},   /* 1024 and two additional transactions */
        {UW_ISOCHRONOUS, 0x0c00, 0, 0, 0, 2048}, /* 1024 and one */
        {UW_ISOCHRONOUS, 1023, 0, 0, 0, 1023},
        {UW_ISOCHRONOUS, 1024, 1, 15, 2, 49152}, /* USB 3.2 9.6.7 */
        {UW_INTERRUPT, 1024, 1, 2, 0, 3072},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct uw_endpoint e = {.bmAttributes = rows[i].attributes,
                                .wMaxPacketSize = rows[i].size,
                                .has_companion = rows[i].companion,
                                .bMaxBurst = rows[i].burst,
                                .ss_bmAttributes = rows[i].mult};

        assert_int_equal(uw_endpoint_max_packet(&e), rows[i].expected);
    }
}

/* What usb_fill_int_urb (include/linux/usb.h) and the iso drivers put into urb->interval. */
static void
test_interval(void **state)
{
    enum { LOW = 1, FULL = 2, HIGH = 3, SUPER = 5, PLUS = 6 };
    static const struct {
        uint8_t attributes, b_interval;
        uint32_t speed;
        int expected;
    } rows[] = {
        {UW_INTERRUPT, 10, LOW, 10},  {UW_INTERRUPT, 255, FULL, 255},
        {UW_INTERRUPT, 0, FULL, 1},   {UW_INTERRUPT, 1, HIGH, 1},
        {UW_INTERRUPT, 9, HIGH, 256}, {UW_INTERRUPT, 16, SUPER, 32768},
        {UW_INTERRUPT, 0, HIGH, 1},   {UW_INTERRUPT, 255, HIGH, 32768},
        {UW_INTERRUPT, 4, PLUS, 8},   {UW_ISOCHRONOUS, 1, FULL, 1},
        {UW_ISOCHRONOUS, 4, FULL, 8}, {UW_ISOCHRONOUS, 4, HIGH, 8},
        {UW_ISOCHRONOUS, 0, HIGH, 1}, {UW_BULK, 1, HIGH, 0},
        {UW_CONTROL, 1, HIGH, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct uw_endpoint e = {.bmAttributes = rows[i].attributes,
                                .bInterval = rows[i].b_interval};

        assert_int_equal(uw_endpoint_interval(&e, rows[i].speed), rows[i].expected);
    }
}

static void
test_next(void **state)
{
    static const uint8_t bytes[] = {3, 0x24, 1, 2, 0x25, 5, 0x24};
    struct uw_extra rest = {bytes, sizeof(bytes)}, one;

    (void)state;
    assert_int_equal(uw_descriptor_next(&rest, &one), 1);
    assert_ptr_equal(one.bytes, bytes);
    assert_int_equal(one.size, 3);
    assert_int_equal(uw_descriptor_next(&rest, &one), 1);
    assert_int_equal(one.bytes[1], 0x25);
    assert_int_equal(uw_descriptor_next(&rest, &one), 0); /* 5 where 2 are left */
    assert_int_equal(rest.size, 2);
    rest = (struct uw_extra){NULL, 0};
    assert_int_equal(uw_descriptor_next(&rest, &one), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_vector),
        cmocka_unit_test(test_device),
        cmocka_unit_test(test_no_device_descriptor),
        cmocka_unit_test(test_audio),
        cmocka_unit_test(test_audio_sync_endpoint),
        cmocka_unit_test(test_associations),
        cmocka_unit_test(test_companions),
        cmocka_unit_test(test_two_configurations),
        cmocka_unit_test(test_altsettings_apart),
        cmocka_unit_test(test_fewer_than_claimed),
        cmocka_unit_test(test_more_than_claimed),
        cmocka_unit_test(test_senseless_length_ends_it),
        cmocka_unit_test(test_short_descriptors),
        cmocka_unit_test(test_total_length),
        cmocka_unit_test(test_256_interfaces),
        cmocka_unit_test(test_no_config),
        cmocka_unit_test(test_cut_everywhere),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_max_packet),
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
