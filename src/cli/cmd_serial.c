/*
 * cmd_serial.c - usbwire serial: a device's serial port on a terminal, a pseudo-terminal, a TCP
 * port
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "json.h"
#include "ports.h"

#define POLL_LINES_MS 100

/* Where the ports may be; without any of these options: this terminal. */
static const struct {
    enum cli_option_id option;
    const struct face *face;
} places[] = {
    {OPT_PTY, &face_pty},
    {OPT_RFC2217, &face_rfc2217},
    {OPT_TCP, &face_tcp},
};

static const struct {
    enum cli_option_id option;
    const char *name;
} of_terminal[] = {
    {OPT_TIMESTAMPS, "--timestamps"},
    {OPT_HEX, "--hex"},
    {OPT_LOG, "--log"},
};

struct serial {
    struct cli *cli;
    struct ports ports;
};

/* ---- options ---- */

static int
choose_face(struct serial *s)
{
    s->ports.face = &face_terminal;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (!cli_has(s->cli, places[i].option))
            continue;
        if (s->ports.argument)
            return cli_usage("--pty, --rfc2217 and --tcp exclude each other; give one of them");
        s->ports.face = places[i].face;
        s->ports.argument = cli_text(s->cli, places[i].option, NULL);
    }
    if (cli_has(s->cli, OPT_ALL) && !s->ports.argument)
        return cli_usage("--all needs a place for every port: --pty, --rfc2217 or --tcp");
    if (cli_has(s->cli, OPT_ALL) && cli_has(s->cli, OPT_INTERFACE))
        return cli_usage("--all is every port of every device, and --interface one; give either");
    for (size_t i = 0; s->ports.argument && i < sizeof(of_terminal) / sizeof(of_terminal[0]); i++)
        if (cli_has(s->cli, of_terminal[i].option))
            return cli_usage("%s is for the port on this terminal, without --pty, --rfc2217 and "
                             "--tcp",
                             of_terminal[i].name);
    return 0;
}

static int
number(const struct cli *cli, enum cli_option_id option)
{
    return cli_has(cli, option) ? (int)cli_number(cli, option, 0) : -1;
}

static int
read_config(struct serial *s)
{
    struct uw_serial_config *c = &s->ports.config;
    const char *format = cli_text(s->cli, OPT_FORMAT, NULL);

    uw_serial_config_init(c);
    c->baud = number(s->cli, OPT_BAUD);
    c->flow = number(s->cli, OPT_FLOW);
    c->dtr = number(s->cli, OPT_DTR);
    c->rts = number(s->cli, OPT_RTS);
    c->interface = number(s->cli, OPT_INTERFACE);
    c->latency = number(s->cli, OPT_LATENCY_TIMER);
    c->read_ahead = cli_has(s->cli, OPT_READ_AHEAD);
    if (s->ports.face == &face_rfc2217)
        c->poll_lines = POLL_LINES_MS;
    if (format && uw_serial_config_format(c, format) < 0)
        return cli_usage("--format '%s' is none; give data bits, parity and stop bits as 8N1, 7E1 "
                         "or 8N1.5",
                         format);
    return 0;
}

/* ---- many ---- */

struct visit {
    struct serial *serial;
    json_t *list;
    int code;
};

static void
open_each(struct visit *v, struct uw_device *device)
{
    v->code = ports_open_all(&v->serial->ports, device);
}

static void
list_each(struct visit *v, struct uw_device *device)
{
    struct uw_serial_info info;
    const char *serial = uw_device_serial(device);

    for (unsigned i = 0; uw_serial_port_at(device, i, &info); i++) {
        const struct uw_device_info *d = uw_device_info(device);

        if (v->list)
            json_array_append_new(v->list,
                                  json_pack("{ss so so ss ss si ss}", "busid", d->busid, "vid",
                                            json_hex16(d->vid), "pid", json_hex16(d->pid), "driver",
                                            info.driver, "chip", info.chip, "interface",
                                            (int)info.interface, "serial", serial));
        else
            printf("%-12s %04x:%04x  %-9s %-16s interface %u  %s\n", d->busid, d->vid, d->pid,
                   info.driver, info.chip, info.interface, serial);
    }
}

/* Imports each device that the options choose, for a moment or for the ports that are opened. */
static int
each_device(struct serial *s, void (*visit)(struct visit *v, struct uw_device *device),
            struct visit *v)
{
    struct uw_device_list *list;
    struct uw_choice choice;
    struct uw_fault fault;

    cli_choice(s->cli, &choice);
    v->code = cli_list(s->cli, &list);
    if (v->code)
        return v->code;
    for (unsigned i = 0; i < uw_device_list_count(list) && !v->code; i++) {
        const struct uw_device_info *info = uw_device_list_get(list, i);
        struct uw_device *device = NULL;
        int r;

        if (!uw_choice_matches(&choice, info))
            continue;
        r = uw_device_import(s->cli->server, info->busid, uw_never(), &device, &fault);
        if (r < 0) {
            char text[UW_FAULT_TEXT_MAX];

            cli_remark(s->cli, "%s", uw_fault_text(&fault, text, sizeof(text)));
            continue;
        }
        if (!choice.serial || strcmp(uw_device_serial(device), choice.serial) == 0)
            visit(v, device);
        uw_device_free(device);
    }
    uw_device_list_free(list);
    return v->code;
}

static int
list_ports(struct serial *s)
{
    struct visit v = {.serial = s};
    int code = cli_connect(s->cli);

    if (code)
        return code;
    if (cli_has(s->cli, OPT_JSON))
        v.list = json_array();
    code = each_device(s, list_each, &v);
    if (v.list && code)
        json_decref(v.list);
    else if (v.list)
        return json_print(v.list);
    return code ? code : cli_flush();
}

/* ---- all together ---- */

/* What is where, one line a port: for people, and for scripts that wait for it. */
static int
print_places(struct serial *s)
{
    json_t *list = cli_has(s->cli, OPT_JSON) ? json_array() : NULL;
    char where[700];

    for (unsigned i = 0; i < s->ports.count; i++) {
        struct bridge *b = &s->ports.bridges[i];

        s->ports.face->where(b, where, sizeof(where));
        if (list && json_array_append_new(list, json_pack("{ss ss ss}", "where", where, "port",
                                                          b->name, "label", b->label)) < 0) {
            json_decref(list);
            return cli_error("%s: JSON can name nothing that is not UTF-8", where);
        }
        if (!list)
            printf("%s  %s\n", where, b->name);
    }
    return list ? json_print(list) : cli_flush();
}

static int
open_ports(struct serial *s)
{
    struct visit v = {.serial = s};
    int code;

    if (!cli_has(s->cli, OPT_ALL)) {
        code = cli_choose(s->cli);
        return code ? code : ports_open(&s->ports, s->cli->device, s->ports.config.interface, 1);
    }
    code = cli_connect(s->cli);
    if (!code)
        code = each_device(s, open_each, &v);
    if (!code && !s->ports.count) {
        cli_error("none of the server's devices has a serial port that can be opened");
        code = CLI_NO_DEVICE;
    }
    return code;
}

int
cmd_serial(struct cli *cli)
{
    struct serial s = {.cli = cli, .ports = {.cli = cli}};
    int code = choose_face(&s);

    if (!code)
        code = read_config(&s);
    if (code)
        return code;
    if (cli_has(cli, OPT_LIST))
        return list_ports(&s);
    code = ports_init(&s.ports);
    if (!code)
        code = open_ports(&s);
    if (!code) {
        cli_end_cleanly(cli); /* before there are links, which must not be left behind */
        code = ports_show(&s.ports);
    }
    if (!code && s.ports.argument)
        code = print_places(&s);
    if (!code)
        code = bridges_run(cli, s.ports.bridges, s.ports.count);
    ports_free(&s.ports);
    return code;
}
