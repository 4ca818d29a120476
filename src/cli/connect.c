/*
 * connect.c - from the options to a server, and from there to an imported device
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boardlog.h"
#include "cli.h"
#include "names.h"
#include "pcap.h"
#include "servers.h"
#include "trace.h"

/* What a device does last reaches the log a little later. */
#define LOG_LINGER_MS 200u

#define ADDRESS_SIZE 300

#define LIST_PAUSE_MS 200u /* --wait: between two looks at a server's list */

static void
write_log(void *data, int level, const char *line)
{
    static const char *const words[] = {"error", "warning", "note", "debug"};

    cli_remark((const struct cli *)data, "%s: %s", words[level], line);
}

int
cli_open(struct cli *cli)
{
    uint64_t verbose = cli_number(cli, OPT_VERBOSE, 0);
    struct uw_loop_options options = {
        .size = sizeof(options),
        .log = {.level = verbose >= 3   ? UW_LOG_DEBUG
                         : verbose == 2 ? UW_LOG_INFO
                                        : UW_LOG_WARNING,
                .write = write_log,
                .data = cli},
    };
    int r;

    if (cli->loop)
        return 0;
    r = uw_loop_new(&options, &cli->loop);
    if (r < 0)
        return cli_error("the event loop could not be made: %s", uw_error_text(r));
    cli_catch_interrupts(NULL, NULL);
    r = trace_start(cli);
    if (!r)
        r = pcap_start(cli);
    /* Where the user has no folder for it, nobody can look on. */
    if (!r && uw_offer_new(cli->loop, &cli->offer) == UW_ERROR_NO_MEMORY)
        r = cli_error("out of memory");
    return r;
}

int
cli_server_address(struct cli *cli, char *found, size_t size, const char **ret_address)
{
    const char *host = cli_text(cli, OPT_HOST, NULL);
    int by_board = cli_has(cli, OPT_BOARD_ID), code;

    if (by_board && host && strcmp(host, "auto") != 0)
        return cli_usage("--board-id finds the server, but --host names one already, \"%s\"", host);
    if (!host && !by_board)
        host = getenv("USBWIRE_HOST");
    if (!by_board && (!host || !*host))
        return cli_usage(
            "no server is named; give --host HOST[:PORT], --host auto or --board-id ID, "
            "or set USBWIRE_HOST; `usbwire discover` shows servers");
    code = cli_open(cli);
    *ret_address = host;
    if (code || (!by_board && strcmp(host, "auto") != 0))
        return code;
    *ret_address = found;
    return servers_choose(cli, found, size);
}

int
cli_connect(struct cli *cli)
{
    struct uw_fault fault;
    char found[ADDRESS_SIZE];
    const char *host = NULL;
    int code = cli_server_address(cli, found, sizeof(found), &host);

    if (code)
        return code;
    if (uw_server_new(cli->loop, host, (uint16_t)cli_number(cli, OPT_PORT, 0), &cli->server,
                      &fault) < 0)
        return cli_fault(&fault, CLI_CONNECTING);
    if (cli_number(cli, OPT_TIMEOUT, 0))
        uw_server_set_timeouts(cli->server, cli_timeout(cli), cli_timeout(cli));
    code = pcap_add_server(cli);
    return code ? code : boardlog_start(cli);
}

void
cli_choice(const struct cli *cli, struct uw_choice *ret_choice)
{
    uw_choice_init(ret_choice);
    if (cli_has(cli, OPT_VID))
        ret_choice->vid = (int)cli_number(cli, OPT_VID, 0);
    if (cli_has(cli, OPT_PID))
        ret_choice->pid = (int)cli_number(cli, OPT_PID, 0);
    ret_choice->serial = cli_text(cli, OPT_SERIAL, NULL);
    ret_choice->busid = cli_text(cli, OPT_BUSID, uw_server_busid(cli->server));
}

void
cli_pause(struct cli *cli, struct uw_usec duration)
{
    struct uw_usec end = uw_usec_add(uw_now(), duration), now;

    while ((now = uw_now()).us < end.us && !cli_interrupted())
        (void)uw_loop_wait(cli->loop, uw_usec(end.us - now.us));
}

static int
has_chosen(const struct cli *cli, const struct uw_device_list *list)
{
    struct uw_choice choice;

    cli_choice(cli, &choice);
    for (unsigned i = 0; i < uw_device_list_count(list); i++)
        if (uw_choice_matches(&choice, uw_device_list_get(list, i)))
            return 1;
    return 0;
}

/* A server that is not there yet may come while it is waited for. */
static int
may_come(int error)
{
    return error == UW_ERROR_CONNECT || error == UW_ERROR_CONNECTION_LOST ||
           error == UW_ERROR_TIMEOUT;
}

int
cli_list(struct cli *cli, struct uw_device_list **ret_list)
{
    struct uw_usec end = uw_usec_add(uw_now(), cli_time(cli, OPT_WAIT, uw_usec(0)));
    struct uw_fault fault;
    int r;

    while (1) {
        r = uw_find_list(cli->server, cli_time(cli, OPT_TIMEOUT, uw_never()), ret_list, &fault);
        if ((r < 0 && !may_come(r)) || (r >= 0 && has_chosen(cli, *ret_list)) ||
            uw_now().us >= end.us || cli_interrupted())
            break;
        if (r >= 0)
            uw_device_list_free(*ret_list);
        cli_pause(cli, uw_msec(LIST_PAUSE_MS));
    }
    return r < 0 ? cli_fault(&fault, CLI_CONNECTING) : 0;
}

void
cli_print_candidates(const struct uw_device_list *list)
{
    char name[NAMES_MAX];

    for (unsigned i = 0; i < uw_device_list_count(list); i++) {
        const struct uw_device_info *info = uw_device_list_get(list, i);
        names_device(info->vid, info->pid, name, sizeof(name));
        fprintf(stderr, "  --busid %-12s %04x:%04x%s%s\n", info->busid, info->vid, info->pid,
                *name ? " " : "", name);
    }
}

int
cli_choose(struct cli *cli)
{
    struct uw_device_list *candidates = NULL;
    struct uw_choice choice;
    struct uw_fault fault;
    int code = cli_connect(cli);

    if (code)
        return code;
    cli_choice(cli, &choice);
    if (uw_find(cli->server, &choice, cli_time(cli, OPT_WAIT, uw_usec(0)), uw_never(), &cli->device,
                &candidates, &fault) >= 0)
        return 0;
    code = cli_fault(&fault, CLI_CHOOSING);
    if (candidates)
        cli_print_candidates(candidates);
    uw_device_list_free(candidates);
    return code;
}

int
cli_close(struct cli *cli)
{
    int code;

    uw_device_free(cli->device);
    boardlog_close(cli, uw_msec(LOG_LINGER_MS));
    uw_server_free(cli->server);
    uw_offer_free(cli->offer);
    code = pcap_stop(cli);
    trace_stop(cli);
    uw_loop_free(cli->loop);
    return code;
}
