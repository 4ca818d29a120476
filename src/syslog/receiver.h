/*
 * receiver.h - what the two kinds of receiver share; everything needs the loop's lock
 *
 * A receiver has streams, each of one board. connect.c keeps one going, listen.c takes in what
 * comes.
 */
#ifndef UW_SYSLOG_RECEIVER_H
#define UW_SYSLOG_RECEIVER_H

#include <usbwire/syslog.h>

#include "client/loop.h"
#include "syslog/framer.h"
#include "transport/transport.h"

#define UW_SYSLOG_NAME_MAX 280

/* One board that is connected. */
struct uw_syslog_stream {
    struct uw_grave grave;
    struct uw_source source;
    struct uw_list link; /* the receiver's */
    struct uw_syslog *owner;
    struct uw_transport *transport;
    struct sockaddr_storage from, to;
    char name[UW_SYSLOG_NAME_MAX];
    struct uw_framer framer;
};

struct uw_syslog_kind {
    /* A stream brought something; has ended (`error`: errno, 0 for the end of the stream), and is
     * gone after this. */
    void (*received)(struct uw_syslog *syslog);
    void (*ended)(struct uw_syslog *syslog, struct uw_syslog_stream *stream, int error,
                  struct uw_usec now);
    /* Lets go of everything but the streams; may bury `syslog`, whose first member is a grave. */
    void (*close)(struct uw_syslog *syslog);
};

struct uw_syslog {
    struct uw_grave grave;
    const struct uw_syslog_kind *kind;
    struct uw_loop *loop;
    struct uw_syslog_options options;
    struct uw_list streams;
    unsigned count; /* of them */
    char storage[UW_SYSLOG_STORAGE];
};

/* Makes the common part out of zeroed memory. INVALID for options of another size or without
 * `message`. */
int uw_syslog_init(struct uw_syslog *syslog, const struct uw_syslog_kind *kind,
                   struct uw_loop *loop, const struct uw_syslog_options *options);

/* Takes over a connection, whatever comes of it. `name` NULL: the board's address. NO_MEMORY. */
int uw_syslog_add_stream(struct uw_syslog *syslog, struct uw_transport *transport,
                         const char *name);

/* Where a message came from, and how. */
struct uw_syslog_origin {
    const char *name;
    const struct sockaddr_storage *from, *to;
    unsigned flags;
};

void uw_syslog_deliver(struct uw_syslog *syslog, const void *bytes, size_t size,
                       const struct uw_syslog_origin *origin, struct uw_usec now);

void uw_syslog_tell(struct uw_syslog *syslog, int connected, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
