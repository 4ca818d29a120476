/*
 * disk.c - a memory stick: mass storage, bulk-only (USB MSC BOT 1.0), SCSI transparent (SPC-4,
 * SBC-3)
 *
 * The medium is a FAT16 image in memory, or a file (`image=FILE`, a multiple of 512 bytes) that is
 * read at the start and not written back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/device.h"
#include "sim/fat.h"

#define EP_OUT          0x01
#define EP_IN           0x81
#define SECTORS         16384u /* 8 MiB */
#define IMAGE_MAX       (512u * 1024u * 1024u)
#define CBW_SIZE        31u
#define CSW_SIZE        13u
#define CBW_SIGNATURE   0x43425355u
#define CSW_SIGNATURE   0x53425355u
#define REQUEST_RESET   0xff
#define REQUEST_MAX_LUN 0xfe

#define SENSE_ILLEGAL_REQUEST 0x05
#define SENSE_NOT_READY       0x02
#define SENSE_ABORTED         0x0b
#define ASC_INVALID_COMMAND   0x20
#define ASC_LBA_RANGE         0x21
#define ASC_NO_MEDIUM         0x3a
#define ASC_DATA_PHASE        0x4b

static const char readme[] = "This disk is a simulation by usbwire serve.\r\n"
                             "What you write to it is gone when the server ends.\r\n";

struct command {
    uint32_t tag, length; /* of the data phase, as the host wants it */
    int in;
    uint8_t block[16];
};

struct disk {
    uint8_t *image;
    uint32_t sectors;
    int ejected;
    struct sim_fifo out; /* to the host: data, then status */
    struct command command;
    uint32_t to_write, written; /* data phase of a WRITE; at which byte of the image */
    size_t write_at;
    uint8_t sense, asc;
    int status; /* of the command: 0 passed, 1 failed */
    uint32_t residue;
};

static int
load(struct disk *k, const char *path)
{
    FILE *f = fopen(path, "rb");
    long size = -1;
    int ok = 0;

    if (!f)
        return UW_ERROR_INVALID;
    if (fseek(f, 0, SEEK_END) == 0)
        size = ftell(f);
    if (size >= (long)SIM_SECTOR && size % (long)SIM_SECTOR == 0 && size <= (long)IMAGE_MAX) {
        k->sectors = (uint32_t)((unsigned long)size / SIM_SECTOR);
        k->image = malloc((size_t)size);
        rewind(f);
        ok = k->image && fread(k->image, 1, (size_t)size, f) == (size_t)size;
    }
    fclose(f);
    return ok ? 0 : UW_ERROR_INVALID;
}

static int
create(struct sim_device *d)
{
    struct disk *k = calloc(1, sizeof(*k));
    const char *path = sim_option(d, "image");
    struct sim_config c;
    int r = 0;

    if (!k)
        return UW_ERROR_NO_MEMORY;
    d->own = k;
    sim_fifo_init(&k->out);
    if (path) {
        r = load(k, path);
    } else {
        k->sectors = SECTORS;
        k->image = malloc((size_t)SECTORS * SIM_SECTOR);
        if (k->image)
            sim_fat_format(k->image, SECTORS, readme);
        r = k->image ? 0 : UW_ERROR_NO_MEMORY;
    }
    sim_device_descriptor(d, 0x1209, 0x0005, 0x0100, 0, 0, 0);
    d->strings[2] = "usbwire simulated disk";
    c = sim_config_begin(d, 1);
    sim_config_interface(&c, 0, 0, 2, 0x08, 0x06, 0x50, 0);
    sim_config_endpoint(&c, EP_IN, UW_BULK, 0, 0);
    sim_config_endpoint(&c, EP_OUT, UW_BULK, 0, 0);
    sim_config_end(&c, 1);
    return r;
}

static void
reset(struct sim_device *d)
{
    struct disk *k = (struct disk *)d->own;

    sim_fifo_clear(&k->out);
    k->to_write = k->written = 0;
    k->sense = k->asc = 0;
    k->ejected = 0; /* who imports it next has put it in again */
}

static void
destroy(struct sim_device *d)
{
    struct disk *k = (struct disk *)d->own;

    if (!k)
        return;
    reset(d);
    free(k->image);
    free(k);
}

/* ---- SCSI ---- */

static void
fail(struct disk *k, uint8_t sense, uint8_t asc)
{
    k->status = 1;
    k->sense = sense;
    k->asc = asc;
}

/* The data phase to the host: at most what it wants; the rest of what it wants is the residue. */
static void
give(struct disk *k, const void *bytes, size_t size)
{
    size_t n = size < k->command.length ? size : k->command.length;

    k->residue = k->command.length - (uint32_t)n;
    if (n && !sim_fifo_put(&k->out, bytes, n)) {
        k->residue = k->command.length;
        fail(k, SENSE_ABORTED, ASC_DATA_PHASE);
    }
}

static void
test_unit_ready(struct disk *k)
{
    if (k->ejected)
        fail(k, SENSE_NOT_READY, ASC_NO_MEDIUM);
}

static void
request_sense(struct disk *k)
{
    const uint8_t bytes[18] = {0x70, 0, k->sense, 0, 0, 0, 0, 10, 0, 0, 0, 0, k->asc};

    give(k, bytes, sizeof(bytes));
    k->sense = k->asc = 0;
}

static void
inquiry(struct disk *k)
{
    uint8_t bytes[36] = {0, 0x80, 4, 2, sizeof(bytes) - 5};
    struct uw_writer text = uw_writer(bytes + 8, 28);

    uw_wr_bytes(&text, "usbwire simulated disk  1.0 ", 28);
    if (k->command.block[1] & 1)
        fail(k, SENSE_ILLEGAL_REQUEST, ASC_INVALID_COMMAND); /* no vital product data */
    else
        give(k, bytes, sizeof(bytes));
}

static void
mode_sense_6(struct disk *k)
{
    const uint8_t bytes[4] = {3, 0, 0, 0};

    give(k, bytes, sizeof(bytes));
}

static void
mode_sense_10(struct disk *k)
{
    const uint8_t bytes[8] = {0, 6};

    give(k, bytes, sizeof(bytes));
}

static void
start_stop(struct disk *k)
{
    if (k->command.block[4] & 2)
        k->ejected = !(k->command.block[4] & 1);
}

static void
nothing(struct disk *k)
{
    (void)k;
}

static void
read_capacity(struct disk *k)
{
    uint8_t bytes[8];
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));

    uw_wr_be32(&w, k->sectors - 1);
    uw_wr_be32(&w, SIM_SECTOR);
    give(k, bytes, sizeof(bytes));
}

static void
read_format_capacities(struct disk *k)
{
    uint8_t bytes[12] = {0, 0, 0, 8};
    struct uw_writer w = uw_writer(bytes + 4, 8);

    uw_wr_be32(&w, k->sectors);
    uw_wr_be32(&w, 0x02000000u | SIM_SECTOR); /* formatted medium */
    give(k, bytes, sizeof(bytes));
}

/* Block address and count of a READ or WRITE; 0: it does not fit the medium. */
static int
range(struct disk *k, uint32_t *ret_first, uint32_t *ret_count)
{
    struct uw_reader r = uw_reader(k->command.block + 2, 8);
    uint32_t first, count;

    if (k->command.block[0] < 0x20) { /* 6-byte commands */
        r = uw_reader(k->command.block, 4);
        first = uw_rd_be32(&r) & 0x1fffffu;
        count = k->command.block[4] ? k->command.block[4] : 256u;
    } else {
        first = uw_rd_be32(&r);
        uw_rd_u8(&r);
        count = uw_rd_be16(&r);
    }
    if (k->ejected)
        fail(k, SENSE_NOT_READY, ASC_NO_MEDIUM);
    else if (first > k->sectors || count > k->sectors - first)
        fail(k, SENSE_ILLEGAL_REQUEST, ASC_LBA_RANGE);
    *ret_first = first;
    *ret_count = count;
    return k->status == 0;
}

static void
read_blocks(struct disk *k)
{
    uint32_t first, count;

    if (range(k, &first, &count))
        give(k, k->image + (size_t)first * SIM_SECTOR, (size_t)count * SIM_SECTOR);
}

static void
write_blocks(struct disk *k)
{
    uint32_t first, count;

    if (!range(k, &first, &count))
        return;
    k->to_write = count * SIM_SECTOR < k->command.length ? count * SIM_SECTOR : k->command.length;
    k->write_at = (size_t)first * SIM_SECTOR;
    k->residue = k->command.length - k->to_write;
}

static const struct {
    uint8_t code;
    void (*run)(struct disk *k);
} commands[] = {
    {0x00, test_unit_ready}, {0x03, request_sense}, {0x08, read_blocks},
    {0x0a, write_blocks},    {0x12, inquiry},       {0x1a, mode_sense_6},
    {0x1b, start_stop},      {0x1e, nothing},       {0x23, read_format_capacities},
    {0x25, read_capacity},   {0x28, read_blocks},   {0x2a, write_blocks},
    {0x2f, nothing},         {0x35, nothing},       {0x5a, mode_sense_10},
};

/* ---- bulk-only transport ---- */

static void
send_status(struct disk *k)
{
    uint8_t bytes[CSW_SIZE];
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));

    uw_wr_le32(&w, CSW_SIGNATURE);
    uw_wr_le32(&w, k->command.tag);
    uw_wr_le32(&w, k->residue);
    uw_wr_u8(&w, (uint8_t)k->status);
    (void)sim_fifo_put(&k->out, bytes, sizeof(bytes));
}

static int
read_wrapper(struct disk *k, const struct uw_request *r)
{
    struct uw_reader rd = uw_reader(r->buffer, r->length);

    if (r->length != CBW_SIZE || uw_rd_le32(&rd) != CBW_SIGNATURE)
        return 0;
    k->command.tag = uw_rd_le32(&rd);
    k->command.length = uw_rd_le32(&rd);
    k->command.in = uw_rd_u8(&rd) & 0x80;
    uw_rd_u8(&rd); /* LUN */
    uw_rd_u8(&rd); /* length of the command */
    uw_rd_bytes(&rd, k->command.block, sizeof(k->command.block));
    return 1;
}

/* Runs a command. A host that wants data where there is none gets the endpoint halted (6.7). */
static void
run(struct sim_device *d, struct disk *k)
{
    size_t i = 0, n = sizeof(commands) / sizeof(commands[0]);

    k->status = 0;
    k->residue = k->command.length;
    k->to_write = k->written = 0;
    while (i < n && commands[i].code != k->command.block[0])
        i++;
    if (i < n)
        commands[i].run(k);
    else
        fail(k, SENSE_ILLEGAL_REQUEST, ASC_INVALID_COMMAND);
    if (k->to_write)
        return;
    if (k->command.length && k->residue == k->command.length)
        sim_halt(d, k->command.in ? EP_IN : EP_OUT);
    send_status(k);
}

static void
take_data(struct disk *k, const struct uw_request *r)
{
    uint32_t left = k->to_write - k->written, n = r->length < left ? r->length : left;

    memcpy(k->image + k->write_at + k->written, r->buffer, n);
    k->written += n;
    if (k->written < k->to_write)
        return;
    k->to_write = 0;
    send_status(k);
}

static void
transfer(struct sim_device *d, struct uw_request *r)
{
    struct disk *k = (struct disk *)d->own;

    if (r->endpoint == EP_IN) {
        sim_wait(d, r);
    } else if (k->to_write) {
        take_data(k, r);
        sim_reply(d, r, 0, r->length);
    } else if (read_wrapper(k, r)) {
        sim_reply(d, r, 0, r->length);
        run(d, k);
    } else {
        /* Not a valid wrapper: both endpoints stay halted until a reset (6.6.1). */
        sim_halt(d, EP_IN);
        sim_halt(d, EP_OUT);
        sim_reply(d, r, SIM_STALL, 0);
    }
    sim_fifo_serve(&k->out, d, EP_IN);
}

static int
control(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    struct disk *k = (struct disk *)d->own;

    if (s->type == 0xa1 && s->request == REQUEST_MAX_LUN && r->length) {
        r->buffer[0] = 0;
        return 1;
    }
    if (s->type == 0x21 && s->request == REQUEST_RESET) {
        sim_fifo_clear(&k->out);
        k->to_write = k->written = 0;
        return 0;
    }
    return SIM_STALL;
}

const struct sim_model sim_disk = {
    .name = "disk",
    .text = "1209:0005, mass storage with a FAT16 image of 8 MiB; key: image=FILE",
    .is_default = 1,
    .keys = "image",
    .speed = SIM_HIGH,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .control = control,
    .transfer = transfer,
};
