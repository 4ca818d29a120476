/*
 * stream.h - a row of transfers on one endpoint, some of them in flight at once
 *
 * Ends when there is nothing more to submit, at the first failure, when nothing moves for the time
 * of --timeout, or at Ctrl-C. Transfers are handed to `done` in the order in which they were
 * submitted, up to the first that failed (which is handed on if it moved bytes).
 */
#ifndef UW_CLI_STREAM_H
#define UW_CLI_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "cli.h"

#define STREAM_DEPTH_MAX 16

struct stream_piece {
    uint8_t *bytes; /* room for stream.size */
    int is_last;    /* to be set: the last of its data, stream.flags apply */
};

struct stream {
    /* set by the caller */
    struct cli *cli;
    const struct uw_endpoint *endpoint;
    size_t size;      /* bytes of a transfer, at most */
    unsigned depth;   /* transfers in flight, at most STREAM_DEPTH_MAX */
    unsigned flags;   /* enum uw_urb_flags of the last transfer; see stream_piece */
    const char *verb; /* "read" */
    uint64_t total;   /* bytes in all, 0: not known */
    void *data;
    /* Prepares the next transfer: returns its bytes, or -1 when there is none. */
    long (*next)(struct stream *stream, struct stream_piece *piece);
    /* A transfer is complete: urb and its buffer. Negative ends the stream. */
    int (*done)(struct stream *stream, const struct uw_urb *urb, const uint8_t *buf);

    /* results */
    uint64_t count, bytes;   /* of transfers that moved data or succeeded */
    uint64_t packets_failed; /* isochronous packets in them */
    int failed;
    struct uw_fault fault;

    /* private */
    struct uw_queue *queue;
    struct uw_urb *urbs[STREAM_DEPTH_MAX];
    uint8_t *buffer;
    unsigned in_flight;
    struct uw_usec moved_at; /* when a transfer ended last */
    int ending;
};

/* Runs it. 0, or an exit code after a message: nothing was done. Results are valid after 0. */
int stream_run(struct stream *stream);

/* The exit code for what happened, after a message if it failed or was interrupted. */
int stream_report(const struct stream *stream);

#endif
