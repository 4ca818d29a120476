/*
 * chip.c - from a device's descriptors to its serial ports
 */
#include <string.h>

#include "serial/driver.h"

static const struct {
    const struct serial_driver *driver;
    uint16_t vid, pid;
} ids[] = {
#define SERIAL_ID_X(driver, vid, pid) {&serial_##driver, vid, pid},
#include "serial/ids.def"
#undef SERIAL_ID_X
};

static const struct serial_quirk quirk_rows[] = {
#define SERIAL_QUIRK_X(vid, pid, quirks, name) {vid, pid, quirks, name},
#include "serial/quirks.def"
#undef SERIAL_QUIRK_X
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int
serial_id_is(const struct serial_driver *driver, uint16_t vid, uint16_t pid)
{
    for (size_t i = 0; i < COUNT(ids); i++)
        if (ids[i].vid == vid && ids[i].pid == pid && ids[i].driver == driver)
            return 1;
    return 0;
}

const struct serial_quirk *
serial_quirk_find(uint16_t vid, uint16_t pid)
{
    for (size_t i = 0; i < COUNT(quirk_rows); i++)
        if (quirk_rows[i].vid == vid && quirk_rows[i].pid == pid)
            return &quirk_rows[i];
    return NULL;
}

int
serial_take_endpoints(struct serial_chip *chip, const struct uw_altsetting *a)
{
    chip->in = chip->out = 0;
    for (unsigned i = 0; i < a->bNumEndpoints; i++) {
        const struct uw_endpoint *e = &a->endpoints[i];
        uint8_t address = e->bEndpointAddress;

        if (uw_endpoint_type(e) == UW_INTERRUPT && address & 0x80 && !chip->notify)
            chip->notify = address;
        if (uw_endpoint_type(e) != UW_BULK)
            continue;
        if (address & 0x80 && !chip->in) {
            chip->in = address;
            chip->max_packet = uw_endpoint_max_packet(e);
        } else if (!(address & 0x80) && !chip->out) {
            chip->out = address;
        }
    }
    return chip->in && chip->out && chip->max_packet ? 0 : UW_ERROR_NOT_FOUND;
}

static int
is_taken_by(const struct serial_driver *driver, const struct serial_chip *fresh,
            const struct uw_config *config, const struct uw_altsetting *a,
            struct serial_chip *ret_chip)
{
    *ret_chip = *fresh;
    ret_chip->driver = driver;
    return driver->describe(ret_chip, config, a) == 0;
}

/* The first driver that takes this interface as a port fills in the rest. 1, or 0: none does. */
static int
describe(const struct serial_chip *fresh, const struct uw_config *config,
         const struct uw_altsetting *a, struct serial_chip *ret_chip)
{
#define SERIAL_DRIVER_X(name)                                                                      \
    if (is_taken_by(&serial_##name, fresh, config, a, ret_chip))                                   \
        return 1;
#include "serial/drivers.def"
#undef SERIAL_DRIVER_X
    return 0;
}

int
serial_chip_at(const struct uw_device_descriptor *d, const struct uw_config *config, unsigned index,
               struct serial_chip *ret_chip)
{
    struct serial_chip fresh, chip, found = {0};
    unsigned ports = 0;

    for (unsigned i = 0; config && i < config->bNumInterfaces; i++) {
        const struct uw_altsetting *a = &config->interfaces[i].altsettings[0];

        memset(&fresh, 0, sizeof(fresh));
        fresh.vid = d->idVendor;
        fresh.pid = d->idProduct;
        fresh.bcd_device = d->bcdDevice;
        fresh.bcd_usb = d->bcdUSB;
        fresh.device_class = d->bDeviceClass;
        fresh.max_packet0 = d->bMaxPacketSize0;
        fresh.interface = fresh.data_interface = a->bInterfaceNumber;
        fresh.index = ports;
        if (!describe(&fresh, config, a, &chip))
            continue;
        if (ports++ == index)
            found = chip;
    }
    if (index >= ports)
        return 0;
    found.ports = ports;
    *ret_chip = found;
    return 1;
}
