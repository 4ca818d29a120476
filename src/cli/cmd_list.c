/*
 * cmd_list.c - usbwire list: what a server exports
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "names.h"
#include "style.h"

static void
print_interfaces(const struct uw_device_info *info)
{
    char class[NAMES_MAX], subclass[NAMES_MAX], protocol[NAMES_MAX];

    for (unsigned i = 0; i < info->num_interfaces && info->interfaces; i++) {
        const struct uw_interface_class *c = &info->interfaces[i];
        names_class(c->interface_class, class, sizeof(class));
        names_subclass(c->interface_class, c->interface_subclass, subclass, sizeof(subclass));
        names_protocol(c->interface_class, c->interface_subclass, c->interface_protocol, protocol,
                       sizeof(protocol));
        printf("    interface %u: %02x/%02x/%02x  %s%s%s%s%s\n", i, c->interface_class,
               c->interface_subclass, c->interface_protocol, class, *subclass ? ", " : "", subclass,
               *protocol ? ", " : "", protocol);
    }
}

/* A device of class 0 is what its first interface is. */
static const char *
class_text(const struct uw_device_info *info, char *buf, size_t size)
{
    uint8_t class = info->device_class;

    if (!class && info->num_interfaces && info->interfaces)
        class = info->interfaces[0].interface_class;
    return names_class(class, buf, size);
}

static void
print_device(const struct cli *cli, const struct uw_device_info *info)
{
    char name[NAMES_MAX], class[NAMES_MAX];

    printf("%s%-12s%s %04x:%04x  %-7s %s", style_bold(), info->busid, style_plain(), info->vid,
           info->pid, uw_speed_name(info->speed), class_text(info, class, sizeof(class)));
    if (*names_device(info->vid, info->pid, name, sizeof(name)))
        printf("  %s", name);
    puts(uw_find_is_held(info) ? "  (held)" : "");
    if (!cli_has(cli, OPT_VERBOSE))
        return;
    printf("    path %s, bus %u device %u, bcdDevice %x.%02x, configuration %u of %u\n", info->path,
           info->busnum, info->devnum, info->bcd_device >> 8 & 0xffu, info->bcd_device & 0xffu,
           info->configuration_value, info->num_configurations);
    print_interfaces(info);
}

static int
print_text(const struct cli *cli, const struct uw_choice *choice, const struct uw_device_list *list)
{
    unsigned count = uw_device_list_count(list), shown = 0;

    for (unsigned i = 0; i < count; i++) {
        const struct uw_device_info *info = uw_device_list_get(list, i);
        if (uw_choice_matches(choice, info)) {
            print_device(cli, info);
            shown++;
        }
    }
    if (!shown)
        cli_remark(cli, "%s exports %s", uw_server_name(cli->server),
                   count ? "no such device" : "no devices");
    return cli_flush();
}

static int
print_json(const struct uw_choice *choice, const struct uw_device_list *list)
{
    json_t *array = json_array();

    for (unsigned i = 0; array && i < uw_device_list_count(list); i++) {
        const struct uw_device_info *info = uw_device_list_get(list, i);
        json_t *value;

        if (!uw_choice_matches(choice, info))
            continue;
        value = json_info(info);
        if (!value || json_object_set_new(value, "held", json_boolean(uw_find_is_held(info))) < 0 ||
            json_array_append(array, value) < 0) {
            json_decref(array);
            array = NULL;
        }
        json_decref(value);
    }
    return json_print(array);
}

int
cmd_list(struct cli *cli)
{
    struct uw_device_list *list;
    struct uw_choice choice;
    struct uw_fault fault;
    int code = cli_connect(cli);

    if (code)
        return code;
    cli_choice(cli, &choice);
    if (uw_find_list(cli->server, uw_never(), &list, &fault) < 0)
        return cli_fault(&fault, CLI_CONNECTING);
    code = cli_has(cli, OPT_JSON) ? print_json(&choice, list) : print_text(cli, &choice, list);
    uw_device_list_free(list);
    return code;
}
