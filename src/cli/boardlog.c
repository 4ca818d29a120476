#include "boardlog.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "console.h"
#include "number.h"
#include "style.h"

#define LINE_SIZE    (UW_SYSLOG_STORAGE + 1024)
#define BOARDS_MAX   32
#define CONNECT_MS   2000u
#define NAME_MAX_LEN 280

struct boardlog {
    struct cli *cli;
    struct uw_syslog *receivers[BOARDS_MAX];
    int count;
    struct console *console; /* lines, or records */
    struct console *remarks; /* connections; the same one unless there are records */
    int json, colour, verbose;
    atomic_int settled; /* connections made or failed so far */
    int failing;        /* the last thing said was a failure */
    char line[LINE_SIZE];
};

/* ---- what comes; under the library's lock ---- */

static void
write_line(struct boardlog *log, const struct uw_syslog_message *message)
{
    size_t n = uw_syslog_line(message, log->colour, log->line, sizeof(log->line) - 1);

    log->line[n++] = '\n';
    console_write(log->console, log->line, n);
}

static void
set(json_t *record, const char *key, const char *value)
{
    json_object_set_new(record, key, value ? json_string(value) : json_null());
}

static json_t *
record_of(const struct uw_syslog_message *m)
{
    char time[48], level[] = {m->level, '\0'};
    time_t seconds = (time_t)(m->wall_us / 1000000u);
    struct tm tm;
    size_t n;
    json_t *record = json_object();

    gmtime_r(&seconds, &tm);
    n = strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(time + n, sizeof(time) - n, ".%06uZ", (unsigned)(m->wall_us % 1000000u));
    set(record, "time", time);
    set(record, "source", m->source);
    set(record, "level", m->level ? level : NULL);
    set(record, "uptime", m->uptime);
    set(record, "tag", m->tag);
    set(record, "text", m->text);
    json_object_set_new(record, "facility",
                        m->priority < 0 ? json_null() : json_integer(m->priority >> 3));
    json_object_set_new(record, "severity",
                        m->priority < 0 ? json_null() : json_integer(m->priority & 7));
    set(record, "timestamp", m->timestamp);
    set(record, "hostname", m->hostname);
    set(record, "app_name", m->app_name);
    set(record, "procid", m->procid);
    set(record, "msgid", m->msgid);
    set(record, "structured_data", m->structured_data);
    json_object_set_new(record, "cut", json_boolean(m->flags & UW_SYSLOG_CUT));
    json_object_set_new(record, "junk", json_boolean(m->flags & UW_SYSLOG_JUNK));
    json_object_set_new(record, "transport", json_string(m->flags & UW_SYSLOG_UDP ? "udp" : "tcp"));
    return record;
}

static void
write_record(struct boardlog *log, const struct uw_syslog_message *message)
{
    json_t *record = record_of(message);
    char *text = json_dumps(record, JSON_COMPACT);
    size_t n = text ? strlen(text) : 0;

    json_decref(record);
    if (text) {
        text[n++] = '\n'; /* where the end of the string was */
        console_write(log->console, text, n);
    }
    free(text);
}

/* What is no message is shown and not captured. */
static void
capture(const struct boardlog *log, const struct uw_syslog_message *m)
{
    if (!log->cli->capture || (m->flags & UW_SYSLOG_JUNK))
        return;
    (void)uw_capture_name(log->cli->capture, m->from, m->source);
    (void)uw_capture_syslog(log->cli->capture, m->from, m->to,
                            m->flags & UW_SYSLOG_UDP ? IPPROTO_UDP : IPPROTO_TCP, m->raw,
                            m->raw_size);
}

static void
on_message(void *data, const struct uw_syslog_message *message)
{
    struct boardlog *log = (struct boardlog *)data;

    capture(log, message);
    if (log->json)
        write_record(log, message);
    else
        write_line(log, message);
}

/* Says what changed, not each attempt. */
static void
on_state(void *data, int connected, const char *text)
{
    struct boardlog *log = (struct boardlog *)data;
    char line[640];
    int n, is_news = log->verbose || (connected ? log->failing : !log->failing);

    atomic_fetch_add(&log->settled, 1);
    log->failing = !connected;
    if (!is_news || cli_has(log->cli, OPT_QUIET))
        return;
    n = snprintf(line, sizeof(line), "usbwire: log of %s\n", text);
    console_write(log->remarks, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

/* ---- starting and ending ---- */

static void
on_broken(void *data)
{
    uw_loop_interrupt(((struct cli *)data)->loop);
}

static struct uw_syslog_options
options_of(struct boardlog *log)
{
    return (struct uw_syslog_options){.size = sizeof(struct uw_syslog_options),
                                      .message = on_message,
                                      .state = on_state,
                                      .data = log};
}

int
boardlog_open(struct cli *cli, int json)
{
    struct boardlog *log = calloc(1, sizeof(*log));
    int fd = json ? STDOUT_FILENO : STDERR_FILENO;

    if (!log)
        return cli_error("out of memory");
    cli->boardlog = log;
    log->cli = cli;
    log->json = json;
    log->colour = style_is_wanted(fd);
    log->verbose = cli_has(cli, OPT_VERBOSE);
    log->console = console_open(fd, on_broken, cli);
    log->remarks = json ? console_open(STDERR_FILENO, NULL, NULL) : log->console;
    if (!log->console || !log->remarks)
        return cli_error("the log cannot be shown: out of memory or of descriptors");
    return 0;
}

static int
has_room(const struct boardlog *log)
{
    return log->count < BOARDS_MAX
               ? 1
               : !cli_usage("logs of at most %d boards are shown at a time", BOARDS_MAX);
}

int
boardlog_connect(struct cli *cli, const char *address)
{
    struct boardlog *log = cli->boardlog;
    struct uw_syslog_options options = options_of(log);
    struct uw_fault fault;

    if (!has_room(log))
        return CLI_USAGE;
    if (uw_syslog_connect(cli->loop, address, 0, &options, &log->receivers[log->count], &fault) < 0)
        return cli_fault(&fault, CLI_CONNECTING);
    log->count++;
    return 0;
}

int
boardlog_listen(struct cli *cli, const char *where)
{
    struct boardlog *log = cli->boardlog;
    struct uw_syslog_options options = options_of(log);
    const char *colon = strrchr(where, ':'), *bind = NULL;
    char host[NAME_MAX_LEN];
    struct uw_fault fault;
    uint64_t number;
    uint16_t port;

    if (!number_parse(colon ? colon + 1 : where, 0, 65535, &number))
        return cli_usage("--listen \"%s\" is not [ADDRESS:]PORT", where);
    if (colon) {
        int brackets = where[0] == '[' && colon > where && colon[-1] == ']';

        snprintf(host, sizeof(host), "%.*s", (int)(colon - where) - 2 * brackets, where + brackets);
        bind = host;
    }
    if (!has_room(log))
        return CLI_USAGE;
    if (uw_syslog_listen(cli->loop, bind, (uint16_t)number, &options, &log->receivers[log->count],
                         &port, &fault) < 0)
        return cli_fault(&fault, CLI_CONNECTING);
    log->count++;
    cli_remark(cli, "listening for logs on %s port %u, TCP and UDP", bind ? bind : "all addresses",
               port);
    return 0;
}

int
boardlog_host(const struct cli *cli, char *host, size_t size)
{
    const char *name = uw_server_name(cli->server), *colon = strrchr(name, ':');

    if (!colon || strncmp(name, "unix:", 5) == 0)
        return cli_usage("%s has no log of its own; name the board: --syslog=HOST", name);
    snprintf(host, size, "%.*s", (int)(colon - name), name);
    return 0;
}

/* Until the connection is made or has failed, but not for long. */
static void
await_connection(struct cli *cli)
{
    struct uw_usec until = uw_usec_add(uw_now(), uw_msec(CONNECT_MS)), left;

    while (!atomic_load(&cli->boardlog->settled) && (left = uw_usec_sub(until, uw_now())).us > 0 &&
           uw_loop_wait(cli->loop, left) == 0)
        continue;
}

int
boardlog_start(struct cli *cli)
{
    const char *address = cli_text(cli, OPT_SYSLOG, NULL);
    char host[NAME_MAX_LEN];
    int code = 0;

    if (!address)
        return 0;
    if (!*address) {
        code = boardlog_host(cli, host, sizeof(host));
        address = host;
    }
    if (!code)
        code = boardlog_open(cli, 0);
    if (!code)
        code = boardlog_connect(cli, address);
    if (!code)
        await_connection(cli);
    return code;
}

int
boardlog_is_broken(const struct cli *cli)
{
    return console_is_broken(cli->boardlog->console);
}

void
boardlog_close(struct cli *cli, struct uw_usec linger)
{
    struct boardlog *log = cli->boardlog;
    struct uw_usec until = uw_usec_add(uw_now(), linger), left;

    if (!log)
        return;
    while (!log->failing && (left = uw_usec_sub(until, uw_now())).us > 0 &&
           uw_loop_wait(cli->loop, left) == 0)
        continue;
    for (int i = 0; i < log->count; i++)
        uw_syslog_free(log->receivers[i]);
    if (log->remarks != log->console)
        console_close(log->remarks);
    console_close(log->console);
    free(log);
    cli->boardlog = NULL;
}
