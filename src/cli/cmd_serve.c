/*
 * cmd_serve.c - usbwire serve: the simulated bench as a server
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <usbwire/sim.h>

#include "cli.h"
#include "json.h"

static const char *
default_word(unsigned index)
{
    return uw_sim_device_default(index) ? "" : " (only when named)";
}

static int
print_catalogue_json(void)
{
    json_t *devices = json_array(), *personalities = json_array();

    for (unsigned i = 0; uw_sim_device_name(i); i++)
        json_array_append_new(devices, json_pack("{ss ss sb}", "name", uw_sim_device_name(i),
                                                 "text", uw_sim_device_text(i), "default",
                                                 uw_sim_device_default(i)));
    for (unsigned i = 0; uw_sim_personality_name(i); i++)
        json_array_append_new(personalities,
                              json_pack("{ss ss}", "name", uw_sim_personality_name(i), "text",
                                        uw_sim_personality_text(i)));
    return json_print(json_pack("{so so}", "devices", devices, "personalities", personalities));
}

static int
print_catalogue(const struct cli *cli)
{
    if (cli_has(cli, OPT_JSON))
        return print_catalogue_json();
    printf("devices:\n");
    for (unsigned i = 0; uw_sim_device_name(i); i++)
        printf("  %-13s %s%s\n", uw_sim_device_name(i), uw_sim_device_text(i), default_word(i));
    printf("personalities:\n");
    for (unsigned i = 0; uw_sim_personality_name(i); i++)
        printf("  %-13s %s\n", uw_sim_personality_name(i), uw_sim_personality_text(i));
    return cli_flush();
}

/* ---- putting the bench together ---- */

/* A specification that makes no sense is the command line's fault, whatever is wrong with it. */
static int
refuse(const struct uw_fault *fault)
{
    cli_fault(fault, CLI_CHOOSING);
    return fault->code == UW_ERROR_NO_MEMORY ? CLI_FAILED : CLI_USAGE;
}

static int
add_devices(const struct cli *cli, struct uw_sim *sim)
{
    struct uw_fault fault;
    const char *text;

    for (size_t n = 0; (text = cli_nth(cli, OPT_DEVICE, n)); n++)
        if (uw_sim_add(sim, text, &fault) < 0)
            return refuse(&fault);
    if (cli_has(cli, OPT_DEVICE))
        return 0;
    for (unsigned i = 0; uw_sim_device_name(i); i++)
        if (uw_sim_device_default(i) && uw_sim_add(sim, uw_sim_device_name(i), &fault) < 0)
            return refuse(&fault);
    return 0;
}

static int
add_failures(const struct cli *cli, struct uw_sim *sim)
{
    struct uw_fault fault;
    const char *text;

    for (size_t n = 0; (text = cli_nth(cli, OPT_FAIL, n)); n++)
        if (uw_sim_fail(sim, text, &fault) < 0)
            return refuse(&fault);
    return 0;
}

static int
assemble(const struct cli *cli, struct uw_sim *sim)
{
    const char *personality = cli_text(cli, OPT_PERSONALITY, "linux");
    int code;

    if (uw_sim_set_personality(sim, personality) < 0)
        return cli_usage("--personality \"%s\" is unknown; `usbwire serve --list` shows those "
                         "that there are",
                         personality);
    uw_sim_set_latency(sim, cli_time(cli, OPT_LATENCY, uw_usec(0)),
                       cli_time(cli, OPT_JITTER, uw_usec(0)));
    code = add_devices(cli, sim);
    return code ? code : add_failures(cli, sim);
}

/* ---- saying what is there ---- */

static json_t *
device_json(const char *name, const struct uw_device_info *info)
{
    json_t *value = json_info(info);

    if (value) {
        json_object_set_new(value, "name", json_string(name));
        json_object_del(value, "interfaces"); /* uw_sim_device_at leaves them out */
    }
    return value;
}

/* One line, so that a script can read it without waiting for the end. */
static int
announce_json(struct uw_sim *sim, const char *address, uint16_t port, uint16_t log_port)
{
    json_t *devices = json_array(), *value;
    struct uw_device_info info;
    const char *name;
    int r;

    for (unsigned i = 0; (name = uw_sim_device_at(sim, i, &info)); i++)
        json_array_append_new(devices, device_json(name, &info));
    value = json_pack("{ss si so}", "address", address, "port", port, "devices", devices);
    if (value && log_port)
        json_object_set_new(value, "syslog_port", json_integer(log_port));
    if (!value)
        return cli_error("out of memory");
    r = json_dumpf(value, stdout, JSON_COMPACT);
    json_decref(value);
    if (r < 0 || putchar('\n') < 0)
        return cli_flush() ? CLI_FAILED : cli_error("the result could not be written as JSON");
    return cli_flush();
}

static int
announce(const struct cli *cli, struct uw_sim *sim, const char *address, uint16_t port,
         uint16_t log_port)
{
    struct uw_device_info info;
    const char *name;

    if (cli_has(cli, OPT_JSON))
        return announce_json(sim, address, port, log_port);
    printf(strchr(address, ':') ? "listening on [%s]:%u\n" : "listening on %s:%u\n", address, port);
    for (unsigned i = 0; (name = uw_sim_device_at(sim, i, &info)); i++)
        printf("  %-8s %04x:%04x %-10s %s\n", info.busid, info.vid, info.pid,
               uw_speed_name(info.speed), name);
    if (log_port)
        printf("log on port %u\n", log_port);
    return cli_flush();
}

/* ---- running ---- */

static void
stop(void *data)
{
    uw_sim_stop((struct uw_sim *)data);
}

/* Whoever started this holds the other end of standard input, and lets go of it by dying too. */
static void *
wait_for_eof(void *data)
{
    char waste[512];

    while (read(STDIN_FILENO, waste, sizeof(waste)) > 0)
        continue;
    uw_sim_stop((struct uw_sim *)data);
    return NULL;
}

static int
run(const struct cli *cli, struct uw_sim *sim)
{
    pthread_t reader = 0;
    int until_eof = cli_has(cli, OPT_UNTIL_EOF), r;

    if (until_eof && pthread_create(&reader, NULL, wait_for_eof, sim) != 0)
        return cli_error("the thread that reads standard input could not be started");
    r = uw_sim_run(sim);
    if (until_eof) {
        pthread_cancel(reader);
        pthread_join(reader, NULL);
    }
    return r < 0 ? cli_error("the server stopped: %s", uw_error_text(r)) : CLI_DONE;
}

static int
serve(const struct cli *cli, struct uw_sim *sim)
{
    const char *address = cli_text(cli, OPT_BIND, "127.0.0.1");
    uint16_t port = (uint16_t)cli_number(cli, OPT_PORT, UW_DEFAULT_PORT);
    uint16_t log_port = (uint16_t)cli_number(cli, OPT_SYSLOG_PORT, 0);
    struct uw_fault fault;
    int code = assemble(cli, sim);

    if (code)
        return code;
    if (uw_sim_listen(sim, address, port, &port, &fault) < 0)
        return cli_fault(&fault, CLI_CONNECTING);
    if (cli_has(cli, OPT_SYSLOG_PORT) &&
        uw_sim_log_listen(sim, address, log_port, &log_port, &fault) < 0)
        return cli_fault(&fault, CLI_CONNECTING);
    if (cli_has(cli, OPT_MDNS)) {
        const char *name = cli_text(cli, OPT_MDNS, "");

        if (uw_sim_advertise(sim, *name ? name : NULL, cli_text(cli, OPT_BOARD_ID, NULL), &fault) <
            0)
            return cli_fault(&fault, CLI_CONNECTING);
    }
    cli_catch_interrupts(stop, sim);
    code = announce(cli, sim, address, port, log_port);
    if (!code)
        code = run(cli, sim);
    cli_catch_interrupts(NULL, NULL);
    return code;
}

static void
write_log(void *data, int level, const char *line)
{
    static const char *const words[] = {"error", "warning", "note", "debug"};

    cli_remark((const struct cli *)data, "%s: %s", words[level], line);
}

int
cmd_serve(struct cli *cli)
{
    struct uw_log log = {.level = UW_LOG_WARNING, .write = write_log, .data = cli};
    struct uw_sim *sim;
    int code;

    if (cli_has(cli, OPT_LIST))
        return print_catalogue(cli);
    if (cli_has(cli, OPT_VERBOSE))
        log.level = cli_number(cli, OPT_VERBOSE, 0) > 1 ? UW_LOG_DEBUG : UW_LOG_INFO;
    if (uw_sim_new(&log, &sim) < 0)
        return cli_error("the simulated bench could not be made: out of memory or of descriptors");
    code = serve(cli, sim);
    uw_sim_free(sim);
    return code;
}
