/*
 * device.h - an imported device
 *
 * Importing takes a device away from its server's other users until it is given back. One process
 * holds one import a device: importing it again returns the same object with one more reference.
 *
 * After an import the device is configured as a kernel would do it: if GET_CONFIGURATION says 0 (as
 * Linux servers export devices), SET_CONFIGURATION with the kernel's choice; another answer is left
 * alone. The descriptors read on the way are kept for the life of the import.
 *
 * When the device or its server goes away, every URB completes with NO_DEVICE or CONNECTION_LOST
 * and so does every later call; the object stays valid until it is freed. uw_device_find_again
 * looks for its successor.
 *
 * Threads: any, at any time, except that uw_device_free of the last reference must not run while
 * another thread uses the device.
 */
#ifndef USBWIRE_DEVICE_H
#define USBWIRE_DEVICE_H

#include <stdint.h>

#include <usbwire/descriptor.h>
#include <usbwire/server.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uw_device;

/*
 * Imports `busid` from `server` (OP_REQ_IMPORT), waiting at most `timeout` (a duration; never: the
 * server's own timeouts); a device that a broker of this user holds (broker.h), from that. Free
 * with uw_device_free. Errors: as uw_server_list; BUSY (imported by somebody else, and not given
 * back within 0.6 s: as long as a server may need to take a device back), NO_DEVICE (unknown
 * busid), ACCESS.
 */
int uw_device_import(struct uw_server *server, const char *busid, struct uw_usec timeout,
                     struct uw_device **ret_device, struct uw_fault *fault);

/* One more reference; returns `device`. */
struct uw_device *uw_device_ref(struct uw_device *device);

/* Gives a reference back. The last one ends the import at once: unlinks what can be unlinked,
 * completes what is in flight with CANCELLED, closes. NULL is fine. */
void uw_device_free(struct uw_device *device);

/* The record of the import, completed by the device list where an import reply lacks something.
 * Borrowed until the device is freed. */
const struct uw_device_info *uw_device_info(const struct uw_device *device);

struct uw_server *uw_device_server(const struct uw_device *device);

/* "HOST:PORT BUSID (VID:PID)", the name used in messages. Borrowed until the device is freed. */
const char *uw_device_name(const struct uw_device *device);

/* Bus number, unique in the loop; the drop-in, captures and the command all use it. */
unsigned uw_device_bus(const struct uw_device *device);

/* UW_OK while the import lives; else why it ended. */
int uw_device_status(const struct uw_device *device);

/*
 * The same for who only waits. Some servers say nothing when a device goes away, as long as nobody
 * asks something of it: there the server's list is looked at, every other second at most, and the
 * import ends when that has the device no more. `timeout` is a duration.
 */
int uw_device_look(struct uw_device *device, struct uw_usec timeout);

/* The device descriptor, always there. Borrowed until the device is freed. */
const struct uw_device_descriptor *uw_device_descriptor(const struct uw_device *device);

/* Raw bytes of the configuration descriptor `index` (0 ...), NULL past the end. Borrowed. */
const uint8_t *uw_device_config_bytes(const struct uw_device *device, unsigned index,
                                      size_t *ret_size);

/* The same parsed; NULL past the end or where the bytes make no sense. Borrowed. */
const struct uw_config *uw_device_config(const struct uw_device *device, unsigned index);

/* The active configuration parsed; NULL when unconfigured. Borrowed until it is changed. */
const struct uw_config *uw_device_active_config(const struct uw_device *device);

/* bConfigurationValue in force, 0 when unconfigured. */
int uw_device_configuration(const struct uw_device *device);

/* The alternate setting in force of an interface. Errors: NOT_FOUND. */
int uw_device_altsetting(const struct uw_device *device, unsigned interface_number);

/* The endpoint `address` of the active configuration and alternate settings; NULL: not there. */
const struct uw_endpoint *uw_device_endpoint(const struct uw_device *device, uint8_t address);

/*
 * SET_CONFIGURATION; 0 unconfigures. Ends every transfer on other endpoints with CANCELLED, drops
 * parked reads, resets alternate settings. BUSY while an interface is claimed, unless the value is
 * the one in force. NOT_FOUND: no such configuration.
 */
int uw_device_set_configuration(struct uw_device *device, int value, struct uw_usec timeout,
                                struct uw_fault *fault);

/* SET_INTERFACE. NOT_FOUND: no such interface or alternate setting. */
int uw_device_set_altsetting(struct uw_device *device, unsigned interface_number,
                             unsigned altsetting, struct uw_usec timeout, struct uw_fault *fault);

/* Local bookkeeping between the users of this import: `owner` is any pointer of the caller's.
 * Claiming twice with the same owner is fine; BUSY with another. Release drops parked reads;
 * NOT_FOUND when not claimed by `owner`. */
int uw_device_claim(struct uw_device *device, unsigned interface_number, const void *owner);
int uw_device_release(struct uw_device *device, unsigned interface_number, const void *owner);

/* CLEAR_FEATURE(ENDPOINT_HALT). Drops parked reads of the endpoint. NOT_FOUND: no such endpoint. */
int uw_device_clear_halt(struct uw_device *device, uint8_t endpoint, struct uw_usec timeout,
                         struct uw_fault *fault);

/*
 * Port reset. Configuration and alternate settings are restored where the import survives it. When
 * the device comes back different or the import ends: NOT_FOUND, and the device is to be freed and
 * found again. NOT_SUPPORTED where the server cannot.
 */
int uw_device_reset(struct uw_device *device, struct uw_usec timeout, struct uw_fault *fault);

/* Its serial number in UTF-8 as it was read at import; "": it has none, or did not tell. Borrowed.
 */
const char *uw_device_serial(const struct uw_device *device);

/*
 * A string descriptor as UTF-8 into buf, always terminated. `language` 0: the device's first.
 * Returns the length without NUL. INVALID for index 0; PROTOCOL when the answer is malformed.
 */
int uw_device_string(struct uw_device *device, uint8_t index, uint16_t language, char *buf,
                     size_t size, struct uw_usec timeout, struct uw_fault *fault);

/*
 * Finds and imports the successor of a device that is gone or was re-enumerated: same VID:PID and
 * serial number if it had one, of several with that number the one in its place; else same port
 * path, whatever it is now but for a twin with another serial number; else the only device with the
 * same VID:PID; else, as in another mode, same vendor and serial number. Serial numbers are asked
 * of the devices themselves, of each once. A device that came from a broker (broker.h) is looked
 * for there as long as that is there, and then at its server, or at who holds it by then. Tries
 * with pauses of 0.1 to 2 s until `timeout` is over; 0 is one try, which takes what the server
 * needs. The old object is still to be freed.
 */
int uw_device_find_again(struct uw_device *old, struct uw_usec timeout,
                         struct uw_device **ret_device, struct uw_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
