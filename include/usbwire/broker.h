/*
 * broker.h - one import for all programs of a user
 *
 * An import is exclusive at its server, and many servers reset the device when it ends. A broker is
 * a process that holds an import and shares it: every program of the same user on this machine can
 * use the device through it, several at a time and one after the other, and the device keeps its
 * state in between.
 *
 * To its clients a broker is a USB/IP server with one device, on a Unix socket in
 * $XDG_RUNTIME_DIR/usbwire (or /tmp/usbwire-UID), which only the same user can enter. Whatever the
 * real server does badly is dealt with by the process that holds the import, which need not drive
 * its loop for that.
 *
 *     holding:   uw_find(server, &choice, timeout, timeout, &device, NULL, &fault);
 *                uw_broker_new(device, &broker, &fault);
 *                ...;
 *                uw_broker_free(broker);
 *
 * Who uses it needs to know nothing of that: uw_device_import and uw_find take a device that is
 * held from its broker, and uw_find_list shows it, also where its server hides what is in use.
 *
 * A device that came from a broker is used as any other. What differs:
 *  - uw_device_claim asks the broker: an interface that another program has claimed is BUSY, and so
 *    are transfers on its endpoints, SET_INTERFACE and CLEAR_HALT for it. What others have under
 *    way there ends with the claim.
 *  - SET_CONFIGURATION is BUSY while another program has claimed anything, but for the value
 *    that is in force already, which succeeds and changes nothing.
 *  - What another program or the holder sets (configuration, alternate settings, a reset, a
 *    cleared halt) is followed: what reads of those endpoints brought before is dropped, reads
 *    that wait go on behind it, and what was being written there is CANCELLED.
 *  - When the device goes away its clients' connections end, as at any server; the broker offers
 *    nothing until the process that holds it has found the successor (uw_broker_replace).
 *  - When a program ends or lets go, its claims are released, its transfers cancelled, and what its
 *    reads left behind is thrown away.
 *
 * Threads: any, but for uw_broker_free and uw_broker_replace, which must not run while another
 * thread uses the broker.
 */
#ifndef USBWIRE_BROKER_H
#define USBWIRE_BROKER_H

#include <usbwire/device.h>
#include <usbwire/find.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uw_broker;

/*
 * Shares `device`, of which the broker takes a reference, until uw_broker_free. It serves in a
 * thread of the library's own. Errors: BUSY (another process shares a device of that server under
 * the same busid, or this one does), ACCESS (the folder cannot be used), LIMIT (its path is too
 * long for a socket), NO_MEMORY.
 */
int uw_broker_new(struct uw_device *device, struct uw_broker **ret_broker, struct uw_fault *fault);

/*
 * Shares `device` from now on, under the same address: the successor of one that is gone or was
 * enumerated anew (uw_device_find_again). Whoever uses the old one loses it, as when it is
 * unplugged, and finds the new one in the next list. Takes a reference; gives the old one back.
 */
void uw_broker_replace(struct uw_broker *broker, struct uw_device *device);

/* Ends all its clients' transfers and connections, and gives the device back. NULL is fine. */
void uw_broker_free(struct uw_broker *broker);

/* "unix:/PATH", as uw_server_new takes it. Borrowed until the broker is freed. */
const char *uw_broker_address(const struct uw_broker *broker);

/* How many programs use the device now. */
unsigned uw_broker_clients(struct uw_broker *broker);

#ifdef __cplusplus
}
#endif
#endif
