/*
 * internal.h - the parts of a session, for src/export alone
 *
 *     session.c  the public face; bytes to messages, and who has to wait
 *     op.c       the list of devices, imports
 *     urb.c      requests: taken in, answered, taken back
 *     out.c      what is to be sent
 */
#ifndef UW_EXPORT_INTERNAL_H
#define UW_EXPORT_INTERNAL_H

#include "export/session.h"
#include "wire/cmd.h"
#include "wire/framer.h"

/* A message to be sent: head, body, tail. */
struct out {
    struct uw_list link;
    uint8_t head[UW_PDU_SIZE];
    size_t head_size;
    const uint8_t *body;
    size_t body_size;
    const uint8_t *tail;
    size_t tail_size;
    size_t sent;
    void *owner; /* freed once it is sent */
};

struct pending {
    struct uw_request r; /* first: whoever offers devices hands back this pointer */
    struct uw_list in_session;
    struct uw_pdu pdu;
    struct uw_pdu unlink; /* UW_UNLINK_BEGUN: what is to be answered with the request */
    int unlinking;
    struct out out;
    uint8_t *table;   /* of the reply */
    size_t size;      /* as counted in session->bytes */
    int refused;      /* there was no room for it */
    int table_unread; /* an isochronous URB at a server that knows nothing of those */
};

enum session_state {
    SESSION_OP_HEADER,
    SESSION_OP_BUSID,
    SESSION_PDU,
    SESSION_PAYLOAD,
    SESSION_TABLE,
    SESSION_CLOSING
};

struct uw_session {
    struct uw_export cb;
    struct uw_habits habits;
    enum session_state state;
    struct uw_framer framer;
    uint8_t head[UW_PDU_SIZE];
    struct pending *reading; /* its payload is coming in */
    uint8_t *table;          /* its packet table */
    struct uw_list requests; /* of struct pending: not answered */
    unsigned count;
    size_t bytes;
    struct uw_list tx;
    size_t unsent;
    int imported, closing;
    uint32_t devid; /* of the imported device */
    uint8_t *stash; /* bytes behind a request that has to be answered first */
    size_t stashed;
};

static inline int
has(const struct uw_session *s, unsigned habit)
{
    return (s->habits.flags & habit) != 0;
}

/* ---- out.c ---- */

void export_queue(struct uw_session *session, struct out *out);
/* A message of its own with `size` bytes of body behind the head; NULL without memory. */
struct out *export_new_out(size_t size);

/* ---- a message of that state is complete: 0, or an error that ends the connection ---- */

int export_got_op(struct uw_session *session);
int export_got_busid(struct uw_session *session);
int export_got_pdu(struct uw_session *session);
int export_got_payload(struct uw_session *session);
int export_got_table(struct uw_session *session);

/* ---- urb.c ---- */

void export_free_request(struct uw_session *session, struct pending *request);

#endif
