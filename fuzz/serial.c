/*
 * serial.c - serial ports by descriptors, chips' bytes and URLs from anywhere
 *
 * The first byte chooses. A port that is found has endpoints, and its driver's plans fit; what a
 * chip sends is never more than came; a URL that is taken gives settings within their ranges.
 */
#include <string.h>

#include "serial/driver.h"
#include "serial/url.h"

#include "fuzz.h"

static void
check_plans(struct serial_chip *chip)
{
    static const struct serial_line line = {
        .baud = 115200, .data_bits = 8, .xon = 0x11, .xoff = 0x13, .latency = 2};
    struct serial_plan plan = {0};
    const char *why = NULL;

    if (chip->driver->open)
        chip->driver->open(chip, &plan);
    FUZZ_CHECK(chip->driver->set_line(chip, NULL, &line, &plan, &why) == 0);
    chip->driver->set_lines(chip, 3, 3, &plan);
    chip->driver->set_break(chip, 1, &plan);
    chip->driver->purge(chip, UW_SERIAL_INPUT | UW_SERIAL_OUTPUT, &plan);
    if (chip->driver->close)
        chip->driver->close(chip, &plan);
    FUZZ_CHECK(plan.count > 0 && plan.count <= SERIAL_PLAN_MAX);
}

/* Answers of any bytes and length to what a driver asks first. */
static void
check_answers(struct serial_chip *chip, const uint8_t *bytes, size_t size)
{
    for (unsigned step = 0; step < 4; step++) {
        uint8_t data[SERIAL_DATA_MAX] = {0};
        int length = size ? (int)(bytes[0] % (SERIAL_DATA_MAX + 1)) : UW_ERROR_STALL;

        memcpy(data, bytes, size < sizeof(data) ? size : sizeof(data));
        if (chip->driver->learn)
            chip->driver->learn(chip, step, data, length);
        if (chip->driver->answer)
            (void)chip->driver->answer(chip, step, data, length);
    }
    if (chip->driver->notified)
        chip->driver->notified(chip, bytes, size);
}

static void
check_received(struct serial_chip *chip, const uint8_t *bytes, size_t size)
{
    static uint8_t copy[4096];

    if (!chip->driver->receive)
        return;
    if (size > sizeof(copy))
        size = sizeof(copy);
    memcpy(copy, bytes, size);
    FUZZ_CHECK(chip->driver->receive(chip, copy, size) <= size);
}

/* 18 bytes of device descriptor, then a configuration. */
static void
check_descriptors(const uint8_t *bytes, size_t size)
{
    struct uw_device_descriptor device;
    struct uw_config *config = NULL;
    struct serial_chip chip;
    unsigned n = 0;

    if (uw_device_descriptor_parse(bytes, size, &device) < 0 || size <= 18)
        return;
    if (uw_config_parse(bytes + 18, size - 18, &config) < 0)
        return;
    while (serial_chip_at(&device, config, n, &chip)) {
        FUZZ_CHECK(chip.in & 0x80 && !(chip.out & 0x80) && chip.max_packet > 0);
        FUZZ_CHECK(chip.index == n && chip.ports > n && chip.name && chip.driver);
        check_answers(&chip, bytes, size);
        check_received(&chip, bytes, size);
        check_plans(&chip);
        n++;
    }
    uw_config_free(config);
}

static void
check_url(const uint8_t *bytes, size_t size)
{
    char text[1024] = "usbip://";
    struct serial_url url;
    struct uw_fault fault = {0};

    if (size > sizeof(text) - 9)
        size = sizeof(text) - 9;
    memcpy(text + 8, bytes, size);
    if (serial_url_parse(text, &url, &fault) < 0) {
        FUZZ_CHECK(fault.code == UW_ERROR_INVALID && fault.came[0]);
        return;
    }
    FUZZ_CHECK(url.choice.vid >= -1 && url.choice.vid <= 0xffff);
    FUZZ_CHECK(url.config.data_bits == -1 ||
               (url.config.data_bits >= 5 && url.config.data_bits <= 8));
    FUZZ_CHECK(url.config.dtr >= -1 && url.config.dtr <= 1);
    FUZZ_CHECK(!url.choice.serial || url.serial[0]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    if (bytes[0] & 1)
        check_url(bytes + 1, size - 1);
    else
        check_descriptors(bytes + 1, size - 1);
    return 0;
}
