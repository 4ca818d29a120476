/*
 * ptyline.h - a pseudo-terminal's settings as a serial port's
 *
 * In a file of its own because rates that have no name need <asm/termbits.h>, which cannot be
 * included together with <termios.h>.
 */
#ifndef UW_CLI_PTYLINE_H
#define UW_CLI_PTYLINE_H

#include <usbwire/serial.h>

/* Raw, without echo, with EXTPROC so that the master is told of changes; rate and stop bits as the
 * port's. `slave` is an open slave. 0, or -1 with errno. */
int ptyline_begin(int slave, const struct uw_serial_config *config);

/* What programs have set since: fields that differ from `config`, the others -1. A pseudo-terminal
 * has 8 data bits and no parity, whatever programs ask for. 1 when there is a difference.
 * `ordinary`: what 38400 bits/s stand for. */
int ptyline_changes(int master, unsigned ordinary, const struct uw_serial_config *config,
                    struct uw_serial_config *ret_changes);

/* Data bits and parity, which programs ask for elsewhere: bits of TTY_FRAME. The first as
 * ptyline_changes. */
int ptyline_frame_changes(unsigned c_cflag, const struct uw_serial_config *config,
                          struct uw_serial_config *ret_changes);
unsigned ptyline_frame(const struct uw_serial_config *config);

/* What is not -1 in `changes`. */
void ptyline_take(struct uw_serial_config *config, const struct uw_serial_config *changes);

#endif
