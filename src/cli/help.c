#include "help.h"

#include <stdio.h>

#include "options.h"

static void
print_option(const struct cli_option *option)
{
    char left[64];
    int n = option->letter ? snprintf(left, sizeof(left), "  -%c, ", option->letter)
                           : snprintf(left, sizeof(left), "      ");

    snprintf(left + n, sizeof(left) - (size_t)n, "--%s%s%s", option->name,
             option->argument && !cli_argument_is_optional(option) ? " " : "",
             option->argument ? option->argument : "");
    printf("%-32s %s\n", left, option->help);
}

static void
print_options(enum cli_command_id command, int common)
{
    for (int i = 0; i < NUM_OPTIONS; i++) {
        enum cli_option_id id = (enum cli_option_id)i;
        int is_common = i < OPT_VID;
        if (is_common == common && (command == NUM_COMMANDS || cli_takes(command, id)))
            print_option(&cli_options[i]);
    }
}

static void
print_all(void)
{
    printf("usage: usbwire [OPTION...] COMMAND [OPTION...]\n"
           "Use USB devices of USB/IP servers, without kernel module or root.\n\nCommands:\n");
    for (int i = 0; i < NUM_COMMANDS; i++)
        printf("  %-12s %s\n", cli_commands[i].name, cli_commands[i].help);
    printf("\nOptions of all commands:\n");
    print_options(NUM_COMMANDS, 1);
    printf("\n`usbwire COMMAND --help` lists the options of a command. USBWIRE_HOST names the "
           "server\nwhen --host does not. The manual is usbwire(1).\n");
}

void
cli_help(enum cli_command_id command)
{
    if (command == NUM_COMMANDS) {
        print_all();
        return;
    }
    const struct cli_command *c = &cli_commands[command];
    printf("usage: usbwire %s [OPTION...]%s%s\n%s\n\nOptions:\n", c->name, *c->operands ? " " : "",
           c->operands, c->help);
    print_options(command, 0);
    printf("\nOptions of all commands:\n");
    print_options(command, 1);
}
