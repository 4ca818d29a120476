/*
 * fat.c - a small FAT16 image (Microsoft FAT specification 1.03)
 */
#include <string.h>

#include "base/bytes.h"
#include "sim/fat.h"

#define RESERVED     1u
#define FATS         2u
#define ROOT_ENTRIES 512u
#define ROOT_SECTORS (ROOT_ENTRIES * 32u / SIM_SECTOR)
#define MEDIA        0xf8

static uint32_t
fat_sectors(uint32_t sectors)
{
    /* One sector a cluster, two bytes an entry, and the first two entries. */
    return ((sectors + 2u) * 2u + SIM_SECTOR - 1u) / SIM_SECTOR;
}

static void
boot_sector(uint8_t *s, uint32_t sectors, uint32_t per_fat)
{
    struct uw_writer w = uw_writer(s, SIM_SECTOR);

    uw_wr_bytes(&w, "\xeb\x3c\x90USBWIRE ", 11);
    uw_wr_le16(&w, SIM_SECTOR);
    uw_wr_u8(&w, 1); /* sectors per cluster */
    uw_wr_le16(&w, RESERVED);
    uw_wr_u8(&w, FATS);
    uw_wr_le16(&w, ROOT_ENTRIES);
    uw_wr_le16(&w, (uint16_t)sectors);
    uw_wr_u8(&w, MEDIA);
    uw_wr_le16(&w, (uint16_t)per_fat);
    uw_wr_le16(&w, 32); /* sectors per track */
    uw_wr_le16(&w, 64); /* heads */
    uw_wr_le32(&w, 0);
    uw_wr_le32(&w, 0);
    uw_wr_u8(&w, 0x80); /* drive */
    uw_wr_u8(&w, 0);
    uw_wr_u8(&w, 0x29); /* what follows is there */
    uw_wr_le32(&w, 0x75736277);
    uw_wr_bytes(&w, "USBWIRE    FAT16   ", 19);
    s[510] = 0x55;
    s[511] = 0xaa;
}

static void
entry(uint8_t *e, const char *name, uint8_t attributes, uint16_t cluster, uint32_t size)
{
    struct uw_writer w = uw_writer(e, 32);

    uw_wr_bytes(&w, name, 11);
    uw_wr_u8(&w, attributes);
    for (unsigned i = 0; i < 3; i++)
        uw_wr_le32(&w, 0);  /* times nobody kept */
    uw_wr_le16(&w, 0x5a21); /* 1 January 2025 */
    uw_wr_le16(&w, cluster);
    uw_wr_le32(&w, size);
}

static void
set_fat(uint8_t *fat, uint32_t cluster, uint16_t next)
{
    fat[cluster * 2] = (uint8_t)next;
    fat[cluster * 2 + 1] = (uint8_t)(next >> 8);
}

void
sim_fat_format(uint8_t *image, uint32_t sectors, const char *text)
{
    uint32_t per_fat = fat_sectors(sectors), first = RESERVED + FATS * per_fat;
    uint8_t *root = image + first * SIM_SECTOR;
    uint8_t *data = root + ROOT_SECTORS * SIM_SECTOR;
    struct uw_writer readme = uw_writer(data, strlen(text));
    size_t size = strlen(text), clusters = (size + SIM_SECTOR - 1) / SIM_SECTOR;

    memset(image, 0, (size_t)sectors * SIM_SECTOR);
    boot_sector(image, sectors, per_fat);
    for (unsigned f = 0; f < FATS; f++) {
        uint8_t *fat = image + (RESERVED + f * per_fat) * SIM_SECTOR;

        set_fat(fat, 0, 0xff00 | MEDIA);
        set_fat(fat, 1, 0xffff);
        for (uint32_t i = 0; i < clusters; i++)
            set_fat(fat, 2 + i, i + 1 < clusters ? (uint16_t)(3 + i) : 0xffff);
    }
    entry(root, "USBWIRE    ", 0x08, 0, 0);
    entry(root + 32, "README  TXT", 0x20, 2, (uint32_t)size);
    uw_wr_bytes(&readme, text, size);
}
