/*
 * stream.h - reading a capture back, block by block, as it comes in
 *
 * For what this library writes (pcapng.h): little-endian, no block above UW_BLOCK_MAX. Whatever the
 * bytes, nothing outside of them is read and no more memory is used than for one stream.
 */
#ifndef UW_CAPTURE_STREAM_H
#define UW_CAPTURE_STREAM_H

#include <stddef.h>
#include <stdint.h>

#define UW_STREAM_INTERFACES_MAX 256u
#define UW_STREAM_TEXT_MAX       513u

struct uw_stream_interface {
    uint16_t link_type;
    char description[UW_STREAM_TEXT_MAX];
};

struct uw_stream {
    uint8_t *bytes; /* 2 * UW_BLOCK_MAX of them */
    size_t start, end;
    unsigned section; /* counts up from 1; 0: none yet */
    char comment[UW_STREAM_TEXT_MAX];
    struct uw_stream_interface *interfaces;
    unsigned interface_count;
    char packet_comment[UW_STREAM_TEXT_MAX];
};

struct uw_stream_packet {
    unsigned interface;
    uint64_t stamp;
    const uint8_t *bytes; /* borrowed until the next call */
    size_t size;
    uint32_t original;
    const char *comment; /* or NULL */
};

/* NO_MEMORY. */
int uw_stream_init(struct uw_stream *stream);
void uw_stream_free(struct uw_stream *stream);

/* Where the next bytes are to be read to, at least UW_BLOCK_MAX of them when everything before has
 * been taken; then how many came. */
uint8_t *uw_stream_room(struct uw_stream *stream, size_t *ret_size);
void uw_stream_added(struct uw_stream *stream, size_t size);

/* The next packet: 1, 0 when it has not all come yet, PROTOCOL when this is no capture; NO_MEMORY.
 * After an error the stream can only be freed. */
int uw_stream_next(struct uw_stream *stream, struct uw_stream_packet *ret_packet);

#endif
