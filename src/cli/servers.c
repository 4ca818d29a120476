#include "servers.h"

#include <string.h>

#include "style.h"

#define CHOOSE_MS 3000u
#define SETTLE_MS 500u

static void
set(json_t *record, const char *key, const char *value)
{
    json_object_set_new(record, key, json_string(value));
}

json_t *
servers_record(const struct uw_discovered *server)
{
    json_t *record = json_object(), *addresses = json_array(), *txt = json_object();

    if (!record || !addresses || !txt) {
        json_decref(record);
        json_decref(addresses);
        json_decref(txt);
        return NULL;
    }
    set(record, "instance", server->instance);
    set(record, "host", server->host);
    json_object_set_new(record, "port", json_integer(server->port));
    set(record, "address", server->address);
    set(record, "links", server->links);
    for (unsigned i = 0; i < server->num_addresses; i++)
        json_array_append_new(addresses, json_string(server->addresses[i]));
    json_object_set_new(record, "addresses", addresses);
    for (unsigned i = 0; i < server->num_txt; i++)
        set(txt, server->txt[i].key, server->txt[i].value);
    json_object_set_new(record, "txt", txt);
    return record;
}

static const char *
text_of(const json_t *record, const char *key)
{
    const char *text = json_string_value(json_object_get(record, key));

    return text ? text : "";
}

void
servers_print(const json_t *server, FILE *file)
{
    const json_t *txt = json_object_get(server, "txt");
    const char *count = text_of(txt, "count"), *busid = text_of(txt, "busid");
    int known = *count != 0, one = strcmp(count, "1") == 0;

    fprintf(file, "%-24s %-22s %s", text_of(server, "address"), text_of(server, "host"),
            text_of(server, "instance"));
    if (known)
        fprintf(file, "  %s device%s", count, one ? "" : "s");
    if (known && one && *busid)
        fprintf(file, ": %s %s:%s", busid, text_of(txt, "vid"), text_of(txt, "pid"));
    if (*text_of(txt, "target"))
        fprintf(file, "  (%s)", text_of(txt, "target"));
    if (*text_of(txt, "board_id"))
        fprintf(file, "  board %s", text_of(txt, "board_id"));
    fputc('\n', file);
}

static int
is_same(const json_t *record, const struct uw_discovered *server)
{
    return strcmp(text_of(record, "host"), server->host) == 0 &&
           json_integer_value(json_object_get(record, "port")) == server->port;
}

/* The record in the array is as it is now, or gone. */
static void
note(json_t *servers, const struct uw_discover_event *event)
{
    size_t i = 0;
    json_t *record;

    json_array_foreach(servers, i, record) if (is_same(record, event->server)) break;
    if (i < json_array_size(servers))
        json_array_remove(servers, i);
    if (event->change != UW_DISCOVER_REMOVED)
        json_array_append_new(servers, servers_record(event->server));
}

int
servers_find(struct cli *cli, const char *board_id, enum servers_until until, struct uw_usec wait,
             json_t **ret_servers)
{
    struct uw_usec end = uw_usec_add(uw_now(), wait), now;
    json_t *servers = json_array();
    struct uw_discover_event event;
    struct uw_discover *discover;
    struct uw_fault fault;
    int r = 0;

    if (!servers)
        return cli_error("out of memory");
    if (uw_discover_new(cli->loop, cli_text(cli, OPT_LINK, NULL), &discover, &fault) < 0) {
        json_decref(servers);
        return cli_fault(&fault, CLI_CONNECTING);
    }
    while ((now = uw_now()).us < end.us &&
           (r = uw_discover_next(discover, uw_usec_sub(end, now), &event)) == 1) {
        if (board_id && !uw_discovered_is_board(event.server, board_id))
            continue;
        note(servers, &event);
        if (!json_array_size(servers))
            continue;
        if (board_id || until == SERVERS_FIRST)
            break;
        if (until == SERVERS_ONLY)
            end = uw_usec_min(end, uw_usec_add(uw_now(), uw_msec(SETTLE_MS)));
    }
    uw_discover_free(discover);
    if (r < 0 && r != UW_ERROR_INTERRUPTED) {
        json_decref(servers);
        return cli_error("looking for servers failed: %s", uw_error_text(r));
    }
    *ret_servers = servers;
    return 0;
}

int
servers_choose(struct cli *cli, char *address, size_t size)
{
    const char *board_id = cli_text(cli, OPT_BOARD_ID, NULL);
    json_t *servers = NULL, *server;
    size_t i = 0;
    int code = servers_find(cli, board_id, SERVERS_ONLY, uw_msec(CHOOSE_MS), &servers);

    if (code)
        return code;
    if (json_array_size(servers) == 1) {
        snprintf(address, size, "%s", text_of(json_array_get(servers, 0), "address"));
    } else if (json_array_size(servers) == 0) {
        cli_error(board_id ? "no server says by multicast DNS that it is board \"%s\"; `usbwire "
                             "discover` shows who is there"
                           : "no server answers by multicast DNS%s; in a container use its host's "
                             "network; or name the server with --host",
                  board_id ? board_id : "");
        code = CLI_UNREACHED;
    } else {
        cli_error("%zu servers are there; choose one with --host or --board-id:",
                  json_array_size(servers));
        json_array_foreach(servers, i, server)
        {
            fputs("  --host ", stderr);
            servers_print(server, stderr);
        }
        code = CLI_NO_DEVICE;
    }
    json_decref(servers);
    return code;
}
