/*
 * descriptors.c - making descriptors that fit a device's speed
 */
#include <string.h>

#include <usbwire/descriptor.h>

#include "base/bytes.h"
#include "sim/device.h"

#define STRING_MANUFACTURER 1
#define STRING_PRODUCT      2
#define STRING_SERIAL       3

uint16_t
sim_bulk_packet(const struct sim_device *d)
{
    return d->speed == SIM_SUPER ? 1024 : d->speed == SIM_HIGH ? 512 : 64;
}

void
sim_device_descriptor(struct sim_device *d, uint16_t vid, uint16_t pid, uint16_t bcd,
                      uint8_t device_class, uint8_t subclass, uint8_t protocol)
{
    struct uw_writer w = uw_writer(d->device, sizeof(d->device));

    uw_wr_u8(&w, sizeof(d->device));
    uw_wr_u8(&w, UW_DT_DEVICE);
    uw_wr_le16(&w, d->speed == SIM_SUPER ? 0x0300 : 0x0200);
    uw_wr_u8(&w, device_class);
    uw_wr_u8(&w, subclass);
    uw_wr_u8(&w, protocol);
    /* USB 3.2 9.6.1: an exponent at SuperSpeed. */
    uw_wr_u8(&w, d->speed == SIM_SUPER ? 9 : d->speed == SIM_LOW ? 8 : 64);
    uw_wr_le16(&w, vid);
    uw_wr_le16(&w, pid);
    uw_wr_le16(&w, bcd);
    uw_wr_u8(&w, STRING_MANUFACTURER);
    uw_wr_u8(&w, STRING_PRODUCT);
    uw_wr_u8(&w, STRING_SERIAL);
    uw_wr_u8(&w, 1);
    d->strings[STRING_MANUFACTURER] = "usbwire";
    d->strings[STRING_SERIAL] = d->serial;
}

void
sim_config_raw(struct sim_config *c, const uint8_t *bytes, size_t size)
{
    struct uw_writer w = uw_writer(c->bytes + c->size, SIM_CONFIG_SIZE - c->size);

    uw_wr_bytes(&w, bytes, size);
    c->size += w.len;
}

struct sim_config
sim_config_begin(struct sim_device *d, uint8_t value)
{
    struct sim_config c = {d, d->configs[d->config_count], 0};
    const uint8_t head[] = {9, UW_DT_CONFIG, 0, 0, 0, value, 0, 0x80, 50};

    sim_config_raw(&c, head, sizeof(head));
    return c;
}

void
sim_config_interface(struct sim_config *c, uint8_t number, uint8_t altsetting, uint8_t endpoints,
                     uint8_t interface_class, uint8_t subclass, uint8_t protocol, uint8_t string)
{
    const uint8_t bytes[] = {9,          UW_DT_INTERFACE, number,
                             altsetting, endpoints,       interface_class,
                             subclass,   protocol,        string};

    sim_config_raw(c, bytes, sizeof(bytes));
}

void
sim_config_endpoint(struct sim_config *c, uint8_t address, uint8_t attributes, uint16_t max_packet,
                    uint8_t interval)
{
    uint16_t size = max_packet ? max_packet : sim_bulk_packet(c->device);
    const uint8_t bytes[] = {
        7, UW_DT_ENDPOINT, address, attributes, (uint8_t)size, (uint8_t)(size >> 8), interval};
    const uint8_t companion[] = {
        6, UW_DT_SS_ENDPOINT_COMPANION, 0, 0, (uint8_t)size, (uint8_t)(size >> 8)};
    const uint8_t bulk_companion[] = {6, UW_DT_SS_ENDPOINT_COMPANION, 0, 0, 0, 0};

    sim_config_raw(c, bytes, sizeof(bytes));
    if (c->device->speed == SIM_SUPER)
        sim_config_raw(c, (attributes & 3) == UW_BULK ? bulk_companion : companion,
                       sizeof(companion));
}

void
sim_config_end(struct sim_config *c, uint8_t interfaces)
{
    c->bytes[2] = (uint8_t)c->size;
    c->bytes[3] = (uint8_t)(c->size >> 8);
    c->bytes[4] = interfaces;
    c->device->config_size[c->device->config_count++] = c->size;
    c->device->device[17] = (uint8_t)c->device->config_count;
}

const uint8_t *
sim_endpoint(const struct sim_device *d, uint8_t address)
{
    unsigned altsetting = 0, number = 0;

    for (unsigned i = 0; i < d->config_count; i++) {
        struct uw_extra rest = {d->configs[i], d->config_size[i]}, one;

        if (d->configs[i][5] != d->configuration)
            continue;
        while (uw_descriptor_next(&rest, &one)) {
            if (one.bytes[1] == UW_DT_INTERFACE) {
                number = one.bytes[2] & 7u;
                altsetting = one.bytes[3];
            }
            if (one.bytes[1] == UW_DT_ENDPOINT && one.bytes[2] == address &&
                d->altsettings[number] == altsetting)
                return one.bytes;
        }
    }
    return NULL;
}

unsigned
sim_max_packet(const struct sim_device *d, uint8_t endpoint)
{
    const uint8_t *bytes = sim_endpoint(d, endpoint);

    return bytes ? (unsigned)(bytes[4] | bytes[5] << 8) & 0x7ffu : 0;
}

/* An endpoint descriptor of high speed becomes one of full speed (USB 2.0 5.6.3, 5.7.3, 5.8.3). */
static void
slow_down(uint8_t *e)
{
    unsigned type = e[3] & 3u, interval = e[6] > 16 ? 16 : e[6];
    unsigned size = (unsigned)(e[4] | e[5] << 8) & 0x7ffu;
    unsigned most = type == UW_ISOCHRONOUS ? 1023 : 64;

    size = size < most ? size : most;
    e[4] = (uint8_t)size;
    e[5] = (uint8_t)(size >> 8);
    if (type == UW_INTERRUPT) /* 2^(n-1) eighths of a millisecond, milliseconds */
        e[6] = (uint8_t)(interval < 4 ? 1 : interval > 11 ? 255 : 1u << (interval - 4));
}

size_t
sim_other_speed(const struct sim_device *d, unsigned index, uint8_t *bytes)
{
    size_t size = d->config_size[index];

    memcpy(bytes, d->configs[index], size);
    bytes[1] = UW_DT_OTHER_SPEED_CONFIG;
    for (size_t at = 0; at < size; at += bytes[at]) {
        if (bytes[at + 1] == UW_DT_ENDPOINT)
            slow_down(bytes + at);
    }
    return size;
}
