/*
 * sim.h - the simulated bench: a USB/IP server full of devices that are not there
 *
 * For trying things out, for CI without hardware, and for tests. It shares the byte codec with the
 * client and nothing else. It runs in the thread that calls uw_sim_run and in no other.
 */
#ifndef USBWIRE_SIM_H
#define USBWIRE_SIM_H

#include <stdint.h>

#include <usbwire/error.h>
#include <usbwire/log.h>
#include <usbwire/server.h>
#include <usbwire/usec.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uw_sim;

/* Makes an empty bench. Free with uw_sim_free. `log` may be NULL and is copied. */
int uw_sim_new(const struct uw_log *log, struct uw_sim **ret_sim);
void uw_sim_free(struct uw_sim *sim);

/*
 * Adds a device: "NAME" or "NAME:KEY=VALUE,..." with the keys count, speed (low, full, high,
 * super), serial, and what uw_sim_device_text says of that device. Errors: NOT_FOUND, INVALID,
 * NO_MEMORY.
 */
int uw_sim_add(struct uw_sim *sim, const char *spec, struct uw_fault *fault);

/* Behaves as another server program does, faults included. Default "linux". NOT_FOUND. */
int uw_sim_set_personality(struct uw_sim *sim, const char *name);

/* Delays every reply by latency, plus up to jitter more. Durations. */
void uw_sim_set_latency(struct uw_sim *sim, struct uw_usec latency, struct uw_usec jitter);

/* Makes things fail on purpose; grammar in usbwire-serve(1). INVALID with a fault. */
int uw_sim_fail(struct uw_sim *sim, const char *spec, struct uw_fault *fault);

/* Listens. `bind` is a numeric address, NULL: 127.0.0.1; port 0: any free one. */
int uw_sim_listen(struct uw_sim *sim, const char *bind, uint16_t port, uint16_t *ret_port,
                  struct uw_fault *fault);

/* Offers the bench's log as the ESP bridges offer theirs (syslog.h has the other end): syslog
 * messages for whoever connects. Addresses as for uw_sim_listen; errors also INVALID: it has one.
 */
int uw_sim_log_listen(struct uw_sim *sim, const char *bind, uint16_t port, uint16_t *ret_port,
                      struct uw_fault *fault);

/*
 * Makes the bench known by multicast DNS (discover.h finds it) on the links on which it can be
 * reached, with the records of the ESP bridges. `instance` is what people see, NULL: a name with
 * host and port; `board_id` names the board for programs, NULL: it has none. Call it after
 * uw_sim_listen. Errors: INVALID, CONNECT (no link, or the port of mDNS is not shared), NO_MEMORY.
 */
int uw_sim_advertise(struct uw_sim *sim, const char *instance, const char *board_id,
                     struct uw_fault *fault);

/* Device `index` from 0 as its record in the list; returns its name, NULL past the end. Call it
 * after uw_sim_listen; the interface records are left out. */
const char *uw_sim_device_at(struct uw_sim *sim, unsigned index, struct uw_device_info *ret_info);

/* Serves until uw_sim_stop. */
int uw_sim_run(struct uw_sim *sim);

/* Ends uw_sim_run. Async-signal-safe, any thread. */
void uw_sim_stop(struct uw_sim *sim);

/* Names and one-line descriptions by index from 0; NULL past the end. Static. */
const char *uw_sim_device_name(unsigned index);
const char *uw_sim_device_text(unsigned index);
/* 1 when the device is part of the bench a person gets without naming any. */
int uw_sim_device_default(unsigned index);
const char *uw_sim_personality_name(unsigned index);
const char *uw_sim_personality_text(unsigned index);

#ifdef __cplusplus
}
#endif
#endif
