/*
 * rom_loader.c - the serial loader in the ROM
 */
#include <string.h>

#include "base/bytes.h"
#include "sim/md5.h"
#include "sim/rom.h"

#define SYNC_VALUE 0x20120707u
#define READ_SIZE  64u

static enum sim_rom_error
sync(struct sim_rom *e, struct sim_rom_call *call)
{
    (void)e;
    call->value = SYNC_VALUE;
    return SIM_ROM_OK;
}

/* The ROM counts blocks, and has written one before it answers. */
static enum sim_rom_error
take_block(struct sim_rom *e, struct sim_rom_call *call,
           void (*write)(struct sim_rom *rom, const struct sim_rom_call *call))
{
    enum sim_rom_error error = sim_rom_check_block(e, call);

    if (!e->write.open)
        return SIM_ROM_MODE;
    if (error != SIM_ROM_OK)
        return error;
    if (call->words[1] != e->write.next)
        return SIM_ROM_BLOCK;
    e->write.next++;
    write(e, call);
    return e->write.error;
}

static enum sim_rom_error
flash_data(struct sim_rom *e, struct sim_rom_call *call)
{
    if (e->write.open && call->words[0] != e->write.block_size)
        return SIM_ROM_BLOCK;
    return take_block(e, call, sim_rom_write_data);
}

static enum sim_rom_error
deflated_data(struct sim_rom *e, struct sim_rom_call *call)
{
    return take_block(e, call, sim_rom_deflated_data);
}

/* However it is ended, the loader is left. */
static void
leave(struct sim_rom *e, const struct sim_rom_call *call)
{
    (void)call;
    e->leave(e);
}

/* As text. */
static enum sim_rom_error
md5(struct sim_rom *e, struct sim_rom_call *call)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t at = call->words[0], size = call->words[1];
    uint8_t digest[16];

    if (!sim_flash_has(at, size))
        return SIM_ROM_FAILED;
    sim_md5(e->flash.bytes + at, size, digest);
    for (int i = 0; i < 16; i++) {
        call->bytes[2 * i] = (uint8_t)digits[digest[i] >> 4];
        call->bytes[2 * i + 1] = (uint8_t)digits[digest[i] & 15];
    }
    call->told = 32;
    return SIM_ROM_OK;
}

/* However little was asked for. */
static enum sim_rom_error
read_slowly(struct sim_rom *e, struct sim_rom_call *call)
{
    uint32_t at = call->words[0], size = call->words[1];

    if (size > READ_SIZE || !sim_flash_has(at, READ_SIZE))
        return SIM_ROM_FAILED;
    memcpy(call->bytes, e->flash.bytes + at, READ_SIZE);
    call->told = READ_SIZE;
    return SIM_ROM_OK;
}

#define ANY UINT16_MAX

/* clang-format off */
static const struct sim_rom_row rows[] = {
    /* command          answers  least most  */
    {SIM_SYNC,             8,    0,  ANY, sync,                    NULL},
    {SIM_READ_REG,         1,    4,  ANY, sim_rom_read_register,   NULL},
    {SIM_WRITE_REG,        1,    16, ANY, sim_rom_write_registers, NULL},
    {SIM_SECURITY_INFO,    1,    0,  ANY, sim_rom_security_info,   NULL},
    {SIM_CHANGE_BAUD,      1,    4,  ANY, sim_rom_check_baud,      sim_rom_change_baud},
    {SIM_MEM_BEGIN,        1,    16, ANY, sim_rom_load_begin,      NULL},
    {SIM_MEM_DATA,         1,    16, ANY, sim_rom_load_data,       NULL},
    {SIM_MEM_END,          1,    8,  ANY, sim_rom_load_end,        sim_rom_load_run},
    {SIM_SPI_SET_PARAMS,   1,    0,  ANY, NULL,                    NULL},
    {SIM_SPI_ATTACH,       1,    0,  ANY, NULL,                    NULL},
    {SIM_READ_FLASH_SLOW,  1,    8,  ANY, read_slowly,             NULL},
    {SIM_FLASH_BEGIN,      1,    16, ANY, sim_rom_write_begin,     NULL},
    {SIM_FLASH_DATA,       1,    16, ANY, flash_data,              NULL},
    {SIM_FLASH_END,        1,    4,  ANY, NULL,                    leave},
    {SIM_FLASH_DEFL_BEGIN, 1,    16, ANY, sim_rom_deflated_begin,  NULL},
    {SIM_FLASH_DEFL_DATA,  1,    16, ANY, deflated_data,           NULL},
    {SIM_FLASH_DEFL_END,   1,    4,  ANY, NULL,                    leave},
    {SIM_FLASH_MD5,        1,    8,  ANY, md5,                     NULL},
};
/* clang-format on */

const struct sim_rom_program sim_rom_loader = {
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .status = 4,
    .codes = {[SIM_ROM_UNKNOWN] = 0x05,
              [SIM_ROM_SIZE] = 0x05,
              [SIM_ROM_CHECKSUM] = 0x07,
              [SIM_ROM_BLOCK] = 0x06,
              [SIM_ROM_MODE] = 0x06,
              [SIM_ROM_FAILED] = 0x06,
              [SIM_ROM_INFLATE] = 0x0b,
              [SIM_ROM_TOO_MUCH] = 0x0e,
              [SIM_ROM_TOO_LITTLE] = 0x0e},
};
