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
#define TOUCH_MS   500 /* in which a board goes that knows the wish */

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

/* A board that leaves the bus by it has been reset; the lines are then as they are to be when it is
 * back. Where both were set, as many CDC-ACM devices want it, both are again. */
static int
make(struct uw_serial *port, const struct move *moves, size_t count, struct uw_fault *fault)
{
    struct uw_serial_config before;
    int r = 0;

    uw_serial_get_config(port, &before);
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = uw_serial_set_lines(port, moves[i].dtr, moves[i].rts, fault);
        if (uw_serial_status(port) < 0)
            r = 0;
        else
            pause_for(moves[i].ms);
    }
    if (r == 0 && before.dtr == 1 && before.rts == 1)
        r = uw_serial_set_lines(port, 1, 1, fault);
    return uw_serial_status(port) < 0 ? 0 : r;
}

/* Rate and line as they were are for the loader that comes, or else the board would be sent there
 * again by the next one that opens it. */
static int
touch(struct uw_serial *port, struct uw_fault *fault)
{
    struct uw_serial_config before, c;
    int r;

    uw_serial_get_config(port, &before);
    uw_serial_config_init(&c);
    c.baud = TOUCH_BAUD;
    c.dtr = 0;
    r = uw_serial_set_config(port, &c, fault);
    if (r < 0)
        return r;
    (void)uw_serial_wait(port, UW_SERIAL_ENDED, uw_msec(TOUCH_MS));
    c.baud = before.baud;
    c.dtr = before.dtr;
    r = uw_serial_set_config(port, &c, fault);
    return uw_serial_status(port) < 0 ? 0 : r;
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
