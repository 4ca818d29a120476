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
    uint8_t *buffer;    /* OUT: what came; IN: room for `length` bytes to answer with */
    uint32_t iso_count; /* 0: not isochronous */
    struct uw_iso_packet *iso;
};

/* What the session asks of whoever offers devices. */
struct uw_export {
    /* The list to answer OP_REQ_DEVLIST with; freed by the session. NULL: close the connection. */
    struct uw_device_list *(*list)(void *data);
    /* OP_REQ_IMPORT: a status of enum uw_op_status; on success *ret_info is filled in. */
    uint32_t (*import)(void *data, const char *busid, struct uw_device_info *ret_info);
    /* A URB; to be answered now or later with uw_session_reply. */
    void (*submit)(void *data, struct uw_request *request);
    /* CMD_UNLINK for a request not answered yet: 1 takes the request back (answered with -104 and
     * freed by the session), 0 leaves it (answered with 0). NULL: always 1. */
    int (*unlink)(void *data, struct uw_request *request);
    void *data;
};

int uw_session_new(const struct uw_export *callbacks, struct uw_session **ret_session);
void uw_session_free(struct uw_session *session);

/* Bytes from the peer. 0, or PROTOCOL/LIMIT: close the connection. */
int uw_session_feed(struct uw_session *session, const uint8_t *bytes, size_t size);

/* Answers and frees a request: status as on the wire; actual bytes moved; IN payload is taken from
 * request->buffer, isochronous results from request->iso (offset, actual, status). */
void uw_session_reply(struct uw_session *session, struct uw_request *request, int32_t status,
                      uint32_t actual);

/* Bytes to send; uw_session_tx_done says how many were. 0 when there are none. */
int uw_session_tx(struct uw_session *session, struct iovec *iov, int max);
void uw_session_tx_done(struct uw_session *session, size_t n);

/* 1 when the connection should be closed once everything was sent. */
int uw_session_wants_close(const struct uw_session *session);

#endif
