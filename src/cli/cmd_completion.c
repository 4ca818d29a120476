/*
 * cmd_completion.c - usbwire completion: a completion script for bash, out of the tables
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "options.h"

static void
print_options(enum cli_command_id command)
{
    for (int i = 0; i < NUM_OPTIONS; i++) {
        if (!cli_takes(command, (enum cli_option_id)i))
            continue;
        printf(" --%s", cli_options[i].name);
        if (cli_options[i].letter)
            printf(" -%c", cli_options[i].letter);
    }
}

/* What follows an option: words to choose from, a file, or nothing that could be guessed. */
static void
print_arguments(void)
{
    printf("    case $previous in\n");
    for (int i = 0; i < NUM_OPTIONS; i++) {
        const struct cli_option *option = &cli_options[i];
        if (!option->argument || cli_argument_is_optional(option))
            continue;
        printf("    --%s", option->name);
        if (option->letter)
            printf("|-%c", option->letter);
        if (option->kind == WORD)
            printf(") IFS='|' read -ra words <<<'%s'\n"
                   "        COMPREPLY=($(compgen -W \"${words[*]}\" -- \"$current\")); return ;;\n",
                   option->argument);
        else if (strcmp(option->argument, "FILE") == 0)
            printf(") COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n");
        else
            printf(") return ;;\n");
    }
    printf("    esac\n");
}

int
cmd_completion(struct cli *cli)
{
    (void)cli;
    printf("# bash completion for usbwire; made by `usbwire completion`\n"
           "_usbwire()\n{\n"
           "    local current=$2 previous=$3 command= word options words\n"
           "    COMPREPLY=()\n");
    print_arguments();
    printf(
        "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n        case $word in\n        ");
    for (int i = 0; i < NUM_COMMANDS; i++)
        printf("%s%s", i ? "|" : "", cli_commands[i].name);
    printf(") command=$word; break ;;\n        esac\n    done\n    case $command in\n    '') "
           "options='");
    for (int i = 0; i < NUM_COMMANDS; i++)
        printf("%s%s", i ? " " : "", cli_commands[i].name);
    print_options(NUM_COMMANDS);
    printf("' ;;\n");
    for (int i = 0; i < NUM_COMMANDS; i++) {
        printf("    %s) options='", cli_commands[i].name);
        print_options((enum cli_command_id)i);
        printf("' ;;\n");
    }
    printf("    esac\n    COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n}\n"
           "complete -F _usbwire usbwire\n");
    return cli_flush();
}
