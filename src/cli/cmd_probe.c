/*
 * cmd_probe.c - usbwire probe: all descriptors of a device
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "style.h"
#include "tree.h"

#define FROM_DEVICE    0x80
#define FROM_HUB       0xa0 /* class, device */
#define GET_DESCRIPTOR 6
#define GET_STATUS     0
#define DEVICE_SIZE    18
#define BOS_HEAD       5

/* How long an optional descriptor may take: some devices never answer what they do not have. */
#define OPTIONAL_US 1000000u

struct probe {
    struct cli *cli;
    struct sink sink;
    struct tree_source source;
    char *strings[256]; /* as they were read; NULL: not yet */
};

static const char *
read_string(void *data, uint8_t index)
{
    struct probe *probe = data;
    char text[512];

    if (!probe->strings[index]) {
        if (uw_device_string(probe->cli->device, index, 0, text, sizeof(text),
                             cli_timeout(probe->cli), NULL) < 0)
            text[0] = '\0';
        probe->strings[index] = strdup(text);
    }
    return probe->strings[index] ? probe->strings[index] : "";
}

static int
read_descriptor(void *data, uint8_t request_type, uint8_t type, uint16_t index, uint8_t *buf,
                uint16_t size)
{
    struct probe *probe = data;
    struct uw_usec timeout = uw_usec_min(cli_timeout(probe->cli), uw_usec(OPTIONAL_US));
    size_t actual = 0;
    int r;

    r = uw_control(probe->cli->device, request_type, GET_DESCRIPTOR, (uint16_t)(type << 8), index,
                   buf, size, timeout, &actual, NULL);
    return r < 0 ? r : (int)actual;
}

static void
show_bos(struct probe *probe)
{
    uint8_t head[BOS_HEAD], *bytes;
    size_t size;
    int n = read_descriptor(probe, FROM_DEVICE, UW_DT_BOS, 0, head, sizeof(head));

    if (n < BOS_HEAD || head[1] != UW_DT_BOS)
        return;
    size = (size_t)head[2] | (size_t)head[3] << 8;
    bytes = malloc(size ? size : 1);
    n = bytes ? read_descriptor(probe, FROM_DEVICE, UW_DT_BOS, 0, bytes, (uint16_t)size) : -1;
    if (n > 0)
        tree_bos(&probe->sink, &probe->source, bytes, (size_t)n);
    free(bytes);
}

/* A descriptor of at most 64 bytes that not every device has. */
static void
show_optional(struct probe *probe, const char *key, uint8_t request_type, uint8_t type)
{
    uint8_t bytes[64];
    int n = read_descriptor(probe, request_type, type, 0, bytes, sizeof(bytes));

    if (n >= 2 && bytes[1] == type)
        tree_single(&probe->sink, &probe->source, key, bytes, (size_t)n);
}

static void
show_status(struct probe *probe)
{
    uint8_t status[2] = {0, 0};
    size_t actual = 0;

    if (uw_control(probe->cli->device, FROM_DEVICE, GET_STATUS, 0, 0, status, 2,
                   cli_timeout(probe->cli), &actual, NULL) < 0 ||
        actual != 2)
        return;
    sink_number(&probe->sink, "Device Status:", (uint32_t)(status[0] | status[1] << 8), SINK_HEX, 2,
                "");
    sink_remark(&probe->sink, status[0] & 1 ? "Self Powered" : "(Bus Powered)");
    if (status[0] & 2)
        sink_remark(&probe->sink, "Remote Wakeup Enabled");
}

/* What stands behind the device descriptor. */
static void
show_rest(struct probe *probe)
{
    const struct uw_device *device = probe->cli->device;
    const struct uw_device_descriptor *descriptor = uw_device_descriptor(device);
    uint32_t speed = uw_device_info(device)->speed;
    int super = speed >= 5;
    const uint8_t *bytes;
    size_t size;

    for (unsigned i = 0; (bytes = uw_device_config_bytes(device, i, &size)) != NULL; i++)
        tree_config(&probe->sink, &probe->source, super, bytes, size);
    if (descriptor->bDeviceClass == 9)
        show_optional(probe, "hub", FROM_HUB, super ? 42 : UW_DT_HUB);
    if (descriptor->bcdUSB >= 0x0201)
        show_bos(probe);
    if (descriptor->bcdUSB >= 0x0200 && !super)
        show_optional(probe, "qualifier", FROM_DEVICE, UW_DT_DEVICE_QUALIFIER);
    show_status(probe);
}

static int
finish(struct probe *probe)
{
    const struct uw_device_info *info = uw_device_info(probe->cli->device);
    json_t *result;

    if (probe->sink.text)
        return cli_flush();
    result = json_info(info);
    if (!result || json_object_update(result, probe->sink.stack[0]) < 0) {
        json_decref(result);
        result = NULL;
    }
    json_decref(probe->sink.stack[0]);
    return json_print(result);
}

static void
print_heading(const struct probe *probe)
{
    const struct uw_device_info *info = uw_device_info(probe->cli->device);

    printf("%s%s%s, %s speed\n", style_bold(), uw_device_name(probe->cli->device), style_plain(),
           uw_speed_name(info->speed));
}

int
cmd_probe(struct cli *cli)
{
    struct probe probe = {.cli = cli};
    uint8_t bytes[DEVICE_SIZE];
    struct uw_fault fault;
    size_t actual = 0;
    int code = cli_choose(cli);

    if (code)
        return code;
    probe.source =
        (struct tree_source){.data = &probe, .string = read_string, .read = read_descriptor};
    if (uw_control(cli->device, FROM_DEVICE, GET_DESCRIPTOR, UW_DT_DEVICE << 8, 0, bytes,
                   sizeof(bytes), cli_timeout(cli), &actual, &fault) < 0)
        return cli_device_fault(cli, cli->device, &fault);
    if (actual < DEVICE_SIZE || bytes[1] != UW_DT_DEVICE)
        return cli_error("%s: the device descriptor has %zu bytes instead of %d",
                         uw_device_name(cli->device), actual, DEVICE_SIZE);
    sink_start(&probe.sink, cli_has(cli, OPT_JSON) ? NULL : stdout);
    if (probe.sink.text && !cli_has(cli, OPT_QUIET))
        print_heading(&probe);
    tree_device(&probe.sink, &probe.source, bytes, actual);
    if (!cli_has(cli, OPT_DEVICE_DESC))
        show_rest(&probe);
    for (size_t i = 0; i < 256; i++)
        free(probe.strings[i]);
    code = finish(&probe);
    if (!code && uw_device_status(cli->device) < 0)
        code = cli_error("%s: show descriptors: %s; what is shown is not all of it",
                         uw_device_name(cli->device), uw_error_text(uw_device_status(cli->device)));
    return code;
}
