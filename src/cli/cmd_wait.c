/*
 * cmd_wait.c - usbwire wait: until a device is there
 */
#include <stdio.h>

#include "cli.h"
#include "json.h"

int
cmd_wait(struct cli *cli)
{
    const struct uw_device_info *info;
    int code;

    /* Without --wait there is no end to it but Ctrl-C. */
    if (!cli_has(cli, OPT_WAIT))
        cli->values[OPT_WAIT] = (struct cli_value){.text = "", .number = UINT64_MAX};
    code = cli_choose(cli);
    if (code)
        return code;
    info = uw_device_info(cli->device);
    if (cli_has(cli, OPT_JSON))
        return json_print(json_pack("{ss so so}", "busid", info->busid, "vid",
                                    json_hex16(info->vid), "pid", json_hex16(info->pid)));
    printf("%s\n", info->busid);
    return cli_flush();
}
