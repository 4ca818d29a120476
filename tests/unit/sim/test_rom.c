/*
 * test_rom.c - the loader in the ROM and the stub, as "Serial Protocol" in esptool's documentation
 * has them; the stub's codes and its order of things are those of Espressif's flasher stub
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "sim/md5.h"
#include "sim/rom.h"

#define SECTOR SIM_FLASH_SECTOR
#define RAM    0x400be000u

static const struct sim_rom_chip chip = {
    .magic = 0x00f01d83, .spi = 0x3ff42000, .spi_usr2 = 0x24, .spi_w0 = 0x80};

static struct sim_rom rom;
static struct sim_slip said; /* what it said last */
static unsigned messages, left;
static uint32_t rate;

static void
hear(struct sim_rom *r, const uint8_t *bytes, size_t size)
{
    static struct sim_slip heard;

    assert_ptr_equal(r, &rom);
    sim_slip_begin(&heard);
    for (size_t i = 0; i < size; i++)
        if (sim_slip_take(&heard, bytes[i])) {
            said = heard;
            messages++;
        }
}

static void
leave(struct sim_rom *r)
{
    (void)r;
    left++;
}

static void
set_baud(struct sim_rom *r, uint32_t baud)
{
    (void)r;
    rate = baud;
}

static int
set_up(void **state)
{
    (void)state;
    memset(&rom, 0, sizeof(rom));
    rom.send = hear;
    rom.leave = leave;
    rom.set_baud = set_baud;
    messages = left = 0;
    rate = 0;
    if (sim_rom_create(&rom, &chip) < 0)
        return -1;
    sim_rom_begin(&rom);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    sim_rom_destroy(&rom);
    return 0;
}

/* ---- commands ---- */

static void
tell(const void *bytes, size_t size)
{
    uint8_t *out = malloc(SIM_SLIP_SIZE(size));

    assert_non_null(out);
    messages = 0;
    sim_rom_take(&rom, out, sim_slip_make(bytes, size, out));
    free(out);
}

/* A command with words, and a block's data behind them. */
static void
order(uint8_t command, const uint32_t *words, size_t count, const void *data, size_t size)
{
    uint8_t bytes[SECTOR], sum = 0xef;
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));

    for (size_t i = 0; i < size; i++)
        sum ^= ((const uint8_t *)data)[i];
    uw_wr_u8(&w, 0);
    uw_wr_u8(&w, command);
    uw_wr_le16(&w, (uint16_t)(4 * count + size));
    uw_wr_le32(&w, sum);
    for (size_t i = 0; i < count; i++)
        uw_wr_le32(&w, words[i]);
    uw_wr_bytes(&w, data, size);
    assert_false(w.failed);
    tell(bytes, w.len);
}

#define ORDER(command, ...)                                                                        \
    order(command, (const uint32_t[]){__VA_ARGS__},                                                \
          sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), NULL, 0)

static void
block(uint8_t command, uint32_t number, const void *data, size_t size)
{
    order(command, (const uint32_t[]){(uint32_t)size, number, 0, 0}, 4, data, size);
}

/* The last message answers that, with so many bytes, the status at the end among them. */
static void
expect_answer(uint8_t command, const char *bytes, size_t size)
{
    assert_int_equal(said.size, 8 + size);
    assert_int_equal(said.bytes[0], 1);
    assert_int_equal(said.bytes[1], command);
    assert_int_equal(said.bytes[2] | said.bytes[3] << 8, size);
    assert_memory_equal(said.bytes + 8, bytes, size);
}

#define EXPECT(command, bytes)                                                                     \
    do {                                                                                           \
        assert_int_equal(messages, 1);                                                             \
        expect_answer(command, bytes, sizeof(bytes) - 1);                                          \
    } while (0)

#define ROM_OK  "\0\0\0\0"
#define STUB_OK "\0\0"

static void
start_stub(void)
{
    static const uint8_t code[8] = {1, 2, 3};

    ORDER(SIM_MEM_BEGIN, sizeof(code), 1, sizeof(code), RAM);
    EXPECT(SIM_MEM_BEGIN, ROM_OK);
    block(SIM_MEM_DATA, 0, code, sizeof(code));
    EXPECT(SIM_MEM_DATA, ROM_OK);
    ORDER(SIM_MEM_END, 0, RAM + 4);
    assert_int_equal(messages, 2);
    assert_int_equal(said.size, 4);
    assert_memory_equal(said.bytes, "OHAI", 4);
}

/* ---- the ROM ---- */

static void
test_rom(void **state)
{
    static const uint8_t data[SECTOR / 2] = {0x5a};

    (void)state;
    order(SIM_SYNC, NULL, 0, "\x07\x07\x12\x20", 4);
    assert_int_equal(messages, 8);
    assert_memory_equal(said.bytes + 4, "\x07\x07\x12\x20", 4);
    ORDER(SIM_ERASE_FLASH, 0);
    EXPECT(SIM_ERASE_FLASH, "\1\5\0\0");
    ORDER(SIM_FLASH_BEGIN, SECTOR, 2, SECTOR / 2, SECTOR);
    EXPECT(SIM_FLASH_BEGIN, ROM_OK);
    block(SIM_FLASH_DATA, 1, data, sizeof(data)); /* it is not its turn */
    EXPECT(SIM_FLASH_DATA, "\1\6\0\0");
    block(SIM_FLASH_DATA, 0, data, sizeof(data));
    EXPECT(SIM_FLASH_DATA, ROM_OK);
    assert_int_equal(rom.flash.bytes[SECTOR], 0x5a);
    assert_int_equal(rom.flash.bytes[SECTOR + SECTOR / 2 - 1], 0);
    assert_int_equal(rom.flash.bytes[SECTOR + SECTOR / 2], 0xff);
    ORDER(SIM_FLASH_MD5, 0, 0, 0, 0); /* of nothing, RFC 1321 A.5 */
    EXPECT(SIM_FLASH_MD5, "d41d8cd98f00b204e9800998ecf8427e" ROM_OK);
    ORDER(SIM_CHANGE_BAUD, 460800, 0);
    EXPECT(SIM_CHANGE_BAUD, ROM_OK);
    assert_int_equal(rate, 460800);
    assert_int_equal(left, 0);
    ORDER(SIM_FLASH_END, 1);
    EXPECT(SIM_FLASH_END, ROM_OK);
    assert_int_equal(left, 1);
}

static void
test_ram(void **state)
{
    static const uint8_t code[8] = {1, 2, 3};

    (void)state;
    block(SIM_MEM_DATA, 0, code, sizeof(code)); /* nothing was begun */
    EXPECT(SIM_MEM_DATA, "\1\x0e\0\0");
    ORDER(SIM_MEM_BEGIN, 12, 2, 8, RAM);
    block(SIM_MEM_DATA, 1, code, sizeof(code));
    EXPECT(SIM_MEM_DATA, "\1\6\0\0");
    order(SIM_MEM_DATA, (const uint32_t[]){7, 0, 0, 0}, 4, code, sizeof(code));
    EXPECT(SIM_MEM_DATA, "\1\5\0\0");
    block(SIM_MEM_DATA, 0, code, sizeof(code));
    EXPECT(SIM_MEM_DATA, ROM_OK);
    block(SIM_MEM_DATA, 1, code, sizeof(code)); /* 4 bytes too many */
    EXPECT(SIM_MEM_DATA, "\1\x0e\0\0");
    ORDER(SIM_MEM_END, 0, RAM);
    EXPECT(SIM_MEM_END, "\1\x0e\0\0");
    block(SIM_MEM_DATA, 1, code, 4);
    ORDER(SIM_MEM_END, 1, 0); /* it stays */
    EXPECT(SIM_MEM_END, ROM_OK);
    ORDER(SIM_READ_REG, 0x40001000);
    EXPECT(SIM_READ_REG, ROM_OK);
    ORDER(SIM_MEM_END, 0, RAM + 12); /* behind what was loaded: nothing says anything any more */
    EXPECT(SIM_MEM_END, ROM_OK);
    ORDER(SIM_READ_REG, 0x40001000);
    assert_int_equal(messages, 0);
    sim_rom_begin(&rom);
    start_stub();
}

/* ---- the stub ---- */

static void
test_stub(void **state)
{
    static const char sync[36] = {0x07, 0x07, 0x12, 0x20};

    (void)state;
    start_stub();
    order(SIM_SYNC, NULL, 0, sync, sizeof(sync));
    assert_int_equal(messages, 8);
    assert_memory_equal(said.bytes + 4, "\0\0\0\0" STUB_OK, 6); /* a value by which it is known */
    order(SIM_SYNC, NULL, 0, sync, 4);
    expect_answer(SIM_SYNC, "\xc0\0", 2);
    ORDER(SIM_READ_FLASH_SLOW, 0, 64);
    EXPECT(SIM_READ_FLASH_SLOW, "\xff\0");
    ORDER(SIM_SECURITY_INFO, 0);
    EXPECT(SIM_SECURITY_INFO, "\xc0\0");
    ORDER(SIM_READ_REG, 0x40001000);
    EXPECT(SIM_READ_REG, STUB_OK);
    assert_memory_equal(said.bytes + 4, "\x83\x1d\xf0\x00", 4);
    ORDER(SIM_CHANGE_BAUD, 921600, 115200);
    EXPECT(SIM_CHANGE_BAUD, STUB_OK);
    assert_int_equal(rate, 921600);
    ORDER(SIM_FLASH_MD5, 0, 0, 0, 0);
    EXPECT(SIM_FLASH_MD5,
           "\xd4\x1d\x8c\xd9\x8f\x00\xb2\x04\xe9\x80\x09\x98\xec\xf8\x42\x7e" STUB_OK);
    order(SIM_RUN_USER_CODE, NULL, 0, NULL, 0);
    assert_int_equal(messages, 0);
    assert_int_equal(left, 1);
}

static void
test_stub_writes(void **state)
{
    static const uint8_t data[100] = {0x5a};

    (void)state;
    start_stub();
    memset(rom.flash.bytes, 0, 4 * SECTOR);
    block(SIM_FLASH_DATA, 0, data, sizeof(data));
    EXPECT(SIM_FLASH_DATA, "\xc6\0");
    ORDER(SIM_FLASH_END, 1);
    EXPECT(SIM_FLASH_END, "\xc6\0");
    ORDER(SIM_FLASH_BEGIN, 10, 1, 0x4001, SECTOR);
    EXPECT(SIM_FLASH_BEGIN, "\xc2\0");
    ORDER(SIM_FLASH_BEGIN, 10, 1, 0x4000, SIM_FLASH_SIZE - 9);
    EXPECT(SIM_FLASH_BEGIN, "\xc4\0");
    ORDER(SIM_FLASH_BEGIN, 10, 1, 0x4000, 2 * SECTOR - 1);
    EXPECT(SIM_FLASH_BEGIN, STUB_OK);
    ORDER(SIM_FLASH_END, 1);
    EXPECT(SIM_FLASH_END, "\xc8\0"); /* too early */
    order(SIM_FLASH_DATA, (const uint32_t[]){99, 0, 0, 0}, 4, data, sizeof(data));
    EXPECT(SIM_FLASH_DATA, "\xc0\0");
    block(SIM_FLASH_DATA, 0, data, sizeof(data));
    EXPECT(SIM_FLASH_DATA, STUB_OK);
    /* What is announced is written, and nothing behind; the sectors it is in were erased. */
    assert_int_equal(rom.flash.bytes[SECTOR - 1], 0);
    assert_int_equal(rom.flash.bytes[SECTOR], 0xff);
    assert_int_equal(rom.flash.bytes[2 * SECTOR - 1], 0x5a);
    assert_int_equal(rom.flash.bytes[2 * SECTOR + 8], 0);
    assert_int_equal(rom.flash.bytes[2 * SECTOR + 9], 0xff);
    assert_int_equal(rom.flash.bytes[3 * SECTOR], 0);
    ORDER(SIM_FLASH_END, 1);
    EXPECT(SIM_FLASH_END, STUB_OK);
    assert_int_equal(left, 0);
    ORDER(SIM_FLASH_BEGIN, 0, 0, 0x4000, 0);
    ORDER(SIM_FLASH_END, 0); /* reboots */
    EXPECT(SIM_FLASH_END, STUB_OK);
    assert_int_equal(left, 1);
}

/* A block is acknowledged before it is written: what was wrong with one is told with the next. */
static void
test_stub_inflates(void **state)
{
    static const uint8_t stored[] = {0x78, 0x01, 0x01, 0x06, 0x00, 0xf9, 0xff, 0x73, 0x74,
                                     0x6f, 0x72, 0x65, 0x64, 0x09, 0x3c, 0x02, 0x92};

    (void)state;
    start_stub();
    ORDER(SIM_FLASH_DEFL_BEGIN, 6, 2, 10, 100);
    EXPECT(SIM_FLASH_DEFL_BEGIN, STUB_OK);
    block(SIM_FLASH_DEFL_DATA, 0, stored, 10);
    EXPECT(SIM_FLASH_DEFL_DATA, STUB_OK);
    assert_memory_equal(rom.flash.bytes + 100, "sto\xff", 4);
    block(SIM_FLASH_DEFL_DATA, 1, stored + 10, sizeof(stored) - 10);
    EXPECT(SIM_FLASH_DEFL_DATA, STUB_OK);
    assert_memory_equal(rom.flash.bytes + 100, "stored\xff", 7);
    ORDER(SIM_FLASH_DEFL_END, 1);
    EXPECT(SIM_FLASH_DEFL_END, STUB_OK);

    ORDER(SIM_FLASH_DEFL_BEGIN, 6, 2, 10, 100);
    block(SIM_FLASH_DEFL_DATA, 0, "\x78\x02", 2);
    EXPECT(SIM_FLASH_DEFL_DATA, STUB_OK);
    block(SIM_FLASH_DEFL_DATA, 1, stored, 10);
    EXPECT(SIM_FLASH_DEFL_DATA, "\xc7\0");

    ORDER(SIM_FLASH_DEFL_BEGIN, 7, 2, 17, 100); /* more than there is */
    block(SIM_FLASH_DEFL_DATA, 0, stored, sizeof(stored));
    EXPECT(SIM_FLASH_DEFL_DATA, STUB_OK);
    block(SIM_FLASH_DEFL_DATA, 1, stored, 1);
    EXPECT(SIM_FLASH_DEFL_DATA, "\xc8\0");

    ORDER(SIM_FLASH_DEFL_BEGIN, 6, 2, 17, 100); /* and less */
    block(SIM_FLASH_DEFL_DATA, 0, stored, sizeof(stored));
    block(SIM_FLASH_DEFL_DATA, 1, stored, 5);
    EXPECT(SIM_FLASH_DEFL_DATA, STUB_OK);
    ORDER(SIM_FLASH_DEFL_END, 1);
    EXPECT(SIM_FLASH_DEFL_END, "\xc9\0");
}

static void
test_stub_erases(void **state)
{
    (void)state;
    start_stub();
    memset(rom.flash.bytes, 0, SIM_FLASH_SIZE);
    ORDER(SIM_ERASE_REGION, SECTOR, SECTOR + 1);
    EXPECT(SIM_ERASE_REGION, "\xc4\0");
    ORDER(SIM_ERASE_REGION, SIM_FLASH_SIZE, SECTOR);
    EXPECT(SIM_ERASE_REGION, "\xc4\0");
    ORDER(SIM_ERASE_REGION, SECTOR, SECTOR);
    EXPECT(SIM_ERASE_REGION, STUB_OK);
    assert_int_equal(rom.flash.bytes[SECTOR - 1], 0);
    assert_int_equal(rom.flash.bytes[SECTOR], 0xff);
    assert_int_equal(rom.flash.bytes[2 * SECTOR], 0);
    order(SIM_ERASE_FLASH, NULL, 0, NULL, 0);
    EXPECT(SIM_ERASE_FLASH, STUB_OK);
    assert_int_equal(rom.flash.bytes[SIM_FLASH_SIZE - 1], 0xff);
}

static void
acknowledge(uint32_t count)
{
    uint8_t bytes[4];
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));

    uw_wr_le32(&w, count);
    tell(bytes, sizeof(bytes));
}

static void
expect_digest(uint32_t at, uint32_t size)
{
    uint8_t digest[16];

    sim_md5(rom.flash.bytes + at, size, digest);
    assert_int_equal(said.size, sizeof(digest));
    assert_memory_equal(said.bytes, digest, sizeof(digest));
    ORDER(SIM_READ_REG, 0x40001000); /* it hears commands again */
    EXPECT(SIM_READ_REG, STUB_OK);
}

/* No more than is allowed is unacknowledged. */
static void
test_stub_reads(void **state)
{
    (void)state;
    start_stub();
    for (uint32_t i = 0; i < 1000; i++)
        rom.flash.bytes[50 + i] = (uint8_t)i;
    ORDER(SIM_READ_FLASH, 50, 1000, 256, 257);
    assert_int_equal(messages, 3); /* the answer, and two blocks */
    assert_int_equal(said.size, 256);
    assert_memory_equal(said.bytes, rom.flash.bytes + 50 + 256, 256);
    acknowledge(255);
    assert_int_equal(messages, 0);
    acknowledge(256);
    assert_int_equal(messages, 1);
    acknowledge(768);
    assert_int_equal(messages, 1);
    assert_int_equal(said.size, 1000 - 768);
    acknowledge(1000);
    assert_int_equal(messages, 1);
    expect_digest(50, 1000);

    ORDER(SIM_READ_FLASH, 0, 0, 256, 64);
    assert_int_equal(messages, 2);
    expect_digest(0, 0);
    ORDER(SIM_READ_FLASH, 0, 1000, 256, 64);
    tell("stop", 3); /* what is no acknowledgement ends it */
    expect_digest(0, 256);
    ORDER(SIM_READ_FLASH, 0, 1000, 256, 64);
    acknowledge(257); /* more than it has sent, too */
    expect_digest(0, 256);
    ORDER(SIM_READ_FLASH, 0, 10000, SECTOR + 1, 64); /* it has no room for such a block */
    EXPECT(SIM_READ_FLASH, STUB_OK);
    ORDER(SIM_READ_FLASH, SIM_FLASH_SIZE, 1, 256, 64);
    EXPECT(SIM_READ_FLASH, "\xc4\0");
}

/* What is no command is not answered. */
static void
test_noise(void **state)
{
    (void)state;
    tell("\0\x0a\4\0\0\0\0\0\0\x10\0", 11); /* a byte too few */
    assert_int_equal(messages, 0);
    tell("\1\x0a\4\0\0\0\0\0\0\x10\0\x40", 12); /* an answer */
    assert_int_equal(messages, 0);
    tell("\0\x0a\4\0", 4);
    assert_int_equal(messages, 0);
    tell("\0\x0a\4\0\0\0\0\0\0\x10\0\x40", 12);
    EXPECT(SIM_READ_REG, ROM_OK);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_rom),         TEST(test_ram),           TEST(test_stub),
        TEST(test_stub_writes), TEST(test_stub_inflates), TEST(test_stub_erases),
        TEST(test_stub_reads),  TEST(test_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
