/*
 * engine.h - one import's URBs as a state machine: no sockets, no clock, no threads, no globals
 *
 * Bytes come in (uw_engine_feed or straight into a caller's buffer), bytes go out (uw_engine_tx),
 * time is an argument, the next deadline is a question, finished transfers are pulled
 * (uw_engine_completed). Everything is called by one thread at a time: under the loop's lock.
 *
 *     caller ── uw_xfer ──►  endpoint queues ── posts (seqnums) ──► wire
 *     caller ◄── uw_xfer ──  head caller     ◄── reply by seqnum ── wire
 *
 * A *transfer* (uw_xfer) is what a caller waits for; a *post* is one CMD_SUBMIT at the server. They
 * are two things: a large OUT is several posts, and so are many isochronous packets, a read that
 * timed out leaves its post parked for the next caller, and a cancelled one leaves a tombstone
 * until its reply has been drained.
 *
 * No iovec into a caller's buffer may outlive one hold of the lock: uw_engine_tx, the write, and
 * uw_engine_tx_done belong into one hold, uw_engine_rx_target, the read and uw_engine_rx_done too.
 */
#ifndef UW_ENGINE_ENGINE_H
#define UW_ENGINE_ENGINE_H

#include <sys/uio.h>

#include <usbwire/loop.h>
#include <usbwire/tap.h>

#include "base/heap.h"
#include "base/list.h"
#include "engine/gate.h"
#include "engine/profile.h"

struct uw_engine;

/* Sequence numbers of a process: random start, never the same twice in 2^31, low bit set for IN so
 * that the reply to a forgotten URB can still be framed. */
struct uw_seq {
    uint32_t next;
};

void uw_seq_init(struct uw_seq *seq, uint32_t random);
uint32_t uw_seq_take(struct uw_seq *seq, int in);

/* How long CMD_UNLINK may stay unanswered after an explicit cancel, and after a timeout (where the
 * caller is waiting and ±20 ms count). */
#define UW_UNLINK_PATIENCE_US 1000000u
#define UW_UNLINK_GRACE_US    8000u

/* After RET_UNLINK with status 0: how long the RET_SUBMIT may still follow. */
#define UW_UNLINK_LATE_US 50000u

/* Back-off between empty reads on UW_PROF_EMPTY_IS_IDLE servers. */
#define UW_IDLE_MIN_US 1000u
#define UW_IDLE_MAX_US 20000u

/* Sequence numbers of given-up URBs that are remembered. */
#define UW_TOMBSTONES_MAX 1024u

/* Chunks of one OUT transfer that may be under way together. */
#define UW_OUT_WINDOW 16u

/*
 * One transfer of a caller. The first block is set by the caller and not changed by the engine, but
 * for iso[].actual and .status; results count once uw_engine_completed returned the transfer.
 */
struct uw_xfer {
    uint8_t endpoint;    /* address; 0x00 or 0x80 for control, by direction */
    uint8_t type;        /* enum uw_transfer_type */
    uint8_t setup[8];    /* control */
    uint16_t max_packet; /* > 0 for bulk and interrupt */
    int32_t interval;    /* > 0 for interrupt and isochronous, 0 for others */
    unsigned flags;      /* enum uw_urb_flags */
    uint8_t *buffer;
    size_t length;
    struct uw_iso_packet *iso;
    uint32_t iso_count;
    struct uw_usec deadline; /* instant; never: none */

    int status; /* UW_OK or enum uw_error */
    int32_t raw_status;
    size_t actual;
    int32_t start_frame;
    int32_t error_count;

    struct uw_list link;       /* the engine's: endpoint's callers, then completed ones */
    struct uw_heap_node timer; /* the engine's */
    unsigned state;            /* the engine's; 0: not in flight */
    unsigned posts;            /* the engine's: posts under way for it */
    size_t posted;       /* the engine's: bytes posted so far, but for bulk and interrupt IN */
    uint32_t iso_posted; /* the engine's: packets posted so far */
    size_t settled;      /* the engine's: bytes answered without a gap */
    int whole;           /* the engine's: nothing is left to be posted */
    size_t refused;      /* the engine's: size of a chunk the server found too large */
    int beyond;          /* the engine's: a chunk behind a failed one was accepted */
    int verdict;         /* the engine's: status decided, posts still to be answered */
    uint64_t ticket;     /* the engine's: order of arrival */
};

struct uw_engine_params {
    const struct uw_profile *profile;
    struct uw_seq *seq;
    struct uw_gate *gate; /* of the server; used when the profile's scope says so */
    struct uw_limits limits;
    const struct uw_log *log; /* may be NULL */
    uint32_t devid;           /* as imported: busnum << 16 | devnum */
    const struct uw_tap_source *source;
    void (*tap)(void *data, const struct uw_tap_event *event); /* NULL: nobody looks */
    void *tap_data;
    const char *name; /* "1-1 (303a:4004)", for messages; borrowed for life */
};

/* Errors: NO_MEMORY. */
int uw_engine_new(const struct uw_engine_params *params, struct uw_engine **ret_engine);

/* Frees it; all transfers must have been pulled (uw_engine_abort first). NULL is fine. */
void uw_engine_free(struct uw_engine *engine);

/* Whether somebody looks may change while it runs; NULL: nobody. */
void uw_engine_set_tap(struct uw_engine *engine,
                       void (*tap)(void *data, const struct uw_tap_event *event), void *data);

/* Takes a transfer. On error it was not taken: INVALID, LIMIT, NOT_SUPPORTED, NO_MEMORY, or why the
 * engine ended. */
int uw_engine_submit(struct uw_engine *engine, struct uw_xfer *xfer, struct uw_usec now);

/* Ends a transfer early; it will be pulled. NOT_FOUND: not in flight or already ending. */
int uw_engine_cancel(struct uw_engine *engine, struct uw_xfer *xfer, struct uw_usec now);

/* Several endpoints: a bit each, OUT 0 to 15, IN 0 to 15. Endpoint 0 is never meant. */
#define UW_ALL_ENDPOINTS UINT32_MAX

/* Its deadline is now, whatever it was. NOT_FOUND, as above. */
int uw_engine_time_out(struct uw_engine *engine, struct uw_xfer *xfer, struct uw_usec now);

/* Unlinks and forgets parked reads and kept data of endpoints, cancels their callers. */
void uw_engine_flush(struct uw_engine *engine, uint32_t endpoints, struct uw_usec now);

/* What reads brought that no caller had room for is not given to the next ones. */
void uw_engine_drop_kept(struct uw_engine *engine, uint32_t endpoints);

/* The end: completes every transfer with `error`; nothing is taken any more. Told to the tap. */
void uw_engine_abort(struct uw_engine *engine, int error, struct uw_usec now);

/* In a forked child: what is under way is the parent's. It may be ended here, but the server is not
 * told; a read stays posted. */
void uw_engine_forked(struct uw_engine *engine);

/* Before a deliberate close: unlinks every post; completes every transfer with CANCELLED. */
void uw_engine_close(struct uw_engine *engine, struct uw_usec now);

/* The next finished transfer, or NULL. It is the caller's again. */
struct uw_xfer *uw_engine_completed(struct uw_engine *engine);

/* Up to `max` iovecs to send, whole messages first to last; 0: nothing to send. */
int uw_engine_tx(struct uw_engine *engine, struct iovec *iov, int max, struct uw_usec now);
/* `n` bytes of what uw_engine_tx handed out were sent (0 is fine). */
void uw_engine_tx_done(struct uw_engine *engine, size_t n);

/* Where the next bytes should be read to, when that is a caller's buffer: 1 and *ret_iov; else 0.
 */
int uw_engine_rx_target(struct uw_engine *engine, struct iovec *ret_iov);
/* `n` bytes were read into the target. */
int uw_engine_rx_done(struct uw_engine *engine, size_t n, struct uw_usec now);
/* Bytes that were read elsewhere and come behind those of the target. Returns 0, or PROTOCOL when
 * the stream makes no sense any more: the caller then closes and aborts. */
int uw_engine_feed(struct uw_engine *engine, const uint8_t *bytes, size_t size, struct uw_usec now);

/* Instant of the next uw_engine_expire, or never. */
struct uw_usec uw_engine_deadline(const struct uw_engine *engine);
void uw_engine_expire(struct uw_engine *engine, struct uw_usec now);

/* UW_OK; WEDGED: a control transfer stayed unanswered on a UW_PROF_REPLACE server, so a new
 * connection is needed; NO_DEVICE or REENUMERATE: the server keeps saying so; else why it ended. */
int uw_engine_status(const struct uw_engine *engine);

/* 1 while a message of the server is only partly here. */
int uw_engine_is_mid_message(const struct uw_engine *engine);

/* The profile now in force (refined by what was seen). */
const struct uw_profile *uw_engine_profile(const struct uw_engine *engine);

/* Numbers for tests, messages and uw bench. */
struct uw_engine_stats {
    uint32_t in_flight;  /* posts at the server, parked ones included */
    uint32_t parked;     /* of these, reads nobody waits for */
    uint32_t tombstones; /* given up, reply not seen yet */
    uint64_t late;       /* replies drained for given-up or unknown URBs */
    size_t kept;         /* bytes kept for the next reads */
    uint32_t gone;       /* answers in a row that said "no such device" */
    uint32_t max_out;    /* OUT limit in force, after what was learnt */
};
void uw_engine_stats(const struct uw_engine *engine, struct uw_engine_stats *ret_stats);

/* What holds the engine when a transfer completes with HELD: "IN 0x81 of 1-1 (303a:4004)". */
const char *uw_engine_holder(const struct uw_engine *engine);

/* The same for a transfer that were submitted on this endpoint now; "": it would have its turn. */
const char *uw_engine_holder_of(struct uw_engine *engine, uint8_t endpoint);

#endif
