/*
 * far_esp32.c - an ESP32 behind the usual reset circuit, with the serial loader of its ROM
 *
 * Two transistors, crossed: RTS without DTR holds EN low, DTR without RTS holds GPIO0 low. EN has a
 * resistor and a capacitor: it rises a while after it was let go, and only then the chip looks at
 * GPIO0 - low: the loader, high: the application, which says hello and echoes. So whoever moves DTR
 * and RTS one after the other, too far apart, never meets the loader.
 *
 * The loader's protocol is Espressif's ("Serial Protocol" of esptool's documentation), without the
 * stub: SLIP, registers, flash in blocks, MD5, slow reads.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/md5.h"
#include "sim/sim.h"
#include "sim/uart.h"

#define RC_US      1000u
#define FLASH_SIZE (4u * 1024u * 1024u)
#define FRAME_MAX  20000u
#define READ_MAX   64u

#define SLIP_END     0xc0
#define SLIP_ESC     0xdb
#define SLIP_ESC_END 0xdc
#define SLIP_ESC_ESC 0xdd

enum command {
    FLASH_BEGIN = 0x02,
    FLASH_DATA = 0x03,
    FLASH_END = 0x04,
    SYNC = 0x08,
    WRITE_REG = 0x09,
    READ_REG = 0x0a,
    SPI_SET_PARAMS = 0x0b,
    SPI_ATTACH = 0x0d,
    READ_FLASH_SLOW = 0x0e,
    CHANGE_BAUD = 0x0f,
    SPI_FLASH_MD5 = 0x13
};

/* What the ROM says went wrong. */
enum error { OK = 0, INVALID = 0x05, FAILED = 0x06, BAD_CHECKSUM = 0x07 };

#define SYNC_VALUE 0x20120707u /* what SYNC answers besides */
#define SYNC_TIMES 8

/* Registers that tell a host what it has before it. */
#define CHIP_MAGIC_AT  0x40001000u
#define CHIP_MAGIC     0x00f01d83u
#define UART_CLKDIV_AT 0x3ff40014u
#define XTAL           40000000u
#define MAC_LOW_AT     0x3ff5a004u
#define MAC_HIGH_AT    0x3ff5a008u

/* The SPI controller of the flash: a command is in USR2, its answer in W0. */
#define SPI_BASE   0x3ff42000u
#define SPI_CMD    0x00u
#define SPI_USR2   0x24u
#define SPI_W0     0x80u
#define SPI_SIZE   0x100u
#define SPI_START  0x00040000u
#define FLASH_RDID 0x9f
#define FLASH_ID   0x001640efu /* W25Q32: 4 MiB */

enum state { IN_RESET, RISING, APPLICATION, LOADER };

struct esp32 {
    struct sim_uart *uart;
    struct sim_timer timer;
    enum state state;
    struct sim_format line; /* the application's */
    int follows;
    uint8_t *flash;
    uint32_t spi[SPI_SIZE / 4];
    uint8_t frame[FRAME_MAX];
    size_t size;
    int in_frame, escaped;
    uint32_t write_at, write_left, block_size, next_block;
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
risen(struct sim_timer *timer, struct uw_usec now)
{
    struct esp32 *e = UW_CONTAINER(timer, struct esp32, timer);

    (void)now;
    e->size = 0;
    e->in_frame = e->escaped = 0;
    e->write_left = 0;
    memset(e->spi, 0, sizeof(e->spi));
    if (holds_boot(e->uart)) {
        e->state = LOADER;
        e->uart->follows = 1; /* it measures the rate of what it hears */
        say(e, "rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\r\n"
               "waiting for download\r\n");
    } else {
        e->state = APPLICATION;
        e->uart->other = e->line;
        e->uart->follows = e->follows;
        say(e, "rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nhello\r\n");
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

/* ---- answers ---- */

static size_t
slip(const uint8_t *bytes, size_t size, uint8_t *out)
{
    size_t n = 0;

    out[n++] = SLIP_END;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == SLIP_END || bytes[i] == SLIP_ESC) {
            out[n++] = SLIP_ESC;
            out[n++] = bytes[i] == SLIP_END ? SLIP_ESC_END : SLIP_ESC_ESC;
        } else {
            out[n++] = bytes[i];
        }
    }
    out[n++] = SLIP_END;
    return n;
}

/* Eight bytes of header, the data, and four of status, of which the ROM uses two. */
static void
answer(struct esp32 *e, uint8_t command, uint32_t value, const uint8_t *data, size_t size,
       enum error error)
{
    uint8_t bytes[8 + READ_MAX + 4], out[2 * sizeof(bytes) + 2];
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));

    uw_wr_u8(&w, 1);
    uw_wr_u8(&w, command);
    uw_wr_le16(&w, (uint16_t)(size + 4));
    uw_wr_le32(&w, value);
    uw_wr_bytes(&w, data, size);
    uw_wr_u8(&w, error != OK);
    uw_wr_u8(&w, (uint8_t)error);
    uw_wr_le16(&w, 0);
    sim_uart_answer(e->uart, out, slip(bytes, w.len, out));
}

/* ---- registers ---- */

static uint32_t
read_register(const struct esp32 *e, uint32_t at)
{
    if (at >= SPI_BASE && at < SPI_BASE + SPI_SIZE)
        return e->spi[(at - SPI_BASE) / 4];
    switch (at) {
    case CHIP_MAGIC_AT: return CHIP_MAGIC;
    case UART_CLKDIV_AT: return (uint32_t)(XTAL / (e->uart->near.rate / 1000));
    case MAC_LOW_AT: return 0x5ec0ffee;
    case MAC_HIGH_AT: return 0x0000240a;
    default: return 0;
    }
}

static void
write_register(struct esp32 *e, uint32_t at, uint32_t value, uint32_t mask)
{
    uint32_t *spi;

    if (at < SPI_BASE || at >= SPI_BASE + SPI_SIZE)
        return;
    spi = &e->spi[(at - SPI_BASE) / 4];
    *spi = (*spi & ~mask) | (value & mask);
    if (at - SPI_BASE != SPI_CMD || !(*spi & SPI_START))
        return;
    *spi = 0;
    e->spi[SPI_W0 / 4] = (e->spi[SPI_USR2 / 4] & 0xff) == FLASH_RDID ? FLASH_ID : 0;
}

/* ---- commands ---- */

static enum error
flash_begin(struct esp32 *e, struct uw_reader *r)
{
    uint32_t size = uw_rd_le32(r), blocks = uw_rd_le32(r);

    e->block_size = uw_rd_le32(r);
    e->write_at = uw_rd_le32(r);
    if (r->failed || size > FLASH_SIZE || e->write_at > FLASH_SIZE - size || !e->block_size ||
        (uint64_t)blocks * e->block_size < size)
        return FAILED;
    memset(e->flash + e->write_at, 0xff, size);
    e->write_left = size;
    e->next_block = 0;
    return OK;
}

/* Flash only loses bits, and what is behind the announced size is not written. */
static enum error
flash_data(struct esp32 *e, struct uw_reader *r, uint32_t checksum)
{
    uint32_t size = uw_rd_le32(r), block = uw_rd_le32(r);
    const uint8_t *data;
    uint8_t sum = 0xef;

    (void)uw_rd_take(r, 8);
    data = uw_rd_take(r, size);
    if (!data || block != e->next_block || size != e->block_size)
        return FAILED;
    for (uint32_t i = 0; i < size; i++)
        sum ^= data[i];
    if (sum != (uint8_t)checksum)
        return BAD_CHECKSUM;
    for (uint32_t i = 0; i < size && e->write_left > 0; i++, e->write_left--)
        e->flash[e->write_at++] &= data[i];
    e->next_block++;
    return OK;
}

static int
in_flash(uint32_t at, uint32_t size)
{
    return at <= FLASH_SIZE && size <= FLASH_SIZE - at;
}

static void
md5(struct esp32 *e, struct uw_reader *r)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t at = uw_rd_le32(r), size = uw_rd_le32(r);
    uint8_t digest[16], text[32];

    if (r->failed || !in_flash(at, size)) {
        answer(e, SPI_FLASH_MD5, 0, NULL, 0, FAILED);
        return;
    }
    sim_md5(e->flash + at, size, digest);
    for (int i = 0; i < 16; i++) {
        text[2 * i] = (uint8_t)digits[digest[i] >> 4];
        text[2 * i + 1] = (uint8_t)digits[digest[i] & 15];
    }
    answer(e, SPI_FLASH_MD5, 0, text, sizeof(text), OK);
}

static void
read_slowly(struct esp32 *e, struct uw_reader *r)
{
    uint32_t at = uw_rd_le32(r), size = uw_rd_le32(r);

    if (r->failed || size > READ_MAX || !in_flash(at, READ_MAX))
        answer(e, READ_FLASH_SLOW, 0, NULL, 0, FAILED);
    else
        answer(e, READ_FLASH_SLOW, 0, e->flash + at, READ_MAX, OK);
}

static void
change_baud(struct esp32 *e, struct uw_reader *r)
{
    uint32_t baud = uw_rd_le32(r);

    answer(e, CHANGE_BAUD, 0, NULL, 0, r->failed || !baud ? FAILED : OK);
    if (r->failed || !baud)
        return;
    e->uart->follows = 0;
    e->uart->other.rate = (uint64_t)baud * 1000;
}

static void
write_registers(struct esp32 *e, struct uw_reader *r)
{
    uint32_t at = uw_rd_le32(r), value = uw_rd_le32(r), mask = uw_rd_le32(r);

    if (!r->failed)
        write_register(e, at, value, mask);
    answer(e, WRITE_REG, 0, NULL, 0, r->failed ? FAILED : OK);
}

static void
run(struct esp32 *e)
{
    struct uw_reader r = uw_reader(e->frame, e->size);
    uint8_t direction = uw_rd_u8(&r), command = uw_rd_u8(&r);
    uint16_t size = uw_rd_le16(&r);
    uint32_t checksum = uw_rd_le32(&r);

    if (r.failed || direction != 0 || r.left != size)
        return; /* no frame of ours: the ROM says nothing */
    switch (command) {
    case SYNC:
        for (int i = 0; i < SYNC_TIMES; i++)
            answer(e, SYNC, SYNC_VALUE, NULL, 0, OK);
        break;
    case READ_REG: answer(e, READ_REG, read_register(e, uw_rd_le32(&r)), NULL, 0, OK); break;
    case WRITE_REG: write_registers(e, &r); break;
    case SPI_SET_PARAMS:
    case SPI_ATTACH:
    case FLASH_END: answer(e, command, 0, NULL, 0, OK); break;
    case FLASH_BEGIN: answer(e, FLASH_BEGIN, 0, NULL, 0, flash_begin(e, &r)); break;
    case FLASH_DATA: answer(e, FLASH_DATA, 0, NULL, 0, flash_data(e, &r, checksum)); break;
    case SPI_FLASH_MD5: md5(e, &r); break;
    case READ_FLASH_SLOW: read_slowly(e, &r); break;
    case CHANGE_BAUD: change_baud(e, &r); break;
    default: answer(e, command, 0, NULL, 0, INVALID); break;
    }
}

/* ---- what comes in ---- */

static void
take(struct esp32 *e, uint8_t byte)
{
    if (byte == SLIP_END) {
        if (e->in_frame && e->size > 0)
            run(e);
        e->in_frame = 1;
        e->size = 0;
        e->escaped = 0;
        return;
    }
    if (!e->in_frame)
        return;
    if (byte == SLIP_ESC && !e->escaped) {
        e->escaped = 1;
        return;
    }
    if (e->escaped)
        byte = byte == SLIP_ESC_END ? SLIP_END : SLIP_ESC;
    e->escaped = 0;
    if (e->size < FRAME_MAX)
        e->frame[e->size++] = byte;
    else
        e->in_frame = 0; /* too long for it */
}

static void
bytes(struct sim_uart *u, const uint8_t *data, size_t size)
{
    struct esp32 *e = of_uart(u);

    if (e->state == APPLICATION)
        sim_uart_answer(u, data, size);
    for (size_t i = 0; i < size && e->state == LOADER; i++)
        take(e, data[i]);
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
    e->flash = malloc(FLASH_SIZE);
    if (!e->flash)
        return UW_ERROR_NO_MEMORY;
    memset(e->flash, 0xff, FLASH_SIZE);
    return 0;
}

static void
destroy(struct sim_uart *u)
{
    struct esp32 *e = of_uart(u);

    if (!e)
        return;
    sim_set_timer(u->device->sim, &e->timer, uw_never());
    free(e->flash);
    free(e);
}

const struct sim_far sim_far_esp32 = {
    .name = "esp32",
    .text = "an ESP32 with its ROM's loader, behind the reset circuit on DTR and RTS",
    .create = create,
    .destroy = destroy,
    .bytes = bytes,
    .outputs = outputs,
};
