/*
 * runtty.c - pseudo-terminals that last as long as the program that `usbwire run --tty` starts
 */
#include "runtty.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ports.h"

struct runtty {
    struct ports ports;
    pthread_t thread;
    int running;
    int stop[2];
    char **words; /* that were made for the command, as many as it has; NULL: its own */
    int num_words;
};

static int
has_word(const struct cli *cli)
{
    for (int i = 0; i < cli->num_operands; i++)
        if (strstr(cli->operands[i], RUNTTY_WORD))
            return 1;
    return 0;
}

int
runtty_wants_ports(const struct cli *cli)
{
    static const enum cli_option_id names[] = {OPT_HOST,   OPT_BOARD_ID, OPT_VID, OPT_PID,
                                               OPT_SERIAL, OPT_BUSID,    OPT_ALL, OPT_INTERFACE};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (cli_has(cli, names[i]))
            return 1;
    return has_word(cli);
}

/* ---- opening ---- */

static int
open_ports(struct runtty *t, struct cli *cli, const struct shares *shares)
{
    struct uw_serial_info info;
    int code = 0;

    for (unsigned i = 0; !code && i < shares_count(shares); i++) {
        struct uw_device *device = shares_device(shares, i);

        if (!uw_serial_port_at(device, 0, &info))
            continue;
        if (cli_has(cli, OPT_INTERFACE))
            code = ports_open(&t->ports, device, (int)cli_number(cli, OPT_INTERFACE, 0), 1);
        else
            code = ports_open_all(&t->ports, device);
    }
    if (!code && !t->ports.count)
        code = cli_error("--tty: none of the chosen devices has a serial port; without a server or "
                         "a device it serves the pseudo-terminals that are there already");
    return code;
}

/* ---- what the command is told ---- */

/* The names, separated by colons; free with free(). */
static char *
list_names(const struct runtty *t)
{
    size_t room = t->ports.count * 64u + 1u, n = 0;
    char *list = calloc(1, room);

    for (unsigned i = 0; list && i < t->ports.count; i++) {
        char where[64];

        t->ports.face->where(&t->ports.bridges[i], where, sizeof(where));
        n += (size_t)snprintf(list + n, room - n, "%s%s", n ? ":" : "", where);
    }
    return list;
}

/* The word with every RUNTTY_WORD replaced; free with free(). */
static char *
filled(const char *word, const char *name)
{
    size_t room = strlen(word) + 1, n = 0;
    const char *at, *from;
    char *to;

    for (at = strstr(word, RUNTTY_WORD); at; at = strstr(at + 1, RUNTTY_WORD))
        room += strlen(name);
    to = calloc(1, room);
    for (from = word; to && (at = strstr(from, RUNTTY_WORD)); from = at + strlen(RUNTTY_WORD))
        n += (size_t)snprintf(to + n, room - n, "%.*s%s", (int)(at - from), from, name);
    if (to)
        snprintf(to + n, room - n, "%s", from);
    return to;
}

static int
fill_words(struct runtty *t, struct cli *cli, const char *name)
{
    t->words = calloc((size_t)cli->num_operands, sizeof(*t->words));
    if (!t->words)
        return cli_error("out of memory");
    t->num_words = cli->num_operands;
    for (int i = 0; i < cli->num_operands; i++) {
        if (!strstr(cli->operands[i], RUNTTY_WORD))
            continue;
        t->words[i] = filled(cli->operands[i], name);
        if (!t->words[i])
            return cli_error("out of memory");
        cli->operands[i] = t->words[i];
    }
    return 0;
}

static int
refuse_many(const struct runtty *t)
{
    int code = cli_error("the chosen devices have %u serial ports, so %s names none; choose one, "
                         "or see $USBWIRE_TTY",
                         t->ports.count, RUNTTY_WORD);

    ports_print_choices(&t->ports);
    return code;
}

static int
tell(struct runtty *t, struct cli *cli)
{
    char *names = list_names(t);
    int code = 0;

    if (!names || setenv("USBWIRE_TTY", names, 1))
        code = cli_error("out of memory");
    else if (has_word(cli) && t->ports.count > 1)
        code = refuse_many(t);
    else if (has_word(cli))
        code = fill_words(t, cli, names);
    free(names);
    return code;
}

/* ---- serving ---- */

/* Programs that have the pseudo-terminal open see a hang-up when its port has ended. */
static void *
serve(void *arg)
{
    struct runtty *t = (struct runtty *)arg;

    bridges_serve(t->ports.bridges, t->ports.count, t->stop[0]);
    ports_free(&t->ports);
    return NULL;
}

/* Signals are for the thread that waits for the command. */
static int
start(struct runtty *t)
{
    sigset_t all, before;
    int r;

    if (pipe2(t->stop, O_CLOEXEC) < 0)
        return cli_error("no pipe could be made");
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&t->thread, NULL, serve, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r)
        return cli_error("no thread could be started: %s", strerror(r));
    t->running = 1;
    return 0;
}

int
runtty_open(struct cli *cli, const struct shares *shares, struct runtty **ret_tty)
{
    struct runtty *t = calloc(1, sizeof(*t));
    int code;

    if (!t)
        return cli_error("out of memory");
    t->stop[0] = t->stop[1] = -1;
    t->ports.cli = cli;
    t->ports.face = &face_pty;
    uw_serial_config_init(&t->ports.config);
    code = ports_init(&t->ports);
    if (!code)
        code = open_ports(t, cli, shares);
    if (!code)
        code = ports_show(&t->ports);
    if (!code)
        code = tell(t, cli);
    if (!code)
        code = start(t);
    if (code)
        runtty_close(t);
    else
        *ret_tty = t;
    return code;
}

void
runtty_close(struct runtty *t)
{
    if (!t)
        return;
    if (t->stop[1] >= 0)
        close(t->stop[1]);
    if (t->running)
        pthread_join(t->thread, NULL);
    ports_free(&t->ports);
    if (t->stop[0] >= 0)
        close(t->stop[0]);
    for (int i = 0; i < t->num_words; i++)
        free(t->words[i]);
    free(t->words);
    free(t);
}
