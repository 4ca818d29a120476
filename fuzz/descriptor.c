/*
 * descriptor.c - configuration descriptors from anywhere
 *
 * Beyond not crashing: no byte belongs to two, all that is shown lies within what was given, counts
 * agree, and the same bytes give the same result.
 */
#include <string.h>

#include <usbwire/descriptor.h>
#include <usbwire/error.h>

#include "fuzz.h"

/* Bytes of an extra, walked as a user of it would. */
static size_t
walk(struct uw_extra extra)
{
    struct uw_extra one;
    size_t size = extra.size, walked = 0;

    FUZZ_CHECK((extra.bytes == NULL) == (extra.size == 0));
    while (uw_descriptor_next(&extra, &one)) {
        FUZZ_CHECK(one.size >= 2 && one.bytes[0] == one.size);
        walked += one.size;
    }
    FUZZ_CHECK(walked == size); /* an extra is made of whole descriptors */
    return size;
}

static size_t
check_endpoint(const struct uw_endpoint *e)
{
    FUZZ_CHECK(e->bDescriptorType == UW_DT_ENDPOINT && e->bLength >= 7);
    FUZZ_CHECK(uw_endpoint_max_packet(e) <= 2047u * 256u * 4u);
    for (uint32_t speed = 0; speed < 7; speed++) {
        int interval = uw_endpoint_interval(e, speed);
        int periodic = uw_endpoint_type(e) == UW_INTERRUPT || uw_endpoint_type(e) == UW_ISOCHRONOUS;

        FUZZ_CHECK(periodic ? interval >= 1 && interval <= 32768 : interval == 0);
    }
    return e->bLength + walk(e->extra);
}

static size_t
check_interface(const struct uw_interface *in)
{
    uint8_t number = in->altsettings[0].bInterfaceNumber;
    size_t covered = 0;

    FUZZ_CHECK(in->num_altsettings > 0);
    for (unsigned i = 0; i < in->num_altsettings; i++) {
        const struct uw_altsetting *a = &in->altsettings[i];

        FUZZ_CHECK(a->bInterfaceNumber == number && a->bDescriptorType == UW_DT_INTERFACE);
        covered += a->bLength + walk(a->extra);
        for (unsigned j = 0; j < a->bNumEndpoints; j++)
            covered += check_endpoint(&a->endpoints[j]);
    }
    return covered;
}

static void
check_config(const struct uw_config *c, size_t size)
{
    uint8_t seen[256] = {0};
    size_t covered = c->bLength + walk(c->extra);

    for (unsigned i = 0; i < c->bNumInterfaces; i++) {
        uint8_t number = c->interfaces[i].altsettings[0].bInterfaceNumber;

        FUZZ_CHECK(!seen[number]); /* altsettings of one interface are together */
        seen[number] = 1;
        covered += check_interface(&c->interfaces[i]);
    }
    FUZZ_CHECK(covered <= size);
    FUZZ_CHECK(c->num_associations <= size / 8);
}

static int
same(const struct uw_config *a, const struct uw_config *b)
{
    if (a->bNumInterfaces != b->bNumInterfaces || a->num_associations != b->num_associations ||
        a->extra.size != b->extra.size)
        return 0;
    for (unsigned i = 0; i < a->bNumInterfaces; i++)
        if (a->interfaces[i].num_altsettings != b->interfaces[i].num_altsettings)
            return 0;
    return 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct uw_device_descriptor device;
    struct uw_config *c = NULL, *again = NULL;
    int r = uw_device_descriptor_parse(bytes, size, &device);

    FUZZ_CHECK(r == 0 || r == UW_ERROR_PROTOCOL);
    r = uw_config_parse(bytes, size, &c);
    FUZZ_CHECK(r == 0 || r == UW_ERROR_PROTOCOL);
    if (r < 0)
        return 0;
    check_config(c, size);
    FUZZ_CHECK(uw_config_parse(bytes, size, &again) == 0);
    FUZZ_CHECK(same(c, again));
    uw_config_free(again);
    uw_config_free(c);
    return 0;
}
