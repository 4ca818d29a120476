/*
 * profile.h - servers are data: what each known one can do (profiles.def is the table)
 *
 * A profile is found by the path that a server gives its devices (uw_profile_recognise) and refined
 * by what it is then seen doing (uw_profile_refine). Nothing else in the code asks which server it
 * is.
 */
#ifndef UW_ENGINE_PROFILE_H
#define UW_ENGINE_PROFILE_H

#include <usbwire/server.h>

#include "wire/status.h"

enum uw_scope {
    UW_SCOPE_CONNECTION, /* the limit holds for each import */
    UW_SCOPE_SERVER      /* for all imports of the server together */
};

enum uw_profile_flags {
    UW_PROF_ISO = 1 << 0,            /* isochronous transfers work */
    UW_PROF_ISO_IN_PLACE = 1 << 1,   /* isochronous IN payload is not compacted */
    UW_PROF_UNLINK_USELESS = 1 << 2, /* CMD_UNLINK changes nothing: not sent, concluded locally */
    UW_PROF_UNLINK_SILENT = 1 << 3,  /* CMD_UNLINK works but is never answered */
    UW_PROF_NO_SPECULATIVE_IN = 1 << 4, /* an open IN blocks everything: post only what is asked */
    UW_PROF_EMPTY_IS_IDLE = 1 << 5,     /* IN, status 0, 0 bytes: nothing yet; ask again later */
    UW_PROF_OWN_ZLP = 1 << 6,           /* ignores ZERO_PACKET: send it as a URB of its own */
    UW_PROF_NO_ZLP = 1 << 7,            /* appends zero-length packets itself: never ask */
    UW_PROF_ONE_PDU = 1 << 8,           /* one message a write, never two */
    UW_PROF_OVERLONG = 1 << 9,          /* may answer with more than was asked: cut, no error */
    UW_PROF_SET_CONFIG = 1 << 10,     /* SET_CONFIGURATION needed before anything but endpoint 0 */
    UW_PROF_LOCK = 1 << 11,           /* does not refuse a second importer: lock on this machine */
    UW_PROF_ONE_CONNECTION = 1 << 12, /* another import of this host spoils the first */
    UW_PROF_REPLACE = 1 << 13,        /* after an unanswered control transfer: new connection */
    UW_PROF_GONE_AFTER_STALL = 1 << 14, /* NO_DEVICE after a stall means "enumerate again" */
    UW_PROF_LIBUSB_SPEED = 1 << 15,     /* speed in records is libusb's enum: 4 is super */
    UW_PROF_SHARED = 1 << 16,           /* a broker: speaks wire/shared.h, is not alone */
    UW_PROF_STAYS_OPEN = 1 << 17        /* the end of a device is not told, but listed */
};

struct uw_profile {
    const char *name, *text, *path, *busid;
    enum uw_dialect dialect;
    uint32_t in_flight;
    enum uw_scope scope;
    uint32_t in_per_endpoint;
    uint32_t max_in, max_out;
    unsigned flags;
};

enum uw_profile_id {
#define UW_PROFILE_X(id, name, text, path, busid, dialect, n, scope, per_ep, in, out, flags)       \
    UW_PROFILE_##id,
#include "engine/profiles.def"
#undef UW_PROFILE_X
    UW_PROFILE_COUNT
};

/* What an engine can see a server do. */
enum uw_observation {
    UW_SEEN_OUT_LENGTH,  /* OUT success with its real actual_length */
    UW_SEEN_READ_TIMEOUT /* a read that the server gave up by itself */
};

const struct uw_profile *uw_profile_get(enum uw_profile_id id);

/* By name, or NULL. */
const struct uw_profile *uw_profile_by_name(const char *name);

/* The profile for a device record; the Linux row when none matches. */
const struct uw_profile *uw_profile_recognise(const struct uw_device_info *info);

/* That of the server that has a device behind a broker, by the path the broker gives it; the Linux
 * row when that says nothing. */
const struct uw_profile *uw_profile_origin(const char *path);

/* The profile after an observation: `profile` itself where that says nothing new. */
const struct uw_profile *uw_profile_refine(const struct uw_profile *profile,
                                           enum uw_observation seen);

#endif
