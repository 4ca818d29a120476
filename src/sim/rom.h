/*
 * rom.h - the serial loader in the ROM of Espressif's chips
 *
 * The protocol is that of "Serial Protocol" in esptool's documentation, without the stub: SLIP,
 * registers, flash in blocks, MD5, slow reads. The flash outlives every reset.
 */
#ifndef UW_SIM_ROM_H
#define UW_SIM_ROM_H

#include <stddef.h>
#include <stdint.h>

#include <usbwire/error.h>

#define SIM_ROM_FRAME     20000u
#define SIM_ROM_SPI       0x100u
#define SIM_ROM_REGISTERS 4u

/* What differs from chip to chip, as its reference manual and esptool's targets have it. */
struct sim_rom_chip {
    uint32_t id;        /* of GET_SECURITY_INFO; 0: it has no such command */
    uint32_t magic;     /* of the ROM */
    uint32_t clkdiv_at; /* the UART's divider; 0: none */
    uint32_t spi, spi_usr2, spi_w0;
    struct {
        uint32_t at, value;
    } registers[SIM_ROM_REGISTERS];
};

struct sim_rom {
    const struct sim_rom_chip *chip;
    /* Whose it is. */
    void (*send)(struct sim_rom *rom, const uint8_t *bytes, size_t size);
    uint32_t (*baud)(struct sim_rom *rom);                /* where there is a divider */
    void (*set_baud)(struct sim_rom *rom, uint32_t baud); /* NULL: no matter */

    uint8_t *flash;
    uint32_t spi[SIM_ROM_SPI / 4];
    uint8_t frame[SIM_ROM_FRAME];
    size_t size;
    int in_frame, escaped;
    uint32_t write_at, write_left, block_size, next_block;
};

/* With an empty flash. NO_MEMORY. */
int sim_rom_create(struct sim_rom *rom, const struct sim_rom_chip *chip);
void sim_rom_destroy(struct sim_rom *rom);

/* After a reset. */
void sim_rom_begin(struct sim_rom *rom);

/* What the host sends. */
void sim_rom_take(struct sim_rom *rom, const uint8_t *bytes, size_t size);

#endif
