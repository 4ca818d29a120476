/*
 * session.h - the server's half of USB/IP: requests in, replies out, no I/O
 *
 * Bytes of one connection go in (uw_session_feed), requests come out as calls to a struct
 * uw_export, replies are given back in any order (uw_session_reply) and leave as bytes
 * (uw_session_tx). The simulated bench stands behind it today; whoever else offers devices can.
 * It shares only wire/ with the client, so that one misreading of the protocol cannot agree with
 * itself in the engine and here.
 */
#ifndef UW_EXPORT_SESSION_H
#define UW_EXPORT_SESSION_H

#include <sys/uio.h>

#include <usbwire/server.h>
#include <usbwire/tap.h>

#include "base/list.h"

struct uw_session;

#define UW_REQUEST_SLACK 1024u

/* One CMD_SUBMIT to be answered. Owned by the session; valid until uw_session_reply or the
 * `unlinked` call that takes it back. */
struct uw_request {
    struct uw_list link; /* whoever holds the request may use it */
    void *data;          /* likewise */
    uint32_t seqnum;
    uint8_t endpoint; /* address */
    uint8_t setup[8];
    uint32_t flags; /* transfer_flags */
    int32_t interval, start_frame;
    uint32_t length;    /* transfer_buffer_length */
    uint8_t *buffer;    /* OUT: what came; IN: room for `length` bytes to answer with, and
                           UW_REQUEST_SLACK more for a device that says too much */
    uint32_t iso_count; /* 0: not isochronous */
    struct uw_iso_packet *iso;
};

/* How servers differ in speaking the protocol; none of these is how it should be. */
enum uw_habit {
    UW_HABIT_MANY_OPS = 1 << 0,        /* the connection stays open for another request */
    UW_HABIT_ANY_VERSION = 1 << 1,     /* the version of a request is not looked at */
    UW_HABIT_ECHO = 1 << 2,            /* devid, direction, ep and number_of_packets come back */
    UW_HABIT_INVERTED = 1 << 3,        /* with the direction inverted */
    UW_HABIT_OUT_LENGTH_0 = 1 << 4,    /* actual_length of OUT is 0 */
    UW_HABIT_ONE_INTERFACE = 1 << 5,   /* one interface record each, whatever the number says */
    UW_HABIT_DIRTY_STRINGS = 1 << 6,   /* rubbish behind the NUL of path and busid */
    UW_HABIT_NO_RECORD = 1 << 7,       /* VID and PID of an import reply are 0 */
    UW_HABIT_PACKETS_0 = 1 << 8,       /* closes when number_of_packets is not 0 */
    UW_HABIT_STRICT_SEQNUM = 1 << 9,   /* closes on a seqnum that is pending already */
    UW_HABIT_UNLINK_SILENT = 1 << 10,  /* takes back, answers with RET_SUBMIT instead */
    UW_HABIT_UNLINK_USELESS = 1 << 11, /* answers 0 and takes nothing back; with _SILENT: nothing */
    UW_HABIT_UNLINK_LOSES = 1 << 12,   /* answers 0, and the target is never answered */
    UW_HABIT_UNLINK_EARLY = 1 << 13,   /* answers 0, and the target is answered after that */
    UW_HABIT_UNLINK_EPERM = 1 << 14,   /* answers -1 */
    UW_HABIT_EXTRA_IMPORT = 1 << 15,  /* a failed import reply behind the good one, and no import */
    UW_HABIT_NOT_COMPACT = 1 << 16,   /* isochronous IN payload keeps its gaps */
    UW_HABIT_ONE_AT_A_TIME = 1 << 17, /* the next request is read when the last was answered */
    UW_HABIT_ANY_DEVID = 1 << 18,     /* the devid of a request is not looked at */
    UW_HABIT_DEVID_GONE = 1 << 19,    /* a wrong devid is answered with -19, not by closing */
    UW_HABIT_TABLE_UNREAD = 1 << 20,  /* an isochronous packet table is read as the next header */
    UW_HABIT_ONE_A_SEGMENT = 1 << 21  /* what else came with a request is lost */
};

struct uw_habits {
    unsigned flags;        /* enum uw_habit */
    uint32_t max_transfer; /* 0: no limit of its own */
    int32_t too_large;     /* status above that; 0: the surplus is read as the next header */
    int32_t unlinked;      /* RET_SUBMIT status with UW_HABIT_UNLINK_SILENT and _EARLY */
    uint32_t max_requests; /* unanswered at a time; 0: no limit of its own */
    int32_t too_many;      /* status of those above it */
};

enum uw_unlink { UW_UNLINK_REFUSED = 0, UW_UNLINK_DONE = 1, UW_UNLINK_BEGUN = 2 };

/* Bytes that the requests of several sessions may take together, each until its answer was sent. */
struct uw_budget {
    size_t used, max;
};

/*
 * What the session asks of whoever offers devices. A request for which there is no room any more is
 * answered with -12 (ENOMEM) and never seen here.
 */
struct uw_export {
    const struct uw_habits *habits; /* NULL: as it should be */
    struct uw_budget *budget;       /* NULL: this session's own limits are all */
    /* The list to answer OP_REQ_DEVLIST with; freed by the session. NULL: close the connection. */
    struct uw_device_list *(*list)(void *data);
    /* OP_REQ_IMPORT: a status of enum uw_op_status; on success *ret_info is filled in. */
    uint32_t (*import)(void *data, const char *busid, struct uw_device_info *ret_info);
    /* A URB; to be answered now or later with uw_session_reply. */
    void (*submit)(void *data, struct uw_request *request);
    /* CMD_UNLINK for a request not answered yet: UW_UNLINK_DONE takes it back (answered with -104,
     * freed by the session), UW_UNLINK_REFUSED leaves it (answered with 0), UW_UNLINK_BEGUN will
     * answer it before long: with status -104 it was taken back, with any other it was not. NULL:
     * always DONE. */
    int (*unlink)(void *data, struct uw_request *request);
    void *data;
};

int uw_session_new(const struct uw_export *callbacks, struct uw_session **ret_session);
void uw_session_free(struct uw_session *session);

/*
 * Bytes from the peer, all of them taken. 0, or PROTOCOL, LIMIT, NO_MEMORY: close the connection.
 * With UW_HABIT_ONE_A_SEGMENT each call is a segment.
 */
int uw_session_feed(struct uw_session *session, const uint8_t *bytes, size_t size);

/* After replies: goes on with what had to wait for them. As uw_session_feed. */
int uw_session_resume(struct uw_session *session);

/* Answers and frees a request: status as on the wire; actual bytes moved; IN payload is taken from
 * request->buffer, isochronous results from request->iso (offset, actual, status). */
void uw_session_reply(struct uw_session *session, struct uw_request *request, int32_t status,
                      uint32_t actual);

/* Frees a request that is never answered; unlinking it finds nothing. */
void uw_session_forget(struct uw_session *session, struct uw_request *request);

/* Bytes to send; uw_session_tx_done says how many were. 0 when there are none. */
int uw_session_tx(struct uw_session *session, struct iovec *iov, int max);
void uw_session_tx_done(struct uw_session *session, size_t n);
size_t uw_session_unsent(const struct uw_session *session);

/* 0 while the peer has to be kept waiting: it does not read, or one request is done at a time. */
int uw_session_wants_read(const struct uw_session *session);

/* 1 from an accepted import on: the bytes are URBs. */
int uw_session_is_imported(const struct uw_session *session);

/* 1 when the connection should be closed once everything was sent. */
int uw_session_wants_close(const struct uw_session *session);

#endif
