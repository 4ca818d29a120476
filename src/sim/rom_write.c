/*
 * rom_write.c - blocks that a flasher writes to RAM or to the flash
 */

#include "base/list.h"
#include "sim/rom.h"

#define HEAD      16u     /* bytes before the data of a block */
#define BLOCK_MAX 0x4000u /* that there is room for */
#define SUM_BYTES 4u      /* at the end of what is compressed; may come by themselves */

enum sim_rom_error
sim_rom_check_block(struct sim_rom *e, struct sim_rom_call *call)
{
    uint8_t sum = 0xef;

    (void)e;
    if (call->words[0] != call->size - HEAD)
        return SIM_ROM_SIZE;
    for (size_t i = HEAD; i < call->size; i++)
        sum ^= call->data[i];
    return sum == (uint8_t)call->checksum ? SIM_ROM_OK : SIM_ROM_CHECKSUM;
}

/* ---- RAM ---- */

enum sim_rom_error
sim_rom_load_begin(struct sim_rom *e, struct sim_rom_call *call)
{
    uint32_t size = call->words[0], at = call->words[3];

    if (e->segment_count == SIM_ROM_SEGMENTS || size > UINT32_MAX - at)
        return SIM_ROM_FAILED;
    e->segments[e->segment_count].at = at;
    e->segments[e->segment_count++].size = size;
    e->load.left = size;
    e->load.next = 0;
    return SIM_ROM_OK;
}

enum sim_rom_error
sim_rom_load_data(struct sim_rom *e, struct sim_rom_call *call)
{
    enum sim_rom_error error = sim_rom_check_block(e, call);

    if (error != SIM_ROM_OK)
        return error;
    if (call->words[1] != e->load.next)
        return SIM_ROM_BLOCK;
    if (call->words[0] > e->load.left)
        return SIM_ROM_TOO_MUCH;
    e->load.left -= call->words[0];
    e->load.next++;
    return SIM_ROM_OK;
}

enum sim_rom_error
sim_rom_load_end(struct sim_rom *e, struct sim_rom_call *call)
{
    (void)call;
    return e->load.left > 0 ? SIM_ROM_TOO_LITTLE : SIM_ROM_OK;
}

/* Where nothing was put, nothing runs: the chip is silent until it is reset. */
void
sim_rom_load_run(struct sim_rom *e, const struct sim_rom_call *call)
{
    uint32_t entry = call->words[1];
    int found = 0;

    if (entry == 0)
        return;
    for (unsigned i = 0; i < e->segment_count; i++)
        found |= entry >= e->segments[i].at && entry - e->segments[i].at < e->segments[i].size;
    sim_rom_begin(e);
    e->program = found ? &sim_rom_stub : NULL;
    if (found)
        sim_rom_send(e, (const uint8_t *)"OHAI", 4);
}

/* ---- flash ---- */

/* Erases at once what will be written; a real stub does as it goes. */
enum sim_rom_error
sim_rom_write_begin(struct sim_rom *e, struct sim_rom_call *call)
{
    uint32_t size = call->words[0], block_size = call->words[2], at = call->words[3];

    if (block_size == 0 || block_size > BLOCK_MAX)
        return SIM_ROM_BLOCK;
    if (!sim_flash_has(at, size))
        return SIM_ROM_FAILED;
    sim_flash_erase(&e->flash, at, size);
    e->write.open = 1;
    e->write.at = at;
    e->write.left = size;
    e->write.block_size = block_size;
    e->write.next = 0;
    e->write.error = SIM_ROM_OK;
    return SIM_ROM_OK;
}

/* What is behind the announced size is not written: the last block may be filled up. */
static void
program(struct sim_rom *e, const uint8_t *bytes, size_t size)
{
    uint32_t n = size < e->write.left ? (uint32_t)size : e->write.left;

    sim_flash_program(&e->flash, e->write.at, bytes, n);
    e->write.at += n;
    e->write.left -= n;
}

void
sim_rom_write_data(struct sim_rom *e, const struct sim_rom_call *call)
{
    program(e, call->data + HEAD, call->size - HEAD);
}

static void
inflated(struct sim_inflate *z, const uint8_t *bytes, size_t size)
{
    program(UW_CONTAINER(z, struct sim_rom, write.inflate), bytes, size);
}

enum sim_rom_error
sim_rom_deflated_begin(struct sim_rom *e, struct sim_rom_call *call)
{
    sim_inflate_begin(&e->write.inflate, inflated);
    return sim_rom_write_begin(e, call);
}

void
sim_rom_deflated_data(struct sim_rom *e, const struct sim_rom_call *call)
{
    const struct sim_inflate *z = &e->write.inflate;

    if (e->write.left == 0 && call->size - HEAD > SUM_BYTES) {
        e->write.error = SIM_ROM_TOO_MUCH;
        return;
    }
    sim_inflate_take(&e->write.inflate, call->data + HEAD, call->size - HEAD);
    if (z->state == SIM_INFLATE_BAD)
        e->write.error = SIM_ROM_INFLATE;
    else if (z->state == SIM_INFLATE_DONE && e->write.left > 0)
        e->write.error = SIM_ROM_TOO_LITTLE;
}
