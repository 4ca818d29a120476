#include "pcap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
write_remark(void *data, int level, const char *line)
{
    (void)level;
    cli_remark((const struct cli *)data, "%s", line);
}

/* The capture has standard output for itself: what the command prints goes to standard error. */
static int
move_output(void)
{
    if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return cli_error("standard output cannot be given to the capture: %s", strerror(errno));
    return 0;
}

/* It captures by itself. */
static int
leave_to_program(const char *target)
{
    if (strcmp(target, "-") == 0)
        return cli_usage("standard output is the program's; capture to a file or FIFO");
    return setenv("USBWIRE_PCAP", target, 1) ? cli_error("out of memory") : 0;
}

static void
hurry(void *data)
{
    uw_capture_hurry((struct uw_capture *)data);
}

int
pcap_start(struct cli *cli)
{
    const char *target = cli_text(cli, OPT_PCAP, getenv("USBWIRE_PCAP"));
    struct uw_capture_options options = {
        .size = sizeof(options),
        .log = {.level = UW_LOG_WARNING, .write = write_remark, .data = cli},
    };
    struct uw_fault fault;
    int r;

    if (!target || !*target)
        return 0;
    if (cli->command == CMD_RUN)
        return leave_to_program(target);
    if (strcmp(target, "-") == 0 && cli_has(cli, OPT_RAW))
        return cli_usage("--raw and --pcap - both want standard output");
    if (uw_capture_open(target, &options, &cli->capture, &fault) < 0) {
        cli_fault(&fault, CLI_USING);
        return fault.code == UW_ERROR_INVALID ? CLI_USAGE : CLI_FAILED;
    }
    if (strcmp(target, "-") == 0 && (r = move_output()) != 0)
        return r;
    r = uw_capture_attach(cli->capture, cli->loop);
    return r < 0 ? cli_error("the capture cannot be started: %s", uw_error_text(r)) : 0;
}

int
pcap_add_server(struct cli *cli)
{
    int r = cli->capture ? uw_capture_add_server(cli->capture, cli->server) : 0;

    return r < 0 ? cli_error("the capture cannot be started: %s", uw_error_text(r)) : 0;
}

void
pcap_ending(const struct cli *cli)
{
    if (cli->capture)
        cli_catch_interrupts(hurry, cli->capture);
}

int
pcap_stop(struct cli *cli)
{
    struct uw_capture_stats stats;
    struct uw_fault fault;
    char text[UW_FAULT_TEXT_MAX];
    int r, code = 0;

    if (!cli->capture)
        return 0;
    uw_capture_stats(cli->capture, &stats);
    if (!stats.readers)
        cli_remark(cli, "done; the capture waits 10 s for its reader, Ctrl-C ends that");
    r = uw_capture_close(cli->capture, &fault);
    uw_capture_stats(cli->capture, &stats);
    cli_catch_interrupts(NULL, NULL);
    if (r == UW_ERROR_NOT_FOUND)
        cli_remark(cli, "%s", uw_fault_text(&fault, text, sizeof(text)));
    else if (r < 0)
        code = cli_fault(&fault, CLI_USING);
    if (stats.dropped)
        cli_remark(cli, "%llu of %llu records are not in the capture",
                   (unsigned long long)stats.dropped, (unsigned long long)stats.records);
    uw_capture_free(cli->capture);
    cli->capture = NULL;
    return code;
}
