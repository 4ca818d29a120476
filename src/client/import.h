/*
 * import.h - one import: a connection, its engine, and the states from "look up the host" to "gone"
 *
 *     RESOLVING → CONNECTING → REQUESTING → UP → ENDED
 *                     ▲─────── REPLACING ◄──┘   (UW_PROF_REPLACE servers, after a lost answer)
 *
 * All states but ENDED are the loop's: no call here does I/O while it holds the lock but
 * non-blocking reads and writes. This header is for usb/ and later layers of this library; programs
 * see device.h.
 *
 * Functions ending in _locked need the loop's lock; all others take it.
 */
#ifndef UW_CLIENT_IMPORT_H
#define UW_CLIENT_IMPORT_H

#include <usbwire/error.h>
#include <usbwire/queue.h>
#include <usbwire/server.h>
#include <usbwire/urb.h>

#include "engine/engine.h"

struct uw_import;

/* A URB as all layers see it. `x` is the engine's part. usb/ fills in type, max_packet, interval.
 */
struct uw_urb {
    struct uw_xfer x; /* first: the engine hands back this pointer */
    struct uw_import *import;
    struct uw_device *device;
    struct uw_queue *queue;
    struct uw_usec timeout; /* duration */
    void (*callback)(struct uw_urb *urb, void *data);
    void *data;
    unsigned iso_room;
    size_t room;            /* bytes of the buffer; x.length of an isochronous one may be less */
    char held[128];         /* HELD: what held the server, for the fault */
    struct uw_list queued;  /* in its queue once completed */
    unsigned in_flight : 1; /* from submit until it left its queue */
    unsigned detached : 1;  /* nobody waits for it: freed when it completes */
    /* A hook that runs under the lock when the URB completes and before it is queued: usb/ uses it
     * to follow what SET_CONFIGURATION and the like did. NULL: none. */
    void (*completed_locked)(struct uw_urb *urb);
    /* In place of a queue: it completed and is its owner's again. Under the lock; must not submit.
     * NULL: somebody waits for it. */
    void (*ended_locked)(struct uw_urb *urb);
};

/* For a URB that is not from uw_urb_new: zeroed memory becomes one. */
void uw_urb_init(struct uw_urb *urb);

/* A tap was added or removed. */
void uw_imports_retap(struct uw_loop *loop);

/* Sends what was submitted while the loop handled what came. */
void uw_imports_send(struct uw_loop *loop, struct uw_usec now);

/* In a forked child: imports that were just being made, or made anew, are the parent's alone, and
 * so is what is under way on the others. */
void uw_imports_forked(struct uw_loop *loop);

/* The loop's lock, the only one of the library. Not recursive. */
void uw_loop_lock(struct uw_loop *loop);
void uw_loop_unlock(struct uw_loop *loop);

struct uw_loop *uw_server_loop(const struct uw_server *server);
struct uw_server *uw_server_ref(struct uw_server *server);
/* Where a slot for the layer above is kept: usb/ finds the uw_device that shares an import. */
struct uw_import *uw_server_find_import_locked(struct uw_server *server, const char *busid);

/* The import behind `import` (NULL: the first) of those that live; NULL: no more. */
struct uw_import *uw_server_next_import_locked(struct uw_server *server, struct uw_import *import);

/* The import behind `import` (NULL: the first) of a loop; NULL: no more. */
struct uw_import *uw_loop_next_import_locked(struct uw_loop *loop, struct uw_import *import);

/* What taps are told of it; NULL before it is imported and after it has ended. */
const struct uw_tap_source *uw_import_tap_source_locked(const struct uw_import *import);

/* Imports `busid` and waits for it. The import lives until uw_import_free. 1, and nothing done,
 * when the loop has an import of it already or is just making one: two cannot come of one. */
int uw_import_new(struct uw_server *server, const char *busid, struct uw_usec timeout,
                  struct uw_import **ret_import, struct uw_fault *fault);

/* Unlinks what can be unlinked, completes what is in flight with CANCELLED, shuts down, closes. */
void uw_import_free(struct uw_import *import);
void uw_import_free_locked(struct uw_import *import);

/* One pointer for the layer above. */
void uw_import_set_data(struct uw_import *import, void *data);

/* Runs under the lock when the connection was replaced, before the URBs that waited for it are
 * sent: what it submits goes first. */
void uw_import_on_replaced(struct uw_import *import, void (*replaced)(void *arg), void *arg);
void *uw_import_data(const struct uw_import *import);

/* Who is told when the import ends by itself: under the lock, after the last URB has completed;
 * must not submit. Taken off with uw_list_remove(&ending->link), also after the end. */
struct uw_ending {
    struct uw_list link;
    void (*ended)(struct uw_ending *ending);
};

void uw_import_on_ended_locked(struct uw_import *import, struct uw_ending *ending);

/* Ends the import as if the server had closed the connection: what is behind it is known to be
 * something else. */
void uw_import_end_locked(struct uw_import *import, int error, const char *why);

/* 1 when `import` was made after `ended` had ended; one that lives on has no successor. */
int uw_import_is_later_locked(const struct uw_import *import, const struct uw_import *ended);

const struct uw_device_info *uw_import_info(const struct uw_import *import);
struct uw_server *uw_import_server(const struct uw_import *import);
unsigned uw_import_bus(const struct uw_import *import);
const char *uw_import_name(const struct uw_import *import); /* "HOST:PORT BUSID (VID:PID)" */

/* UW_OK while it lives (also while its connection is being replaced); else why it ended. */
int uw_import_status_locked(const struct uw_import *import);

/* How it ended, in words: "the server closed the connection"; "" while it lives. */
const char *uw_import_why_locked(const struct uw_import *import);

/* Counts up when the connection was replaced: the device behind it is as freshly imported. */
unsigned uw_import_generation_locked(const struct uw_import *import);

const struct uw_profile *uw_import_profile_locked(const struct uw_import *import);
/* Behind a broker that of the server that has the device. */
const struct uw_profile *uw_import_origin_locked(const struct uw_import *import);
struct uw_engine *uw_import_engine_locked(struct uw_import *import);

/* Submits a URB whose x part is complete but for the deadline; sends at once what can be sent, or,
 * from within the loop's handling of what came, at the end of that with what else there is to send.
 * While the connection is being replaced the URB waits. Errors: as uw_engine_submit, BUSY. */
int uw_import_submit_locked(struct uw_import *import, struct uw_urb *urb, struct uw_queue *queue);
int uw_import_cancel_locked(struct uw_import *import, struct uw_urb *urb);
/* As if its time were up: what else that means to the server is done, too. */
int uw_import_time_out_locked(struct uw_import *import, struct uw_urb *urb);

/* uw_engine_flush, and what that makes to be sent. */
void uw_import_flush_locked(struct uw_import *import, uint32_t endpoints);
/* uw_engine_drop_kept. */
void uw_import_drop_kept_locked(struct uw_import *import, uint32_t endpoints);

/* Waits, driving the loop, until a URB submitted with queue == NULL has completed. The lock is held
 * before and after, not while waiting; signals are swallowed. */
void uw_urb_wait_locked(struct uw_loop *loop, struct uw_urb *urb);

/* Drives the loop for a while: the pauses of uw_find. INTERRUPTED after uw_loop_interrupt. */
int uw_loop_sleep(struct uw_loop *loop, struct uw_usec duration);

#endif
