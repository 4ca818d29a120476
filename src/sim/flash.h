/*
 * flash.h - a NOR flash of 4 MiB: erasing sets whole sectors to ones, programming only clears bits
 */
#ifndef UW_SIM_FLASH_H
#define UW_SIM_FLASH_H

#include <stddef.h>
#include <stdint.h>

#define SIM_FLASH_SIZE   (4u * 1024u * 1024u)
#define SIM_FLASH_SECTOR 4096u
#define SIM_FLASH_ID     0x001640efu /* of a W25Q32, as its command 9f tells it */

struct sim_flash {
    uint8_t *bytes;
};

/* An empty one. NO_MEMORY. */
int sim_flash_create(struct sim_flash *flash);
void sim_flash_destroy(struct sim_flash *flash);

/* Whether there is so much there; what follows is asked for such places only. */
int sim_flash_has(uint32_t at, uint32_t size);
/* The sectors that these bytes are in. */
void sim_flash_erase(struct sim_flash *flash, uint32_t at, uint32_t size);
void sim_flash_program(struct sim_flash *flash, uint32_t at, const uint8_t *bytes, size_t size);

#endif
