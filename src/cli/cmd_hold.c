/*
 * cmd_hold.c - usbwire hold: an import that other commands and programs share
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "json.h"

/* How often it is looked whether the device is still there. */
#define LOOK_MS 200u
#define LIST_MS 5000u

/* How long one that is enumerated anew may take, unless --wait says. */
#define RETURN_MS 10000u

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

static void
wait_while_there(struct cli *cli, struct uw_queue *queue)
{
    while (!cli_interrupted() && uw_device_look(cli->device, uw_msec(LIST_MS)) == UW_OK)
        (void)uw_queue_wait(queue, uw_msec(LOOK_MS));
}

/* A reset, a boot loader: the device comes back, perhaps as another. 0, or an exit code. */
static int
follow(struct cli *cli, struct uw_broker *broker)
{
    struct uw_fault fault = {0};
    struct uw_device *successor;
    int status = uw_device_status(cli->device);

    cli_remark(cli, "%s: %s; looking for it", uw_device_name(cli->device), uw_error_text(status));
    if (uw_device_find_again(cli->device, cli_time(cli, OPT_WAIT, uw_msec(RETURN_MS)), &successor,
                             NULL) < 0) {
        if (cli_interrupted())
            return CLI_DONE;
        fault.code = status;
        snprintf(fault.tried, sizeof(fault.tried), "hold");
        snprintf(fault.on, sizeof(fault.on), "%s", uw_device_name(cli->device));
        return cli_fault(&fault, CLI_USING);
    }
    uw_broker_replace(broker, successor);
    uw_device_free(cli->device);
    cli->device = successor;
    return announce(cli, broker);
}

/* Until Ctrl-C, or until the device is gone for good. */
static int
wait_for_end(struct cli *cli, struct uw_broker *broker)
{
    struct uw_queue *queue;
    int code = 0;

    if (uw_queue_new(cli->loop, &queue) < 0)
        return cli_error("out of memory");
    do {
        wait_while_there(cli, queue);
        if (!cli_interrupted())
            code = follow(cli, broker);
    } while (!code && !cli_interrupted());
    uw_queue_free(queue);
    return code;
}

int
cmd_hold(struct cli *cli)
{
    struct uw_broker *broker;
    struct uw_fault fault;
    int code = cli_choose(cli);

    if (code)
        return code;
    cli_end_cleanly(cli); /* before there is what must not be left behind */
    if (uw_broker_new(cli->device, &broker, &fault) < 0)
        return cli_fault(&fault, CLI_CHOOSING);
    code = announce(cli, broker);
    if (!code)
        code = wait_for_end(cli, broker);
    uw_broker_free(broker);
    return code;
}
