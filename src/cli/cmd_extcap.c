/*
 * cmd_extcap.c - usbwire extcap: running programs' USB traffic on Wireshark's start page
 *
 * Wireshark runs what lies in its extcap folder: first to ask which interfaces there are, then,
 * when one was chosen, to write a capture into a FIFO until it is told to stop. Nothing here may
 * take long: Wireshark waits while it starts. (Wireshark's doc/extcap.adoc has the protocol.)
 */
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "extcap_folder.h"

#define ALL_SERVERS   "usbwire"
#define ONE_SERVER    "usbip-"
#define SERVERS_MAX   64
#define NAME_MAX_LEN  300
#define LOOK_MS       120u /* for running programs to say which servers they use */
#define ASK_MS        100u /* for servers to answer on the network */
#define LIST_MS       300u
#define READER_MS     200u /* how often to see whether Wireshark is still there */
#define LINK_TYPE_220 "dlt {number=220}{name=USB_LINUX_MMAPPED}{display=USB with Linux header}\n"

/* ---- names of interfaces: a server's, with '_' and two hex digits for what is no letter ---- */

static void
put_interface(const char *server, char *dst, size_t size)
{
    size_t n = (size_t)snprintf(dst, size, "%s", ONE_SERVER);

    for (; *server && n + 4 < size; server++) {
        unsigned char c = (unsigned char)*server;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '.' || c == '-')
            dst[n++] = (char)c;
        else
            n += (size_t)snprintf(dst + n, size - n, "_%02x", c);
    }
    dst[n] = '\0';
}

/* The server of an interface's name, "" for all of them. 0, or an exit code after a message. */
static int
read_interface(const char *name, char *dst, size_t size)
{
    size_t n = 0;

    dst[0] = '\0';
    if (strcmp(name, ALL_SERVERS) == 0)
        return 0;
    if (strncmp(name, ONE_SERVER, sizeof(ONE_SERVER) - 1) != 0)
        return cli_usage("there is no interface %s; see usbwire extcap --extcap-interfaces", name);
    for (name += sizeof(ONE_SERVER) - 1; *name && n + 1 < size; name++) {
        unsigned c;

        if (*name == '_' && sscanf(name + 1, "%2x", &c) == 1 && name[1] && name[2]) {
            dst[n++] = (char)c;
            name += 2;
        } else {
            dst[n++] = *name;
        }
    }
    dst[n] = '\0';
    return 0;
}

/* ---- which servers there are ---- */

struct servers {
    char names[SERVERS_MAX][NAME_MAX_LEN];
    unsigned count;
};

static void
add_server(struct servers *s, const char *name, size_t n)
{
    char one[NAME_MAX_LEN];

    if (!n || n >= sizeof(one) || s->count == SERVERS_MAX)
        return;
    memcpy(one, name, n);
    one[n] = '\0';
    for (unsigned i = 0; i < s->count; i++)
        if (strcmp(s->names[i], one) == 0)
            return;
    snprintf(s->names[s->count++], NAME_MAX_LEN, "%s", one);
}

/* With its port, as programs' captures name it; where that makes no sense, not at all. */
static void
add_configured(struct servers *s, const char *name, size_t n)
{
    struct uw_loop *loop;
    struct uw_server *server;
    char one[NAME_MAX_LEN];

    if (!n || n >= sizeof(one) || uw_loop_new(NULL, &loop) < 0)
        return;
    memcpy(one, name, n);
    one[n] = '\0';
    if (uw_server_new(loop, one, 0, &server, NULL) == 0) {
        add_server(s, uw_server_name(server), strlen(uw_server_name(server)));
        uw_server_free(server);
    }
    uw_loop_free(loop);
}

static void
add_list(struct servers *s, const char *list)
{
    static const char between[] = " ,\t\n";

    while (list && *list) {
        size_t n = strcspn(list, between);

        add_configured(s, list, n);
        list += n;
        list += strspn(list, between);
    }
}

/* The lines "servers = ..." of a file. */
static void
add_file(struct servers *s, const char *path)
{
    FILE *in = fopen(path, "re");
    char line[1024];

    while (in && fgets(line, sizeof(line), in)) {
        const char *p = line + strspn(line, " \t");

        if (strncmp(p, "servers", 7) != 0)
            continue;
        p += 7;
        p += strspn(p, " \t");
        if (*p == '=')
            add_list(s, p + 1 + strspn(p + 1, " \t"));
    }
    if (in)
        fclose(in);
}

static void
add_config(struct servers *s)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char path[PATH_MAX];

    if (config && *config == '/')
        snprintf(path, sizeof(path), "%s/usbwire.conf", config);
    else
        snprintf(path, sizeof(path), "%s/.config/usbwire.conf", home ? home : "");
    add_file(s, path);
}

/* Servers of running programs: they connect and say so. */
static void
add_running(struct servers *s)
{
    struct uw_usec until = uw_usec_add(uw_now(), uw_msec(LOOK_MS));
    struct uw_monitor_record record;
    struct uw_monitor *monitor;
    const char *name;

    if (uw_monitor_new(&monitor, NULL) < 0)
        return;
    while (uw_monitor_next(monitor, uw_usec_sub(until, uw_now()), &record) == 1)
        if (uw_now().us >= until.us)
            break;
    for (unsigned i = 0; (name = uw_monitor_server(monitor, i)); i++)
        add_server(s, name, strlen(name));
    uw_monitor_free(monitor);
}

/* Servers that say on the network what they are; most answer within some milliseconds. */
static void
add_discovered(struct servers *s)
{
    struct uw_usec until = uw_usec_add(uw_now(), uw_msec(ASK_MS));
    struct uw_discover_event event;
    struct uw_discover *discover;
    struct uw_loop *loop;

    if (uw_loop_new(NULL, &loop) < 0)
        return;
    if (uw_discover_new(loop, NULL, &discover, NULL) == 0) {
        while (uw_discover_next(discover, uw_usec_sub(until, uw_now()), &event) == 1)
            if (event.change == UW_DISCOVER_ADDED)
                add_server(s, event.server->address, strlen(event.server->address));
        uw_discover_free(discover);
    }
    uw_loop_free(loop);
}

static int
print_interfaces(void)
{
    struct servers *s = calloc(1, sizeof(*s));
    char name[3 * NAME_MAX_LEN];

    if (!s)
        return cli_error("out of memory");
    add_running(s);
    add_list(s, getenv("USBWIRE_SERVERS"));
    add_list(s, getenv("USBWIRE_HOST"));
    add_config(s);
    add_discovered(s);
    printf("extcap {version=%s}{display=USB/IP capture}\n", uw_version());
    printf("interface {value=%s}{display=USB/IP: all servers}\n", ALL_SERVERS);
    for (unsigned i = 0; i < s->count; i++) {
        put_interface(s->names[i], name, sizeof(name));
        printf("interface {value=%s}{display=USB/IP: %s}\n", name, s->names[i]);
    }
    free(s);
    return 0;
}

/* ---- options of an interface ---- */

static int
print_devices(const char *address)
{
    struct uw_device_list *list = NULL;
    struct uw_server *server = NULL;
    struct uw_loop *loop;

    if (!*address || uw_loop_new(NULL, &loop) < 0)
        return 0;
    if (uw_server_new(loop, address, 0, &server, NULL) == 0 &&
        uw_server_list(server, uw_msec(LIST_MS), &list, NULL) == 0)
        for (unsigned i = 0; i < uw_device_list_count(list); i++) {
            const struct uw_device_info *info = uw_device_list_get(list, i);

            printf("value {arg=0}{value=%s}{display=%s (%04x:%04x)}\n", info->busid, info->busid,
                   info->vid, info->pid);
        }
    uw_device_list_free(list);
    uw_server_free(server);
    uw_loop_free(loop);
    return 0;
}

static int
print_config(const struct cli *cli, const char *server)
{
    const char *reload = cli_text(cli, OPT_EXTCAP_RELOAD_OPTION, NULL);

    if (!reload) {
        printf("arg {number=0}{call=--busid}{display=Device}{type=selector}{reload=true}"
               "{placeholder=Ask the server}{tooltip=Only this device of the server}\n");
        if (*server)
            printf("arg {number=1}{call=--syslog}{display=The board's log}{type=boolflag}"
                   "{default=false}{tooltip=Also capture what the board logs (TCP port %d)}\n",
                   UW_SYSLOG_PORT);
    }
    printf("value {arg=0}{value=}{display=all devices}{default=true}\n");
    return reload ? print_devices(server) : 0;
}

/* ---- capturing ---- */

static void
wake(void *data)
{
    uw_monitor_interrupt((struct uw_monitor *)data);
}

static void
take_log(void *data, const struct uw_syslog_message *m)
{
    if (m->flags & UW_SYSLOG_JUNK)
        return;
    (void)uw_capture_name((struct uw_capture *)data, m->from, m->source);
    (void)uw_capture_syslog((struct uw_capture *)data, m->from, m->to, IPPROTO_TCP, m->raw,
                            m->raw_size);
}

/* The log of the board at `server`, on the port of logs. */
static int
start_log(struct cli *cli, const char *server, struct uw_syslog **ret_log)
{
    struct uw_syslog_options options = {
        .size = sizeof(options), .message = take_log, .data = cli->capture};
    const char *colon = strrchr(server, ':');
    struct uw_fault fault;
    char host[NAME_MAX_LEN];

    snprintf(host, sizeof(host), "%.*s", colon ? (int)(colon - server) : (int)strlen(server),
             server);
    if (uw_syslog_connect(
            cli->loop, cli_text(cli, OPT_SYSLOG, host)[0] ? cli_text(cli, OPT_SYSLOG, host) : host,
            0, &options, ret_log, &fault) < 0)
        return cli_fault(&fault, CLI_CONNECTING);
    return 0;
}

/* 1 when Wireshark has been there and has gone. */
static int
is_left(const struct cli *cli)
{
    struct uw_capture_stats stats;

    uw_capture_stats(cli->capture, &stats);
    return stats.readers && !stats.reader;
}

static int
forward(struct cli *cli, struct uw_monitor *monitor, const char *server)
{
    const char *busid = cli_text(cli, OPT_BUSID, "");
    struct uw_monitor_record record;
    int r;

    while (!cli_interrupted()) {
        r = uw_monitor_next(monitor, uw_msec(READER_MS), &record);
        if (r == 0 && is_left(cli))
            break;
        if (r != 1 || (*server && strcmp(server, record.server) != 0) ||
            (*busid && strcmp(busid, record.busid) != 0))
            continue;
        if (uw_capture_forward(cli->capture, &record) < 0)
            return cli_error("out of memory");
    }
    return 0;
}

static int
capture(struct cli *cli, const char *server)
{
    const char *fifo = cli_text(cli, OPT_FIFO, NULL);
    struct uw_monitor *monitor = NULL;
    struct uw_syslog *log = NULL;
    struct uw_fault fault;
    int code = 0;

    if (!fifo)
        return cli_usage("--capture needs --fifo FILE");
    if (uw_loop_new(NULL, &cli->loop) < 0)
        return cli_error("out of memory");
    if (uw_monitor_new(&monitor, &fault) < 0 ||
        uw_capture_open(fifo, NULL, &cli->capture, &fault) < 0) {
        uw_monitor_free(monitor);
        return cli_fault(&fault, CLI_USING);
    }
    cli_catch_interrupts(wake, monitor);
    /* Wireshark wants an interface before anything happens. */
    if (uw_capture_attach(cli->capture, cli->loop) < 0 ||
        (*server && (uw_server_new(cli->loop, server, 0, &cli->server, NULL) < 0 ||
                     uw_capture_add_server(cli->capture, cli->server) < 0)))
        code = cli_error("the capture cannot be started");
    if (!code && *server && cli_has(cli, OPT_SYSLOG))
        code = start_log(cli, server, &log);
    if (!code)
        code = forward(cli, monitor, server);
    uw_syslog_free(log);
    cli_catch_interrupts(NULL, NULL);
    uw_monitor_free(monitor);
    return code;
}

/* ---- the command ---- */

int
cmd_extcap(struct cli *cli)
{
    char server[NAME_MAX_LEN];
    int code;

    if (cli_has(cli, OPT_INSTALL))
        return extcap_install(cli);
    if (cli_has(cli, OPT_UNINSTALL))
        return extcap_uninstall(cli);
    if (cli_has(cli, OPT_EXTCAP_CLEANUP_POSTKILL))
        return 0;
    if (cli_has(cli, OPT_EXTCAP_INTERFACES))
        return print_interfaces();
    if (!cli_has(cli, OPT_EXTCAP_INTERFACE))
        return cli_usage("Wireshark calls this; for its start page: usbwire extcap --install");
    code = read_interface(cli_text(cli, OPT_EXTCAP_INTERFACE, ""), server, sizeof(server));
    if (code)
        return code;
    if (cli_has(cli, OPT_EXTCAP_DLTS))
        return fputs(LINK_TYPE_220, stdout) < 0 ? CLI_FAILED : 0;
    if (cli_has(cli, OPT_EXTCAP_CONFIG))
        return print_config(cli, server);
    if (cli_has(cli, OPT_CAPTURE))
        return capture(cli, server);
    if (*cli_text(cli, OPT_EXTCAP_CAPTURE_FILTER, ""))
        puts("USB/IP captures have no capture filter; use a display filter");
    return 0;
}
