#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

#define ON(command) (1u << CMD_##command)
#define EVERY       (~0u)
#define WATCHERS    (ON(MONITOR) | ON(EXTCAP))
#define CLIENTS     (EVERY & ~ON(SERVE) & ~ON(COMPLETION) & ~WATCHERS)
#define SERVED      (CLIENTS & ~ON(DISCOVER))
#define CHOOSERS    (SERVED & ~ON(LIST) & ~ON(SYSLOG))
#define MOVERS      (ON(READ) | ON(WRITE))

const struct cli_option cli_options[NUM_OPTIONS] = {
#define OPTION(id, name, letter, argument, kind, min, max, takers, help)                           \
    {name, letter, argument, kind, min, max, takers, help},
#include "options.def"
#undef OPTION
};

const struct cli_command cli_commands[NUM_COMMANDS] = {
#define COMMAND(id, name, function, operands, most, help) {name, function, operands, most, help},
#include "commands.def"
#undef COMMAND
};

int
cli_argument_is_optional(const struct cli_option *option)
{
    return option->argument && strncmp(option->argument, "[=", 2) == 0;
}

int
cli_takes(enum cli_command_id command, enum cli_option_id option)
{
    if (command == NUM_COMMANDS)
        return (cli_options[option].takers & SERVED) == SERVED;
    return (cli_options[option].takers >> command & 1u) != 0;
}

int
cli_has(const struct cli *cli, enum cli_option_id option)
{
    return cli->values[option].text != NULL;
}

uint64_t
cli_number(const struct cli *cli, enum cli_option_id option, uint64_t fallback)
{
    return cli_has(cli, option) ? cli->values[option].number : fallback;
}

const char *
cli_text(const struct cli *cli, enum cli_option_id option, const char *fallback)
{
    return cli_has(cli, option) ? cli->values[option].text : fallback;
}

const char *
cli_nth(const struct cli *cli, enum cli_option_id option, size_t n)
{
    for (size_t i = 0; i < cli->num_given; i++)
        if (cli->given[i].option == option && n-- == 0)
            return cli->given[i].text;
    return NULL;
}

struct uw_usec
cli_time(const struct cli *cli, enum cli_option_id option, struct uw_usec fallback)
{
    return cli_has(cli, option) ? uw_usec(cli->values[option].number) : fallback;
}

struct uw_usec
cli_timeout(const struct cli *cli)
{
    struct uw_usec timeout = cli_time(cli, OPT_TIMEOUT, uw_msec(5000));

    return timeout.us ? timeout : uw_never();
}

/* "a, b or c" out of "a|b|c". */
static void
list_words(const char *words, char *buf, size_t size)
{
    size_t len = 0;

    for (const char *p = words; *p; p++) {
        int last = !strchr(p, '|');
        const char *piece = *p != '|' ? NULL : strchr(p + 1, '|') ? ", " : " or ";
        if (piece)
            len += (size_t)snprintf(buf + len, size - len, "%s", piece);
        else
            len += (size_t)snprintf(buf + len, size - len, "%c", *p);
        if (len >= size || (last && !p[1]))
            return;
    }
}

static int
refuse_value(const struct cli_option *option, const char *text)
{
    char words[128] = "";

    if (option->kind == NUMBER)
        return cli_usage("--%s \"%s\" is not a number from %llu to %llu (decimal, or hexadecimal "
                         "after 0x)",
                         option->name, text, (unsigned long long)option->min,
                         (unsigned long long)option->max);
    if (option->kind == HEX16)
        return cli_usage("--%s \"%s\" is not one to four hexadecimal digits such as 0x303a or 303a",
                         option->name, text);
    if (option->kind == TIME)
        return cli_usage("--%s \"%s\" is not a time: seconds such as 5 or 0.5, or with a unit "
                         "such as 20ms",
                         option->name, text);
    list_words(option->argument, words, sizeof(words));
    return cli_usage("--%s \"%s\" is not %s", option->name, text, words);
}

/* `argument`: NULL for an option without one. */
static int
set_value(struct cli *cli, int id, const char *argument)
{
    const struct cli_option *option = &cli_options[id];
    struct cli_value *value = &cli->values[id];
    const char *text = argument ? argument : "";
    uint64_t number = value->number + 1; /* how often, where nothing better is known */
    int fine = 1;

    if (option->kind == NUMBER)
        fine = number_parse(text, option->min, option->max, &number);
    else if (option->kind == HEX16)
        fine = number_parse_hex16(text, &number);
    else if (option->kind == TIME)
        fine = number_parse_time(text, &number);
    else if (option->kind == WORD)
        fine = number_parse_word(text, option->argument, &number);
    if (!fine)
        return refuse_value(option, text);
    if (value->text && option->kind != FLAG && option->kind != REPEAT && option->kind != MANY)
        return cli_usage("--%s is given twice, \"%s\" and \"%s\"; once is accepted", option->name,
                         value->text, text);
    value->text = text;
    value->number = number;
    cli->given[cli->num_given++] = (struct cli_given){(enum cli_option_id)id, text};
    return 0;
}

/* getopt's two tables out of ours. */
static void
fill_getopt(struct option *longs, char *letters)
{
    *letters++ = '-'; /* operands in their place, */
    *letters++ = ':'; /* and a missing argument told apart */
    for (int i = 0; i < NUM_OPTIONS; i++) {
        const struct cli_option *option = &cli_options[i];
        longs[i] = (struct option){option->name,
                                   !option->argument                  ? no_argument
                                   : cli_argument_is_optional(option) ? optional_argument
                                                                      : required_argument,
                                   NULL, 256 + i};
        if (option->letter) {
            *letters++ = option->letter;
            if (option->argument)
                *letters++ = ':';
        }
    }
    longs[NUM_OPTIONS] = (struct option){NULL, 0, NULL, 0};
    *letters = '\0';
}

static int
option_of(int c)
{
    if (c >= 256)
        return c - 256;
    for (int i = 0; i < NUM_OPTIONS; i++)
        if (cli_options[i].letter == c)
            return i;
    return -1;
}

/* getopt returned '?' or ':' for the argument `word`. */
static int
refuse_option(int c, const char *word)
{
    int id = optopt ? option_of(optopt) : -1;
    char letter[3] = {'-', (char)optopt, '\0'};

    if (c == ':')
        return cli_usage("--%s needs a value: %s", cli_options[id].name, cli_options[id].argument);
    if (id >= 0)
        return cli_usage("--%s takes no value, but \"%s\" gives one", cli_options[id].name, word);
    return cli_usage("there is no option \"%s\"; `usbwire --help` and `usbwire COMMAND --help` "
                     "list what is accepted",
                     optopt ? letter : word);
}

static int
take_operand(struct cli *cli, char *word)
{
    if (cli->command != NUM_COMMANDS) {
        cli->operands[cli->num_operands++] = word;
        return 0;
    }
    for (int i = 0; i < NUM_COMMANDS; i++) {
        if (strcmp(cli_commands[i].name, word) == 0) {
            cli->command = (enum cli_command_id)i;
            return 0;
        }
    }
    return cli_usage("there is no command \"%s\"; `usbwire --help` lists the commands", word);
}

/* What was given must be what the command takes. */
static int
check_command(const struct cli *cli)
{
    if (cli_has(cli, OPT_HELP) || cli_has(cli, OPT_VERSION))
        return 0;
    if (cli->command == NUM_COMMANDS)
        return cli_usage("a command is missing; `usbwire --help` lists the commands");

    const struct cli_command *command = &cli_commands[cli->command];
    for (size_t i = 0; i < cli->num_given; i++)
        if (!cli_takes(cli->command, cli->given[i].option))
            return cli_usage("%s does not take --%s; `usbwire %s --help` lists what it does take",
                             command->name, cli_options[cli->given[i].option].name, command->name);
    if (cli_nth(cli, OPT_BUSID, 1) && cli->command != CMD_RUN)
        return cli_usage("--busid is given twice, \"%s\" and \"%s\"; once is accepted",
                         cli_nth(cli, OPT_BUSID, 0), cli_nth(cli, OPT_BUSID, 1));
    if (cli->num_operands > command->most_operands)
        return cli_usage("%s does not know what to do with \"%s\"; it takes %s", command->name,
                         cli->operands[command->most_operands],
                         command->most_operands ? command->operands : "options only");
    return 0;
}

/* What comes behind the first operand is another program's command line. */
static int
wants_rest(const struct cli *cli)
{
    return cli->command != NUM_COMMANDS && cli_commands[cli->command].most_operands == REST &&
           cli->num_operands > 0;
}

int
cli_options_parse(struct cli *cli, int argc, char **argv)
{
    struct option longs[NUM_OPTIONS + 1];
    char letters[2 * NUM_OPTIONS + 3];
    int c, code = 0;

    cli->command = NUM_COMMANDS;
    cli->given = calloc((size_t)argc + 1, sizeof(*cli->given));
    cli->operands = calloc((size_t)argc + 1, sizeof(*cli->operands));
    if (!cli->given || !cli->operands)
        return cli_error("out of memory");
    fill_getopt(longs, letters);
    opterr = 0;
    while (!code && (c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (c == 1 && (code = take_operand(cli, optarg)) == 0 && wants_rest(cli))
            break;
        if (c == 1)
            continue;
        if (c == '?' || c == ':')
            code = refuse_option(c, argv[optind - 1]);
        else
            code = set_value(cli, option_of(c), optarg);
    }
    while (!code && optind < argc) /* behind "--" */
        code = take_operand(cli, argv[optind++]);
    return code ? code : check_command(cli);
}

void
cli_options_free(struct cli *cli)
{
    free(cli->given);
    free(cli->operands);
}
