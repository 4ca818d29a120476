/*
 * board.c - resetting a board by DTR and RTS
 *
 * Boards with a serial chip have two transistors: RTS alone holds the reset, DTR alone holds BOOT
 * low. Espressif's USB-Serial-JTAG watches the same two lines: RTS resets, DTR sets the download
 * flag. Boards whose own firmware is the port take 1200 bits/s without DTR as the wish.
 */
#include <time.h>

#include "board.h"

#define TOUCH_BAUD 1200

struct move {
    int dtr, rts;
    unsigned ms; /* to wait after it */
};

static const struct move reset[] = {{0, 1, 100}, {0, 0, 0}};
static const struct move loader[] = {{0, 1, 100}, {1, 0, 50}, {0, 0, 0}};
static const struct move jtag_loader[] = {
    {0, 0, 100}, {1, 0, 100}, {1, 1, 0}, {0, 1, 100}, {0, 0, 0}};

static void
pause_for(unsigned ms)
{
    const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)nanosleep(&ts, NULL);
}

static int
make(struct uw_serial *port, const struct move *moves, size_t count, struct uw_fault *fault)
{
    for (size_t i = 0; i < count; i++) {
        int r = uw_serial_set_lines(port, moves[i].dtr, moves[i].rts, fault);

        if (r < 0)
            return r;
        pause_for(moves[i].ms);
    }
    return 0;
}

static int
touch(struct uw_serial *port, struct uw_fault *fault)
{
    struct uw_serial_config c;

    uw_serial_config_init(&c);
    c.baud = TOUCH_BAUD;
    c.dtr = 0;
    return uw_serial_set_config(port, &c, fault);
}

#define MAKE(moves) make(port, moves, sizeof(moves) / sizeof((moves)[0]), fault)

int
board_reset(struct uw_serial *port, int bootloader, struct uw_fault *fault)
{
    const struct uw_device_descriptor *d = uw_device_descriptor(uw_serial_device(port));
    int is_jtag = d->idVendor == 0x303a && d->idProduct == 0x1001;
    struct uw_serial_info info;

    uw_serial_info(port, &info);
    if (!bootloader)
        return MAKE(reset);
    if (is_jtag)
        return MAKE(jtag_loader);
    if (info.driver[0] == 'c' && info.driver[1] == 'd' && d->idVendor != 0x1a86)
        return touch(port, fault);
    return MAKE(loader);
}
