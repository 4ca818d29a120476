/*
 * world.h - what a process has once, whatever number of contexts: the loop, the servers, the
 * devices
 *
 * A `remote` is one device of one server. It is listed once its descriptors have been read, which
 * takes an import; so a listed device is one that could be imported. The import is shared by all
 * handles and lingers for a while when the last is closed: programs open and close a device several
 * times in a row, and the end of an import resets the device on most servers.
 */
#ifndef UW_LIBUSB_WORLD_H
#define UW_LIBUSB_WORLD_H

#include <pthread.h>

#include "libusb/dropin.h"

#define LINGER_MS         2000u
#define LIST_FRESH_MS     250u
#define IMPORT_MS         10000u
#define PORTS_MAX         7u
#define INTERFACES_MAX    32u
#define CONFIGS_MAX       32u
#define REMOTE_STRINGS    3u /* manufacturer, product, serial number */
#define REMOTE_TEXT_MAX   384u
#define REMOTE_SERIAL_MAX 128u

struct remote_config {
    uint8_t *bytes;
    size_t size;
};

struct remote {
    struct uw_list link; /* the world's remotes */
    unsigned refs;       /* the world's, while it is listed or imported; every libusb_device's */
    struct uw_server *server;
    struct uw_device_info info; /* as it was listed or imported */
    uint8_t bus, address, ports[PORTS_MAX];
    unsigned num_ports;
    unsigned long number; /* of this process, never used again */

    /* Read at the first import; unchanged from then on. */
    int known;
    struct uw_device_descriptor descriptor;
    struct remote_config configs[CONFIGS_MAX];
    unsigned num_configs;
    char serial[REMOTE_SERIAL_MAX]; /* "": it has none, or did not tell */

    /* The world's lock: */
    int listed;                    /* the server has it, or we hold it */
    int chosen;                    /* and it is one that the program is to see */
    int gone;                      /* it went away; what comes under its name is another one */
    int shown;                     /* it was in the list after the last refresh */
    struct uw_device *device;      /* NULL: not imported */
    unsigned opens;                /* users of the import */
    int inherited;                 /* in a forked child: the import is the parent's, too */
    struct uw_usec lingers_until;  /* instant, when opens is 0 */
    struct uw_usec released;       /* instant at which its last import was given back */
    uint32_t claims;               /* bit i: interface i */
    int configuration;             /* in force when it was imported last; -1: not known */
    char *strings[REMOTE_STRINGS]; /* NULL: not read yet */

    pthread_mutex_t importing;
};

/* Guards contexts, devices and remotes for moments; never held while waiting. */
void world_lock(void);
void world_unlock(void);

/* The loop, made at the first call together with the servers of the environment. NULL: no memory.
 */
struct uw_loop *world_loop(void);

/*
 * Brings the list of remotes up to date: asks the servers unless that was done a moment ago,
 * imports what is new and chosen to read its descriptors. Waits. 0, or a libusb error when no
 * server at all could be asked.
 */
int world_refresh(void);

/* The next refresh asks, however short ago the last one was. */
void world_forget_list(void);

/* Counts up whenever a refresh has changed the list. Needs the world's lock. */
unsigned long world_changes_locked(void);

/* Every listed remote in turn; NULL at first and at the end. Needs the world's lock. */
struct remote *world_next_locked(struct remote *remote);

/* Ends imports whose time is over. Returns the instant at which the next one is. */
struct uw_usec world_tidy(struct uw_usec now);

/* In a forked child: who was asking or importing is not there any more. */
void world_forked_locked(void);

/* How much longer than asked for a transfer may take: USBWIRE_TIMEOUT_ADD_MS. */
unsigned world_extra_timeout(void);

/* ---- remote.c ---- */

struct remote *remote_new(struct uw_server *server, const struct uw_device_info *info);

/* Its bus number is somebody else's: another one. */
void remote_next_bus(struct remote *remote);

struct remote *remote_ref_locked(struct remote *remote);
void remote_unref(struct remote *remote);

/* Another user of the import, which is made where there is none. Waits. 0 or an error of the
 * library, with its fault. Undone by remote_close. */
int remote_open(struct remote *remote, struct uw_device **ret_device, struct uw_fault *fault);
void remote_close(struct remote *remote);

/* In a forked child, before the last user closes an import that is its parent's, too: takes it out
 * of the remote, to be freed, which is not told to the server. Otherwise NULL. */
struct uw_device *remote_disown(struct remote *remote);

/* 1 when the import lives. Needs the world's lock. */
int remote_is_held_locked(const struct remote *remote);

/* It went away, or is another device now: what is behind its name is not it any more. */
void remote_lose_locked(struct remote *remote);

/* The same kind of device as this record is of, the very same? */
int remote_is_kind(const struct remote *remote, const struct uw_device_info *info);
int remote_matches(const struct remote *remote, const struct uw_device_info *info);

#endif
