/*
 * internal.h - the engine's parts, for src/engine alone
 *
 *     engine.c  the public face: submit, cancel, flush, abort, deadlines
 *     post.c    CMD_SUBMIT and CMD_UNLINK at the server: seqnums, tombstones, the send queue
 *     turn.c    who may post next: limits of the profile, of the server (gate.c), order of arrival
 *     in.c      bulk and interrupt IN: parked reads, kept data, callers
 *     out.c     OUT, control, isochronous: chunks, acknowledgements, what a failure does
 *     rx.c      bytes from the server to replies
 *     tell.c    what the tap is told
 */
#ifndef UW_ENGINE_INTERNAL_H
#define UW_ENGINE_INTERNAL_H

#include <usbwire/urb.h>

#include "engine/engine.h"
#include "wire/cmd.h"

/* Statuses that the engine itself concludes, as a Linux server would say them. */
#define WIRE_ECONNRESET (-104)
#define WIRE_ESHUTDOWN  (-108)

enum xfer_state {
    XFER_IDLE = 0,
    XFER_QUEUED, /* waits for its answers */
    XFER_ENDING  /* verdict is set; posts are being taken back */
};

/* One message at the server: a CMD_SUBMIT until its RET_SUBMIT came, or the CMD_UNLINK for one. */
struct uw_post {
    struct uw_list link; /* ep->posts; engine->tombs once buried; engine->spare */
    struct uw_list tx;   /* engine->tx_queue until sent */
    struct uw_post *hash_next;
    uint32_t seqnum;
    struct uw_ep *ep;
    struct uw_xfer *xfer;   /* whose answer it is; a read's only while that is being cancelled */
    struct uw_post *unlink; /* SUBMIT: its UNLINK; UNLINK: its SUBMIT; NULL: none (any more) */
    size_t offset;          /* where in the transfer it starts */
    size_t length;          /* transfer_buffer_length */
    size_t acked;           /* OUT, answered */
    uint32_t iso_first, iso_count;
    uint8_t type; /* enum uw_transfer_type */

    uint8_t header[UW_PDU_SIZE];
    const uint8_t *data; /* OUT payload from byte data_skip on: the caller's, or owned */
    size_t data_size, data_skip;
    uint8_t *owned;
    uint8_t *table; /* isochronous packet table behind the payload */
    size_t table_size;
    size_t sent; /* bytes of header, payload and table handed over so far */

    unsigned is_unlink : 1;
    unsigned in : 1;
    unsigned stream : 1;    /* a read that any caller of its endpoint may be served from */
    unsigned tapped : 1;    /* the tap saw its SUBMIT */
    unsigned withdrawn : 1; /* its end was asked for */
    unsigned dead : 1;      /* a tombstone: only to be drained */
    unsigned orphan : 1;    /* answered before all of it was sent: freed when it is */
    unsigned answered : 1;  /* OUT chunk that waits for an earlier one */
    unsigned gated : 1;     /* counts in the gate */
    unsigned receiving : 1; /* its reply is just coming in */
    unsigned foreign : 1;   /* made before this process was forked: the server hears of no end */
};

/* What a read brought that no caller had room for. */
struct uw_chunk {
    struct uw_list link;
    size_t base; /* offset in the reply of data[0], for packet boundaries */
    size_t size, off;
    int end;   /* the reply ended short: so does the read that takes the last byte */
    int error; /* given once, after the data */
    int32_t raw;
    uint8_t data[];
};

struct uw_ep {
    struct uw_engine *engine;
    uint8_t address;
    uint8_t stream;
    uint16_t max_packet;
    struct uw_list callers;  /* waiting, in order; OUT: not wholly posted */
    struct uw_list underway; /* OUT and control: wholly posted, not answered */
    struct uw_list posts;    /* at the server, in order, tombstones apart */
    unsigned waiting;        /* IN: callers that are not being cancelled */
    unsigned live;           /* IN: posts that are not withdrawn */
    unsigned occupied;       /* posts and tombstones */
    unsigned withdrawn;      /* posts and tombstones whose end was asked for and not answered */
    struct uw_list kept;     /* of struct uw_chunk */
    size_t kept_bytes;
    int lost;               /* error to give once: a reply could not be kept */
    struct uw_list blocked; /* in engine->blocked while it has no turn */
    unsigned round;
    struct uw_heap_node timer; /* back-off of empty reads; wait for unlinks before CLEAR_HALT */
    struct uw_usec settle_until;
    uint32_t idle_us;
    unsigned idle_count;
};

enum rx_state { RX_HEADER, RX_PAYLOAD, RX_TABLE };

struct rx_part {
    uint8_t *p; /* NULL: not wanted */
    size_t left;
};

struct uw_rx {
    enum rx_state state;
    uint8_t header[UW_PDU_SIZE];
    size_t have;
    struct uw_pdu pdu;
    struct uw_post *post;   /* NULL: nobody knows this reply */
    struct uw_xfer *xfer;   /* whose buffer part[0] is; then there is a post, too */
    struct uw_chunk *chunk; /* where the rest goes */
    struct rx_part part[3]; /* caller, chunk, excess */
    size_t taken;           /* bytes that xfer got out of this reply */
    int stream; /* xfer->actual counts bytes as they come; of others when all is known */
    int overlong;
    uint8_t *table;
    size_t table_size, table_have;
    uint8_t *shown; /* payload that only the tap will see */
    size_t shown_size, shown_have;
};

struct uw_engine {
    struct uw_engine_params params;
    const struct uw_profile *profile;
    struct uw_gate *gate, own_gate;
    struct uw_list gate_link;
    int granted;

    struct uw_ep *eps[32]; /* OUT 0..15 (0: control), IN 16..31 */
    struct uw_post **table;
    unsigned table_bits, table_entries;
    struct uw_post *first_buckets[16];
    struct uw_list spare;
    unsigned spare_count;
    struct uw_list tombs;
    uint32_t tombs_count;
    uint32_t occupied;
    struct uw_list tx_queue;
    struct uw_rx rx;
    struct uw_heap timers, ep_timers;
    struct uw_list done;
    struct uw_list blocked;
    struct uw_ep *turn; /* whose turn it is just now, for one post */
    unsigned round;
    uint64_t ticket;

    int status;
    int ended; /* aborted or closed: nothing is taken, sent or fed any more */
    int stalled;
    uint32_t gone;
    uint64_t late;
    uint32_t max_out;
    char holder[128];
};

/* post.c */
struct uw_post *uw_post_new(struct uw_engine *e, struct uw_ep *ep, int in);
void uw_post_send(struct uw_engine *e, struct uw_post *p);
struct uw_post *uw_post_find(struct uw_engine *e, uint32_t seqnum);
/* Asks for the end of a post. 1 when it never reached the wire and is gone already. */
int uw_post_withdraw(struct uw_engine *e, struct uw_post *p, struct uw_usec now);
/* Nobody waits for its reply any more: no pointer to a caller is left in it. */
void uw_post_bury(struct uw_engine *e, struct uw_post *p);
/* Answered: forgets it and gives its place back. */
void uw_post_resolve(struct uw_engine *e, struct uw_post *p);
/* RET_UNLINK came: forgets the UNLINK and returns its target. */
struct uw_post *uw_post_unlinked(struct uw_engine *e, struct uw_post *unlink);
/* All of a message was handed to the transport. */
void uw_post_was_sent(struct uw_engine *e, struct uw_post *p);
void uw_post_free_all(struct uw_engine *e);
static inline int
uw_post_is_sent(const struct uw_post *p)
{
    return p->sent == UW_PDU_SIZE + p->data_size + p->table_size;
}

/* turn.c */
void uw_turn_take(struct uw_engine *e, struct uw_ep *ep, struct uw_post *p);
int uw_turn_free(struct uw_engine *e, struct uw_ep *ep);
void uw_turn_give(struct uw_engine *e, struct uw_ep *ep, struct uw_post *p);
void uw_turn_block(struct uw_engine *e, struct uw_ep *ep);
void uw_turn_pump(struct uw_engine *e, struct uw_usec now);
void uw_turn_name_holder(struct uw_engine *e);
/* The server does no more at a time. */
int uw_turn_is_full(const struct uw_engine *e);

/* in.c */
void uw_in_submit(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, struct uw_usec now);
void uw_in_post(struct uw_engine *e, struct uw_ep *ep, struct uw_usec now);
void uw_in_cancel(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, struct uw_usec now);
void uw_in_timeout(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, struct uw_usec now);
void uw_in_forget(struct uw_engine *e, struct uw_ep *ep, struct uw_usec now);
void uw_in_drop_kept(struct uw_ep *ep);
void uw_in_begin(struct uw_engine *e, struct uw_post *p, size_t size);
void uw_in_finish(struct uw_engine *e, struct uw_post *p, struct uw_usec now);
void uw_in_unlinked(struct uw_engine *e, struct uw_post *p, struct uw_usec now);
void uw_in_redirect(struct uw_engine *e, struct uw_xfer *x);

/* out.c: OUT, control and isochronous */
int uw_out_submit(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, struct uw_usec now);
void uw_out_post(struct uw_engine *e, struct uw_ep *ep, struct uw_usec now);
void uw_out_end(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, int verdict,
                struct uw_usec until, struct uw_usec now);
void uw_out_force(struct uw_engine *e, struct uw_ep *ep, struct uw_xfer *x, struct uw_usec now);
void uw_out_finish(struct uw_engine *e, struct uw_post *p, struct uw_usec now);
void uw_out_unlinked(struct uw_engine *e, struct uw_post *p, int32_t status, struct uw_usec now);

/* rx.c */
void uw_rx_reset(struct uw_rx *rx);

/* tell.c */
void uw_tell_submit(struct uw_engine *e, struct uw_post *p, struct uw_usec now);
void uw_tell_complete(struct uw_engine *e, struct uw_post *p, struct uw_usec now);
/* The caller of the reply that is coming in leaves: its part of it is copied for the tap. */
void uw_tell_leaving(struct uw_engine *e);
void uw_tell_concluded(struct uw_engine *e, struct uw_post *p, int32_t status, struct uw_usec now);
void uw_tell_unlink(struct uw_engine *e, struct uw_post *unlink, struct uw_usec now);
void uw_tell_unlinked(struct uw_engine *e, uint32_t seqnum, const struct uw_post *target,
                      int32_t status, struct uw_usec now);
void uw_tell_refused(struct uw_engine *e, const struct uw_xfer *x, int status, struct uw_usec now);

/* Room for payload that only a tap wants to see; NULL: nobody wants to. */
uint8_t *uw_tell_room(struct uw_engine *e, size_t size);

/* engine.c */
/* Hands a transfer back to its caller; the one place where that happens. */
void uw_xfer_complete(struct uw_engine *e, struct uw_xfer *x, int status, int32_t raw);
struct uw_ep *uw_engine_ep(struct uw_engine *e, const struct uw_xfer *x);

#endif
