/*
 * report.c - everything that is said on standard error, and the exit codes that go with it
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static const struct {
    int error;
    int exits[3]; /* by enum cli_phase */
} exit_codes[] = {
#define EXIT(error, connecting, choosing, using) {UW_ERROR_##error, {connecting, choosing, using}},
#include "exitcodes.def"
#undef EXIT
};

int
cli_exit_code(int error, enum cli_phase phase)
{
    if (error >= 0)
        return CLI_DONE;
    for (size_t i = 0; i < sizeof(exit_codes) / sizeof(exit_codes[0]); i++)
        if (exit_codes[i].error == error)
            return exit_codes[i].exits[phase];
    return CLI_FAILED;
}

__attribute__((format(printf, 1, 0))) static void
say(const char *format, va_list args)
{
    fflush(stdout); /* so that the two streams read in order on a terminal */
    fputs("usbwire: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int
cli_fault(const struct uw_fault *fault, enum cli_phase phase)
{
    char text[UW_FAULT_TEXT_MAX];

    cli_error("%s", uw_fault_text(fault, text, sizeof(text)));
    /* A server that closed without a word said nothing about the device. */
    if (fault->code == UW_ERROR_ACCESS && !fault->raw)
        phase = CLI_CONNECTING;
    return cli_exit_code(fault->code, phase);
}

int
cli_usage(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
    return CLI_USAGE;
}

int
cli_error(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
    return CLI_FAILED;
}

void
cli_remark(const struct cli *cli, const char *format, ...)
{
    va_list args;

    if (cli_has(cli, OPT_QUIET))
        return;
    va_start(args, format);
    say(format, args);
    va_end(args);
}

int
cli_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return cli_error("standard output could not be written: %s", strerror(errno));
}

int
cli_check_raw(const struct cli *cli)
{
    if (!cli_has(cli, OPT_RAW) || cli_has(cli, OPT_FORCE) || !isatty(STDOUT_FILENO))
        return 0;
    return cli_usage("--raw would write bytes as they are to the terminal; send them to a file or "
                     "pipe, or add --force");
}
