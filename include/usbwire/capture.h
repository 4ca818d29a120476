/*
 * capture.h - USB traffic as Wireshark reads it
 *
 * A capture is a tap that turns what the connections of a loop exchange into pcapng blocks: one
 * interface a server (usbip0, usbip1, ... of link type 220, records as Linux's usbmon makes them)
 * and, once a syslog message was given to it, syslog0. Blocks are collected in memory and either
 * written by a thread of the capture's own (uw_capture_open) or pulled by a thread of the
 * program's (uw_capture_new, uw_capture_pull). The USB session never waits for a reader: when it
 * is so slow that the memory is full, whole records are left out and counted. Only a regular file
 * is waited for, so that it is complete.
 *
 *     if (uw_capture_open("usb.pcapng", NULL, &capture, NULL) == 0) {
 *         uw_capture_attach(capture, loop);
 *         ...;
 *         uw_capture_close(capture, NULL);
 *         uw_capture_free(capture);
 *     }
 *
 * Records follow the wire: statuses and lengths are as the server sent them. What is not on the
 * wire carries a comment: a URB ended by an unlink or by a lost connection, a payload that was cut,
 * and the descriptors of a device that are repeated, because it was enumerated before the capture
 * began. Each completion has its submission in the same section. The clock is the real time at the
 * start plus what the monotonic clock counted since: stamps never step back.
 *
 * Every write ends at the end of a block unless the reader's pipe is full, so a file that was torn
 * off is readable up to there. A forked child captures nothing.
 *
 * Threads: all functions may be called from any thread, but for uw_capture_free, after which
 * nothing may be, and uw_capture_attach, _detach and _close, which take the loop's lock: not from
 * a tap.
 */
#ifndef USBWIRE_CAPTURE_H
#define USBWIRE_CAPTURE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <usbwire/server.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uw_capture;

/* No block is larger: what dumpcap accepts from a pipe. */
#define UW_CAPTURE_BLOCK_MAX 262144u

struct uw_capture_options {
    size_t size;         /* sizeof(struct uw_capture_options) */
    size_t ring;         /* bytes kept for a slow reader; 0: 8 MiB, at least 1 MiB */
    const char *comment; /* of the section, e.g. the command line; NULL: none */
    struct uw_log log;   /* copied; remarks about readers that come, go and are slow */
};

struct uw_capture_stats {
    uint64_t records; /* made, those left out included */
    uint64_t dropped; /* left out because the reader was slow or absent */
    uint64_t bytes;   /* taken by the reader */
    int reader;       /* 1 while there is one */
    unsigned readers; /* that have come so far, this one included */
};

/*
 * A capture whose blocks are pulled with uw_capture_pull. `options` may be NULL. Close it with
 * uw_capture_close, free it with uw_capture_free. Errors: NO_MEMORY, INVALID.
 */
int uw_capture_new(const struct uw_capture_options *options, struct uw_capture **ret_capture);

/*
 * A capture written to `target`:
 *   a path          a regular file, which is replaced, readable by its owner only; or a FIFO or a
 *                   device. A FIFO may be without a reader: what happens until the first one comes
 *                   is kept as far as the memory reaches. A reader may leave; the next one gets a
 *                   new section with the descriptors of all devices.
 *   "-"             standard output, which must not be a terminal
 *   "wireshark"     the program, started for it; the file of that name is "./wireshark"
 * Errors: NO_MEMORY, INVALID, NOT_FOUND and ACCESS (no such folder, no permission, Wireshark not
 * installed), IO.
 */
int uw_capture_open(const char *target, const struct uw_capture_options *options,
                    struct uw_capture **ret_capture, struct uw_fault *fault);

/*
 * Captures what happens in a loop from now on; several loops may be captured together. Devices that
 * are imported already are introduced by their descriptors. The loop must live until
 * uw_capture_detach or uw_capture_close. Errors: NO_MEMORY, INVALID (it is attached already).
 */
int uw_capture_attach(struct uw_capture *capture, struct uw_loop *loop);
void uw_capture_detach(struct uw_capture *capture, struct uw_loop *loop);

/* Declares the interface of a server before anything is heard of it: Wireshark wants to know of one
 * before it shows its window. The server's loop must be attached: INVALID. NO_MEMORY. */
int uw_capture_add_server(struct uw_capture *capture, const struct uw_server *server);

/*
 * Puts one syslog message into the capture: interface syslog0, from the board's address `source` to
 * ours (both AF_INET or both AF_INET6), stamped with the present time. `protocol` is how it came:
 * IPPROTO_TCP or IPPROTO_UDP. `message` is the bare message of RFC 5424 or 3164 without its
 * framing; it must begin with '<', line ends behind it are left out. After uw_capture_close it does
 * nothing. Errors: INVALID, NO_MEMORY.
 */
int uw_capture_syslog(struct uw_capture *capture, const struct sockaddr *source,
                      const struct sockaddr *destination, int protocol, const void *message,
                      size_t size);

/* Tells the reader the name of an address (AF_INET or AF_INET6); once is enough, more do no harm. A
 * `name` that is an address is none. INVALID, NO_MEMORY. */
int uw_capture_name(struct uw_capture *capture, const struct sockaddr *address, const char *name);

/*
 * Takes whole blocks, as many as there are and fit; `size` must be at least UW_CAPTURE_BLOCK_MAX.
 * Waits at most `timeout` (a duration) for the first one. Returns their bytes, 0 when the capture
 * was closed and everything has been taken. Errors: TIMEOUT; INVALID (too small, or one of
 * uw_capture_open).
 */
long uw_capture_pull(struct uw_capture *capture, void *buffer, size_t size, struct uw_usec timeout);

void uw_capture_stats(struct uw_capture *capture, struct uw_capture_stats *ret_stats);

/*
 * Ends the capture: detaches it, adds its statistics and, with uw_capture_open, waits until all is
 * written: as long as it takes for a file, 2 s for a reader that does not read, 10 s for the first
 * one to come, less after a uw_capture_hurry. Returns 0, or what went wrong with the writing - then
 * or before - with a fault: IO (a full disk), NOT_FOUND (nobody came to read). A reader that left
 * is no error.
 */
int uw_capture_close(struct uw_capture *capture, struct uw_fault *fault);

/* Ends the waiting of a uw_capture_close, now or later. Async-signal-safe. */
void uw_capture_hurry(struct uw_capture *capture);

/* Frees a capture, closing it if that was not done. NULL is fine. */
void uw_capture_free(struct uw_capture *capture);

#ifdef __cplusplus
}
#endif
#endif
