/*
 * trace.h - every USB/IP message decoded, one line each, with -vv or USBWIRE_TRACE
 */
#ifndef UW_CLI_TRACE_H
#define UW_CLI_TRACE_H

#include "cli.h"

/* Starts a trace if one is asked for: to standard error, or to the file USBWIRE_TRACE names. 0, or
 * an exit code after a message. */
int trace_start(struct cli *cli);
void trace_stop(struct cli *cli);

#endif
