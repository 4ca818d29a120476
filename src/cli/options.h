/*
 * options.h - the option table, and the command line read by it
 */
#ifndef UW_CLI_OPTIONS_H
#define UW_CLI_OPTIONS_H

#include <limits.h>

#include "cli.h"

enum cli_kind { FLAG, REPEAT, TEXT, MANY, WORD, NUMBER, HEX16, TIME };

struct cli_option {
    const char *name;
    char letter; /* 0: none */
    const char *argument;
    enum cli_kind kind;
    uint64_t min, max;
    uint32_t takers; /* bit 1 << enum cli_command_id */
    const char *help;
};

#define REST INT_MAX

struct cli_command {
    const char *name;
    int (*function)(struct cli *cli);
    const char *operands;
    int most_operands;
    const char *help;
};

extern const struct cli_option cli_options[NUM_OPTIONS];
extern const struct cli_command cli_commands[NUM_COMMANDS];

/* 1 for "[=...]": given only behind an equals sign, or not at all. */
int cli_argument_is_optional(const struct cli_option *option);

/* 1 when `command` accepts `option`; NUM_COMMANDS (no command yet) accepts what all commands do
 * that use a server. */
int cli_takes(enum cli_command_id command, enum cli_option_id option);

/* Fills in `cli`; its arrays point into argv or are freed by cli_options_free. 0, or an exit code
 * after a message. With --help or --version the command may be missing (NUM_COMMANDS). */
int cli_options_parse(struct cli *cli, int argc, char **argv);
void cli_options_free(struct cli *cli);

#endif
