/*
 * syslog.h - the log of a board, or of many
 *
 * A board with a USB/IP server often has a console that nobody sees. The ESP bridges offer it on
 * TCP port 1514 as syslog messages (RFC 5424 in RFC 6587 framing): they listen, we connect. Other
 * boards send theirs to whoever listens. Both give the same messages here:
 *
 *     void print(void *data, const struct uw_syslog_message *message)
 *     {
 *         char line[4096];
 *         uw_syslog_line(message, 1, line, sizeof(line));
 *         fprintf(stderr, "%s\n", line);
 *     }
 *
 *     struct uw_syslog_options options = {.size = sizeof(options), .message = print};
 *     uw_syslog_connect(loop, "bench1", 0, &options, &log, &fault);
 *     ...;
 *     uw_syslog_free(log);
 *
 * A receiver reads as fast as messages come, also while nobody waits in the loop (a board whose log
 * is not read stops logging for everybody), connects again when it loses the board, 1 to 30 s
 * apart, and finds its place again in a stream whose framing broke. What was logged before it
 * connected is lost: boards keep no history.
 *
 * Everything in a message is from the network. The strings are safe to print: UTF-8 with what is
 * none replaced, without control characters (but tab and newline) and escape sequences. `raw` is
 * not.
 *
 * Threads: `message` and `state` are called under the loop's lock, from whichever thread drives the
 * loop. They must not block for long and must not call the library, but for the pure functions of
 * this header. A receiver may be made and freed in any thread, not from these functions.
 */
#ifndef USBWIRE_SYSLOG_H
#define USBWIRE_SYSLOG_H

#include <stddef.h>
#include <stdint.h>

#include <usbwire/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sockaddr;

#define UW_SYSLOG_PORT 1514 /* the ESP bridges' */
#define UW_SYSLOG_MAX  8192 /* bytes of the longest message; what is longer is cut */

/* Enough for the strings of any message. */
#define UW_SYSLOG_STORAGE (3 * UW_SYSLOG_MAX + 16)

enum uw_syslog_flag {
    UW_SYSLOG_CUT = 1,  /* its end is missing: too long, or the connection ended in it */
    UW_SYSLOG_JUNK = 2, /* no message: bytes where one should have begun */
    UW_SYSLOG_UDP = 4   /* came as a datagram */
};

/* A string that a message does not have is NULL. All pointers are borrowed until the function that
 * was given the message returns; from uw_syslog_parse, until its arguments change. */
struct uw_syslog_message {
    const void *raw; /* as received, without the framing */
    size_t raw_size;
    unsigned flags; /* of enum uw_syslog_flag */

    int priority; /* 0..191: facility * 8 + severity; -1: none */
    const char *timestamp, *hostname, *app_name, *procid, *msgid, *structured_data;
    char level; /* 'E', 'W', 'I', 'D', 'V' as ESP-IDF logs, else from the priority; 0: none */
    const char *uptime; /* what ESP-IDF prints in parentheses: milliseconds, or a time */
    const char *tag;    /* and before the colon */
    const char *text;   /* what remains; never NULL */

    /* Of a receiver; zero and NULL from uw_syslog_parse. */
    struct uw_usec when;              /* when it was received */
    uint64_t wall_us;                 /* the same, in microseconds since 1970 UTC */
    const char *source;               /* the board as the caller named it, or its address */
    const struct sockaddr *from, *to; /* the board's end of the connection, and ours */
};

/* Reads one message out of its bytes; whatever they are, there is a message afterwards. `storage`
 * holds its strings, which are cut if it is smaller than UW_SYSLOG_STORAGE. */
void uw_syslog_parse(const void *bytes, size_t size, char *storage, size_t storage_size,
                     struct uw_syslog_message *ret_message);

/*
 * The message as a line for a terminal, "HH:MM:SS.mmm SOURCE L (UPTIME) TAG: TEXT" with the local
 * time of its arrival, without a newline at its end; further lines of its text are indented. With
 * `colour`: errors red, warnings yellow, information green. Cut when too long, always terminated.
 * Returns the length.
 */
size_t uw_syslog_line(const struct uw_syslog_message *message, int colour, char *buf, size_t size);

struct uw_syslog;

struct uw_syslog_options {
    size_t size; /* sizeof(struct uw_syslog_options) */
    void (*message)(void *data, const struct uw_syslog_message *message);
    /* A connection was made (1) or lost, or could not be made (0): `text` is one line. NULL: not
     * wanted. */
    void (*state)(void *data, int connected, const char *text);
    void *data;
};

/*
 * Connects to a board's log: "HOST", "HOST:PORT", "[V6]:PORT". `port` counts where the address
 * names none; 0: 1514. Returns at once; connecting, and connecting again, goes on by itself.
 * Errors: INVALID with a fault that shows the accepted forms, NO_MEMORY.
 */
int uw_syslog_connect(struct uw_loop *loop, const char *address, uint16_t port,
                      const struct uw_syslog_options *options, struct uw_syslog **ret_syslog,
                      struct uw_fault *fault);

/*
 * Listens on TCP and UDP for boards that send. `bind` is a numeric address, NULL: all of this
 * machine; port 0: any free one. Errors: INVALID, CONNECT (in use, or not of this machine),
 * NO_MEMORY.
 */
int uw_syslog_listen(struct uw_loop *loop, const char *bind, uint16_t port,
                     const struct uw_syslog_options *options, struct uw_syslog **ret_syslog,
                     uint16_t *ret_port, struct uw_fault *fault);

/* Ends it. No function of its options is called any more. NULL is fine. */
void uw_syslog_free(struct uw_syslog *syslog);

/*
 * For a thread that would rather wait for messages than be called with them: an inbox whose
 * uw_syslog_inbox_put is the `message` of the options, with the inbox as their `data`. It keeps
 * UW_SYSLOG_INBOX_MAX messages and counts those for which it had no room.
 */
struct uw_syslog_inbox;

#define UW_SYSLOG_INBOX_MAX 1024u

/* Makes one. Free it after the receivers that put into it. Errors: NO_MEMORY. */
int uw_syslog_inbox_new(struct uw_loop *loop, struct uw_syslog_inbox **ret_inbox);
void uw_syslog_inbox_free(struct uw_syslog_inbox *inbox);

void uw_syslog_inbox_put(void *inbox, const struct uw_syslog_message *message);

/* Takes the next message, waiting for it, and driving the loop, at most `timeout` (a duration). 1
 * and a message, borrowed until the next call; 0 after the timeout; INTERRUPTED after a signal or
 * uw_loop_interrupt. One thread at a time. */
int uw_syslog_inbox_next(struct uw_syslog_inbox *inbox, struct uw_usec timeout,
                         struct uw_syslog_message *ret_message);

/* Messages lost because nobody came for them in time. */
uint64_t uw_syslog_inbox_dropped(struct uw_syslog_inbox *inbox);

#ifdef __cplusplus
}
#endif
#endif
