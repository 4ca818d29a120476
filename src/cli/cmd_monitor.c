/*
 * cmd_monitor.c - usbwire monitor: what running programs exchange with their devices, as it happens
 *
 * Lines are those of usbmon's text interface (Documentation/usb/usbmon.rst of Linux) with the time
 * and the device in front and what it means behind.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "decode.h"
#include "hexdump.h"
#include "json.h"
#include "style.h"

#define DATA_SHOWN   32
#define DEVICES_MAX  64
#define PENDING_SIZE 4096 /* a power of two */

/* A device of a program, and what decodes it. */
struct watched {
    uint32_t stream, section;
    uint16_t bus;
    uint8_t address;
    struct decoder decoder;
};

/* A submission, for its completion; a later one may have taken its place. */
struct pending {
    uint32_t stream;
    uint64_t id, stamp;
    uint8_t setup[8];
};

struct monitor {
    struct cli *cli;
    struct uw_monitor *source;
    struct watched devices[DEVICES_MAX];
    unsigned next_device;
    struct pending pending[PENDING_SIZE];
    size_t data_shown;
    int colour;
};

/* ---- what is known of a record ---- */

static struct decoder *
decoder_of(struct monitor *m, const struct uw_monitor_record *r)
{
    struct watched *w;

    for (unsigned i = 0; i < DEVICES_MAX; i++) {
        w = &m->devices[i];
        if (w->stream == r->stream && w->section == r->section && w->bus == r->bus &&
            w->address == r->address)
            return &w->decoder;
    }
    w = &m->devices[m->next_device++ % DEVICES_MAX];
    *w = (struct watched){
        .stream = r->stream, .section = r->section, .bus = r->bus, .address = r->address};
    return &w->decoder;
}

static struct pending *
place_of(struct monitor *m, const struct uw_monitor_record *r)
{
    uint64_t hash = (r->id ^ (uint64_t)r->stream << 40) * 0x9e3779b97f4a7c15u;

    return &m->pending[hash >> 40 & (PENDING_SIZE - 1)];
}

static void
remember(struct monitor *m, const struct uw_monitor_record *r)
{
    struct pending *p = place_of(m, r);

    *p = (struct pending){.stream = r->stream, .id = r->id, .stamp = r->stamp};
    memcpy(p->setup, r->setup, sizeof(p->setup));
}

static const struct pending *
submission_of(struct monitor *m, const struct uw_monitor_record *r)
{
    const struct pending *p = place_of(m, r);

    return p->stream == r->stream && p->id == r->id ? p : NULL;
}

/* What it means, or "". */
static char *
meaning(struct monitor *m, const struct uw_monitor_record *r, const struct pending *p, char *dst,
        size_t size)
{
    struct decoder *d = decoder_of(m, r);

    dst[0] = '\0';
    if (r->type != UW_CONTROL)
        return r->data ? decode_data(d, r->endpoint, r->data, r->data_size, dst, size) : dst;
    if (r->kind == 'S') {
        size_t n = strlen(decode_request(d, r->setup, dst, size));

        if (r->data && n + 2 < size &&
            *decode_answer(d, r->setup, r->data, r->data_size, dst + n + 1, size - n - 1))
            dst[n] = ' ';
    } else if (p && r->data) {
        decode_learn(d, p->setup, r->data, r->data_size);
        decode_answer(d, p->setup, r->data, r->data_size, dst, size);
    }
    return dst;
}

static const char *
status_name(int32_t status)
{
    const char *name = status < 0 ? strerrorname_np(-status) : NULL;

    return name ? name : "";
}

/* ---- filters ---- */

static int
has_name(const char *wanted, const char *name)
{
    size_t n;

    if (!wanted)
        return 1;
    n = strlen(wanted);
    return strncmp(wanted, name, n) == 0 && (name[n] == '\0' || name[n] == ':');
}

static int
is_wanted(const struct cli *cli, const struct uw_monitor_record *r)
{
    const char *busid = cli_text(cli, OPT_BUSID, NULL);

    return has_name(cli_text(cli, OPT_HOST, NULL), r->server) &&
           (!busid || strcmp(busid, r->busid) == 0) &&
           (!cli_has(cli, OPT_VID) || cli_number(cli, OPT_VID, 0) == r->vid) &&
           (!cli_has(cli, OPT_PID) || cli_number(cli, OPT_PID, 0) == r->pid) &&
           (!cli_has(cli, OPT_ENDPOINT) || cli_number(cli, OPT_ENDPOINT, 0) == r->endpoint ||
            (!(cli_number(cli, OPT_ENDPOINT, 0) & 0x7f) && r->type == UW_CONTROL));
}

/* ---- text ---- */

static void
put_words(FILE *out, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        fprintf(out, "%s%02x", i % 4 == 0 ? " " : "", bytes[i]);
}

static void
put_data(const struct monitor *m, const struct uw_monitor_record *r)
{
    size_t shown = r->data_size < m->data_shown ? r->data_size : m->data_shown;

    if (!r->data) {
        if (r->length && r->kind != 'E')
            fputs(r->kind == 'S' ? " <" : r->endpoint & 0x80 ? "" : " >", stdout);
        return;
    }
    fputs(" =", stdout);
    put_words(stdout, r->data, shown);
    if (shown < r->data_total)
        fputs(" ...", stdout);
}

static void
put_time(uint64_t stamp)
{
    time_t seconds = (time_t)(stamp / 1000000000u);
    struct tm tm;
    char text[16];

    localtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%H:%M:%S", &tm);
    printf("%s.%06u ", text, (unsigned)(stamp % 1000000000u / 1000u));
}

static void
put_numbers(const struct uw_monitor_record *r)
{
    const uint8_t *s = r->setup;

    if (r->kind == 'S' && r->type == UW_CONTROL)
        printf(" s %02x %02x %02x%02x %02x%02x %02x%02x", s[0], s[1], s[3], s[2], s[5], s[4], s[7],
               s[6]);
    else if (r->kind != 'S')
        printf(" %" PRId32, r->status);
    if (r->type == UW_ISOCHRONOUS && r->kind != 'E')
        printf(" %" PRIu32 "*%" PRIu32, r->iso_count, r->error_count);
    printf(" %" PRIu32, r->length);
}

static void
print_text(struct monitor *m, const struct uw_monitor_record *r)
{
    static const char types[] = {
        [UW_CONTROL] = 'C', [UW_ISOCHRONOUS] = 'Z', [UW_BULK] = 'B', [UW_INTERRUPT] = 'I'};
    const struct pending *p = r->kind == 'S' ? NULL : submission_of(m, r);
    const char *off = m->colour ? "\033[0m" : "";
    const char *on = !m->colour                    ? ""
                     : r->kind != 'S' && r->status ? "\033[31m"
                     : r->kind == 'S'              ? "\033[2m"
                                                   : "";
    char text[DECODE_MAX];

    put_time(r->stamp);
    printf("%s%c %c%c:%u:%03u:%u", on, r->kind, types[r->type & 3], r->endpoint & 0x80 ? 'i' : 'o',
           r->bus, r->address, r->endpoint & 0x0fu);
    put_numbers(r);
    put_data(m, r);
    fputs(off, stdout);
    meaning(m, r, p, text, sizeof(text));
    if (*text)
        printf("  %s%s%s", m->colour ? "\033[36m" : "", text, off);
    if (r->kind != 'S' && r->status && *status_name(r->status))
        printf("  %s", status_name(r->status));
    if (p && r->stamp >= p->stamp)
        printf("  +%" PRIu64 " us", (r->stamp - p->stamp) / 1000u);
    if (r->comment)
        printf("  (%s)", r->comment);
    putchar('\n');
}

/* ---- JSON ---- */

static void
set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

static int
print_json(struct monitor *m, const struct uw_monitor_record *r)
{
    static const char *const types[] = {"control", "isochronous", "bulk", "interrupt"};
    static const char *const kinds[] = {"submit", "complete", "error"};
    const struct pending *p = r->kind == 'S' ? NULL : submission_of(m, r);
    char text[DECODE_MAX];
    json_t *o = json_object();
    int code = 0;

    set(o, "time", json_real((double)r->stamp / 1e9));
    set(o, "process", json_integer(r->process));
    set(o, "program", json_string(r->program));
    set(o, "server", json_string(r->server));
    set(o, "busid", *r->busid ? json_string(r->busid) : json_null());
    set(o, "bus", json_integer(r->bus));
    set(o, "address", json_integer(r->address));
    set(o, "event", json_string(kinds[r->kind == 'S' ? 0 : r->kind == 'C' ? 1 : 2]));
    set(o, "id", json_integer((json_int_t)r->id));
    set(o, "type", json_string(types[r->type & 3]));
    set(o, "endpoint", json_integer(r->endpoint));
    set(o, "status", r->kind == 'S' ? json_null() : json_integer(r->status));
    set(o, "length", json_integer(r->length));
    if (r->kind == 'S' && r->type == UW_CONTROL)
        set(o, "setup", json_bytes(r->setup, sizeof(r->setup)));
    if (r->data)
        set(o, "data", json_bytes(r->data, r->data_size));
    if (r->type == UW_ISOCHRONOUS)
        set(o, "packets", json_integer(r->iso_count));
    if (p && r->stamp >= p->stamp)
        set(o, "us", json_integer((json_int_t)((r->stamp - p->stamp) / 1000u)));
    if (*meaning(m, r, p, text, sizeof(text)))
        set(o, "meaning", json_string(text));
    if (r->comment)
        set(o, "comment", json_string(r->comment));
    if (!o || json_dumpf(o, stdout, JSON_COMPACT) < 0)
        code = cli_error("the record could not be written");
    json_decref(o);
    putchar('\n');
    return code;
}

/* ---- the command ---- */

static void
wake(void *data)
{
    uw_monitor_interrupt((struct uw_monitor *)data);
}

/* A record: 0, or an exit code. */
static int
show(struct monitor *m, const struct uw_monitor_record *r, uint64_t *count)
{
    char text[DECODE_MAX];
    int code = 0;

    if (!is_wanted(m->cli, r)) {
        /* What it says of its device is learnt all the same. */
        meaning(m, r, r->kind == 'S' ? NULL : submission_of(m, r), text, sizeof(text));
    } else if (cli_has(m->cli, OPT_JSON)) {
        code = print_json(m, r);
        ++*count;
    } else {
        print_text(m, r);
        ++*count;
    }
    if (r->kind == 'S')
        remember(m, r);
    return code;
}

static int
run(struct monitor *m)
{
    uint64_t most = cli_number(m->cli, OPT_COUNT, 0), count = 0;
    struct uw_usec timeout = cli_time(m->cli, OPT_TIMEOUT, uw_never());
    struct uw_monitor_record record;
    int code = 0, r;

    if (!timeout.us)
        timeout = uw_never();
    while (!code && !cli_interrupted() && (!most || count < most)) {
        r = uw_monitor_next(m->source, uw_usec(0), &record);
        if (r == 0) {
            /* Nothing more for now: what was printed is to be seen. */
            code = cli_flush();
            r = code ? 0 : uw_monitor_next(m->source, timeout, &record);
            if (r == 0)
                break;
        }
        if (r == 1)
            code = show(m, &record, &count);
    }
    return code ? code : cli_flush();
}

int
cmd_monitor(struct cli *cli)
{
    struct monitor *m = calloc(1, sizeof(*m));
    struct uw_fault fault;
    int code;

    if (!m)
        return cli_error("out of memory");
    m->cli = cli;
    m->data_shown = cli_has(cli, OPT_VERBOSE) ? SIZE_MAX : DATA_SHOWN;
    m->colour = style_is_wanted(STDOUT_FILENO);
    if (uw_monitor_new(&m->source, &fault) < 0) {
        free(m);
        return cli_fault(&fault, CLI_USING);
    }
    cli_catch_interrupts(wake, m->source);
    cli_remark(cli, "looking on at the usbwire programs of this user; Ctrl-C ends it");
    code = run(m);
    cli_catch_interrupts(NULL, NULL);
    uw_monitor_free(m->source);
    free(m);
    return code;
}
