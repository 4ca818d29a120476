/*
 * interrupt.c - Ctrl-C: the first one asks to end cleanly, the second one ends
 */
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "cli.h"

static volatile sig_atomic_t caught;
static void (*wake_function)(void *data);
static void *wake_data;

static void catch (int signal_number)
{
    (void)signal_number;
    if (caught)
        _exit(CLI_INTERRUPTED);
    caught = 1;
    wake_function(wake_data);
}

void
cli_catch_interrupts(void (*wake)(void *data), void *data)
{
    struct sigaction action = {.sa_handler = catch};

    wake_function = wake;
    wake_data = data;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int
cli_interrupted(void)
{
    return caught;
}
