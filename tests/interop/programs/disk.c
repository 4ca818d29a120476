/*
 * disk - reads or writes blocks of a mass storage device (bulk-only transport, SCSI)
 *
 *   disk ADDRESS BUSID read  IN OUT FIRST COUNT >blocks
 *   disk ADDRESS BUSID write IN OUT FIRST COUNT <blocks
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define BLOCK 512u
#define STEP  128u /* blocks a command */

struct disk {
    struct peer peer;
    uint8_t in, out;
    uint8_t tag;
};

static void
move(struct disk *d, uint8_t endpoint, uint8_t *data, size_t size)
{
    struct uw_fault fault;
    char text[UW_FAULT_TEXT_MAX];
    size_t n;

    if (uw_transfer(d->peer.device, endpoint, data, size, uw_msec(PATIENCE_MS), &n, &fault) < 0)
        fail("%s", uw_fault_text(&fault, text, sizeof(text)));
    if (n != size)
        fail("endpoint 0x%02x moved %zu of %zu bytes", endpoint, n, size);
}

static void
put_little(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* One SCSI command of `length` bytes. Returns its status. */
static int
command(struct disk *d, const uint8_t *scsi, uint8_t length, uint8_t endpoint, uint8_t *data,
        size_t size)
{
    uint8_t wrapper[31] = "USBC", status[13];

    wrapper[4] = ++d->tag;
    put_little(wrapper + 8, (uint32_t)size);
    wrapper[12] = endpoint & 0x80;
    wrapper[14] = length;
    memcpy(wrapper + 15, scsi, length);
    move(d, d->out, wrapper, sizeof(wrapper));
    if (size > 0)
        move(d, endpoint, data, size);
    move(d, d->in, status, sizeof(status));
    if (memcmp(status, "USBS", 4) != 0 || status[4] != d->tag)
        fail("no status for command 0x%02x", scsi[0]);
    return status[12];
}

/* READ(10) or WRITE(10). */
static void
transfer(struct disk *d, int writing, uint32_t first, uint32_t count, uint8_t *data)
{
    uint8_t scsi[10] = {writing ? 0x2a : 0x28};

    for (int i = 0; i < 4; i++)
        scsi[2 + i] = (uint8_t)(first >> (24 - 8 * i));
    scsi[7] = (uint8_t)(count >> 8);
    scsi[8] = (uint8_t)count;
    if (command(d, scsi, 10, writing ? d->out : d->in, data, count * BLOCK) != 0)
        fail("blocks %u to %u: refused", first, first + count - 1);
}

int
main(int argc, char **argv)
{
    static const uint8_t test_unit_ready[6], synchronize[10] = {0x35};
    uint8_t sense[18], request_sense[6] = {0x03, 0, 0, 0, sizeof(sense)};
    static uint8_t data[STEP * BLOCK];
    struct disk d = {.tag = 0};
    uint32_t first, count;
    int writing;

    peer_open(&d.peer, argc, argv, 5, "read|write IN OUT FIRST COUNT");
    writing = strcmp(argv[3], "write") == 0;
    d.in = (uint8_t)strtoul(argv[4], NULL, 0);
    d.out = (uint8_t)strtoul(argv[5], NULL, 0);
    first = (uint32_t)strtoul(argv[6], NULL, 0);
    count = (uint32_t)strtoul(argv[7], NULL, 0);
    /* The first commands after a reset may be refused: UNIT ATTENTION. */
    for (int i = 0; i < 5 && command(&d, test_unit_ready, 6, d.in, NULL, 0) != 0; i++)
        command(&d, request_sense, 6, d.in, sense, sizeof(sense));
    while (count > 0) {
        uint32_t now = count < STEP ? count : STEP;
        if (writing && fread(data, BLOCK, now, stdin) != now)
            fail("not enough input");
        transfer(&d, writing, first, now, data);
        if (!writing && fwrite(data, BLOCK, now, stdout) != now)
            fail("cannot write");
        first += now;
        count -= now;
    }
    if (writing && command(&d, synchronize, 10, d.in, NULL, 0) != 0)
        fail("SYNCHRONIZE CACHE: refused");
    peer_close(&d.peer);
    return 0;
}
