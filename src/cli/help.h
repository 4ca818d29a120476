/*
 * help.h - help texts out of the tables
 */
#ifndef UW_CLI_HELP_H
#define UW_CLI_HELP_H

#include "cli.h"

/* Of one command, or of all (NUM_COMMANDS), to standard output. */
void cli_help(enum cli_command_id command);

#endif
