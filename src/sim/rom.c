/*
 * rom.c - commands of a flasher, their answers, and the registers of the chip
 */
#include <string.h>

#include "base/bytes.h"
#include "sim/rom.h"

/* The SPI controller of the flash: a command is in USR2, its answer in W0. */
#define SPI_CMD    0x00u
#define SPI_START  0x00040000u
#define FLASH_RDID 0x9f

#define CHIP_MAGIC_AT 0x40001000u
#define XTAL          40000000u

/* ---- answers ---- */

void
sim_rom_send(struct sim_rom *e, const uint8_t *bytes, size_t size)
{
    e->send(e, e->out, sim_slip_make(bytes, size, e->out));
}

/* Eight bytes of header, the data, and the status. */
static void
answer(struct sim_rom *e, uint8_t command, const struct sim_rom_call *call,
       enum sim_rom_error error)
{
    const struct sim_rom_program *program = e->program;
    uint8_t bytes[8 + SIM_ROM_ANSWER + 4], code = program->codes[error];
    size_t told = error == SIM_ROM_OK ? call->told : 0;
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));

    uw_wr_u8(&w, 1);
    uw_wr_u8(&w, command);
    uw_wr_le16(&w, (uint16_t)(told + program->status));
    uw_wr_le32(&w, call->value);
    uw_wr_bytes(&w, call->bytes, told);
    if (program->status == 4)
        uw_wr_u8(&w, error != SIM_ROM_OK);
    uw_wr_u8(&w, code);
    uw_wr_bytes(&w, "\0\0", program->status / 2);
    sim_rom_send(e, bytes, w.len);
}

/* ---- registers ---- */

static uint32_t *
spi_register(struct sim_rom *e, uint32_t at)
{
    uint32_t first = e->chip->spi;

    return at >= first && at < first + SIM_ROM_SPI ? &e->spi[(at - first) / 4] : NULL;
}

static uint32_t
read_register(struct sim_rom *e, uint32_t at)
{
    const struct sim_rom_chip *chip = e->chip;
    const uint32_t *spi = spi_register(e, at);

    if (spi)
        return *spi;
    if (at == CHIP_MAGIC_AT)
        return chip->magic;
    if (chip->clkdiv_at && at == chip->clkdiv_at)
        return (uint32_t)(XTAL / e->baud(e));
    for (unsigned i = 0; i < SIM_ROM_REGISTERS; i++)
        if (chip->registers[i].at == at)
            return chip->registers[i].value;
    return 0;
}

enum sim_rom_error
sim_rom_read_register(struct sim_rom *e, struct sim_rom_call *call)
{
    call->value = read_register(e, call->words[0]);
    return SIM_ROM_OK;
}

static void
write_register(struct sim_rom *e, uint32_t at, uint32_t value, uint32_t mask)
{
    const struct sim_rom_chip *chip = e->chip;
    uint32_t *spi = spi_register(e, at);

    if (!spi)
        return;
    *spi = (*spi & ~mask) | (value & mask);
    if (spi != &e->spi[SPI_CMD / 4] || !(*spi & SPI_START))
        return;
    *spi = 0;
    e->spi[chip->spi_w0 / 4] = (e->spi[chip->spi_usr2 / 4] & 0xff) == FLASH_RDID ? SIM_FLASH_ID : 0;
}

/* One after the other: where, what, which bits, and a delay. */
enum sim_rom_error
sim_rom_write_registers(struct sim_rom *e, struct sim_rom_call *call)
{
    struct uw_reader r = uw_reader(call->data, call->size);

    if (call->size % 16 != 0)
        return SIM_ROM_SIZE;
    while (r.left > 0) {
        uint32_t at = uw_rd_le32(&r), value = uw_rd_le32(&r), mask = uw_rd_le32(&r);

        (void)uw_rd_le32(&r);
        write_register(e, at, value, mask);
    }
    return SIM_ROM_OK;
}

/* ---- what else both programs know ---- */

/* Flags, how flash is encrypted, what keys are for: nothing of that; the chip and its version. */
enum sim_rom_error
sim_rom_security_info(struct sim_rom *e, struct sim_rom_call *call)
{
    struct uw_writer w = uw_writer(call->bytes, 20);

    if (!e->chip->id)
        return SIM_ROM_UNKNOWN;
    memset(uw_wr_room(&w, 12), 0, 12);
    uw_wr_le32(&w, e->chip->id);
    uw_wr_le32(&w, 0);
    call->told = w.len;
    return SIM_ROM_OK;
}

enum sim_rom_error
sim_rom_check_baud(struct sim_rom *e, struct sim_rom_call *call)
{
    (void)e;
    return call->words[0] ? SIM_ROM_OK : SIM_ROM_FAILED;
}

void
sim_rom_change_baud(struct sim_rom *e, const struct sim_rom_call *call)
{
    if (e->set_baud)
        e->set_baud(e, call->words[0]);
}

/* ---- what comes in ---- */

static const struct sim_rom_row *
find(const struct sim_rom_program *program, uint8_t command)
{
    for (size_t i = 0; i < program->count; i++)
        if (program->rows[i].command == command)
            return &program->rows[i];
    return NULL;
}

static enum sim_rom_error
carry_out(struct sim_rom *e, const struct sim_rom_row *row, struct sim_rom_call *call)
{
    if (!row)
        return SIM_ROM_UNKNOWN;
    if (call->size < row->least || call->size > row->most)
        return SIM_ROM_SIZE;
    return row->run ? row->run(e, call) : SIM_ROM_OK;
}

/* What is no message for the program, it says nothing to. */
static void
message(struct sim_rom *e, const uint8_t *bytes, size_t size)
{
    struct uw_reader r = uw_reader(bytes, size);
    uint8_t direction = uw_rd_u8(&r), command = uw_rd_u8(&r);
    uint16_t told = uw_rd_le16(&r);
    struct sim_rom_call call = {.checksum = uw_rd_le32(&r), .data = r.p, .size = r.left};
    const struct sim_rom_row *row;
    enum sim_rom_error error;

    if (!e->program || (e->program->message && e->program->message(e, bytes, size)))
        return;
    if (r.failed || direction != 0 || r.left != told)
        return;
    for (unsigned i = 0; i < SIM_ROM_WORDS && r.left >= 4; i++)
        call.words[i] = uw_rd_le32(&r);
    row = find(e->program, command);
    error = carry_out(e, row, &call);
    for (unsigned i = 0; i < (row ? row->answers : 1u); i++)
        answer(e, command, &call, error);
    if (error == SIM_ROM_OK && row->after)
        row->after(e, &call);
}

void
sim_rom_take(struct sim_rom *e, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (sim_slip_take(&e->slip, bytes[i]))
            message(e, e->slip.bytes, e->slip.size);
}

/* ---- making one ---- */

int
sim_rom_create(struct sim_rom *e, const struct sim_rom_chip *chip)
{
    e->chip = chip;
    return sim_flash_create(&e->flash);
}

void
sim_rom_destroy(struct sim_rom *e)
{
    sim_flash_destroy(&e->flash);
}

void
sim_rom_begin(struct sim_rom *e)
{
    sim_slip_begin(&e->slip);
    e->program = &sim_rom_loader;
    e->segment_count = 0;
    e->load.left = 0;
    e->write.open = e->read.open = 0;
    memset(e->spi, 0, sizeof(e->spi));
}
