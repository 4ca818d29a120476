/*
 * esp32c3.c - an ESP32-C3 on its own USB-Serial-JTAG: a CDC-ACM port whose reset is the device's
 *
 * What DTR and RTS do is in the chip (ESP32-C3 Technical Reference Manual, USB Serial/JTAG
 * Controller, "reset of chip and download mode"): DTR alone sets a flag, neither clears it, RTS
 * alone resets the chip, both do nothing. A reset takes the port off the bus; it comes back with
 * the loader of the ROM when the flag was set, else with the application, which says hello and
 * echoes, and with the key "crashes" resets the chip after so many milliseconds. The rate has no
 * meaning.
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/descriptor.h>

#include "base/bytes.h"
#include "sim/device.h"
#include "sim/rom.h"

#define EP_OUT    0x01
#define EP_IN     0x81
#define EP_NOTIFY 0x82
#define EP_JTAG_O 0x02
#define EP_JTAG_I 0x83

#define SET_LINE_CODING        0x20
#define GET_LINE_CODING        0x21
#define SET_CONTROL_LINE_STATE 0x22

#define LINE_DTR 0x01u
#define LINE_RTS 0x02u

#define UART_OF_ROM_AT 0x3fcdf07cu /* which port the loader uses */
#define UART_IS_USB    3u

static const struct sim_rom_chip chip = {
    .id = 5,
    .magic = 0x6921506f,
    .spi = 0x60002000,
    .spi_usr2 = 0x20,
    .spi_w0 = 0x58,
    .registers = {{UART_OF_ROM_AT, UART_IS_USB},
                  {0x60008844, 0x5ec0ffee}, /* its MAC address */
                  {0x60008848, 0x0000240a}},
};

struct board {
    struct sim_device *device;
    uint8_t coding[7];
    int download, resets, in_loader;
    uint32_t crashes_ms; /* 0: the application does not */
    struct sim_fifo to_host;
    struct sim_rom rom;
};

static const uint8_t functional[] = {
    5, UW_DT_CS_INTERFACE, 0x00, 0x10, 0x01, /* header: CDC 1.10 */
    4, UW_DT_CS_INTERFACE, 0x02, 0x02,       /* ACM: line coding, line state */
    5, UW_DT_CS_INTERFACE, 0x06, 0,    1,    /* union: 0 controls 1 */
    5, UW_DT_CS_INTERFACE, 0x01, 0x00, 1,    /* call management */
};

static void
put(struct board *b, const uint8_t *bytes, size_t size)
{
    (void)sim_fifo_put(&b->to_host, bytes, size);
    sim_fifo_serve(&b->to_host, b->device, EP_IN);
}

static void
say(struct board *b, const char *text)
{
    put(b, (const uint8_t *)text, strlen(text));
}

static void
send(struct sim_rom *rom, const uint8_t *bytes, size_t size)
{
    put(UW_CONTAINER(rom, struct board, rom), bytes, size);
}

static void
live(struct board *b)
{
    if (b->crashes_ms)
        sim_plan(b->device, uw_msec(b->crashes_ms));
}

static void
run_application(struct board *b, const char *reset)
{
    b->in_loader = 0;
    say(b, reset);
    say(b, ",boot:0xd (SPI_FAST_FLASH_BOOT)\r\nhello\r\n");
    live(b);
}

/* The port is not the processor's: it stays. */
static void
leave(struct sim_rom *rom)
{
    run_application(UW_CONTAINER(rom, struct board, rom), "rst:0xc (RTC_SW_CPU_RST)");
}

static void crash(struct sim_timer *timer, struct uw_usec now);

/* ---- making one ---- */

static void
describe(struct sim_device *d)
{
    static const uint8_t association[] = {8, UW_DT_INTERFACE_ASSOCIATION, 0, 2, 2, 2, 0, 0};
    struct sim_config c;

    sim_device_descriptor(d, 0x303a, 0x1001, 0x0101, 0xef, 0x02, 0x01);
    d->strings[1] = "Espressif";
    d->strings[2] = "USB JTAG/serial debug unit";
    c = sim_config_begin(d, 1);
    sim_config_raw(&c, association, sizeof(association));
    sim_config_interface(&c, 0, 0, 1, 0x02, 0x02, 0x00, 0);
    sim_config_raw(&c, functional, sizeof(functional));
    sim_config_endpoint(&c, EP_NOTIFY, UW_INTERRUPT, 64, 1);
    sim_config_interface(&c, 1, 0, 2, 0x0a, 0x02, 0x00, 0);
    sim_config_endpoint(&c, EP_OUT, UW_BULK, 0, 0);
    sim_config_endpoint(&c, EP_IN, UW_BULK, 0, 0);
    sim_config_interface(&c, 2, 0, 2, 0xff, 0xff, 0x01, 0);
    sim_config_endpoint(&c, EP_JTAG_O, UW_BULK, 0, 0);
    sim_config_endpoint(&c, EP_JTAG_I, UW_BULK, 0, 0);
    sim_config_end(&c, 3);
}

static int
create(struct sim_device *d)
{
    const char *crashes = sim_option(d, "crashes");
    struct board *b = calloc(1, sizeof(*b));
    char *end = NULL;

    if (!b)
        return UW_ERROR_NO_MEMORY;
    d->own = b;
    b->device = d;
    b->rom.send = send;
    sim_fifo_init(&b->to_host);
    describe(d);
    b->rom.leave = leave;
    b->crashes_ms = crashes ? (uint32_t)strtoul(crashes, &end, 10) : 0;
    if (end && (*end || b->crashes_ms < 1 || b->crashes_ms > 1000000))
        return UW_ERROR_INVALID;
    d->timer.fire = crash;
    live(b);
    return sim_rom_create(&b->rom, &chip);
}

static void
destroy(struct sim_device *d)
{
    struct board *b = (struct board *)d->own;

    if (!b)
        return;
    sim_fifo_clear(&b->to_host);
    sim_rom_destroy(&b->rom);
    free(b);
}

/* ---- DTR and RTS ---- */

static void
boot(struct sim_device *d)
{
    struct board *b = (struct board *)d->own;

    b->resets = 0;
    b->in_loader = b->download;
    sim_fifo_clear(&b->to_host);
    sim_rom_begin(&b->rom);
    if (b->in_loader)
        say(b, "rst:0x15 (USB_UART_CHIP_RESET),boot:0x5 (DOWNLOAD(USB/UART0))\r\n"
               "waiting for download\r\n");
    else
        run_application(b, "rst:0x15 (USB_UART_CHIP_RESET)");
}

/* A watchdog's reset is no wish for the loader. */
static void
boot_anew(struct sim_device *d)
{
    ((struct board *)d->own)->download = 0;
    boot(d);
}

static void
crash(struct sim_timer *timer, struct uw_usec now)
{
    struct sim_device *d = UW_CONTAINER(timer, struct sim_device, timer);

    (void)now;
    if (!((struct board *)d->own)->resets)
        sim_replug(d, boot_anew);
}

static void
move_lines(struct sim_device *d, unsigned lines)
{
    struct board *b = (struct board *)d->own;

    switch (lines & (LINE_DTR | LINE_RTS)) {
    case LINE_DTR: b->download = 1; break;
    case 0: b->download = 0; break;
    case LINE_RTS:
        if (!b->resets)
            sim_replug(d, boot);
        b->resets = 1;
        break;
    default: break;
    }
}

/* ---- requests and bytes ---- */

static int
control(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    struct board *b = (struct board *)d->own;
    size_t n = r->length < sizeof(b->coding) ? r->length : sizeof(b->coding);

    if ((s->type & 0x7f) != 0x21 || s->index != 0)
        return SIM_STALL;
    switch (s->request) {
    case SET_LINE_CODING:
        if (r->length != sizeof(b->coding))
            return SIM_STALL;
        memcpy(b->coding, r->buffer, n);
        return 0;
    case GET_LINE_CODING: memcpy(r->buffer, b->coding, n); return (int)n;
    case SET_CONTROL_LINE_STATE: move_lines(d, s->value); return 0;
    default: return SIM_STALL;
    }
}

static void
transfer(struct sim_device *d, struct uw_request *r)
{
    struct board *b = (struct board *)d->own;

    if (r->endpoint != EP_OUT) {
        sim_wait(d, r);
        sim_fifo_serve(&b->to_host, d, EP_IN);
        return;
    }
    if (b->in_loader)
        sim_rom_take(&b->rom, r->buffer, r->length);
    else
        put(b, r->buffer, r->length);
    sim_reply(d, r, 0, r->length);
}

const struct sim_model sim_esp32c3 = {
    .name = "esp32c3",
    .text =
        "303a:1001, an ESP32-C3 with its loader and a flasher's stub; a reset takes it off the bus",
    .keys = "crashes",
    .speed = SIM_FULL,
    .create = create,
    .destroy = destroy,
    .control = control,
    .transfer = transfer,
};
