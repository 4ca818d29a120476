/*
 * cmd_write.c - usbwire write: bulk, interrupt and isochronous OUT
 *
 * Data is sent in pieces of whole packets, so that a long file is one transfer to the device.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "input.h"
#include "json.h"
#include "move.h"
#include "progress.h"
#include "stream.h"

#define PIECE_SIZE  (1u << 20)
#define ISO_PACKETS 32 /* in a piece */
#define ISO_DEPTH   4

struct writing {
    struct stream stream;
    struct input input;
    uint64_t rounds; /* times that the data is still to be sent, this one included */
    int input_failed;
};

static long
next_piece(struct stream *s, struct stream_piece *piece)
{
    struct writing *w = s->data;
    long n;

    if (!w->rounds || cli_interrupted())
        return -1;
    n = input_read(&w->input, piece->bytes, s->size);
    if (n < 0)
        w->input_failed = 1;
    if (n < 0 || cli_interrupted())
        return -1;
    piece->is_last = input_at_end(&w->input);
    if (piece->is_last && --w->rounds && !input_rewind(&w->input))
        w->rounds = 0;
    return n;
}

static int
ignore(struct stream *s, const struct uw_urb *urb, const uint8_t *buf)
{
    (void)s;
    (void)urb;
    (void)buf;
    return 0;
}

static void
choose_size(struct writing *w)
{
    struct stream *s = &w->stream;
    size_t packet = uw_endpoint_max_packet(s->endpoint), piece;
    int iso = uw_endpoint_type(s->endpoint) == UW_ISOCHRONOUS;

    if (!packet)
        packet = 1;
    piece = iso ? ISO_PACKETS * packet : PIECE_SIZE / packet * packet;
    s->size = s->total && s->total < piece ? (size_t)s->total : piece;
    s->depth = iso ? ISO_DEPTH : 1;
}

static int
print_result(const struct stream *s)
{
    char bytes[32];

    if (cli_has(s->cli, OPT_JSON))
        return json_print(
            json_pack("{si ss sI sI sI so}", "endpoint", s->endpoint->bEndpointAddress, "type",
                      move_type_name(s->endpoint), "count", (json_int_t)s->count, "actual_length",
                      (json_int_t)s->bytes, "packets_failed", (json_int_t)s->packets_failed,
                      "error", s->failed ? json_fault(&s->fault) : json_null()));
    if (!s->failed && !cli_interrupted() && !cli_has(s->cli, OPT_QUIET))
        printf("%s: %s written to 0x%02x\n", uw_device_name(s->cli->device),
               progress_bytes(s->bytes, bytes, sizeof(bytes)), s->endpoint->bEndpointAddress);
    return cli_flush();
}

static int
run(struct writing *w)
{
    struct stream *s = &w->stream;
    int code = cli_choose(s->cli), printed;

    if (!code)
        code = move_endpoint(s->cli, &s->endpoint);
    if (code)
        return code;
    s->total = input_size(&w->input);
    choose_size(w);
    s->total *= w->rounds;
    s->flags = cli_has(s->cli, OPT_ZLP) ? UW_URB_ZERO_PACKET : 0;
    s->verb = "write";
    s->data = w;
    s->next = next_piece;
    s->done = ignore;
    code = stream_run(s);
    if (code)
        return code;
    printed = print_result(s);
    code = stream_report(s);
    return code ? code : w->input_failed ? CLI_FAILED : printed;
}

int
cmd_write(struct cli *cli)
{
    struct writing w = {.stream.cli = cli, .rounds = cli_number(cli, OPT_COUNT, 1)};
    int code = move_check_endpoint(cli, "write", 0);

    if (!code && !w.rounds)
        code = cli_usage("--count 0 makes no sense for write; give 1 or more");
    if (!code)
        code = input_open(&w.input, cli, 0);
    if (!code && w.rounds > 1 && !input_rewind(&w.input))
        code = cli_usage("--count %" PRIu64 " needs data that can be read again; %s cannot",
                         w.rounds, w.input.name);
    if (!code)
        code = run(&w);
    input_close(&w.input);
    return code;
}
