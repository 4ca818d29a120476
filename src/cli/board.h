/*
 * board.h - resetting a board by DTR and RTS
 */
#ifndef UW_CLI_BOARD_H
#define UW_CLI_BOARD_H

#include "cli.h"

/* Resets the board behind the port; with `bootloader`, so that its ROM's loader starts. The way is
 * chosen by what the port is. 0, or a library error with a fault. */
int board_reset(struct uw_serial *port, int bootloader, struct uw_fault *fault);

#endif
