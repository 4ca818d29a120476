/*
 * usbwire - the command: reads the command line, runs one command, returns its exit code
 */
#include <signal.h>
#include <stdio.h>

#include "cli.h"
#include "help.h"
#include "options.h"
#include "pcap.h"

static int
run(struct cli *cli)
{
    int code, closing;

    if (cli_has(cli, OPT_VERSION)) {
        printf("usbwire %s\n", uw_version());
        return cli_flush();
    }
    if (cli_has(cli, OPT_HELP)) {
        cli_help(cli->command);
        return cli_flush();
    }
    code = cli_commands[cli->command].function(cli);
    /* What there is to see is seen before a capture waits for its reader. */
    pcap_ending(cli);
    if (!code)
        code = cli_flush();
    else
        fflush(stdout);
    closing = cli_close(cli);
    if (!code)
        code = closing;
    return code ? code : cli_flush();
}

int
main(int argc, char **argv)
{
    struct cli cli = {0};
    int code = cli_options_parse(&cli, argc, argv);

    /* Writing to a reader that went away is an error to report like any other. */
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    if (!code)
        code = run(&cli);
    cli_options_free(&cli);
    return code;
}
