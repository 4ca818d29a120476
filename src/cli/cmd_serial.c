/*
 * cmd_serial.c - usbwire serial: a device's serial port on a terminal, a pseudo-terminal, a TCP
 * port
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "json.h"

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

struct serial {
    struct cli *cli;
    const struct face *face;
    const char *argument;
    struct uw_serial_config config;
    struct bridge *bridges;
    unsigned count;
};

/* ---- options ---- */

static int
choose_face(struct serial *s)
{
    s->face = &face_terminal;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (!cli_has(s->cli, places[i].option))
            continue;
        if (s->argument)
            return cli_usage("--pty, --rfc2217 and --tcp exclude each other; give one of them");
        s->face = places[i].face;
        s->argument = cli_text(s->cli, places[i].option, NULL);
    }
    if (cli_has(s->cli, OPT_ALL) && !s->argument)
        return cli_usage("--all needs a place for every port: --pty, --rfc2217 or --tcp");
    return 0;
}

/* "8N1": data bits, parity, stop bits. */
static int
read_format(struct uw_serial_config *c, const char *format)
{
    static const char *const stops[] = {
        [UW_STOP_1] = "1", [UW_STOP_1_5] = "1.5", [UW_STOP_2] = "2"};
    static const char parities[] = "NOEMS";
    const char *parity = strlen(format) >= 3 ? strchr(parities, toupper(format[1])) : NULL;

    if (!parity || format[0] < '5' || format[0] > '8')
        return -1;
    c->data_bits = format[0] - '0';
    c->parity = (int)(parity - parities);
    for (int i = 0; i < 3; i++)
        if (strcmp(format + 2, stops[i]) == 0)
            c->stop_bits = i;
    return c->stop_bits;
}

static int
number(const struct cli *cli, enum cli_option_id option)
{
    return cli_has(cli, option) ? (int)cli_number(cli, option, 0) : -1;
}

static int
read_config(struct serial *s)
{
    struct uw_serial_config *c = &s->config;
    const char *format = cli_text(s->cli, OPT_FORMAT, NULL);

    uw_serial_config_init(c);
    c->baud = number(s->cli, OPT_BAUD);
    c->flow = number(s->cli, OPT_FLOW);
    c->dtr = number(s->cli, OPT_DTR);
    c->rts = number(s->cli, OPT_RTS);
    c->interface = number(s->cli, OPT_INTERFACE);
    c->latency = number(s->cli, OPT_LATENCY_TIMER);
    if (s->face == &face_rfc2217)
        c->poll_lines = POLL_LINES_MS;
    if (format && read_format(c, format) < 0)
        return cli_usage("--format '%s' is none; give data bits, parity and stop bits as 8N1, 7E1 "
                         "or 8N1.5",
                         format);
    return 0;
}

/* ---- one port ---- */

/* A name that stays: the serial number, or else the place; and which of several ports. */
static void
label(struct bridge *b, struct uw_device *device, unsigned interface, int several)
{
    char serial[48] = "";
    size_t n;

    if (uw_device_string(device, uw_device_descriptor(device)->iSerialNumber, 0, serial,
                         sizeof(serial), uw_msec(2000), NULL) < 0 ||
        !serial[0])
        snprintf(serial, sizeof(serial), "%s", uw_device_info(device)->busid);
    if (several)
        snprintf(b->label, sizeof(b->label), "%s-if%u", serial, interface);
    else
        snprintf(b->label, sizeof(b->label), "%s", serial);
    for (n = 0; b->label[n]; n++)
        if (!isalnum((unsigned char)b->label[n]) && !strchr("-_.:", b->label[n]))
            b->label[n] = '_';
}

/* With --all: a file of its own in the directory, or the next TCP port. */
static void
place_for(const struct serial *s, const struct bridge *b, char *buf, size_t size)
{
    const char *colon = strrchr(s->argument, ':'), *port = colon ? colon + 1 : s->argument;
    unsigned long first = strtoul(port, NULL, 10);

    if (s->face == &face_pty)
        snprintf(buf, size, "%s/%s", s->argument, b->label);
    else
        snprintf(buf, size, "%.*s%lu", (int)(port - s->argument), s->argument,
                 first ? first + (unsigned)(b - s->bridges) : 0);
}

/* Opens a port of a device and its face. 0, or an exit code after a message. */
static int
open_port(struct serial *s, struct uw_device *device, int interface, int several)
{
    struct bridge *b = &s->bridges[s->count];
    struct uw_serial_config config = s->config;
    struct uw_serial_info info;
    struct uw_fault fault;
    char place[600];

    memset(b, 0, sizeof(*b));
    b->cli = s->cli;
    b->face = s->face;
    config.interface = interface;
    if (uw_serial_open_device(device, &config, &b->port, &fault) < 0)
        return cli_fault(&fault, CLI_CHOOSING);
    s->count++;
    uw_serial_info(b->port, &info);
    snprintf(b->name, sizeof(b->name), "%.80s, %s, interface %u", uw_device_name(device), info.chip,
             info.interface);
    if (!s->argument)
        return b->face->open(b, NULL);
    label(b, device, info.interface, several);
    if (!cli_has(s->cli, OPT_ALL))
        return b->face->open(b, s->argument);
    place_for(s, b, place, sizeof(place));
    return b->face->open(b, place);
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
    struct serial *s = v->serial;
    struct uw_serial_info info, second;
    int several = uw_serial_port_at(device, 1, &second);

    for (unsigned i = 0; !v->code && s->count < BRIDGES_MAX; i++) {
        if (!uw_serial_port_at(device, i, &info))
            return;
        v->code = open_port(s, device, (int)info.interface, several);
    }
}

static void
list_each(struct visit *v, struct uw_device *device)
{
    struct uw_serial_info info;
    char serial[128] = "";

    (void)uw_device_string(device, uw_device_descriptor(device)->iSerialNumber, 0, serial,
                           sizeof(serial), uw_msec(2000), NULL);
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
    struct uw_device_list *list = NULL;
    struct uw_choice choice;
    struct uw_fault fault;

    cli_choice(s->cli, &choice);
    if (uw_server_list(s->cli->server, uw_never(), &list, &fault) < 0)
        return cli_fault(&fault, CLI_CONNECTING);
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

    for (unsigned i = 0; i < s->count; i++) {
        struct bridge *b = &s->bridges[i];

        s->face->where(b, where, sizeof(where));
        if (list)
            json_array_append_new(
                list, json_pack("{ss ss ss}", "where", where, "port", b->name, "label", b->label));
        else if (!cli_has(s->cli, OPT_QUIET))
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
        return code ? code : open_port(s, s->cli->device, s->config.interface, 1);
    }
    code = cli_connect(s->cli);
    if (!code)
        code = each_device(s, open_each, &v);
    if (!code && !s->count) {
        cli_error("none of the server's devices has a serial port that can be opened");
        code = CLI_NO_DEVICE;
    }
    return code;
}

int
cmd_serial(struct cli *cli)
{
    struct serial s = {.cli = cli};
    int code = choose_face(&s);

    if (!code)
        code = read_config(&s);
    if (code)
        return code;
    if (cli_has(cli, OPT_LIST))
        return list_ports(&s);
    s.bridges = calloc(BRIDGES_MAX, sizeof(*s.bridges));
    if (!s.bridges)
        return cli_error("out of memory");
    code = open_ports(&s);
    if (!code && s.argument)
        code = print_places(&s);
    if (!code)
        code = bridges_run(cli, s.bridges, s.count);
    for (unsigned i = 0; i < s.count; i++) {
        s.face->close(&s.bridges[i]);
        uw_serial_free(s.bridges[i].port);
    }
    free(s.bridges);
    return code;
}
