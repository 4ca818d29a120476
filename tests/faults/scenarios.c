/*
 * scenarios.c - short stories of an engine and its server
 *
 * They go on whatever happens: a transfer may have been refused, a message may never have been
 * sent, the connection may be gone. What must hold is checked by those who run them.
 */
#include <stdio.h>
#include <string.h>

#include <usbwire/urb.h>

#include "faults/scenarios.h"

static struct job *
next_job(struct story *s)
{
    return &s->jobs[s->count++];
}

static void
refused(struct job *j, int r)
{
    if (r < 0)
        j->x.status = r;
}

static void
read_bulk(struct story *s, size_t length, uint64_t timeout_us)
{
    struct job *j = next_job(s);

    refused(j, peer_submit(s->peer, j, 0x81, UW_BULK, 64, length, timeout_us, 0));
}

static void
write_bulk(struct story *s, size_t length, uint64_t timeout_us, unsigned flags)
{
    struct job *j = next_job(s);

    refused(j, peer_submit(s->peer, j, 0x01, UW_BULK, 64, length, timeout_us, flags));
}

static void
control(struct story *s, uint8_t type, size_t length)
{
    struct job *j = next_job(s);

    refused(j, peer_control(s->peer, j, type, 6, 0x0100, 0, length, 100000));
}

static int
sent(struct story *s, unsigned n)
{
    return peer_take(s->peer) > n && uw_engine_status(s->peer->engine) == UW_OK;
}

static void
answer(struct story *s, unsigned n, int32_t status, size_t size)
{
    if (sent(s, n))
        peer_answer(s->peer, n, status, counting(), size);
}

static void
acknowledge(struct story *s, unsigned n, int32_t status, int32_t actual)
{
    if (sent(s, n))
        peer_acknowledge(s->peer, n, status, actual);
}

static void
unlinked(struct story *s, unsigned n, int32_t status)
{
    if (sent(s, n) && peer_message(s->peer, n)->pdu.command == UW_CMD_UNLINK)
        peer_unlinked(s->peer, n, status);
}

static void
cancel(struct story *s, unsigned i)
{
    (void)uw_engine_cancel(s->peer->engine, &s->jobs[i].x, s->peer->now);
    peer_collect(s->peer);
}

/* ---- the stories ---- */

static void
enumerate(struct story *s)
{
    control(s, 0x80, 18);
    answer(s, 0, 0, 18);
    control(s, 0x00, 0);
    acknowledge(s, 1, 0, 0);
    control(s, 0x80, 255);
    answer(s, 2, -32, 0);
    control(s, 0x40, 40);
    acknowledge(s, 3, 0, 40);
}

static void
several_reads(struct story *s)
{
    read_bulk(s, 64, 0);
    read_bulk(s, 200, 0);
    read_bulk(s, 64, 0);
    answer(s, 0, 0, 64);
    answer(s, 1, 0, 192);
    answer(s, 2, 0, 10);
}

static void
reads_that_time_out(struct story *s)
{
    read_bulk(s, 512, 1000);
    (void)peer_take(s->peer);
    peer_wait(s->peer, 1000);
    read_bulk(s, 64, 1000);
    answer(s, 0, 0, 150);
    read_bulk(s, 64, 1000);
    read_bulk(s, 64, 1000);
    (void)peer_take(s->peer);
    peer_wait(s->peer, 2000);
}

static void
chunks(struct story *s)
{
    write_bulk(s, 10000, 0, UW_URB_ZERO_PACKET);
    acknowledge(s, 0, 0, 0);
    acknowledge(s, 1, 0, 0);
    acknowledge(s, 2, 0, 0);
    write_bulk(s, 8192, 0, UW_URB_ZERO_PACKET);
    acknowledge(s, 3, 0, 0);
    acknowledge(s, 4, -32, 0);
    unlinked(s, 6, -104);
    acknowledge(s, 5, 0, 0);
}

static void
iso(struct story *s)
{
    static const struct uw_iso_packet got[] = {
        {0, 100, 10, 0}, {100, 100, 0, -18}, {200, 100, 100, 0}};
    struct job *j = next_job(s);

    refused(j, peer_iso(s->peer, j, 0x83, 3, 100));
    if (sent(s, 0))
        peer_answer_iso(s->peer, 0, got, counting(), 110);
    j = next_job(s);
    refused(j, peer_iso(s->peer, j, 0x03, 3, 100));
    if (sent(s, 1))
        peer_answer_iso(s->peer, 1, got, NULL, 0);
}

static void
cancels(struct story *s)
{
    read_bulk(s, 64, 0);
    read_bulk(s, 64, 0);
    write_bulk(s, 64, 0, 0);
    (void)peer_take(s->peer);
    cancel(s, 1);
    cancel(s, 2);
    cancel(s, 0);
    unlinked(s, 3, 0);
    answer(s, 0, 0, 64);
    unlinked(s, 4, -104);
    unlinked(s, 5, -104);
    read_bulk(s, 64, 0);
    answer(s, 6, 0, 5);
}

static void
given_up_and_late(struct story *s)
{
    control(s, 0x80, 64);
    write_bulk(s, 64, 1000, 0);
    (void)peer_take(s->peer);
    peer_wait(s->peer, 200000);
    peer_wait(s->peer, 200000);
    answer(s, 0, 0, 64);
    acknowledge(s, 1, 0, 64);
    control(s, 0x80, 8);
    answer(s, 4, 0, 8);
}

static void
errors(struct story *s)
{
    read_bulk(s, 64, 0);
    answer(s, 0, -75, 64);
    read_bulk(s, 10, 0);
    answer(s, 1, 0, 64);
    read_bulk(s, 64, 1000);
    (void)peer_take(s->peer);
    peer_wait(s->peer, 1000);
    answer(s, 2, -32, 0);
    read_bulk(s, 64, 0);
}

const struct scenario scenarios[] = {
    {"enumerate", "linux", enumerate},
    {"several reads", "linux", several_reads},
    {"reads that time out", "linux", reads_that_time_out},
    {"chunks", "esp-bridge-8", chunks},
    {"chunks, real lengths", "linux", chunks},
    {"isochronous", "linux", iso},
    {"cancels", "linux", cancels},
    {"given up and late", "linux", given_up_and_late},
    {"errors", "linux", errors},
    {"one at a time", "jiegec", several_reads},
    {"unlink without an answer", "pyusbip", cancels},
};

const unsigned scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);

void
story_end(struct story *s)
{
    peer_stop(s->peer);
    for (unsigned i = 0; i < s->count; i++) {
        struct job *j = &s->jobs[i];
        size_t at = strlen(s->text);
        unsigned sum = 0;

        for (size_t k = 0; j->copy && k < j->x.length; k++)
            sum = sum * 31 + j->copy[k];
        snprintf(s->text + at, sizeof(s->text) - at, "%u: %s %zu %x%s\n", i,
                 uw_error_name(j->x.status), j->x.actual, sum, j->done ? "" : " refused");
        job_free(j);
    }
}
