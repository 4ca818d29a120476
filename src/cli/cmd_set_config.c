/*
 * cmd_set_config.c - usbwire set-config: SET_CONFIGURATION
 *
 * On a Linux server the choice lasts as long as the import: it is for trying whether a device takes
 * it, and for devices whose server keeps it.
 */
#include <stdio.h>

#include "cli.h"
#include "json.h"
#include "number.h"

static int
has_configuration(const struct uw_device *device, uint64_t value)
{
    const struct uw_config *config;

    for (unsigned i = 0; (config = uw_device_config(device, i)) != NULL; i++)
        if (config->bConfigurationValue == value)
            return 1;
    return value == 0;
}

static void
list_configurations(const struct uw_device *device, char *buf, size_t size)
{
    const struct uw_config *config;
    size_t len = (size_t)snprintf(buf, size, "0 (unconfigured)");

    for (unsigned i = 0; len < size && (config = uw_device_config(device, i)) != NULL; i++)
        len += (size_t)snprintf(buf + len, size - len, ", %u", config->bConfigurationValue);
}

int
cmd_set_config(struct cli *cli)
{
    struct uw_fault fault;
    char all[256];
    uint64_t value;
    int code;

    if (!cli->num_operands)
        return cli_usage("the configuration's value is missing; `usbwire set-config 1` sets it "
                         "to 1");
    if (!number_parse(cli->operands[0], 0, 255, &value))
        return cli_usage("\"%s\" is no configuration's value; a number from 0 to 255 is accepted",
                         cli->operands[0]);
    code = cli_choose(cli);
    if (code)
        return code;
    if (!has_configuration(cli->device, value)) {
        list_configurations(cli->device, all, sizeof(all));
        return cli_usage("%s has no configuration %s; it has %s", uw_device_name(cli->device),
                         cli->operands[0], all);
    }
    if (uw_device_set_configuration(cli->device, (int)value, cli_timeout(cli), &fault) < 0)
        return cli_device_fault(cli, cli->device, &fault);
    if (cli_has(cli, OPT_JSON))
        return json_print(json_pack("{ss si}", "busid", uw_device_info(cli->device)->busid,
                                    "configuration_value", uw_device_configuration(cli->device)));
    if (!cli_has(cli, OPT_QUIET))
        printf("%s: configuration %d is set\n", uw_device_name(cli->device),
               uw_device_configuration(cli->device));
    return 0;
}
