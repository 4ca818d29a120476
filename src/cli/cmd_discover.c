/*
 * cmd_discover.c - usbwire discover: which servers are there
 */
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "names.h"
#include "servers.h"

#define LOOK_MS 3000u
#define LIST_MS 3000u

/* ---- what a server really has, for -v ---- */

static int
ask_server(struct cli *cli, const char *address, struct uw_device_list **ret_list,
           struct uw_fault *fault)
{
    struct uw_server *server;
    int r = uw_server_new(cli->loop, address, 0, &server, fault);

    if (r < 0)
        return r;
    r = uw_server_list(server, uw_msec(LIST_MS), ret_list, fault);
    uw_server_free(server);
    return r;
}

/* Adds "devices" to the record, or the "fault" that came instead. */
static void
add_devices(struct cli *cli, json_t *record)
{
    const char *address = json_string_value(json_object_get(record, "address"));
    struct uw_device_list *list;
    struct uw_fault fault;
    json_t *devices;

    if (ask_server(cli, address ? address : "", &list, &fault) < 0) {
        json_object_set_new(record, "fault", json_fault(&fault));
        return;
    }
    devices = json_array();
    for (unsigned i = 0; i < uw_device_list_count(list); i++)
        json_array_append_new(devices, json_info(uw_device_list_get(list, i)));
    json_object_set_new(record, "devices", devices);
    uw_device_list_free(list);
}

static const char *
text_of(const json_t *record, const char *key)
{
    const char *text = json_string_value(json_object_get(record, key));

    return text ? text : "";
}

static void
print_details(const json_t *record)
{
    json_t *txt = json_object_get(record, "txt");
    const json_t *addresses = json_object_get(record, "addresses");
    const json_t *devices = json_object_get(record, "devices");

    printf("    on %s:", text_of(record, "links"));
    for (size_t i = 0; i < json_array_size(addresses); i++)
        printf(" %s", json_string_value(json_array_get(addresses, i)));
    printf("\n   ");
    for (void *at = json_object_iter(txt); at; at = json_object_iter_next(txt, at))
        printf(" %s=%s", json_object_iter_key(at), json_string_value(json_object_iter_value(at)));
    putchar('\n');
    for (size_t i = 0; i < json_array_size(devices); i++) {
        const json_t *device = json_array_get(devices, i);
        printf("    %-12s %s:%s\n", text_of(device, "busid"), text_of(device, "vid"),
               text_of(device, "pid"));
    }
    if (json_object_get(record, "fault"))
        printf("    %s\n", text_of(json_object_get(record, "fault"), "text"));
}

static void
print_server(struct cli *cli, const json_t *record)
{
    servers_print(record, stdout);
    if (cli_has(cli, OPT_VERBOSE))
        print_details(record);
}

/* ---- once ---- */

static int
look_once(struct cli *cli)
{
    enum servers_until until = cli_has(cli, OPT_FIRST) ? SERVERS_FIRST : SERVERS_ALL;
    json_t *servers, *record;
    size_t i = 0, count;
    int code = servers_find(cli, cli_text(cli, OPT_BOARD_ID, NULL), until,
                            cli_time(cli, OPT_WAIT, uw_msec(LOOK_MS)), &servers);

    if (code)
        return code;
    count = json_array_size(servers);
    json_array_foreach(servers, i, record)
    {
        if (cli_has(cli, OPT_VERBOSE))
            add_devices(cli, record);
        if (!cli_has(cli, OPT_JSON))
            print_server(cli, record);
    }
    if (cli_has(cli, OPT_JSON)) {
        code = json_print(servers);
    } else {
        json_decref(servers);
        code = cli_flush();
    }
    if (!count)
        cli_remark(cli,
                   "no server answers by multicast DNS; in a container use its host's network, "
                   "or name the server with --host");
    return code ? code : count ? CLI_DONE : CLI_FAILED;
}

/* ---- on and on ---- */

static int
tell_change(struct cli *cli, const struct uw_discover_event *event)
{
    static const char *const words[] = {"added", "changed", "removed"};
    json_t *record = servers_record(event->server);

    if (!record)
        return cli_error("out of memory");
    if (cli_has(cli, OPT_VERBOSE) && event->change != UW_DISCOVER_REMOVED)
        add_devices(cli, record);
    if (cli_has(cli, OPT_JSON)) {
        json_object_set_new(record, "event", json_string(words[event->change]));
        if (json_dumpf(record, stdout, JSON_COMPACT) == 0)
            putchar('\n');
    } else {
        printf("%-8s ", words[event->change]);
        print_server(cli, record);
    }
    json_decref(record);
    return cli_flush();
}

static int
watch(struct cli *cli)
{
    const char *board_id = cli_text(cli, OPT_BOARD_ID, NULL);
    struct uw_usec end = uw_usec_add(uw_now(), cli_time(cli, OPT_WAIT, uw_never())), now;
    struct uw_discover *discover;
    struct uw_discover_event event;
    struct uw_fault fault;
    int r = 0, code = 0;

    if (uw_discover_new(cli->loop, cli_text(cli, OPT_LINK, NULL), &discover, &fault) < 0)
        return cli_fault(&fault, CLI_CONNECTING);
    cli_end_cleanly(cli);
    while (!code && !cli_interrupted() && (now = uw_now()).us < end.us) {
        r = uw_discover_next(discover, uw_usec_sub(end, now), &event);
        if (r < 0 && r != UW_ERROR_INTERRUPTED)
            code = cli_error("looking for servers failed: %s", uw_error_text(r));
        else if (r == 1 && (!board_id || uw_discovered_is_board(event.server, board_id)))
            code = tell_change(cli, &event);
    }
    uw_discover_free(discover);
    return code;
}

int
cmd_discover(struct cli *cli)
{
    int code = cli_open(cli);

    if (code)
        return code;
    return cli_has(cli, OPT_WATCH) ? watch(cli) : look_once(cli);
}
