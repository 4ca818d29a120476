/*
 * framer.h - where messages begin and end in a stream of bytes (RFC 6587)
 *
 * Senders count octets or end messages with a newline, some change between the two, and some lose
 * their place: the ESP bridge drops what a full socket did not take, in the middle of a frame. So
 * each frame is judged anew. Between frames, CR LF NUL SP are skipped; then
 *
 *     LEN SP '<' ...   with 1 <= LEN <= UW_SYSLOG_MAX: LEN octets, newlines in them are data
 *     '<' ...          up to the newline
 *     else             junk up to the newline; the stream is in step again behind it
 *
 * Asking for the '<' behind the count is what makes a damaged stream cost one message and not all
 * that follow. For the same reason a counted message ends, as cut, where a line in it begins like
 * the next one, "LEN <PRI>1 ": its count is wrong. A line longer than UW_SYSLOG_MAX is cut and its
 * rest skipped. What comes out does not depend on how the stream is cut into pieces. Nothing is
 * allocated.
 */
#ifndef UW_SYSLOG_FRAMER_H
#define UW_SYSLOG_FRAMER_H

#include <stddef.h>
#include <stdint.h>

#include <usbwire/syslog.h>

/* The longest frame with its count, and the byte more that shows a line to be too long. */
#define UW_FRAMER_SIZE (UW_SYSLOG_MAX + 8u)

enum uw_frame_kind { UW_FRAME_COUNTED, UW_FRAME_LINE, UW_FRAME_JUNK };

struct uw_frame {
    enum uw_frame_kind kind;
    int cut;
    const uint8_t *bytes; /* in the framer; until the next call on it */
    size_t size;
};

struct uw_framer {
    uint8_t bytes[UW_FRAMER_SIZE];
    size_t start, end;  /* what is there and not yet given out */
    int skipping;       /* the rest of a line that was too long */
    unsigned long junk; /* how often */
};

void uw_framer_init(struct uw_framer *framer);

/* Takes in as many of the bytes as there is room for; returns how many. There is room for at least
 * one whenever uw_framer_next has returned 0. */
size_t uw_framer_put(struct uw_framer *framer, const void *bytes, size_t size);

/* The next frame: 1, or 0 when more bytes are needed. */
int uw_framer_next(struct uw_framer *framer, struct uw_frame *ret_frame);

/* The stream is over: the frame that is incomplete, as cut. 1, or 0 when there is none. */
int uw_framer_finish(struct uw_framer *framer, struct uw_frame *ret_frame);

#endif
