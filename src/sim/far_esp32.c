/*
 * far_esp32.c - an ESP32 behind the usual reset circuit, with what answers a flasher
 *
 * Two transistors, crossed: RTS without DTR holds EN low, DTR without RTS holds GPIO0 low. EN has a
 * resistor and a capacitor: it rises a while after it was let go, and only then the chip looks at
 * GPIO0 - low: the loader, high: the application, which says hello and echoes. So whoever moves DTR
 * and RTS one after the other, too far apart, never meets the loader.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/rom.h"
#include "sim/sim.h"
#include "sim/uart.h"

#define RC_US 1000u

static const struct sim_rom_chip chip = {
    .magic = 0x00f01d83,
    .clkdiv_at = 0x3ff40014,
    .spi = 0x3ff42000,
    .spi_usr2 = 0x24,
    .spi_w0 = 0x80,
    .registers = {{0x3ff5a004, 0x5ec0ffee}, {0x3ff5a008, 0x0000240a}}, /* its MAC address */
};

enum state { IN_RESET, RISING, APPLICATION, LOADER };

struct esp32 {
    struct sim_uart *uart;
    struct sim_timer timer;
    enum state state;
    struct sim_format line; /* the application's */
    int follows;
    struct sim_rom rom;
};

static struct esp32 *
of_uart(const struct sim_uart *u)
{
    return (struct esp32 *)u->own;
}

static void
say(struct esp32 *e, const char *text)
{
    sim_uart_answer(e->uart, (const uint8_t *)text, strlen(text));
}

/* ---- the reset circuit ---- */

static int
holds_reset(const struct sim_uart *u)
{
    return (u->outputs & (SIM_DTR | SIM_RTS)) == SIM_RTS;
}

static int
holds_boot(const struct sim_uart *u)
{
    return (u->outputs & (SIM_DTR | SIM_RTS)) == SIM_DTR;
}

static void
run_application(struct esp32 *e, const char *reset)
{
    e->state = APPLICATION;
    e->uart->other = e->line;
    e->uart->follows = e->follows;
    say(e, reset);
    say(e, ",boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nhello\r\n");
}

static void
risen(struct sim_timer *timer, struct uw_usec now)
{
    struct esp32 *e = UW_CONTAINER(timer, struct esp32, timer);

    (void)now;
    sim_rom_begin(&e->rom);
    if (holds_boot(e->uart)) {
        e->state = LOADER;
        e->uart->follows = 1; /* it measures the rate of what it hears */
        say(e, "rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\r\n"
               "waiting for download\r\n");
    } else {
        run_application(e, "rst:0x1 (POWERON_RESET)");
    }
}

static void
outputs(struct sim_uart *u)
{
    struct esp32 *e = of_uart(u);

    if (holds_reset(u)) {
        e->state = IN_RESET;
        sim_set_timer(u->device->sim, &e->timer, uw_never());
    } else if (e->state == IN_RESET) {
        e->state = RISING;
        sim_set_timer(u->device->sim, &e->timer, uw_usec_add(u->device->sim->now, uw_usec(RC_US)));
    }
}

/* ---- the loader's wire ---- */

static void
send(struct sim_rom *rom, const uint8_t *bytes, size_t size)
{
    sim_uart_answer(UW_CONTAINER(rom, struct esp32, rom)->uart, bytes, size);
}

static uint32_t
baud(struct sim_rom *rom)
{
    return (uint32_t)(UW_CONTAINER(rom, struct esp32, rom)->uart->near.rate / 1000);
}

static void
set_baud(struct sim_rom *rom, uint32_t rate)
{
    struct esp32 *e = UW_CONTAINER(rom, struct esp32, rom);

    e->uart->follows = 0;
    e->uart->other.rate = (uint64_t)rate * 1000;
}

static void
leave(struct sim_rom *rom)
{
    run_application(UW_CONTAINER(rom, struct esp32, rom), "rst:0xc (SW_CPU_RESET)");
}

static void
bytes(struct sim_uart *u, const uint8_t *data, size_t size)
{
    struct esp32 *e = of_uart(u);

    if (e->state == APPLICATION)
        sim_uart_answer(u, data, size);
    else if (e->state == LOADER)
        sim_rom_take(&e->rom, data, size);
}

/* ---- making one ---- */

static int
create(struct sim_uart *u)
{
    struct esp32 *e = calloc(1, sizeof(*e));

    if (!e)
        return UW_ERROR_NO_MEMORY;
    u->own = e;
    e->uart = u;
    e->timer.fire = risen;
    e->line = u->other;
    e->follows = u->follows;
    e->state = APPLICATION;
    e->rom.send = send;
    e->rom.leave = leave;
    e->rom.baud = baud;
    e->rom.set_baud = set_baud;
    return sim_rom_create(&e->rom, &chip);
}

static void
destroy(struct sim_uart *u)
{
    struct esp32 *e = of_uart(u);

    if (!e)
        return;
    sim_set_timer(u->device->sim, &e->timer, uw_never());
    sim_rom_destroy(&e->rom);
    free(e);
}

const struct sim_far sim_far_esp32 = {
    .name = "esp32",
    .text =
        "an ESP32 with its loader and a flasher's stub, behind the reset circuit on DTR and RTS",
    .create = create,
    .destroy = destroy,
    .bytes = bytes,
    .outputs = outputs,
};
