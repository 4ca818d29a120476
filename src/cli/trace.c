#include "trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hexdump.h"

#define DATA_SHOWN 32 /* bytes of payload on a line; all of them with -vvv */

static struct {
    struct uw_tap tap;
    FILE *out;
    struct uw_usec start;
    size_t data_shown;
} trace;

static const char *const type_names[] = {"control", "isochronous", "bulk", "interrupt"};

static void
print_time(const struct uw_tap_event *e, const char *arrow)
{
    uint64_t us = uw_usec_sub(e->when, trace.start).us;

    fprintf(trace.out, "%5" PRIu64 ".%06u %s ", us / 1000000, (unsigned)(us % 1000000), arrow);
}

static void
print_endpoint(const struct uw_tap_event *e)
{
    fprintf(trace.out, " ep 0x%02x %s %s", e->endpoint, type_names[e->type & 3],
            e->endpoint & 0x80 ? "IN" : "OUT");
}

/* The first bytes of the payload. */
static void
print_data(const struct uw_tap_event *e)
{
    size_t total = 0, shown = 0;

    for (int i = 0; i < e->data_count; i++)
        total += e->data[i].iov_len;
    if (!total)
        return;
    fputs(" |", trace.out);
    for (int i = 0; i < e->data_count; i++) {
        const uint8_t *bytes = e->data[i].iov_base;
        for (size_t k = 0; k < e->data[i].iov_len && shown < trace.data_shown; k++, shown++)
            fprintf(trace.out, " %02x", bytes[k]);
    }
    if (shown < total)
        fprintf(trace.out, " ... (%zu bytes)", total);
}

static void
print_iso(const struct uw_tap_event *e)
{
    if (!e->iso_count)
        return;
    fprintf(trace.out, " %" PRIu32 " packets", e->iso_count);
    if (e->kind == UW_TAP_COMPLETE)
        fprintf(trace.out, ", %" PRId32 " failed", e->error_count);
}

/* What a standard request asks for, USB 3.2 tables 9-5 and 9-6. */
static void
print_request(const uint8_t *setup)
{
    static const char *const requests[] = {
        [0] = "GET_STATUS",        [1] = "CLEAR_FEATURE",     [3] = "SET_FEATURE",
        [5] = "SET_ADDRESS",       [6] = "GET_DESCRIPTOR",    [7] = "SET_DESCRIPTOR",
        [8] = "GET_CONFIGURATION", [9] = "SET_CONFIGURATION", [10] = "GET_INTERFACE",
        [11] = "SET_INTERFACE",    [12] = "SYNCH_FRAME"};
    static const struct {
        uint8_t type;
        const char *name;
    } descriptors[] = {{UW_DT_DEVICE, "device"}, {UW_DT_CONFIG, "configuration"},
                       {UW_DT_STRING, "string"}, {UW_DT_DEVICE_QUALIFIER, "qualifier"},
                       {UW_DT_BOS, "BOS"},       {UW_DT_REPORT, "report"}};

    if ((setup[0] & 0x60) || setup[1] >= sizeof(requests) / sizeof(requests[0]) ||
        !requests[setup[1]])
        return;
    fprintf(trace.out, " %s", requests[setup[1]]);
    for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++)
        if (setup[1] == 6 && descriptors[i].type == setup[3])
            fprintf(trace.out, " %s %u", descriptors[i].name, setup[2]);
}

static void
print_submit(const struct uw_tap_event *e)
{
    char setup[64];

    print_time(e, "->");
    fprintf(trace.out, "CMD_SUBMIT seq %" PRIu32, (uint32_t)e->id);
    print_endpoint(e);
    fprintf(trace.out, " %" PRIu32 " bytes", e->length);
    if (e->type == UW_CONTROL) {
        fprintf(trace.out, " setup %s", hexdump_line(setup, sizeof(setup), e->setup, 8, " "));
        print_request(e->setup);
    }
    if (e->flags)
        fprintf(trace.out, " flags 0x%" PRIx32, e->flags);
    if (e->interval)
        fprintf(trace.out, " interval %" PRId32, e->interval);
    print_iso(e);
    print_data(e);
}

static void
print_complete(const struct uw_tap_event *e)
{
    print_time(e, e->local ? "--" : "<-");
    fprintf(trace.out, "RET_SUBMIT seq %" PRIu32, (uint32_t)e->id);
    print_endpoint(e);
    fprintf(trace.out, " status %" PRId32 " %" PRIu32 " bytes", e->status, e->length);
    if (e->local)
        fputs(" (concluded, not received)", trace.out);
    if (e->late)
        fputs(" (late: its caller was answered before)", trace.out);
    print_iso(e);
    print_data(e);
}

static void
print_unlink(const struct uw_tap_event *e)
{
    int answer = e->kind == UW_TAP_UNLINKED;

    print_time(e, answer ? "<-" : "->");
    fprintf(trace.out, "%s seq %" PRIu32 " of seq %" PRIu32, answer ? "RET_UNLINK" : "CMD_UNLINK",
            (uint32_t)e->id, (uint32_t)e->target);
    if (answer)
        fprintf(trace.out, " status %" PRId32, e->status);
}

/* Everything that is not about one URB. */
static void
print_other(const struct uw_tap_event *e)
{
    static const struct {
        enum uw_tap_kind kind;
        const char *arrow, *name;
    } rows[] = {{UW_TAP_OP_REQUEST, "->", ""}, /* their text is their name */
                {UW_TAP_OP_REPLY, "<-", ""},
                {UW_TAP_ATTACHED, "--", "attached"},
                {UW_TAP_REFUSED, "--", "refused"},
                {UW_TAP_DETACHED, "--", "detached"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].kind != e->kind)
            continue;
        print_time(e, rows[i].arrow);
        fputs(rows[i].name, trace.out);
        if (e->kind == UW_TAP_REFUSED)
            print_endpoint(e);
        if (e->status)
            fprintf(trace.out, " status %" PRId32, e->status);
    }
}

static void
print_event(void *data, const struct uw_tap_event *e)
{
    int is_op = e->kind == UW_TAP_OP_REQUEST || e->kind == UW_TAP_OP_REPLY;

    (void)data;
    if (e->kind == UW_TAP_SUBMIT)
        print_submit(e);
    else if (e->kind == UW_TAP_COMPLETE)
        print_complete(e);
    else if (e->kind == UW_TAP_UNLINK || e->kind == UW_TAP_UNLINKED)
        print_unlink(e);
    else
        print_other(e);
    if (e->text)
        fprintf(trace.out, is_op ? "%s" : ": %s", e->text);
    fprintf(trace.out, " [%s%s%s]\n", e->source->host, *e->source->busid ? " " : "",
            e->source->busid);
}

int
trace_start(struct cli *cli)
{
    const char *wish = getenv("USBWIRE_TRACE");
    uint64_t verbose = cli_number(cli, OPT_VERBOSE, 0);
    int to_file = wish && *wish && strcmp(wish, "0") != 0 && strcmp(wish, "1") != 0;

    if (!to_file && verbose < 2 && !(wish && strcmp(wish, "1") == 0))
        return 0;
    trace.out = to_file ? fopen(wish, "we") : stderr;
    if (!trace.out)
        return cli_error("the trace file %s (USBWIRE_TRACE) cannot be written: %s", wish,
                         strerror(errno));
    setvbuf(trace.out, NULL, _IOLBF, 0);
    trace.tap = (struct uw_tap){.version = UW_TAP_VERSION, .event = print_event};
    trace.start = uw_now();
    trace.data_shown = verbose >= 3 ? SIZE_MAX : DATA_SHOWN;
    if (uw_loop_add_tap(cli->loop, &trace.tap) < 0)
        return cli_error("out of memory");
    return 0;
}

void
trace_stop(struct cli *cli)
{
    if (!trace.out)
        return;
    uw_loop_remove_tap(cli->loop, &trace.tap);
    if (trace.out != stderr && fclose(trace.out) != 0)
        cli_error("the trace file could not be written: %s", strerror(errno));
    trace.out = NULL;
}
