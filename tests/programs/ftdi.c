/*
 * ftdi - a serial chip whose far end echoes, by libftdi1
 *
 *   ftdi VID PID BYTES          what is written comes back, and the chip does as it is told
 *   ftdi VID PID BYTES stream   it comes back through ftdi_readstream (FT2232H and younger)
 *
 * Prints what the chip is and a checksum (FNV-1a) of what came back, which has been compared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ftdi.h>
#include <libusb.h>

#include "fail.h"

#define CHUNK       4096
#define STREAM_OUT  0x02
#define PATIENCE_MS 20000

struct run {
    struct ftdi_context *chip;
    unsigned char *sent;
    int size, received, wrong, fed;
};

static void
must(const struct run *r, int result, const char *what)
{
    if (result < 0)
        fail("%s: %d, %s", what, result, ftdi_get_error_string(r->chip));
}

/* A byte depends on all before it, so none can be lost, doubled or moved unseen. */
static void
make_data(struct run *r)
{
    unsigned state = 12345;

    r->sent = malloc((size_t)r->size);
    if (!r->sent)
        fail("no memory");
    for (int i = 0; i < r->size; i++) {
        state = state * 1103515245u + 12345u;
        r->sent[i] = (unsigned char)(state >> 16);
    }
}

static unsigned
checksum(const unsigned char *bytes, int size)
{
    unsigned sum = 2166136261u;

    for (int i = 0; i < size; i++)
        sum = (sum ^ bytes[i]) * 16777619u;
    return sum;
}

static void
take(struct run *r, const unsigned char *bytes, int size)
{
    if (size > r->size - r->received || memcmp(r->sent + r->received, bytes, (size_t)size) != 0)
        r->wrong = 1;
    else
        r->received += size;
}

static void
set_up(struct run *r, int vid, int pid)
{
    char maker[64], product[64], serial[64];
    unsigned char latency = 0;
    unsigned short status = 0;

    must(r, ftdi_usb_open(r->chip, vid, pid), "open");
    must(r,
         ftdi_usb_get_strings2(r->chip, libusb_get_device(r->chip->usb_dev), maker, sizeof(maker),
                               product, sizeof(product), serial, sizeof(serial)),
         "strings");
    must(r, ftdi_usb_reset(r->chip), "reset");
    must(r, ftdi_set_baudrate(r->chip, 3000000), "baud rate");
    must(r, ftdi_set_line_property2(r->chip, BITS_8, STOP_BIT_1, NONE, BREAK_OFF), "8N1");
    must(r, ftdi_setflowctrl(r->chip, SIO_DISABLE_FLOW_CTRL), "flow control");
    must(r, ftdi_setdtr_rts(r->chip, 1, 1), "DTR and RTS");
    must(r, ftdi_set_latency_timer(r->chip, 7), "latency");
    must(r, ftdi_get_latency_timer(r->chip, &latency), "latency back");
    must(r, ftdi_poll_modem_status(r->chip, &status), "modem status");
    if (latency != 7)
        fail("a latency of 7 came back as %u", latency);
    printf("%s, %s, %s, type %u, EEPROM %s\n", maker, product, serial, r->chip->type,
           ftdi_read_eeprom(r->chip) == 0 ? "read" : "not read");
}

static void
echo(struct run *r)
{
    static unsigned char bytes[CHUNK];
    struct ftdi_transfer_control *writing;

    writing = ftdi_write_data_submit(r->chip, r->sent, r->size);
    if (!writing)
        fail("cannot write");
    while (r->received < r->size && !r->wrong) {
        /* It reads on until it has as many, or a packet without data, which QEMU's chip never
         * sends. */
        int rest = r->size - r->received;
        int n = ftdi_read_data(r->chip, bytes, rest < CHUNK ? rest : CHUNK);

        must(r, n, "read");
        take(r, bytes, n);
    }
    if (!r->wrong && ftdi_transfer_data_done(writing) != r->size)
        fail("not all was written");
}

static void
feed(const struct run *r)
{
    for (int done = 0, n; done < r->size; done += n) {
        int length = r->size - done < CHUNK ? r->size - done : CHUNK;
        int result = libusb_bulk_transfer(r->chip->usb_dev, STREAM_OUT, r->sent + done, length, &n,
                                          PATIENCE_MS);

        if (result < 0)
            fail("write: %s", libusb_error_name(result));
    }
}

/* Is also asked now and then, and not by libusb, whether to go on; from the first time the stream
 * is known to run, and nothing is thrown away any more. */
static int
streamed(uint8_t *bytes, int size, FTDIProgressInfo *progress, void *arg)
{
    struct run *r = (struct run *)arg;

    if (progress && !r->fed) {
        r->fed = 1;
        feed(r); /* what comes back meanwhile comes here */
    }
    take(r, bytes, size);
    return r->wrong || r->received == r->size;
}

static void
stream(struct run *r)
{
    int result;

    /* It makes a timeval of microseconds alone, which libusb refuses from a second on. */
    r->chip->usb_read_timeout = 500;
    result = ftdi_readstream(r->chip, streamed, r, 8, 16);
    if (result != 1)
        fail("the stream ended with %d", result);
}

int
main(int argc, char **argv)
{
    struct run r = {.chip = ftdi_new()};

    if (argc < 4 || !r.chip)
        fail("usage: %s VID PID BYTES [stream]", argv[0]);
    r.size = (int)strtol(argv[3], NULL, 0);
    make_data(&r);
    set_up(&r, (int)strtol(argv[1], NULL, 16), (int)strtol(argv[2], NULL, 16));
    if (argc > 4)
        stream(&r);
    else
        echo(&r);
    if (r.wrong)
        fail("wrong data after byte %d", r.received);
    printf("%d bytes, checksum %08x\n", r.received, checksum(r.sent, r.size));
    ftdi_usb_close(r.chip);
    ftdi_free(r.chip);
    free(r.sent);
    return 0;
}
