#include "stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "move.h"
#include "progress.h"

static uint8_t *
buffer_of(const struct stream *s, unsigned i)
{
    return s->buffer + (size_t)i * s->size;
}

static void
fail(struct stream *s, const struct uw_urb *urb)
{
    s->ending = 1;
    if (s->failed)
        return;
    s->failed = 1;
    uw_urb_fault(urb, &s->fault);
}

/* Submits URB number i with the next data, if there is any. */
static void
submit(struct stream *s, unsigned i)
{
    struct uw_urb *urb = s->urbs[i];
    struct stream_piece piece = {.bytes = buffer_of(s, i)};
    long size = s->ending ? -1 : s->next(s, &piece);

    if (size < 0) {
        s->ending = 1;
        return;
    }
    move_fill(s->cli, urb, s->endpoint, piece.bytes, (size_t)size);
    if (uw_endpoint_type(s->endpoint) != UW_ISOCHRONOUS)
        uw_urb_set_flags(urb, piece.is_last ? s->flags : 0);
    /* With several in flight only the first waits for the device, so their time is counted from
     * the last completion: in collect. */
    uw_urb_set_timeout(urb, s->depth == 1 ? cli_timeout(s->cli) : uw_never());
    if (uw_urb_submit(urb, s->queue) < 0)
        fail(s, urb);
    else
        s->in_flight++;
}

static unsigned
number_of(const struct stream *s, const struct uw_urb *urb)
{
    unsigned i = 0;

    while (s->urbs[i] != urb)
        i++;
    return i;
}

/* A URB has ended: its callback. The next data takes its place. */
static void
complete(struct uw_urb *urb, void *data)
{
    struct stream *s = (struct stream *)data;
    unsigned i = number_of(s, urb);
    int status = uw_urb_status(urb);
    size_t actual = uw_urb_actual_length(urb);

    s->in_flight--;
    s->moved_at = uw_now();
    if (!s->failed && (status >= 0 || actual)) {
        s->count++;
        s->bytes += actual;
        s->packets_failed += (uint64_t)uw_urb_error_count(urb);
        if (s->done(s, urb, buffer_of(s, i)) < 0)
            s->ending = 1;
    }
    if (status < 0)
        fail(s, urb);
    submit(s, i);
}

static void
cancel_all(struct stream *s)
{
    s->ending = 1;
    for (unsigned i = 0; i < s->depth; i++)
        uw_urb_cancel(s->urbs[i]); /* NOT_FOUND from those that are not in flight */
}

/* Nothing moved in time: the first cancelled URB tells what was tried. */
static void
give_up(struct stream *s)
{
    cancel_all(s);
    while (s->in_flight) {
        uw_queue_wait(s->queue, uw_never());
        uw_queue_dispatch(s->queue);
    }
    if (s->failed && s->fault.code == UW_ERROR_CANCELLED) {
        s->fault.code = UW_ERROR_TIMEOUT;
        snprintf(s->fault.advice, sizeof(s->fault.advice), "allow more time with --timeout");
    }
}

static void
drive(struct stream *s, struct progress *progress)
{
    struct uw_usec timeout = s->depth == 1 ? uw_never() : cli_timeout(s->cli);
    int cancelled = 0;

    s->moved_at = uw_now();
    for (unsigned i = 0; i < s->depth; i++)
        submit(s, i);
    while (s->in_flight) {
        if ((cli_interrupted() || s->failed) && !cancelled) {
            cancel_all(s);
            cancelled = 1;
        }
        if (uw_queue_wait(s->queue, uw_msec(200)) == 0 &&
            uw_now().us >= uw_usec_add(s->moved_at, timeout).us) {
            give_up(s);
            return;
        }
        uw_queue_dispatch(s->queue);
        fflush(stdout);
        progress_update(progress, s->bytes);
    }
}

static int
prepare(struct stream *s)
{
    size_t room = s->size * s->depth;
    unsigned packets = move_packets(s->endpoint, s->size);
    int r;

    if (packets > MOVE_PACKETS_MAX)
        return cli_usage("%zu bytes are %u isochronous packets of %u bytes; at most %u go into one "
                         "transfer: give a smaller --length",
                         s->size, packets, uw_endpoint_max_packet(s->endpoint), MOVE_PACKETS_MAX);
    r = uw_queue_new(s->cli->loop, &s->queue);

    s->buffer = malloc(room ? room : 1);
    for (unsigned i = 0; i < s->depth && r >= 0; i++) {
        r = uw_urb_new(packets, &s->urbs[i]);
        if (r >= 0)
            uw_urb_set_callback(s->urbs[i], complete, s);
    }
    return r < 0 || !s->buffer ? cli_error("out of memory") : 0;
}

int
stream_run(struct stream *s)
{
    struct progress progress;
    int code = prepare(s);

    cli_end_cleanly(s->cli);
    if (!code) {
        progress_start(&progress, s->cli, s->verb, s->total);
        drive(s, &progress);
        progress_end(&progress);
    }
    for (unsigned i = 0; i < s->depth; i++)
        uw_urb_free(s->urbs[i]);
    uw_queue_free(s->queue);
    free(s->buffer);
    return code;
}

int
stream_report(const struct stream *s)
{
    char bytes[32];

    progress_bytes(s->bytes, bytes, sizeof(bytes));
    if (cli_interrupted()) {
        cli_remark(s->cli, "%s: %s interrupted after %" PRIu64 " transfer%s, %s",
                   uw_device_name(s->cli->device), s->verb, s->count, s->count == 1 ? "" : "s",
                   bytes);
        return CLI_INTERRUPTED;
    }
    if (s->packets_failed)
        cli_remark(s->cli, "%s: %" PRIu64 " isochronous packets failed",
                   uw_device_name(s->cli->device), s->packets_failed);
    if (!s->failed)
        return s->packets_failed && !s->bytes ? CLI_FAILED : 0;
    if (s->count)
        cli_remark(s->cli, "%s: %s failed after %" PRIu64 " transfer%s, %s",
                   uw_device_name(s->cli->device), s->verb, s->count, s->count == 1 ? "" : "s",
                   bytes);
    return cli_device_fault(s->cli, s->cli->device, &s->fault);
}
