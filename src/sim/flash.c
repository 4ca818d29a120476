/*
 * flash.c - a NOR flash
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/error.h>

#include "sim/flash.h"

int
sim_flash_create(struct sim_flash *f)
{
    f->bytes = malloc(SIM_FLASH_SIZE);
    if (!f->bytes)
        return UW_ERROR_NO_MEMORY;
    memset(f->bytes, 0xff, SIM_FLASH_SIZE);
    return 0;
}

void
sim_flash_destroy(struct sim_flash *f)
{
    free(f->bytes);
}

int
sim_flash_has(uint32_t at, uint32_t size)
{
    return at <= SIM_FLASH_SIZE && size <= SIM_FLASH_SIZE - at;
}

void
sim_flash_erase(struct sim_flash *f, uint32_t at, uint32_t size)
{
    uint32_t first = at / SIM_FLASH_SECTOR;
    uint32_t end = (at + size + SIM_FLASH_SECTOR - 1) / SIM_FLASH_SECTOR;

    if (size > 0)
        memset(f->bytes + (size_t)first * SIM_FLASH_SECTOR, 0xff,
               (size_t)(end - first) * SIM_FLASH_SECTOR);
}

void
sim_flash_program(struct sim_flash *f, uint32_t at, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        f->bytes[at + i] &= bytes[i];
}
