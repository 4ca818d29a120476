/*
 * rom.h - what answers a flasher on Espressif's chips: the loader in the ROM, and the stub that a
 * flasher puts into RAM and starts
 *
 * The protocol is that of "Serial Protocol" in esptool's documentation. No code is executed:
 * whatever is put into RAM and started there is taken for a stub. The flash outlives every reset.
 *
 *     rom.c           commands in, answers out; registers
 *     rom_write.c     blocks that are written to RAM or flash, as they are or compressed
 *     rom_loader.c    the ROM's commands
 *     rom_stub.c      the stub's
 */
#ifndef UW_SIM_ROM_H
#define UW_SIM_ROM_H

#include <stddef.h>
#include <stdint.h>

#include <usbwire/error.h>

#include "sim/flash.h"
#include "sim/inflate.h"
#include "sim/slip.h"

#define SIM_ROM_SPI       0x100u
#define SIM_ROM_REGISTERS 4u
#define SIM_ROM_SEGMENTS  8u
#define SIM_ROM_ANSWER    64u /* bytes of data in it, at most */
#define SIM_ROM_WORDS     4u

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

struct sim_rom;

enum sim_rom_command {
    SIM_FLASH_BEGIN = 0x02,
    SIM_FLASH_DATA = 0x03,
    SIM_FLASH_END = 0x04,
    SIM_MEM_BEGIN = 0x05,
    SIM_MEM_END = 0x06,
    SIM_MEM_DATA = 0x07,
    SIM_SYNC = 0x08,
    SIM_WRITE_REG = 0x09,
    SIM_READ_REG = 0x0a,
    SIM_SPI_SET_PARAMS = 0x0b,
    SIM_SPI_ATTACH = 0x0d,
    SIM_READ_FLASH_SLOW = 0x0e,
    SIM_CHANGE_BAUD = 0x0f,
    SIM_FLASH_DEFL_BEGIN = 0x10,
    SIM_FLASH_DEFL_DATA = 0x11,
    SIM_FLASH_DEFL_END = 0x12,
    SIM_FLASH_MD5 = 0x13,
    SIM_SECURITY_INFO = 0x14,
    SIM_ERASE_FLASH = 0xd0,
    SIM_ERASE_REGION = 0xd1,
    SIM_READ_FLASH = 0xd2,
    SIM_RUN_USER_CODE = 0xd3
};

/* A command while it is carried out, and what its answer says. */
struct sim_rom_call {
    uint32_t checksum;
    const uint8_t *data;
    size_t size;
    uint32_t words[SIM_ROM_WORDS]; /* the data's first, as far as there are so many */

    uint32_t value;
    uint8_t bytes[SIM_ROM_ANSWER];
    size_t told;
};

/* What can be wrong; each program has its own codes for it. */
enum sim_rom_error {
    SIM_ROM_OK,
    SIM_ROM_UNKNOWN, /* no such command */
    SIM_ROM_SIZE,    /* of its data */
    SIM_ROM_CHECKSUM,
    SIM_ROM_BLOCK, /* its size, or its turn */
    SIM_ROM_MODE,  /* nothing was begun */
    SIM_ROM_FAILED,
    SIM_ROM_INFLATE, /* that was not compressed */
    SIM_ROM_TOO_MUCH,
    SIM_ROM_TOO_LITTLE,
    SIM_ROM_ERRORS
};

struct sim_rom_row {
    uint8_t command, answers; /* 0: it has none */
    uint16_t least, most;     /* bytes of data */
    /* NULL: nothing to do. */
    enum sim_rom_error (*run)(struct sim_rom *rom, struct sim_rom_call *call);
    /* When it has been answered, without an error; may be NULL. */
    void (*after)(struct sim_rom *rom, const struct sim_rom_call *call);
};

/* Who answers. */
struct sim_rom_program {
    const struct sim_rom_row *rows;
    size_t count;
    size_t
        status; /* bytes at the end of an answer: 4, whether it failed and how; 2, how it failed */
    uint8_t codes[SIM_ROM_ERRORS];
    /* What is no command; may be NULL. 1: it was for the program. */
    int (*message)(struct sim_rom *rom, const uint8_t *bytes, size_t size);
};

extern const struct sim_rom_program sim_rom_loader, sim_rom_stub;

struct sim_rom {
    const struct sim_rom_chip *chip;
    /* Whose it is. */
    void (*send)(struct sim_rom *rom, const uint8_t *bytes, size_t size);
    void (*leave)(struct sim_rom *rom);                   /* the application is to run */
    uint32_t (*baud)(struct sim_rom *rom);                /* where there is a divider */
    void (*set_baud)(struct sim_rom *rom, uint32_t baud); /* NULL: no matter */

    struct sim_flash flash;
    const struct sim_rom_program *program;
    uint32_t spi[SIM_ROM_SPI / 4];
    struct sim_slip slip;

    struct {
        uint32_t at, size; /* of RAM */
    } segments[SIM_ROM_SEGMENTS];
    unsigned segment_count;
    struct {
        uint32_t left, next;
    } load; /* into the last of them */

    struct {
        int open;
        uint32_t at, left, block_size, next;
        enum sim_rom_error error; /* of a block */
        struct sim_inflate inflate;
    } write;
    struct {
        int open;
        uint32_t at, size, block_size,
            ahead; /* bytes that may be sent before they are acknowledged */
        uint32_t sent;
    } read; /* the stub's */
    uint8_t out[SIM_SLIP_SIZE(SIM_FLASH_SECTOR)];
};

/* With an empty flash. NO_MEMORY. */
int sim_rom_create(struct sim_rom *rom, const struct sim_rom_chip *chip);
void sim_rom_destroy(struct sim_rom *rom);

/* After a reset: the ROM's loader. */
void sim_rom_begin(struct sim_rom *rom);

/* What the host sends. */
void sim_rom_take(struct sim_rom *rom, const uint8_t *bytes, size_t size);

/* ---- rom.c: for the programs ---- */

/* A message of up to SIM_FLASH_SECTOR bytes that answers no command. */
void sim_rom_send(struct sim_rom *rom, const uint8_t *bytes, size_t size);

enum sim_rom_error sim_rom_read_register(struct sim_rom *rom, struct sim_rom_call *call);
enum sim_rom_error sim_rom_write_registers(struct sim_rom *rom, struct sim_rom_call *call);
enum sim_rom_error sim_rom_security_info(struct sim_rom *rom, struct sim_rom_call *call);
enum sim_rom_error sim_rom_check_baud(struct sim_rom *rom, struct sim_rom_call *call);
void sim_rom_change_baud(struct sim_rom *rom, const struct sim_rom_call *call);

/* ---- rom_write.c: RAM and flash ---- */

/* Whether a block is whole: four words, the first of which is the size of what follows. */
enum sim_rom_error sim_rom_check_block(struct sim_rom *rom, struct sim_rom_call *call);

/* RAM: a segment, its blocks, and the end, with where to go on, or 0. */
enum sim_rom_error sim_rom_load_begin(struct sim_rom *rom, struct sim_rom_call *call);
enum sim_rom_error sim_rom_load_data(struct sim_rom *rom, struct sim_rom_call *call);
enum sim_rom_error sim_rom_load_end(struct sim_rom *rom, struct sim_rom_call *call);
void sim_rom_load_run(struct sim_rom *rom, const struct sim_rom_call *call);

/* Flash: its end is the programs' own. What a block did wrong is in write.error. */
enum sim_rom_error sim_rom_write_begin(struct sim_rom *rom, struct sim_rom_call *call);
enum sim_rom_error sim_rom_deflated_begin(struct sim_rom *rom, struct sim_rom_call *call);
void sim_rom_write_data(struct sim_rom *rom, const struct sim_rom_call *call);
void sim_rom_deflated_data(struct sim_rom *rom, const struct sim_rom_call *call);

#endif
