/*
 * usbasp.c - the USBasp programmer with an ATmega328P in its socket (firmware 1.10's requests)
 *
 * SPI bytes are answered as the chip's serial programming does: programming enable, signature,
 * fuses, and the flash, which is erased and can be written and read.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/device.h"

#define FLASH_SIZE 32768u

enum {
    USBASP_CONNECT = 1,
    DISCONNECT = 2,
    TRANSMIT = 3,
    READ_FLASH = 4,
    ENABLE_PROGRAMMING = 5,
    WRITE_FLASH = 6,
    SET_LONG_ADDRESS = 9,
    SET_SCK = 10,
    GET_CAPABILITIES = 127
};

/* ATmega328P datasheet, table "Serial Programming Instruction Set" */
enum { SPI_ENABLE = 0xac, SPI_SIGNATURE = 0x30, SPI_FUSE = 0x50, SPI_HIGH_FUSE = 0x58 };

struct programmer {
    uint8_t flash[FLASH_SIZE];
    uint32_t address;
};

static int
create(struct sim_device *d)
{
    struct programmer *p = calloc(1, sizeof(*p));
    struct sim_config c;

    if (!p)
        return UW_ERROR_NO_MEMORY;
    d->own = p;
    memset(p->flash, 0xff, sizeof(p->flash));
    sim_device_descriptor(d, 0x16c0, 0x05dc, 0x0110, 0xff, 0, 0);
    d->strings[1] = "www.fischl.de"; /* programs look for these two */
    d->strings[2] = "USBasp";
    c = sim_config_begin(d, 1);
    sim_config_interface(&c, 0, 0, 0, 0, 0, 0, 0);
    sim_config_end(&c, 1);
    return 0;
}

static void
destroy(struct sim_device *d)
{
    free(d->own);
}

/* The fourth byte that the chip shifts out: what the instruction asked for. */
static uint8_t
spi_answer(struct programmer *p, const uint8_t in[4])
{
    static const uint8_t signature[] = {0x1e, 0x95, 0x0f};

    switch (in[0]) {
    case SPI_SIGNATURE: return in[2] < sizeof(signature) ? signature[in[2]] : 0xff;
    case SPI_FUSE: return in[1] == 0x08 ? 0xff : 0x62;
    case SPI_HIGH_FUSE: return in[1] == 0x08 ? 0xd9 : 0xff;
    case SPI_ENABLE:
        if (in[1] == 0x80) /* chip erase */
            memset(p->flash, 0xff, sizeof(p->flash));
        return 0;
    default: return 0;
    }
}

static int
transmit(struct programmer *p, const struct sim_setup *s, struct uw_request *r)
{
    uint8_t in[4] = {(uint8_t)s->value, (uint8_t)(s->value >> 8), (uint8_t)s->index,
                     (uint8_t)(s->index >> 8)};
    uint8_t out[4] = {0, in[0], in[1], spi_answer(p, in)};
    size_t n = r->length < sizeof(out) ? r->length : sizeof(out);

    memcpy(r->buffer, out, n);
    return (int)n;
}

/* Without SET_LONG_ADDRESS the address is in wValue. */
static size_t
open_window(struct programmer *p, const struct sim_setup *s, size_t wanted)
{
    if (p->address > FLASH_SIZE)
        p->address = s->value;
    return wanted < FLASH_SIZE - p->address % FLASH_SIZE ? wanted
                                                         : FLASH_SIZE - p->address % FLASH_SIZE;
}

static int
read_flash(struct programmer *p, const struct sim_setup *s, struct uw_request *r)
{
    size_t n = open_window(p, s, r->length);

    memcpy(r->buffer, p->flash + p->address % FLASH_SIZE, n);
    p->address += (uint32_t)n;
    return (int)n;
}

static int
write_flash(struct programmer *p, const struct sim_setup *s, struct uw_request *r)
{
    size_t n = open_window(p, s, r->length);

    memcpy(p->flash + p->address % FLASH_SIZE, r->buffer, n);
    p->address += (uint32_t)n;
    return 0;
}

static int
put(struct uw_request *r, const void *bytes, size_t size)
{
    size_t n = size < r->length ? size : r->length;

    memcpy(r->buffer, bytes, n);
    return (int)n;
}

static int
control(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    static const uint8_t fine[4], no_tpi[4];
    struct programmer *p = (struct programmer *)d->own;

    if ((s->type & 0x7f) != 0x40)
        return SIM_STALL;
    switch (s->request) {
    case USBASP_CONNECT:
    case DISCONNECT: return 0;
    case TRANSMIT: return transmit(p, s, r);
    case READ_FLASH: return s->type & 0x80 ? read_flash(p, s, r) : SIM_STALL;
    case WRITE_FLASH: return s->type & 0x80 ? SIM_STALL : write_flash(p, s, r);
    case ENABLE_PROGRAMMING: return put(r, fine, 1);
    case SET_LONG_ADDRESS:
        p->address = (uint32_t)s->value | (uint32_t)s->index << 16;
        return put(r, fine, sizeof(fine));
    case SET_SCK: return put(r, fine, 1);
    case GET_CAPABILITIES: return put(r, no_tpi, sizeof(no_tpi));
    default: return SIM_STALL;
    }
}

const struct sim_model sim_usbasp = {
    .name = "usbasp",
    .text = "16c0:05dc, a USBasp programmer with an ATmega328P",
    .speed = SIM_LOW,
    .create = create,
    .destroy = destroy,
    .control = control,
};
