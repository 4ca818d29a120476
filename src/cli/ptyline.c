/*
 * ptyline.c - a pseudo-terminal's settings as a serial port's
 */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ptyline.h"

int
ptyline_begin(int slave, const struct uw_serial_config *c)
{
    struct termios2 t;

    if (ioctl(slave, TCGETS2, &t) < 0)
        return -1;
    t.c_iflag = 0;
    t.c_oflag = 0;
    t.c_lflag = EXTPROC;
    t.c_cflag = CS8 | CREAD | CLOCAL | HUPCL | BOTHER;
    if (c->stop_bits == UW_STOP_2)
        t.c_cflag |= CSTOPB;
    if (c->flow == UW_FLOW_RTS_CTS)
        t.c_cflag |= CRTSCTS;
    if (c->flow == UW_FLOW_XON_XOFF)
        t.c_iflag |= IXON | IXOFF;
    t.c_ispeed = t.c_ospeed = (speed_t)c->baud;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    return ioctl(slave, TCSETS2, &t);
}

static int
flow_of(const struct termios2 *t)
{
    if (t->c_cflag & CRTSCTS)
        return UW_FLOW_RTS_CTS;
    return t->c_iflag & IXOFF ? UW_FLOW_XON_XOFF : UW_FLOW_NONE;
}

static int
differs(int now, int before, int *ret)
{
    if (now == before)
        return 0;
    *ret = now;
    return 1;
}

int
ptyline_changes(int master, unsigned ordinary, const struct uw_serial_config *c,
                struct uw_serial_config *ret)
{
    struct termios2 t;
    unsigned rate;
    int changed = 0, stop;

    uw_serial_config_init(ret);
    if (ioctl(master, TCGETS2, &t) < 0)
        return 0;
    stop = t.c_cflag & CSTOPB ? UW_STOP_2 : UW_STOP_1;
    rate = t.c_ospeed == 38400 ? ordinary : t.c_ospeed;
    if (rate > 0)
        changed |= differs((int)rate, c->baud, &ret->baud);
    if (c->stop_bits != UW_STOP_1_5 || stop != UW_STOP_1)
        changed |= differs(stop, c->stop_bits, &ret->stop_bits);
    changed |= differs(flow_of(&t), c->flow, &ret->flow);
    return changed;
}

/* By enum uw_serial_parity. */
static const unsigned parities[] = {
    [UW_PARITY_NONE] = 0,
    [UW_PARITY_ODD] = PARENB | PARODD,
    [UW_PARITY_EVEN] = PARENB,
    [UW_PARITY_MARK] = PARENB | PARODD | CMSPAR,
    [UW_PARITY_SPACE] = PARENB | CMSPAR,
};

static const unsigned sizes[] = {CS5, CS6, CS7, CS8};

static int
parity_of(unsigned c_cflag)
{
    unsigned bits = c_cflag & PARENB ? c_cflag & (PARENB | PARODD | CMSPAR) : 0;

    for (int i = 0; i < (int)(sizeof(parities) / sizeof(parities[0])); i++)
        if (parities[i] == bits)
            return i;
    return UW_PARITY_NONE;
}

static int
data_bits_of(unsigned c_cflag)
{
    for (int i = 0; i < (int)(sizeof(sizes) / sizeof(sizes[0])); i++)
        if (sizes[i] == (c_cflag & CSIZE))
            return 5 + i;
    return 8;
}

int
ptyline_frame_changes(unsigned c_cflag, const struct uw_serial_config *c,
                      struct uw_serial_config *ret)
{
    uw_serial_config_init(ret);
    return differs(data_bits_of(c_cflag), c->data_bits, &ret->data_bits) |
           differs(parity_of(c_cflag), c->parity, &ret->parity);
}

unsigned
ptyline_frame(const struct uw_serial_config *c)
{
    return sizes[c->data_bits - 5] | parities[c->parity];
}

static void
take(int *field, int value)
{
    if (value >= 0)
        *field = value;
}

void
ptyline_take(struct uw_serial_config *c, const struct uw_serial_config *changes)
{
    take(&c->baud, changes->baud);
    take(&c->data_bits, changes->data_bits);
    take(&c->parity, changes->parity);
    take(&c->stop_bits, changes->stop_bits);
    take(&c->flow, changes->flow);
}
