/*
 * session.c - the server's half of USB/IP: bytes to messages
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/error.h>

#include "export/internal.h"
#include "wire/op.h"

/* A peer that leaves more than this unread is kept waiting. */
#define UNSENT_PAUSE (4u * 1024u * 1024u)

int
uw_session_new(const struct uw_export *callbacks, struct uw_session **ret_session)
{
    struct uw_session *s = calloc(1, sizeof(*s));

    if (!s)
        return UW_ERROR_NO_MEMORY;
    s->cb = *callbacks;
    if (callbacks->habits)
        s->habits = *callbacks->habits;
    uw_list_init(&s->requests);
    uw_list_init(&s->tx);
    s->state = SESSION_OP_HEADER;
    uw_framer_start(&s->framer, s->head, UW_OP_HEADER_SIZE);
    *ret_session = s;
    return 0;
}

void
uw_session_free(struct uw_session *s)
{
    struct uw_list *pos, *tmp;

    if (!s)
        return;
    uw_list_each(pos, tmp, &s->tx)
    {
        struct out *o = UW_CONTAINER(pos, struct out, link);

        if (o->owner)
            free(o->owner);
        else
            export_free_request(s, UW_CONTAINER(o, struct pending, out));
    }
    uw_list_each(pos, tmp, &s->requests)
        export_free_request(s, UW_CONTAINER(pos, struct pending, in_session));
    if (s->reading)
        export_free_request(s, s->reading);
    free(s->table);
    free(s->stash);
    free(s);
}

int
uw_session_wants_close(const struct uw_session *s)
{
    return s->closing && uw_list_empty(&s->tx);
}

int
uw_session_is_imported(const struct uw_session *s)
{
    return s->imported;
}

/* Only what the peer can end by itself may keep it waiting, or it could not even unlink. */
static int
is_paused(const struct uw_session *s)
{
    return (has(s, UW_HABIT_ONE_AT_A_TIME) && s->count > 0) || s->unsent >= UNSENT_PAUSE;
}

int
uw_session_wants_read(const struct uw_session *s)
{
    return !s->closing && !is_paused(s);
}

static int (*const got[])(struct uw_session *) = {
    [SESSION_OP_HEADER] = export_got_op, [SESSION_OP_BUSID] = export_got_busid,
    [SESSION_PDU] = export_got_pdu,      [SESSION_PAYLOAD] = export_got_payload,
    [SESSION_TABLE] = export_got_table,
};

static int
end_at(struct uw_session *s, int r)
{
    if (r < 0) {
        s->state = SESSION_CLOSING;
        s->closing = 1;
    }
    return r;
}

static int
take(struct uw_session *s, const uint8_t **bytes, size_t *size)
{
    int r = 0;

    while (r == 0 && s->state != SESSION_CLOSING && !is_paused(s) &&
           uw_framer_take(&s->framer, bytes, size))
        r = got[s->state](s);
    return end_at(s, r);
}

static int
is_between(const struct uw_session *s)
{
    return s->state == SESSION_OP_HEADER || s->state == SESSION_PDU || s->state == SESSION_CLOSING;
}

/* What came of a message is forgotten. */
static void
start_over(struct uw_session *s)
{
    if (s->reading)
        export_free_request(s, s->reading);
    free(s->table);
    s->reading = NULL;
    s->table = NULL;
    s->state = s->imported ? SESSION_PDU : SESSION_OP_HEADER;
    uw_framer_start(&s->framer, s->head, s->imported ? UW_PDU_SIZE : UW_OP_HEADER_SIZE);
}

/* A server without reassembly takes what one receive call returns for one message. */
static int
take_segment(struct uw_session *s, const uint8_t *bytes, size_t size)
{
    int r = 0, whole = s->state == SESSION_CLOSING;

    while (r == 0 && !whole && uw_framer_take(&s->framer, &bytes, &size)) {
        r = got[s->state](s);
        whole = is_between(s);
    }
    if (r == 0 && !whole)
        start_over(s);
    return end_at(s, r);
}

static int
put_aside(struct uw_session *s, const uint8_t *bytes, size_t size)
{
    uint8_t *larger = realloc(s->stash, s->stashed + size);

    if (!larger)
        return UW_ERROR_NO_MEMORY;
    memcpy(larger + s->stashed, bytes, size);
    s->stash = larger;
    s->stashed += size;
    return 0;
}

int
uw_session_feed(struct uw_session *s, const uint8_t *bytes, size_t size)
{
    int r;

    if (has(s, UW_HABIT_ONE_A_SEGMENT))
        return take_segment(s, bytes, size);
    r = s->stashed ? 0 : take(s, &bytes, &size);

    if (r == 0 && size && s->state != SESSION_CLOSING)
        r = put_aside(s, bytes, size);
    return r;
}

int
uw_session_resume(struct uw_session *s)
{
    uint8_t *stash = s->stash;
    const uint8_t *at = stash;
    size_t left = s->stashed;
    int r;

    if (!left || is_paused(s) || s->state == SESSION_CLOSING)
        return 0;
    s->stash = NULL;
    s->stashed = 0;
    r = take(s, &at, &left);
    if (r == 0 && left && s->state != SESSION_CLOSING)
        r = put_aside(s, at, left);
    free(stash);
    return r;
}
