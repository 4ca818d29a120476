/*
 * fat.h - a small FAT16 image with one file in it
 */
#ifndef UW_SIM_FAT_H
#define UW_SIM_FAT_H

#include <stddef.h>
#include <stdint.h>

#define SIM_SECTOR 512u

/* Formats `sectors` (>= 8192, < 65536) sectors and puts README.TXT in. */
void sim_fat_format(uint8_t *image, uint32_t sectors, const char *text);

#endif
