/*
 * cmd_syslog.c - usbwire syslog: what boards log
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boardlog.h"
#include "cli.h"

/* Of a server's address, in all its forms, the log. The port counts if it is the log's. */
static int
connect_server(struct cli *cli, const char *address, int with_port)
{
    uint64_t port = cli_number(cli, OPT_PORT, UW_SYSLOG_PORT);
    struct uw_fault fault;
    char host[280];
    int code;

    if (uw_server_new(cli->loop, address, (uint16_t)port, &cli->server, &fault) < 0)
        return cli_fault(&fault, CLI_CONNECTING);
    code = boardlog_host(cli, host, sizeof(host));
    if (code)
        return code;
    return boardlog_connect(cli, with_port ? uw_server_name(cli->server) : host);
}

/* The boards of the operands, of --syslog and of the server; only a port that --host names is the
 * log's. */
static int
connect_boards(struct cli *cli)
{
    const char *address = cli_text(cli, OPT_SYSLOG, NULL), *host = cli_text(cli, OPT_HOST, NULL);
    int is_named = host && strcmp(host, "auto") != 0, code = 0;
    char found[300];

    for (int i = 0; i < cli->num_operands && !code; i++)
        code = boardlog_connect(cli, cli->operands[i]);
    if (code || cli->num_operands)
        return code;
    if (address && *address)
        return boardlog_connect(cli, address);
    if (cli_has(cli, OPT_LISTEN) && !host && !cli_has(cli, OPT_BOARD_ID))
        return 0;
    code = cli_server_address(cli, found, sizeof(found), &address);
    return code ? code : connect_server(cli, address, is_named);
}

int
cmd_syslog(struct cli *cli)
{
    int code = cli_open(cli), r = 0;

    if (!code)
        code = boardlog_open(cli, cli_has(cli, OPT_JSON));
    if (!code && cli_has(cli, OPT_LISTEN))
        code = boardlog_listen(cli, cli_text(cli, OPT_LISTEN, ""));
    if (!code)
        code = connect_boards(cli);
    if (code)
        return code;
    cli_end_cleanly(cli);
    while (!cli_interrupted() && !boardlog_is_broken(cli) && (r == 0 || r == UW_ERROR_INTERRUPTED))
        r = uw_loop_wait(cli->loop, uw_never());
    boardlog_close(cli, uw_usec(0));
    return CLI_DONE;
}
