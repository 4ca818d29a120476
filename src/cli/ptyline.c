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
    t.c_cflag = CS8 | CREAD | CLOCAL | BOTHER;
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
ptyline_changes(int master, const struct uw_serial_config *c, struct uw_serial_config *ret)
{
    struct termios2 t;
    int changed = 0, stop;

    uw_serial_config_init(ret);
    if (ioctl(master, TCGETS2, &t) < 0)
        return 0;
    stop = t.c_cflag & CSTOPB ? UW_STOP_2 : UW_STOP_1;
    if (t.c_ospeed > 0)
        changed |= differs((int)t.c_ospeed, c->baud, &ret->baud);
    if (c->stop_bits != UW_STOP_1_5 || stop != UW_STOP_1)
        changed |= differs(stop, c->stop_bits, &ret->stop_bits);
    changed |= differs(flow_of(&t), c->flow, &ret->flow);
    return changed;
}
