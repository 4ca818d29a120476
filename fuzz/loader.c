/*
 * loader.c - a flasher that sends anything to the simulated loader and its stub
 *
 * The first byte chooses who hears it, and whether what follows goes over the line as it is or
 * names commands (number, size, data) that are packed up for it. However the line cuts it up, the
 * same is said and the same is in the flash; all that is said are whole messages.
 */
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "sim/rom.h"

#define INPUT_MAX 1024u /* each command may have to look at all of the flash */

struct board {
    struct sim_rom rom;
    uint64_t said; /* a hash */
    unsigned left;
    uint32_t baud;
};

static const struct sim_rom_chip chip = {
    .id = 5, .magic = 1, .spi = 0x60002000, .spi_usr2 = 0x20, .spi_w0 = 0x58};

static void
hear(struct sim_rom *rom, const uint8_t *bytes, size_t size)
{
    struct board *b = (struct board *)(void *)rom;

    FUZZ_CHECK(size >= 3 && size <= SIM_SLIP_SIZE(SIM_FLASH_SECTOR));
    FUZZ_CHECK(bytes[0] == 0xc0 && bytes[size - 1] == 0xc0);
    for (size_t i = 0; i < size; i++)
        b->said = (b->said ^ bytes[i]) * 0x100000001b3u;
}

static void
leave(struct sim_rom *rom)
{
    ((struct board *)(void *)rom)->left++;
}

static void
set_baud(struct sim_rom *rom, uint32_t baud)
{
    FUZZ_CHECK(baud != 0);
    ((struct board *)(void *)rom)->baud = baud;
}

static void
begin(struct board *b, const struct sim_rom_program *program)
{
    memset(b, 0, sizeof(*b));
    b->rom.send = hear;
    b->rom.leave = leave;
    b->rom.set_baud = set_baud;
    FUZZ_CHECK(sim_rom_create(&b->rom, &chip) == 0);
    sim_rom_begin(&b->rom);
    b->rom.program = program;
}

/* Commands with their headers, sums and framing. */
static size_t
pack(const uint8_t *bytes, size_t size, uint8_t *out)
{
    struct uw_reader r = uw_reader(bytes, size);
    size_t done = 0;

    while (r.left >= 2) {
        uint8_t message[8 + 255], sum = 0xef, command = uw_rd_u8(&r), count = uw_rd_u8(&r);
        size_t n = count < r.left ? count : r.left;
        const uint8_t *data = uw_rd_take(&r, n);
        struct uw_writer w = uw_writer(message, sizeof(message));

        for (size_t i = 16; i < n; i++)
            sum ^= data[i];
        uw_wr_u8(&w, 0);
        uw_wr_u8(&w, command);
        uw_wr_le16(&w, (uint16_t)n);
        uw_wr_le32(&w, sum);
        uw_wr_bytes(&w, data, n);
        done += sim_slip_make(message, w.len, out + done);
    }
    return done;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct board whole, split;
    static uint8_t line[SIM_SLIP_SIZE(INPUT_MAX) + 10 * INPUT_MAX];
    const struct sim_rom_program *program;

    if (size < 1 || size > INPUT_MAX)
        return 0;
    program = bytes[0] & 1 ? &sim_rom_stub : &sim_rom_loader;
    if (bytes[0] & 2) {
        size = pack(bytes + 1, size - 1, line);
    } else {
        memcpy(line, bytes + 1, size - 1);
        size--;
    }
    begin(&whole, program);
    begin(&split, program);
    sim_rom_take(&whole.rom, line, size);
    for (size_t i = 0; i < size; i++)
        sim_rom_take(&split.rom, line + i, 1);
    FUZZ_CHECK(whole.said == split.said && whole.left == split.left && whole.baud == split.baud);
    FUZZ_CHECK(memcmp(whole.rom.flash.bytes, split.rom.flash.bytes, SIM_FLASH_SIZE) == 0);
    sim_rom_destroy(&whole.rom);
    sim_rom_destroy(&split.rom);
    return 0;
}
