/*
 * interrupt.c - Ctrl-C: where there is something to end cleanly the first one asks for it and the
 * second one ends the program; elsewhere the first one does. A terminal that hangs up asks, too.
 */
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "cli.h"

static volatile sig_atomic_t caught;
static int told[2] = {-1, -1}; /* a pipe */
static void (*volatile wake_function)(void *data);
static void *volatile wake_data;

static void
tell(void)
{
    ssize_t n = told[1] >= 0 ? write(told[1], "", 1) : 0;

    (void)n;
}

static void catch (int signal_number)
{
    static const char text[] = "usbwire: interrupted\n";

    if (signal_number == SIGHUP && caught)
        return; /* the kernel says so, and then the shell */
    if (caught || !wake_function) {
        /* The kernel closes the connection, and with it the import ends. */
        if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
            _exit(CLI_FAILED);
        _exit(CLI_INTERRUPTED);
    }
    caught = 1;
    tell();
    wake_function(wake_data);
}

void
cli_catch_interrupts(void (*wake)(void *data), void *data)
{
    struct sigaction action = {.sa_handler = catch};

    wake_data = data;
    wake_function = wake;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (!cli_ignores(SIGHUP))
        sigaction(SIGHUP, &action, NULL);
}

int
cli_ignores(int signal_number)
{
    struct sigaction action;

    return sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int
cli_interrupted(void)
{
    return caught;
}

int
cli_interrupt_fd(void)
{
    if (told[0] < 0 && pipe2(told, O_CLOEXEC) < 0)
        return -1;
    if (caught)
        tell();
    return told[0];
}

static void
wake_loop(void *data)
{
    uw_loop_interrupt((struct uw_loop *)data);
}

void
cli_end_cleanly(struct cli *cli)
{
    cli_catch_interrupts(wake_loop, cli->loop);
}
