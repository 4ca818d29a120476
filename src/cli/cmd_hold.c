/*
 * cmd_hold.c - usbwire hold: an import that other commands and programs share
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "json.h"

/* How often it is looked whether the device is still there. */
#define LOOK_MS 500u

static int
announce(const struct cli *cli, const struct uw_broker *broker)
{
    const struct uw_device_info *info = uw_device_info(cli->device);
    json_t *value;

    if (!cli_has(cli, OPT_JSON)) {
        printf("%s: held until Ctrl-C; commands of this user share it\n",
               uw_device_name(cli->device));
        return cli_flush();
    }
    value = json_info(info);
    if (!value)
        return cli_error("out of memory");
    json_object_set_new(value, "address", json_string(uw_broker_address(broker)));
    if (json_dumpf(value, stdout, JSON_COMPACT) < 0 || putchar('\n') < 0) {
        json_decref(value);
        return cli_error("the result could not be written as JSON");
    }
    json_decref(value);
    return cli_flush();
}

/* Until Ctrl-C, or until the device is gone. */
static int
wait_for_end(struct cli *cli)
{
    struct uw_fault fault = {0};
    struct uw_queue *queue;
    int status = UW_OK;

    if (uw_queue_new(cli->loop, &queue) < 0)
        return cli_error("out of memory");
    while (!cli_interrupted() && (status = uw_device_status(cli->device)) == UW_OK)
        (void)uw_queue_wait(queue, uw_msec(LOOK_MS));
    uw_queue_free(queue);
    if (status == UW_OK)
        return CLI_DONE;
    fault.code = status;
    snprintf(fault.tried, sizeof(fault.tried), "hold");
    snprintf(fault.on, sizeof(fault.on), "%s", uw_device_name(cli->device));
    return cli_fault(&fault, CLI_USING);
}

int
cmd_hold(struct cli *cli)
{
    struct uw_broker *broker;
    struct uw_fault fault;
    int code = cli_choose_own(cli);

    if (code)
        return code;
    if (uw_broker_new(cli->device, &broker, &fault) < 0)
        return cli_fault(&fault, CLI_CHOOSING);
    cli_end_cleanly(cli);
    code = announce(cli, broker);
    if (!code)
        code = wait_for_end(cli);
    uw_broker_free(broker);
    return code;
}
