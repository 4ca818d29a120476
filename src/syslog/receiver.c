/*
 * receiver.c - streams of messages, and who is told of them
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wall.h"
#include "client/import.h"
#include "client/service.h"
#include "syslog/receiver.h"
#include "transport/listen.h"

#define PIECE      4096u
#define PIECES_MAX 16 /* of one stream before others have their turn */

void
uw_syslog_deliver(struct uw_syslog *s, const void *bytes, size_t size,
                  const struct uw_syslog_origin *origin, struct uw_usec now)
{
    struct uw_syslog_message m;

    uw_syslog_parse(bytes, size, s->storage, sizeof(s->storage), &m);
    m.flags = origin->flags;
    m.when = now;
    m.wall_us = uw_wall_now();
    m.source = origin->name;
    m.from = (const struct sockaddr *)(const void *)origin->from;
    m.to = (const struct sockaddr *)(const void *)origin->to;
    s->options.message(s->options.data, &m);
}

void
uw_syslog_tell(struct uw_syslog *s, int connected, const char *format, ...)
{
    char text[512];
    va_list ap;

    if (!s->options.state)
        return;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    s->options.state(s->options.data, connected, text);
}

static void
deliver_frame(struct uw_syslog_stream *t, const struct uw_frame *frame, struct uw_usec now)
{
    struct uw_syslog_origin origin = {t->name, &t->from, &t->to, 0};

    if (frame->cut)
        origin.flags |= UW_SYSLOG_CUT;
    if (frame->kind == UW_FRAME_JUNK)
        origin.flags |= UW_SYSLOG_JUNK;
    uw_syslog_deliver(t->owner, frame->bytes, frame->size, &origin, now);
}

static void
take_in(struct uw_syslog_stream *t, const uint8_t *bytes, size_t size, struct uw_usec now)
{
    struct uw_frame frame;

    while (size) {
        size_t n = uw_framer_put(&t->framer, bytes, size);

        bytes += n;
        size -= n;
        while (uw_framer_next(&t->framer, &frame))
            deliver_frame(t, &frame, now);
    }
}

static void
free_stream(struct uw_grave *grave)
{
    free(UW_CONTAINER(grave, struct uw_syslog_stream, grave));
}

static void
close_stream(struct uw_syslog_stream *t)
{
    struct uw_loop *loop = t->owner->loop;

    uw_loop_remove_source(loop, &t->source);
    uw_transport_free(t->transport, 1);
    uw_list_remove(&t->link);
    t->owner->count--;
    uw_loop_bury(loop, &t->grave);
}

static void
end(struct uw_syslog_stream *t, int error, struct uw_usec now)
{
    struct uw_syslog *s = t->owner;
    struct uw_frame frame;

    if (uw_framer_finish(&t->framer, &frame))
        deliver_frame(t, &frame, now);
    s->kind->ended(s, t, error, now);
    close_stream(t);
}

static void
ready(struct uw_source *source, unsigned events, struct uw_usec now)
{
    struct uw_syslog_stream *t = UW_CONTAINER(source, struct uw_syslog_stream, source);
    uint8_t bytes[PIECE];
    struct iovec iov = {bytes, sizeof(bytes)};

    (void)events;
    for (int i = 0; i < PIECES_MAX; i++) {
        int error = 0;
        ssize_t n = uw_transport_readv(t->transport, &iov, 1, &error);

        if (n == UW_AGAIN)
            return;
        if (n <= 0) {
            end(t, error, now);
            return;
        }
        t->owner->kind->received(t->owner);
        take_in(t, bytes, (size_t)n, now);
    }
}

int
uw_syslog_add_stream(struct uw_syslog *s, struct uw_transport *transport, const char *name)
{
    struct uw_syslog_stream *t = calloc(1, sizeof(*t));
    int r = UW_ERROR_NO_MEMORY;

    if (t) {
        t->grave.free = free_stream;
        uw_list_init(&t->grave.link);
        uw_list_init(&t->source.link);
        uw_framer_init(&t->framer);
        t->owner = s;
        t->transport = transport;
        uw_transport_ends(transport, &t->from, &t->to);
        if (name)
            snprintf(t->name, sizeof(t->name), "%s", name);
        else
            uw_socket_host(&t->from, t->name, sizeof(t->name));
        t->source.fd = uw_transport_fd(transport);
        t->source.events = UW_POLL_IN;
        t->source.ready = ready;
        r = uw_loop_add_source(s->loop, &t->source);
    }
    if (r < 0) {
        free(t);
        uw_transport_free(transport, 0);
        return r;
    }
    uw_list_insert(&s->streams, &t->link);
    s->count++;
    return 0;
}

int
uw_syslog_init(struct uw_syslog *s, const struct uw_syslog_kind *kind, struct uw_loop *loop,
               const struct uw_syslog_options *options)
{
    if (!options || options->size != sizeof(*options) || !options->message)
        return UW_ERROR_INVALID;
    s->kind = kind;
    s->loop = loop;
    s->options = *options;
    uw_list_init(&s->grave.link);
    uw_list_init(&s->streams);
    return 0;
}

void
uw_syslog_free(struct uw_syslog *s)
{
    struct uw_list *pos, *tmp;
    struct uw_loop *loop;

    if (!s)
        return;
    loop = s->loop;
    uw_loop_lock(loop);
    uw_list_each(pos, tmp, &s->streams)
        close_stream(UW_CONTAINER(pos, struct uw_syslog_stream, link));
    s->kind->close(s);
    uw_loop_unlock(loop);
    uw_service_release(loop);
}
