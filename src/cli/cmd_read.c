/*
 * cmd_read.c - usbwire read: bulk, interrupt and isochronous IN, several transfers in flight
 */
#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "hexdump.h"
#include "json.h"
#include "move.h"
#include "stream.h"

#define AHEAD_SIZE  (1u << 20) /* bytes asked for ahead, unless one transfer is more */
#define ISO_PACKETS 8          /* in a transfer when --length is not given */

struct reading {
    struct stream stream;
    uint64_t wanted, submitted; /* transfers; wanted 0: no end */
};

static void
print_packets_raw(const struct uw_urb *urb, const uint8_t *data)
{
    for (unsigned i = 0; i < uw_urb_iso_count(urb); i++) {
        const struct uw_iso_packet *p = uw_urb_iso_packet(urb, i);
        fwrite(data + p->offset, 1, p->actual, stdout);
    }
}

static void
print_text(const struct reading *r, const struct uw_urb *urb, const uint8_t *data)
{
    const struct stream *s = &r->stream;
    uint64_t offset = s->bytes - uw_urb_actual_length(urb);

    if (r->wanted != 1 && !cli_has(s->cli, OPT_QUIET))
        printf("transfer %" PRIu64 ": %zu bytes\n", s->count, uw_urb_actual_length(urb));
    if (!uw_urb_iso_count(urb))
        hexdump(stdout, offset, data, uw_urb_actual_length(urb));
    for (unsigned i = 0; i < uw_urb_iso_count(urb); i++) {
        const struct uw_iso_packet *p = uw_urb_iso_packet(urb, i);
        if (p->status < 0)
            printf("packet %u: %s\n", i, uw_error_text(p->status));
        hexdump(stdout, offset, data + p->offset, p->actual);
        offset += p->actual;
    }
}

static json_t *
packets_json(const struct uw_urb *urb, const uint8_t *data)
{
    json_t *array = json_array();

    for (unsigned i = 0; i < uw_urb_iso_count(urb); i++) {
        const struct uw_iso_packet *p = uw_urb_iso_packet(urb, i);
        json_array_append_new(array, json_pack("{si sI sI so}", "status", p->status, "length",
                                               (json_int_t)p->length, "actual_length",
                                               (json_int_t)p->actual, "data",
                                               json_bytes(data + p->offset, p->actual)));
    }
    return array;
}

/* One element of the array that starts in start_json. */
static void
print_json(const struct stream *s, const struct uw_urb *urb, const uint8_t *data)
{
    size_t actual = uw_urb_actual_length(urb);
    json_t *value =
        json_pack("{si sI}", "status", uw_urb_status(urb), "actual_length", (json_int_t)actual);

    if (uw_urb_iso_count(urb))
        json_object_set_new(value, "packets", packets_json(urb, data));
    else
        json_object_set_new(value, "data", json_bytes(data, actual));
    fputs(s->count > 1 ? ",\n    " : "\n    ", stdout);
    json_dumpf(value, stdout, JSON_COMPACT);
    json_decref(value);
}

static void
start_json(const struct stream *s)
{
    printf("{\n  \"endpoint\": %u,\n  \"type\": \"%s\",\n  \"length\": %zu,\n  \"transfers\": [",
           s->endpoint->bEndpointAddress, move_type_name(s->endpoint), s->size);
}

static void
end_json(const struct stream *s)
{
    json_t *error = s->failed ? json_fault(&s->fault) : json_null();

    printf("\n  ],\n  \"count\": %" PRIu64 ",\n  \"actual_length\": %" PRIu64 ",\n  \"error\": ",
           s->count, s->bytes);
    json_dumpf(error, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
    json_decref(error);
    puts("\n}");
}

static int
print_transfer(struct stream *s, const struct uw_urb *urb, const uint8_t *data)
{
    if (cli_has(s->cli, OPT_JSON))
        print_json(s, urb, data);
    else if (!cli_has(s->cli, OPT_RAW))
        print_text(s->data, urb, data);
    else if (uw_urb_iso_count(urb))
        print_packets_raw(urb, data);
    else
        fwrite(data, 1, uw_urb_actual_length(urb), stdout);
    return ferror(stdout) ? -1 : 0;
}

static long
next_transfer(struct stream *s, struct stream_piece *piece)
{
    struct reading *r = s->data;

    (void)piece;
    if (r->wanted && r->submitted == r->wanted)
        return -1;
    r->submitted++;
    return (long)s->size;
}

static size_t
default_size(const struct uw_endpoint *endpoint)
{
    unsigned packet = uw_endpoint_max_packet(endpoint);

    return uw_endpoint_type(endpoint) == UW_ISOCHRONOUS ? packet * ISO_PACKETS : packet;
}

/* As many as are wanted, within what may be asked for ahead. */
static unsigned
choose_depth(const struct reading *r)
{
    size_t size = r->stream.size;
    uint64_t depth = size ? AHEAD_SIZE / size : STREAM_DEPTH_MAX;

    if (r->wanted && depth > r->wanted)
        depth = r->wanted;
    if (depth > STREAM_DEPTH_MAX)
        depth = STREAM_DEPTH_MAX;
    return depth ? (unsigned)depth : 1;
}

static int
check(const struct cli *cli)
{
    int code = move_check_endpoint(cli, "read", 1);

    if (!code && cli_has(cli, OPT_RAW) && cli_has(cli, OPT_JSON))
        code = cli_usage("--raw and --json exclude each other; give one of them");
    return code ? code : cli_check_raw(cli);
}

int
cmd_read(struct cli *cli)
{
    struct reading r = {.wanted = cli_number(cli, OPT_COUNT, 1)};
    struct stream *s = &r.stream;
    int code = check(cli);

    if (!code)
        code = cli_choose(cli);
    if (!code)
        code = move_endpoint(cli, &s->endpoint);
    if (code)
        return code;
    s->cli = cli;
    s->size = (size_t)cli_number(cli, OPT_LENGTH, default_size(s->endpoint));
    s->depth = choose_depth(&r);
    s->verb = "read";
    s->total = r.wanted * s->size;
    s->data = &r;
    s->next = next_transfer;
    s->done = print_transfer;
    if (cli_has(cli, OPT_JSON))
        start_json(s);
    code = stream_run(s);
    if (code)
        return code;
    if (cli_has(cli, OPT_JSON))
        end_json(s);
    code = stream_report(s);
    if (!code && !s->bytes && r.wanted == 1)
        cli_remark(cli, "%s: the transfer ended without data", uw_device_name(cli->device));
    return cli_flush() ? CLI_FAILED : code;
}
