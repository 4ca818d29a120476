/*
 * cmd_clear_halt.c - usbwire clear-halt: CLEAR_FEATURE(ENDPOINT_HALT)
 */
#include <stdio.h>

#include "cli.h"
#include "json.h"
#include "move.h"

int
cmd_clear_halt(struct cli *cli)
{
    uint8_t address = (uint8_t)cli_number(cli, OPT_ENDPOINT, 0);
    const struct uw_endpoint *endpoint;
    struct uw_fault fault;
    int code = move_check_endpoint(cli, "clear-halt", address >> 7);

    if (!code)
        code = cli_choose(cli);
    if (!code)
        code = move_endpoint(cli, &endpoint);
    if (code)
        return code;
    if (uw_device_clear_halt(cli->device, address, cli_timeout(cli), &fault) < 0)
        return cli_device_fault(cli, cli->device, &fault);
    if (cli_has(cli, OPT_JSON))
        return json_print(
            json_pack("{ss si}", "busid", uw_device_info(cli->device)->busid, "endpoint", address));
    if (!cli_has(cli, OPT_QUIET))
        printf("%s: the halt of endpoint 0x%02x is cleared\n", uw_device_name(cli->device),
               address);
    return 0;
}
