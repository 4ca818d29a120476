/*
 * rom_stub.c - a flasher's stub, as it answers once it runs in the chip's RAM
 *
 * It knows the ROM's commands and some of its own, is strict with sizes, and acknowledges a block
 * before it writes it, so what went wrong is told with the next. What differs from the ROM is from
 * "Serial Protocol" in esptool's documentation, and from what Espressif's flasher stub does.
 */

#include "base/bytes.h"
#include "sim/md5.h"
#include "sim/rom.h"

/* ---- writing ---- */

static enum sim_rom_error
take_block(struct sim_rom *e, struct sim_rom_call *call)
{
    enum sim_rom_error error = sim_rom_check_block(e, call);

    if (!e->write.open)
        return SIM_ROM_MODE;
    return error != SIM_ROM_OK ? error : e->write.error;
}

static enum sim_rom_error
end(struct sim_rom *e, struct sim_rom_call *call)
{
    (void)call;
    if (!e->write.open)
        return SIM_ROM_MODE;
    if (e->write.left > 0)
        return SIM_ROM_TOO_LITTLE;
    e->write.open = 0;
    return e->write.error;
}

/* It stays, unless it is told to reboot. */
static void
ended(struct sim_rom *e, const struct sim_rom_call *call)
{
    if (call->words[0] == 0)
        e->leave(e);
}

static void
leave(struct sim_rom *e, const struct sim_rom_call *call)
{
    (void)call;
    e->leave(e);
}

static enum sim_rom_error
erase(struct sim_rom *e, uint32_t at, uint32_t size)
{
    if (at % SIM_FLASH_SECTOR != 0 || size % SIM_FLASH_SECTOR != 0 || !sim_flash_has(at, size))
        return SIM_ROM_FAILED;
    sim_flash_erase(&e->flash, at, size);
    return SIM_ROM_OK;
}

static enum sim_rom_error
erase_flash(struct sim_rom *e, struct sim_rom_call *call)
{
    (void)call;
    return erase(e, 0, SIM_FLASH_SIZE);
}

static enum sim_rom_error
erase_region(struct sim_rom *e, struct sim_rom_call *call)
{
    return erase(e, call->words[0], call->words[1]);
}

/* ---- reading ---- */

static enum sim_rom_error
md5(struct sim_rom *e, struct sim_rom_call *call)
{
    uint32_t at = call->words[0], size = call->words[1];

    if (!sim_flash_has(at, size))
        return SIM_ROM_FAILED;
    sim_md5(e->flash.bytes + at, size, call->bytes);
    call->told = 16;
    return SIM_ROM_OK;
}

static enum sim_rom_error
read_check(struct sim_rom *e, struct sim_rom_call *call)
{
    (void)e;
    return sim_flash_has(call->words[0], call->words[1]) ? SIM_ROM_OK : SIM_ROM_FAILED;
}

static void
read_end(struct sim_rom *e)
{
    uint8_t digest[16];

    e->read.open = 0;
    sim_md5(e->flash.bytes + e->read.at, e->read.sent, digest);
    sim_rom_send(e, digest, sizeof(digest));
}

/* Blocks, as long as not too many are unacknowledged; behind the last acknowledgement, the MD5 of
 * what was sent. */
static void
read_on(struct sim_rom *e, uint32_t acked)
{
    if (acked >= e->read.size || acked > e->read.sent) {
        read_end(e);
        return;
    }
    while (e->read.sent < e->read.size && e->read.sent - acked < e->read.ahead) {
        uint32_t left = e->read.size - e->read.sent;
        uint32_t n = left < e->read.block_size ? left : e->read.block_size;

        sim_rom_send(e, e->flash.bytes + e->read.at + e->read.sent, n);
        e->read.sent += n;
    }
}

static void
read_begin(struct sim_rom *e, const struct sim_rom_call *call)
{
    e->read.at = call->words[0];
    e->read.size = call->words[1];
    e->read.block_size = call->words[2];
    e->read.ahead = call->words[3];
    e->read.sent = 0;
    if (e->read.block_size == 0 || e->read.block_size > SIM_FLASH_SECTOR)
        return; /* it has no room for that */
    e->read.open = 1;
    read_on(e, 0);
}

/* While it reads, a message is how much of it has arrived; any other ends it. */
static int
acknowledged(struct sim_rom *e, const uint8_t *bytes, size_t size)
{
    struct uw_reader r = uw_reader(bytes, size);

    if (!e->read.open)
        return 0;
    if (size == 4)
        read_on(e, uw_rd_le32(&r));
    else
        read_end(e);
    return 1;
}

/* ---- all of it ---- */

#define BLOCKS UINT16_MAX

/* clang-format off */
static const struct sim_rom_row rows[] = {
    /* command          answers  least most */
    {SIM_SYNC,             8,    36, 36,     NULL,                    NULL},
    {SIM_READ_REG,         1,    4,  4,      sim_rom_read_register,   NULL},
    {SIM_WRITE_REG,        1,    0,  BLOCKS, sim_rom_write_registers, NULL},
    {SIM_SECURITY_INFO,    1,    0,  0,      sim_rom_security_info,   NULL},
    {SIM_CHANGE_BAUD,      1,    8,  8,      sim_rom_check_baud,      sim_rom_change_baud},
    {SIM_MEM_BEGIN,        1,    16, 16,     sim_rom_load_begin,      NULL},
    {SIM_MEM_DATA,         1,    16, BLOCKS, sim_rom_load_data,       NULL},
    {SIM_MEM_END,          1,    8,  8,      sim_rom_load_end,        sim_rom_load_run},
    {SIM_SPI_SET_PARAMS,   1,    24, 24,     NULL,                    NULL},
    {SIM_SPI_ATTACH,       1,    4,  4,      NULL,                    NULL},
    {SIM_FLASH_BEGIN,      1,    16, 20,     sim_rom_write_begin,     NULL},
    {SIM_FLASH_DATA,       1,    16, BLOCKS, take_block,              sim_rom_write_data},
    {SIM_FLASH_END,        1,    4,  4,      end,                     ended},
    {SIM_FLASH_DEFL_BEGIN, 1,    16, 20,     sim_rom_deflated_begin,  NULL},
    {SIM_FLASH_DEFL_DATA,  1,    16, BLOCKS, take_block,              sim_rom_deflated_data},
    {SIM_FLASH_DEFL_END,   1,    4,  4,      end,                     ended},
    {SIM_FLASH_MD5,        1,    16, 16,     md5,                     NULL},
    {SIM_ERASE_FLASH,      1,    0,  0,      erase_flash,             NULL},
    {SIM_ERASE_REGION,     1,    8,  8,      erase_region,            NULL},
    {SIM_READ_FLASH,       1,    16, 16,     read_check,              read_begin},
    {SIM_RUN_USER_CODE,    0,    0,  BLOCKS, NULL,                    leave},
};
/* clang-format on */

const struct sim_rom_program sim_rom_stub = {
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .status = 2,
    .codes = {[SIM_ROM_UNKNOWN] = 0xff,
              [SIM_ROM_SIZE] = 0xc0,
              [SIM_ROM_CHECKSUM] = 0xc1,
              [SIM_ROM_BLOCK] = 0xc2,
              [SIM_ROM_MODE] = 0xc6,
              [SIM_ROM_FAILED] = 0xc4,
              [SIM_ROM_INFLATE] = 0xc7,
              [SIM_ROM_TOO_MUCH] = 0xc9,
              [SIM_ROM_TOO_LITTLE] = 0xc8},
    .message = acknowledged,
};
