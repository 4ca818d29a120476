/*
 * rom.c - the serial loader in the ROM of Espressif's chips
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/md5.h"
#include "sim/rom.h"

#define FLASH_SIZE (4u * 1024u * 1024u)
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
    SPI_FLASH_MD5 = 0x13,
    GET_SECURITY_INFO = 0x14
};

/* What the ROM says went wrong. */
enum error { OK = 0, INVALID = 0x05, FAILED = 0x06, BAD_CHECKSUM = 0x07 };

#define SYNC_VALUE 0x20120707u /* what SYNC answers besides */
#define SYNC_TIMES 8

/* The SPI controller of the flash: a command is in USR2, its answer in W0. */
#define SPI_CMD    0x00u
#define SPI_START  0x00040000u
#define FLASH_RDID 0x9f
#define FLASH_ID   0x001640efu /* W25Q32: 4 MiB */

#define CHIP_MAGIC_AT 0x40001000u
#define XTAL          40000000u

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
answer(struct sim_rom *e, uint8_t command, uint32_t value, const uint8_t *data, size_t size,
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
    e->send(e, out, slip(bytes, w.len, out));
}

/* ---- registers ---- */

static uint32_t
read_register(struct sim_rom *e, uint32_t at)
{
    const struct sim_rom_chip *chip = e->chip;

    if (at >= chip->spi && at < chip->spi + SIM_ROM_SPI)
        return e->spi[(at - chip->spi) / 4];
    if (at == CHIP_MAGIC_AT)
        return chip->magic;
    if (chip->clkdiv_at && at == chip->clkdiv_at)
        return (uint32_t)(XTAL / e->baud(e));
    for (unsigned i = 0; i < SIM_ROM_REGISTERS; i++)
        if (chip->registers[i].at == at)
            return chip->registers[i].value;
    return 0;
}

static void
write_register(struct sim_rom *e, uint32_t at, uint32_t value, uint32_t mask)
{
    const struct sim_rom_chip *chip = e->chip;
    uint32_t *spi;

    if (at < chip->spi || at >= chip->spi + SIM_ROM_SPI)
        return;
    spi = &e->spi[(at - chip->spi) / 4];
    *spi = (*spi & ~mask) | (value & mask);
    if (at - chip->spi != SPI_CMD || !(*spi & SPI_START))
        return;
    *spi = 0;
    e->spi[chip->spi_w0 / 4] = (e->spi[chip->spi_usr2 / 4] & 0xff) == FLASH_RDID ? FLASH_ID : 0;
}

/* ---- commands ---- */

static enum error
flash_begin(struct sim_rom *e, struct uw_reader *r)
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
flash_data(struct sim_rom *e, struct uw_reader *r, uint32_t checksum)
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
md5(struct sim_rom *e, struct uw_reader *r)
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
read_slowly(struct sim_rom *e, struct uw_reader *r)
{
    uint32_t at = uw_rd_le32(r), size = uw_rd_le32(r);

    if (r->failed || size > READ_MAX || !in_flash(at, READ_MAX))
        answer(e, READ_FLASH_SLOW, 0, NULL, 0, FAILED);
    else
        answer(e, READ_FLASH_SLOW, 0, e->flash + at, READ_MAX, OK);
}

static void
change_baud(struct sim_rom *e, struct uw_reader *r)
{
    uint32_t baud = uw_rd_le32(r);

    answer(e, CHANGE_BAUD, 0, NULL, 0, r->failed || !baud ? FAILED : OK);
    if (!r->failed && baud && e->set_baud)
        e->set_baud(e, baud);
}

static void
write_registers(struct sim_rom *e, struct uw_reader *r)
{
    uint32_t at = uw_rd_le32(r), value = uw_rd_le32(r), mask = uw_rd_le32(r);

    if (!r->failed)
        write_register(e, at, value, mask);
    answer(e, WRITE_REG, 0, NULL, 0, r->failed ? FAILED : OK);
}

/* Flags, how flash is encrypted, what keys are for: nothing of that; the chip and its version. */
static void
tell_security(struct sim_rom *e)
{
    uint8_t bytes[20] = {0};
    struct uw_writer w = uw_writer(bytes + 12, 8);

    if (!e->chip->id) {
        answer(e, GET_SECURITY_INFO, 0, NULL, 0, INVALID);
        return;
    }
    uw_wr_le32(&w, e->chip->id);
    answer(e, GET_SECURITY_INFO, 0, bytes, sizeof(bytes), OK);
}

static void
run(struct sim_rom *e)
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
    case GET_SECURITY_INFO: tell_security(e); break;
    default: answer(e, command, 0, NULL, 0, INVALID); break;
    }
}

/* ---- what comes in ---- */

static void
take(struct sim_rom *e, uint8_t byte)
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
    if (e->size < SIM_ROM_FRAME)
        e->frame[e->size++] = byte;
    else
        e->in_frame = 0; /* too long for it */
}

void
sim_rom_take(struct sim_rom *e, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        take(e, bytes[i]);
}

/* ---- making one ---- */

int
sim_rom_create(struct sim_rom *e, const struct sim_rom_chip *chip)
{
    e->chip = chip;
    e->flash = malloc(FLASH_SIZE);
    if (!e->flash)
        return UW_ERROR_NO_MEMORY;
    memset(e->flash, 0xff, FLASH_SIZE);
    return 0;
}

void
sim_rom_destroy(struct sim_rom *e)
{
    free(e->flash);
}

void
sim_rom_begin(struct sim_rom *e)
{
    e->size = 0;
    e->in_frame = e->escaped = 0;
    e->write_left = 0;
    memset(e->spi, 0, sizeof(e->spi));
}
