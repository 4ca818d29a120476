/*
 * cmd_bench.c - usbwire bench: transfers a second, latency and processor time
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "cli.h"
#include "histogram.h"
#include "json.h"
#include "move.h"

enum mode { MODE_CTRL, MODE_IN, MODE_OUT }; /* in the order of --mode's words */

#define BUFFERS_MAX (1u << 30) /* bytes of all transfers in flight */

/* One transfer that is submitted again and again. */
struct lane {
    struct bench *bench;
    struct uw_urb *urb;
    uint8_t *buffer;
    struct uw_usec submitted;
};

struct bench {
    struct cli *cli;
    enum mode mode;
    const struct uw_endpoint *endpoint; /* NULL: control */
    size_t size;
    unsigned depth;
    struct uw_queue *queue;
    struct lane *lanes;
    struct uw_usec start, end; /* instants */
    unsigned in_flight;
    uint64_t urbs, bytes;
    struct histogram latencies;
    int failed;
    struct uw_fault fault;
};

struct result {
    double seconds, urbs_per_s, mb_per_s, cpu_us_per_urb;
    uint64_t lat_us_p50, lat_us_p99;
};

static uint64_t
cpu_time(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000u +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* The first bulk endpoint of the wanted direction, as an address; 0: there is none. */
static uint8_t
first_bulk(const struct cli *cli, int in)
{
    const struct uw_endpoint *e;

    for (unsigned n = 1; n < 16; n++) {
        e = uw_device_endpoint(cli->device, (uint8_t)(n | (in ? 0x80u : 0)));
        if (e && uw_endpoint_type(e) == UW_BULK)
            return e->bEndpointAddress;
    }
    return 0;
}

static int
choose_endpoint(struct bench *b)
{
    int in = b->mode == MODE_IN;
    uint8_t address;

    if (b->mode == MODE_CTRL)
        return 0;
    if (cli_has(b->cli, OPT_ENDPOINT))
        return move_endpoint(b->cli, &b->endpoint);
    address = first_bulk(b->cli, in);
    if (!address)
        return cli_usage("%s has no bulk %s endpoint; name another kind with --endpoint",
                         uw_device_name(b->cli->device), in ? "IN" : "OUT");
    b->endpoint = uw_device_endpoint(b->cli->device, address);
    return 0;
}

static void
note_failure(struct bench *b, const struct uw_urb *urb)
{
    if (!b->failed)
        uw_urb_fault(urb, &b->fault);
    b->failed = 1;
}

static void
submit(struct bench *b, struct lane *lane, struct uw_usec now)
{
    lane->submitted = now;
    if (uw_urb_submit(lane->urb, b->queue) < 0)
        note_failure(b, lane->urb);
    else
        b->in_flight++;
}

static void
complete(struct uw_urb *urb, void *data)
{
    struct lane *lane = (struct lane *)data;
    struct bench *b = lane->bench;
    struct uw_usec now = uw_now();

    b->in_flight--;
    if (uw_urb_status(urb) < 0) {
        note_failure(b, urb);
        return;
    }
    b->urbs++;
    b->bytes += uw_urb_actual_length(urb);
    histogram_add(&b->latencies, uw_usec_sub(now, lane->submitted).us);
    if (!b->failed && now.us < b->end.us)
        submit(b, lane, now);
}

static int
prepare_lane(struct bench *b, struct lane *lane)
{
    unsigned packets = b->endpoint ? move_packets(b->endpoint, b->size) : 0;
    int r = uw_urb_new(packets, &lane->urb);

    lane->bench = b;
    lane->buffer = calloc(1, b->size ? b->size : 1);
    if (packets > MOVE_PACKETS_MAX)
        return cli_usage("--size %zu is %u isochronous packets; at most %u go into one transfer",
                         b->size, packets, MOVE_PACKETS_MAX);
    if (r < 0 || !lane->buffer)
        return cli_error("out of memory");
    if (b->endpoint)
        move_fill(b->cli, lane->urb, b->endpoint, lane->buffer, b->size);
    else
        uw_urb_set_control(lane->urb, b->cli->device, 0x80, 6, UW_DT_DEVICE << 8, 0, lane->buffer,
                           (uint16_t)b->size);
    uw_urb_set_timeout(lane->urb, cli_timeout(b->cli));
    uw_urb_set_callback(lane->urb, complete, lane);
    return 0;
}

static int
prepare(struct bench *b)
{
    int code = 0;

    b->lanes = calloc(b->depth, sizeof(*b->lanes));
    if (!b->lanes || uw_queue_new(b->cli->loop, &b->queue) < 0)
        return cli_error("out of memory");
    for (unsigned i = 0; i < b->depth && !code; i++)
        code = prepare_lane(b, &b->lanes[i]);
    return code;
}

static void
drive(struct bench *b)
{
    int cancelled = 0;

    b->start = uw_now();
    b->end = uw_usec_add(b->start, cli_time(b->cli, OPT_SECONDS, uw_msec(3000)));
    for (unsigned i = 0; i < b->depth && !b->failed; i++)
        submit(b, &b->lanes[i], uw_now());
    while (b->in_flight) {
        if ((b->failed || cli_interrupted()) && !cancelled) {
            for (unsigned i = 0; i < b->depth; i++)
                uw_urb_cancel(b->lanes[i].urb);
            cancelled = 1;
        }
        uw_queue_wait(b->queue, uw_never());
        uw_queue_dispatch(b->queue);
    }
    b->end = uw_now();
}

static void
evaluate(const struct bench *b, uint64_t cpu_us, struct result *ret)
{
    double urbs = b->urbs ? (double)b->urbs : 1;

    ret->seconds = (double)uw_usec_sub(b->end, b->start).us / 1e6;
    ret->urbs_per_s = (double)b->urbs / ret->seconds;
    ret->mb_per_s = (double)b->bytes / ret->seconds / 1e6;
    ret->cpu_us_per_urb = (double)cpu_us / urbs;
    ret->lat_us_p50 = histogram_percentile(&b->latencies, 50);
    ret->lat_us_p99 = histogram_percentile(&b->latencies, 99);
}

static int
print_json(const struct bench *b, const struct result *r)
{
    static const char *const modes[] = {"ctrl", "in", "out"};

    return json_print(json_pack(
        "{ss si sI si sf sI sf sf sI sI sf}", "mode", modes[b->mode], "endpoint",
        b->endpoint ? b->endpoint->bEndpointAddress : 0, "size", (json_int_t)b->size, "depth",
        (int)b->depth, "seconds", r->seconds, "urbs", (json_int_t)b->urbs, "urbs_per_s",
        r->urbs_per_s, "mb_per_s", r->mb_per_s, "lat_us_p50", (json_int_t)r->lat_us_p50,
        "lat_us_p99", (json_int_t)r->lat_us_p99, "cpu_us_per_urb", r->cpu_us_per_urb));
}

static int
print_result(const struct bench *b, const struct result *r)
{
    if (cli_has(b->cli, OPT_JSON))
        return print_json(b, r);
    printf("%" PRIu64 " URBs of %zu bytes in %.2f s, %u in flight\n"
           "%.0f URBs/s, %.2f MB/s\n"
           "latency %" PRIu64 " us median, %" PRIu64 " us 99th percentile\n"
           "cpu %.2f us per URB\n",
           b->urbs, b->size, r->seconds, b->depth, r->urbs_per_s, r->mb_per_s, r->lat_us_p50,
           r->lat_us_p99, r->cpu_us_per_urb);
    return cli_flush();
}

static int
run(struct bench *b)
{
    struct result result;
    uint64_t cpu_before;
    int code = cli_choose(b->cli);

    if (!code)
        code = choose_endpoint(b);
    if (!code)
        code = prepare(b);
    if (code)
        return code;
    cli_end_cleanly(b->cli);
    cpu_before = cpu_time();
    drive(b);
    evaluate(b, cpu_time() - cpu_before, &result);
    if (b->failed && !cli_interrupted())
        return cli_device_fault(b->cli, b->cli->device, &b->fault);
    code = print_result(b, &result);
    return cli_interrupted() ? CLI_INTERRUPTED : code;
}

static int
check(const struct bench *b)
{
    const struct cli *cli = b->cli;
    int code = 0;

    if (b->mode != MODE_CTRL && cli_has(cli, OPT_ENDPOINT))
        code = move_check_endpoint(cli, b->mode == MODE_IN ? "bench --mode in" : "bench --mode out",
                                   b->mode == MODE_IN);
    if (code)
        return code;
    if (b->mode == MODE_CTRL && cli_has(cli, OPT_ENDPOINT))
        return cli_usage("--endpoint is for --mode in and out; ctrl measures endpoint 0");
    if (b->mode == MODE_CTRL && b->size > 65535)
        return cli_usage("--size %zu is more than 65535, the most that a control transfer can "
                         "carry",
                         b->size);
    if (b->size * b->depth > BUFFERS_MAX)
        return cli_usage("--size %zu times --depth %u is more than %u bytes in flight", b->size,
                         b->depth, BUFFERS_MAX);
    return 0;
}

int
cmd_bench(struct cli *cli)
{
    struct bench *b = calloc(1, sizeof(*b));
    uint64_t mode = cli_number(cli, OPT_MODE, MODE_CTRL);
    int code;

    if (!b)
        return cli_error("out of memory");
    b->cli = cli;
    b->mode = (enum mode)mode;
    b->size = (size_t)cli_number(cli, OPT_SIZE, b->mode == MODE_CTRL ? 18 : 512);
    b->depth = (unsigned)cli_number(cli, OPT_DEPTH, 1);
    code = check(b);
    if (!code)
        code = run(b);
    for (unsigned i = 0; b->lanes && i < b->depth; i++) {
        uw_urb_free(b->lanes[i].urb);
        free(b->lanes[i].buffer);
    }
    uw_queue_free(b->queue);
    free(b->lanes);
    free(b);
    return code;
}
