/*
 * test_disk.c - the simulated memory stick: bulk-only transport, SCSI, the FAT image
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "sim/fat.h"
#include "wire.h"

#define STALL   (-32)
#define SECTORS 16384u

static struct stand stand;
static struct wire w;
static uint8_t bytes[1 << 17];

static int
set_up(void **state)
{
    (void)state;
    stand_new(&stand, "linux");
    stand_add(&stand, "disk");
    stand_run(&stand);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    stand_end(&stand);
    return 0;
}

static int
open_disk(void **state)
{
    (void)state;
    wire_open_device(&w, &stand, "1-1");
    return 0;
}

static int
close_disk(void **state)
{
    (void)state;
    wire_close(&w);
    return 0;
}

/* Command Block Wrapper (USB MSC BOT 1.0, 5.1). */
static void
send_command(uint32_t tag, uint32_t length, int in, const uint8_t *command, size_t size)
{
    uint8_t cbw[31] = {0};
    struct uw_writer writer = uw_writer(cbw, sizeof(cbw));

    uw_wr_bytes(&writer, "USBC", 4);
    uw_wr_le32(&writer, tag);
    uw_wr_le32(&writer, length);
    uw_wr_u8(&writer, in ? 0x80 : 0);
    uw_wr_u8(&writer, 0);
    uw_wr_u8(&writer, (uint8_t)size);
    uw_wr_bytes(&writer, command, size);
    assert_int_equal(wire_write(&w, 0x01, cbw, sizeof(cbw)), sizeof(cbw));
}

/* Command Status Wrapper (5.2): its status; the residue has to be as said. */
static int
read_status(uint32_t tag, uint32_t residue)
{
    uint8_t csw[64];
    struct uw_reader reader = uw_reader(csw, 13);
    uint8_t signature[4];

    assert_int_equal(wire_read(&w, 0x81, csw, sizeof(csw)), 13);
    uw_rd_bytes(&reader, signature, 4);
    assert_memory_equal(signature, "USBS", 4);
    assert_int_equal(uw_rd_le32(&reader), tag);
    assert_int_equal(uw_rd_le32(&reader), residue);
    return uw_rd_u8(&reader);
}

static void
expect_sense(uint8_t sense, uint8_t asc)
{
    static const uint8_t request_sense[6] = {0x03, 0, 0, 0, 18};
    uint8_t data[18];

    send_command(99, 18, 1, request_sense, sizeof(request_sense));
    assert_int_equal(wire_read(&w, 0x81, data, 18), 18);
    assert_int_equal(read_status(99, 0), 0);
    assert_int_equal(data[2], sense);
    assert_int_equal(data[12], asc);
}

static void
test_inquiry(void **state)
{
    static const uint8_t inquiry[6] = {0x12, 0, 0, 0, 36}, capacity[10] = {0x25};

    (void)state;
    send_command(1, 36, 1, inquiry, sizeof(inquiry));
    assert_int_equal(wire_read(&w, 0x81, bytes, 36), 36);
    assert_memory_equal(bytes, "\x00\x80\x04\x02\x1f", 5);
    assert_memory_equal(bytes + 8, "usbwire simulated disk  1.0 ", 28);
    assert_int_equal(read_status(1, 0), 0);
    send_command(2, 8, 1, capacity, sizeof(capacity));
    assert_int_equal(wire_read(&w, 0x81, bytes, 8), 8);
    assert_memory_equal(bytes, "\x00\x00\x3f\xff\x00\x00\x02\x00", 8);
    assert_int_equal(read_status(2, 0), 0);
}

/* A host that asks for more than there is gets the rest as the residue. */
static void
test_residue(void **state)
{
    static const uint8_t inquiry[6] = {0x12, 0, 0, 0, 255};

    (void)state;
    send_command(3, 255, 1, inquiry, sizeof(inquiry));
    assert_int_equal(wire_read(&w, 0x81, bytes, 512), 36);
    assert_int_equal(read_status(3, 255 - 36), 0);
}

static void
test_write_and_read(void **state)
{
    static const uint8_t write[10] = {0x2a, 0, 0, 0, 0x20, 0, 0, 0, 128};
    static const uint8_t read[10] = {0x28, 0, 0, 0, 0x20, 0, 0, 0, 128};

    (void)state;
    for (unsigned i = 0; i < 65536; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
    send_command(4, 65536, 0, write, sizeof(write));
    assert_int_equal(wire_write(&w, 0x01, bytes, 16384), 16384);
    assert_int_equal(wire_write(&w, 0x01, bytes + 16384, 49152), 49152);
    assert_int_equal(read_status(4, 0), 0);
    memset(bytes, 0, 65536);
    send_command(5, 65536, 1, read, sizeof(read));
    assert_int_equal(wire_read(&w, 0x81, bytes, 65536), 65536);
    assert_int_equal(read_status(5, 0), 0);
    for (unsigned i = 0; i < 65536; i++)
        if (bytes[i] != (uint8_t)(i * 7 + (i >> 8)))
            fail_msg("byte %u is %u", i, bytes[i]);
}

/* Out of range and unknown commands: the endpoint is halted, the status says failed, sense why. */
static void
test_refused(void **state)
{
    static const struct {
        uint8_t command[10], sense, asc;
    } rows[] = {
        {{0x28, 0, 0, 0, 0x40, 0, 0, 0, 1}, 5, 0x21}, /* READ behind the end */
        {{0x28, 0, 0, 0, 0x3f, 0xff, 0, 0, 2}, 5, 0x21},
        {{0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff}, 5, 0x21},
        {{0xee}, 5, 0x20},
        {{0x12, 1, 0x80, 0, 36}, 5, 0x20}, /* INQUIRY for vital product data */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        send_command(6, 512, 1, rows[i].command, 10);
        assert_int_equal(wire_read(&w, 0x81, bytes, 512), STALL);
        assert_int_equal(wire_control(&w, 0x02, 1, 0, 0x81, NULL, 0), 0);
        assert_int_equal(read_status(6, 512), 1);
        expect_sense(rows[i].sense, rows[i].asc);
    }
}

static void
test_ejected(void **state)
{
    static const uint8_t eject[6] = {0x1b, 0, 0, 0, 2}, load[6] = {0x1b, 0, 0, 0, 3};
    static const uint8_t ready[6] = {0};

    (void)state;
    send_command(7, 0, 0, eject, sizeof(eject));
    assert_int_equal(read_status(7, 0), 0);
    send_command(8, 0, 0, ready, sizeof(ready));
    assert_int_equal(read_status(8, 0), 1);
    expect_sense(2, 0x3a);
    send_command(9, 0, 0, load, sizeof(load));
    assert_int_equal(read_status(9, 0), 0);
    send_command(10, 0, 0, ready, sizeof(ready));
    assert_int_equal(read_status(10, 0), 0);
}

/* What is no wrapper halts both endpoints until the reset of 5.3.4. */
static void
test_invalid_wrapper(void **state)
{
    static const uint8_t ready[6] = {0};

    (void)state;
    assert_int_equal(wire_write(&w, 0x01, "no wrapper at all", 17), STALL);
    assert_int_equal(wire_read(&w, 0x81, bytes, 13), STALL);
    assert_int_equal(wire_control(&w, 0x21, 0xff, 0, 0, NULL, 0), 0);
    assert_int_equal(wire_control(&w, 0x02, 1, 0, 0x81, NULL, 0), 0);
    assert_int_equal(wire_control(&w, 0x02, 1, 0, 0x01, NULL, 0), 0);
    send_command(11, 0, 0, ready, sizeof(ready));
    assert_int_equal(read_status(11, 0), 0);
    assert_int_equal(wire_control(&w, 0xa1, 0xfe, 0, 0, bytes, 1), 1);
    assert_int_equal(bytes[0], 0); /* one unit */
}

/* ---- the image ---- */

static uint16_t
word(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

/* As the FAT specification 1.03 has a driver find a file. */
static void
test_fat(void **state)
{
    static char text[3000];
    uint8_t *image = malloc((size_t)SECTORS * SIM_SECTOR), *root, *data, *fat;
    uint32_t root_at, data_at, clusters;

    (void)state;
    assert_non_null(image);
    memset(text, 'x', sizeof(text) - 1);
    sim_fat_format(image, SECTORS, text);
    assert_int_equal(word(image + 510), 0xaa55);
    assert_int_equal(word(image + 11), SIM_SECTOR);
    assert_int_equal(word(image + 19), SECTORS);
    root_at = word(image + 14) + image[16] * (uint32_t)word(image + 22);
    data_at = root_at + word(image + 17) * 32u / SIM_SECTOR;
    clusters = (SECTORS - data_at) / image[13];
    assert_true(clusters >= 4085 && clusters < 65525); /* that is what makes it FAT16 */
    assert_true(word(image + 22) * SIM_SECTOR / 2u >= clusters + 2u);
    fat = image + word(image + 14) * SIM_SECTOR;
    root = image + root_at * SIM_SECTOR;
    data = image + data_at * SIM_SECTOR;
    assert_memory_equal(fat, fat + word(image + 22) * SIM_SECTOR, word(image + 22) * SIM_SECTOR);
    assert_memory_equal(root + 32, "README  TXT", 11);
    assert_int_equal(word(root + 32 + 28), sizeof(text) - 1);
    for (uint32_t at = 0, cluster = word(root + 32 + 26); at < sizeof(text) - 1; at += SIM_SECTOR) {
        size_t left = sizeof(text) - 1 - at;

        assert_true(cluster >= 2 && cluster < clusters + 2);
        assert_memory_equal(data + (cluster - 2) * SIM_SECTOR, text + at,
                            left < SIM_SECTOR ? left : SIM_SECTOR);
        cluster = word(fat + cluster * 2);
        assert_true((cluster >= 0xfff8) == (left <= SIM_SECTOR));
    }
    free(image);
}

/* An image from a file, and files that are none. */
static void
test_image_file(void **state)
{
    static const uint8_t read[10] = {0x28, 0, 0, 0, 0, 1, 0, 0, 1}, capacity[10] = {0x25};
    static const size_t wrong[] = {0, 511, 1000};
    char path[] = "/tmp/usbwire-disk-XXXXXX", device[64];
    int fd = mkstemp(path);
    struct stand other;
    struct uw_fault fault;

    (void)state;
    assert_true(fd >= 0);
    snprintf(device, sizeof(device), "disk:image=%s", path);
    stand_new(&other, "linux");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ftruncate(fd, (off_t)wrong[i]), 0);
        assert_int_equal(uw_sim_add(other.sim, device, &fault), UW_ERROR_INVALID);
    }
    assert_int_equal(ftruncate(fd, 1024), 0);
    assert_int_equal(pwrite(fd, "second sector", 13, 512), 13);
    stand_add(&other, device);
    unlink(path);
    close(fd);
    assert_int_equal(uw_sim_add(other.sim, device, &fault), UW_ERROR_INVALID);
    stand_run(&other);
    wire_close(&w);
    wire_open_device(&w, &other, "1-1");
    send_command(12, 8, 1, capacity, sizeof(capacity));
    assert_int_equal(wire_read(&w, 0x81, bytes, 8), 8);
    assert_memory_equal(bytes, "\0\0\0\x01\0\0\x02\0", 8);
    assert_int_equal(read_status(12, 0), 0);
    send_command(13, 512, 1, read, sizeof(read));
    assert_int_equal(wire_read(&w, 0x81, bytes, 512), 512);
    assert_memory_equal(bytes, "second sector", 14);
    assert_int_equal(read_status(13, 0), 0);
    stand_end(&other);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_disk, close_disk)
    const struct CMUnitTest tests[] = {
        TEST(test_inquiry),         TEST(test_residue),    TEST(test_write_and_read),
        TEST(test_refused),         TEST(test_ejected),    TEST(test_invalid_wrapper),
        cmocka_unit_test(test_fat), TEST(test_image_file),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
