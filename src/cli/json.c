#include "json.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "hexdump.h"

json_t *
json_hex16(uint16_t value)
{
    return json_sprintf("%04x", value);
}

json_t *
json_bytes(const uint8_t *bytes, size_t size)
{
    char *text = malloc(2 * size + 1);
    json_t *value = NULL;

    if (text)
        value = json_string(hexdump_line(text, 2 * size + 1, bytes, size, ""));
    free(text);
    return value;
}

json_t *
json_info(const struct uw_device_info *info)
{
    json_t *interfaces = json_array();

    for (unsigned i = 0; i < info->num_interfaces && info->interfaces; i++) {
        const struct uw_interface_class *c = &info->interfaces[i];
        json_array_append_new(interfaces,
                              json_pack("{si si si}", "class", c->interface_class, "subclass",
                                        c->interface_subclass, "protocol", c->interface_protocol));
    }
    return json_pack("{ss ss sI sI sI so so si si si si si si so}", "busid", info->busid, "path",
                     info->path, "busnum", (json_int_t)info->busnum, "devnum",
                     (json_int_t)info->devnum, "speed", (json_int_t)info->speed, "vid",
                     json_hex16(info->vid), "pid", json_hex16(info->pid), "bcd_device",
                     info->bcd_device, "class", info->device_class, "subclass",
                     info->device_subclass, "protocol", info->device_protocol,
                     "configuration_value", info->configuration_value, "num_configurations",
                     info->num_configurations, "interfaces", interfaces);
}

json_t *
json_fault(const struct uw_fault *fault)
{
    char text[UW_FAULT_TEXT_MAX];

    if (fault->code >= 0)
        return json_null();
    return json_pack("{si ss ss si}", "code", fault->code, "name", uw_error_name(fault->code),
                     "text", uw_fault_text(fault, text, sizeof(text)), "status", fault->raw);
}

int
json_print(json_t *value)
{
    int r;

    if (!value)
        return cli_error("out of memory");
    r = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    json_decref(value);
    if (r < 0 || putchar('\n') < 0)
        return cli_flush() ? CLI_FAILED : cli_error("the result could not be written as JSON");
    return cli_flush();
}
