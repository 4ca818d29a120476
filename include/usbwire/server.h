/*
 * server.h - a USB/IP server and its device list
 *
 * A server is an address and what is known about whoever listens there; making one does no I/O. Its
 * profile (which of the known server programs it is, and so what it must be spared) is recognised
 * from the first device list or import and can be fixed by hand.
 *
 * Ownership: devices keep their server alive; a list is independent of everything once returned.
 * Threads: any.
 */
#ifndef USBWIRE_SERVER_H
#define USBWIRE_SERVER_H

#include <stdint.h>

#include <usbwire/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UW_DEFAULT_PORT 3240 /* IANA "usbip" */

struct uw_server;

/* One record of a device list; values as the server sent them. Records may be wrong about a device
 * (servers differ): the truth is in the device's own descriptors, see device.h. */
struct uw_device_info {
    char path[256]; /* the server's name for the place; not unique over servers */
    char busid[32]; /* what an import asks for: "1-1.2" */
    uint32_t busnum, devnum;
    uint32_t speed; /* kernel enum usb_device_speed, see uw_speed_name */
    uint16_t vid, pid, bcd_device;
    uint8_t device_class, device_subclass, device_protocol;
    uint8_t configuration_value; /* 0: not configured */
    uint8_t num_configurations;
    uint8_t num_interfaces; /* how many records follow in `interfaces` */
    const struct uw_interface_class *interfaces;
};

struct uw_interface_class {
    uint8_t interface_class, interface_subclass, interface_protocol;
};

struct uw_device_list;

/*
 * Makes a server from "HOST", "HOST:PORT", "[V6]:PORT", "unix:/PATH" or
 * "usbip://HOST[:PORT][/BUSID]". `port` counts where the address names none; 0: 3240.
 * Errors: INVALID (with a fault that shows the accepted forms), NO_MEMORY.
 */
int uw_server_new(struct uw_loop *loop, const char *address, uint16_t port,
                  struct uw_server **ret_server, struct uw_fault *fault);

/* Gives the reference back. NULL is fine. */
void uw_server_free(struct uw_server *server);

/* "HOST:PORT", brackets around IPv6. Borrowed until the server is freed. */
const char *uw_server_name(const struct uw_server *server);

/* The BUSID part of a usbip:// URL, or NULL. Borrowed until the server is freed. */
const char *uw_server_busid(const struct uw_server *server);

/* Name of the profile in force ("linux" until another is recognised). Static. */
const char *uw_server_profile(const struct uw_server *server);

/* Fixes the profile by name. Errors: NOT_FOUND. */
int uw_server_set_profile(struct uw_server *server, const char *name);

/* Names of all known profiles by index from 0; NULL past the end. Static. */
const char *uw_profile_name(unsigned index);
const char *uw_profile_text(unsigned index);

/* How long to wait for a connection and for an answer to an import or list request, as durations.
 * Defaults: 5 s and 10 s. The timeout of the call that needs them is an upper bound. */
void uw_server_set_timeouts(struct uw_server *server, struct uw_usec connect, struct uw_usec reply);

/*
 * Asks for the device list (OP_REQ_DEVLIST) and waits at most `timeout`. On servers where a second
 * connection would harm an import that this loop holds, answers from the last list.
 * Free with uw_device_list_free. Errors: RESOLVE, CONNECT, TIMEOUT, PROTOCOL, VERSION, ACCESS,
 * CONNECTION_LOST, LIMIT, NO_MEMORY.
 */
int uw_server_list(struct uw_server *server, struct uw_usec timeout,
                   struct uw_device_list **ret_list, struct uw_fault *fault);

void uw_device_list_free(struct uw_device_list *list);
unsigned uw_device_list_count(const struct uw_device_list *list);

/* Record `index`, or NULL past the end. Borrowed until the list is freed. */
const struct uw_device_info *uw_device_list_get(const struct uw_device_list *list, unsigned index);

/* The record with that busid, or NULL. Borrowed likewise. */
const struct uw_device_info *uw_device_list_find(const struct uw_device_list *list,
                                                 const char *busid);

/* "low", "full", "high", "wireless", "super", "super+" or "unknown". Static. */
const char *uw_speed_name(uint32_t speed);

#ifdef __cplusplus
}
#endif
#endif
