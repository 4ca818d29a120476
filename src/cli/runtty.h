/*
 * runtty.h - pseudo-terminals that last as long as the program that `usbwire run --tty` starts
 */
#ifndef UW_CLI_RUNTTY_H
#define UW_CLI_RUNTTY_H

#include "shares.h"

/* In the command's words it stands for the pseudo-terminal's name. */
#define RUNTTY_WORD "{tty}"

struct runtty;

/* The command line wants ports to be opened: it names a server or a device, or has the word. */
int runtty_wants_ports(const struct cli *cli);

/* Opens all serial ports of the shared devices, or the one of --interface; sets USBWIRE_TTY and
 * puts the name into the command's words. They are served by a thread from here on. 0, or an exit
 * code after a message. */
int runtty_open(struct cli *cli, const struct shares *shares, struct runtty **ret_tty);

/* NULL is fine. */
void runtty_close(struct runtty *tty);

#endif
