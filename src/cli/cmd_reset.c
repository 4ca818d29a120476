/*
 * cmd_reset.c - usbwire reset: a port reset
 */
#include <stdio.h>

#include "cli.h"
#include "json.h"

int
cmd_reset(struct cli *cli)
{
    struct uw_fault fault;
    int code = cli_choose(cli);

    if (code)
        return code;
    if (uw_device_reset(cli->device, cli_timeout(cli), &fault) < 0)
        return cli_device_fault(cli, cli->device, &fault);
    if (cli_has(cli, OPT_JSON))
        return json_print(
            json_pack("{ss sb}", "busid", uw_device_info(cli->device)->busid, "reset", 1));
    if (!cli_has(cli, OPT_QUIET))
        printf("%s: reset\n", uw_device_name(cli->device));
    return 0;
}
