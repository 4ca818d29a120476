/*
 * peer.h - the server's end of an engine's connection, in memory, scripted by a test
 *
 * The peer takes what the engine sends, in steps of any size, and keeps it as messages; the test
 * answers them in any order. Time is a number. Buffers of transfers are exactly as large as they
 * should be, and filled anew when a transfer is done, so that a late write shows.
 */
#ifndef UW_TESTS_PEER_H
#define UW_TESTS_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "wire/cmd.h"

#define PEER_SENT_MAX 512

struct peer_message {
    struct uw_pdu pdu;
    uint8_t *payload;
    size_t size;
    struct uw_iso_packet *iso;
};

struct peer_event {
    enum uw_tap_kind kind;
    uint64_t id, target;
    int32_t status;
    uint32_t length;
    size_t data;
    uint8_t endpoint, local, late;
};

struct peer {
    struct uw_engine *engine;
    struct uw_seq seq;
    struct uw_gate gate;
    struct uw_tap_source source;
    struct uw_usec now;

    struct peer_message sent[PEER_SENT_MAX];
    unsigned count;
    uint8_t raw[1 << 20]; /* a message that is not complete yet */
    size_t raw_size;

    size_t tx_step;  /* at most so many bytes at a time; 0: no bound */
    size_t rx_split; /* the stream to the engine is split at this byte; SIZE_MAX: nowhere */
    size_t rx_step;  /* and into pieces of so many bytes; 0: no bound */
    size_t rx_limit; /* the connection is lost after so many bytes; SIZE_MAX: not */
    int rx_direct;   /* use uw_engine_rx_target */
    size_t rx_done;  /* bytes fed so far */
    int rx_error;    /* what feeding returned last */

    struct peer_event events[1024];
    unsigned event_count;
    int done; /* transfers handed back */
};

/* A transfer of the test. */
struct job {
    struct uw_xfer x;
    uint8_t *copy; /* the buffer as it was when the transfer was done */
    int done;
};

void peer_start(struct peer *peer, const char *profile);
void peer_start_sharing(struct peer *peer, const char *profile, struct uw_gate *gate);
void peer_stop(struct peer *peer);
void peer_tap(struct peer *peer);
/* Loses the connection and checks that every job that was taken has been handed back, once. */
struct job;
void peer_stop_checked(struct peer *peer, const struct job *jobs, unsigned count);

/* Takes all that the engine has to send. Returns how many messages there are now. */
unsigned peer_take(struct peer *peer);
/* The nth message; fails the test when there is none. */
struct peer_message *peer_message(struct peer *peer, unsigned n);

/* RET_SUBMIT of the nth message, with `size` bytes of payload for IN. */
void peer_answer(struct peer *peer, unsigned n, int32_t status, const void *data, size_t size);
/* The same, saying something else about the length: OUT acknowledgements. */
void peer_acknowledge(struct peer *peer, unsigned n, int32_t status, int32_t actual);
/* RET_SUBMIT of an isochronous message; actual and status per packet, payload as it is sent. */
void peer_answer_iso(struct peer *peer, unsigned n, const struct uw_iso_packet *packets,
                     const void *data, size_t size);
/* RET_UNLINK of the nth message, which has to be a CMD_UNLINK. */
void peer_unlinked(struct peer *peer, unsigned n, int32_t status);
void peer_feed(struct peer *peer, const void *bytes, size_t size);

/* Time goes by; what expires does. */
void peer_wait(struct peer *peer, uint64_t us);

/* Transfers. Return what uw_engine_submit returned. */
int peer_control(struct peer *peer, struct job *job, uint8_t type, uint8_t request, uint16_t value,
                 uint16_t index, size_t length, uint64_t timeout_us);
int peer_submit(struct peer *peer, struct job *job, uint8_t endpoint, enum uw_transfer_type type,
                uint16_t max_packet, size_t length, uint64_t timeout_us, unsigned flags);
int peer_iso(struct peer *peer, struct job *job, uint8_t endpoint, uint32_t packets,
             uint32_t length_each);
void peer_cancel(struct peer *peer, struct job *job);
/* Pulls what is done. */
void peer_collect(struct peer *peer);
void job_free(struct job *job);

void assert_done(const struct job *job, int status, size_t actual);
/* Bytes [from, from + size) of what a job brought are a count that starts at `first`. */
void assert_counts(const struct job *job, size_t size, unsigned first);

struct uw_engine_stats peer_stats(struct peer *peer);

/* 0, 1, 2 ... : a payload in which every byte has its place. */
const uint8_t *counting(void);

#endif
