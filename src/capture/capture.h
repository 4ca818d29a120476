/*
 * capture.h - the parts of a capture
 *
 *     capture.c   making, attaching, ending; syslog and names
 *     section.c   what stands before the records and behind them, and room for blocks
 *     record.c    from a tap's event to records
 *     reader.c    who takes the blocks waits here
 *     writer.c    the thread that takes them to a file, a FIFO or a socket
 *     target.c    opening what they are written to
 *     forward.c   records that another program captured
 *
 * and around it
 *
 *     offer.c     letting other programs look on
 *     monitor.c   looking on; stream.c reads what they send, taps.c knows where they meet
 *
 * The capture's lock is taken with the loop's lock held and never the other way round, nor while
 * something is written. Functions that need it end in _locked.
 */
#ifndef UW_CAPTURE_CAPTURE_H
#define UW_CAPTURE_CAPTURE_H

#include <pthread.h>

#include <usbwire/capture.h>

#include "base/list.h"
#include "capture/flight.h"
#include "capture/known.h"
#include "capture/pcapng.h"
#include "capture/ring.h"

/* An interface of the section: a server, or syslog0. */
struct uw_capture_interface {
    const void *origin; /* an attachment, or &uw_section_foreign; NULL: syslog0, or what is gone */
    uint32_t number;    /* tells those of one origin apart */
    uint16_t link_type;
    char name[16];
    char description[400];
    uint64_t received, dropped; /* since the section began */
};

/* A name of an address. */
struct uw_capture_alias {
    struct uw_list link;
    uint8_t address[16];
    size_t address_size;
    char name[256];
};

/* A server in the captures of other programs. */
struct uw_capture_host {
    struct uw_list link;
    uint16_t number; /* the high byte of its buses */
    char name[300];
};

/* A loop that is captured. */
struct uw_attachment {
    struct uw_list link;
    struct uw_capture *capture;
    struct uw_loop *loop;
    struct uw_tap tap;
    unsigned number; /* counts up from 0: tells the ids and buses of several loops apart */
};

struct uw_writer_thread;

struct uw_capture {
    pthread_mutex_t lock;
    pthread_cond_t some; /* a reader has something to take */
    pthread_cond_t room; /* it gave back what it had taken */
    unsigned forks;      /* uw_capture_forks when it was made */
    char comment[512];
    struct uw_log log;

    struct uw_ring ring;
    int lossless;  /* wait for room */
    int own_only;  /* what another process shares is that process's to show */
    int closed;    /* nothing comes any more */
    int absent;    /* nobody reads and what happens is not kept */
    size_t wanted; /* bytes at which a reader wants to be woken; 0: none waits */

    unsigned section;                                        /* counts up from 1 */
    uint64_t started, real_base, monotonic_base, last_stamp; /* ns */
    struct uw_capture_interface *interfaces;
    uint32_t interface_count;
    struct uw_list aliases;
    struct uw_list hosts; /* of what is forwarded, struct uw_capture_host */
    struct uw_list known; /* of struct uw_known */
    struct uw_flight flight;
    uint64_t synthetic; /* ids given to repeated descriptors */
    struct uw_capture_stats stats;
    int slow; /* it was said that the reader is */

    struct uw_list attachments;
    unsigned attached; /* how many there ever were */
    struct uw_writer_thread *writer;
};

/* Forks since the program started: in a child a capture is dead. */
unsigned uw_capture_forks(void);
/* Before the first look at that number. */
void uw_capture_watch_forks(void);

/* uw_capture_attach and _detach for who has the loop's lock. */
int uw_capture_attach_locked(struct uw_capture *capture, struct uw_loop *loop);
void uw_capture_detach_locked(struct uw_capture *capture, struct uw_loop *loop);

/* Nothing comes any more: adds the statistics. */
void uw_capture_end(struct uw_capture *capture);

/* ---- section.c ---- */

/* Starts a section: header, interfaces, names. What was not taken is thrown away. */
void uw_section_begin_locked(struct uw_capture *capture);

/* Statistics of every interface. */
void uw_section_end_locked(struct uw_capture *capture);

/* The interface of a server, made on first sight; UINT32_MAX: no memory. `text` completes its
 * description (NULL: nothing). */
uint32_t uw_section_server_locked(struct uw_capture *capture, const void *origin, uint32_t number,
                                  const char *host, const char *text);

/* The origin of what other programs captured. */
extern const char uw_section_foreign;
uint32_t uw_section_syslog_locked(struct uw_capture *capture);
void uw_section_alias_locked(struct uw_capture *capture, const struct uw_capture_alias *alias);

/* The present, in the capture's stamps; later than every stamp before. */
uint64_t uw_section_stamp_locked(struct uw_capture *capture);

/* A packet: room for its bytes, already in the ring when the lock is released. NULL: it is left out
 * and counted. */
uint8_t *uw_section_packet_locked(struct uw_capture *capture, uint32_t interface, uint64_t stamp,
                                  uint32_t captured, uint32_t original, const char *comment);

/* Counts a packet that is left out because the one it belongs to was. */
void uw_section_leave_out_locked(struct uw_capture *capture, uint32_t interface);

/* ---- record.c ---- */

void uw_record_event(void *attachment, const struct uw_tap_event *event);

/* A device that was imported before the capture began. `device` is its descriptor (18 bytes; NULL:
 * not known), `config` the first configuration. */
void uw_record_introduce_locked(struct uw_capture *capture, const struct uw_attachment *attachment,
                                const struct uw_tap_source *source, const uint8_t *device,
                                const uint8_t *config, size_t config_size);

/* ---- reader.c ---- */

/* Waits until there is something to take, or until the instant; collects for a moment. 1: there is
 * something, 0: not in time, or closed and empty. */
int uw_reader_wait_locked(struct uw_capture *capture, struct uw_usec until);

/* Wakes the reader if there is enough for it now. */
void uw_reader_wake_locked(struct uw_capture *capture);

/* The bytes to be taken next; gives back what was taken of them. */
size_t uw_reader_peek_locked(struct uw_capture *capture, const uint8_t **ret_bytes);
void uw_reader_give_back_locked(struct uw_capture *capture, size_t n);

/* Nobody takes anything any more, and nothing is kept: what was, is counted as left out. */
void uw_reader_gone_locked(struct uw_capture *capture);

/* Bytes of the whole blocks at the beginning of `bytes`, at most `size` of them. */
size_t uw_reader_whole_blocks(const uint8_t *bytes, size_t size);

#endif
