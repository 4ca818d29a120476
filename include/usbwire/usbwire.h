/*
 * usbwire.h - all of libusbwire
 *
 * libusbwire uses USB devices of USB/IP servers from user space. The way through the headers:
 *
 *     loop.h    a struct uw_loop waits for everything
 *     server.h  a struct uw_server is an address; uw_server_list shows its devices
 *     discover.h                   finds servers on the network
 *     find.h    uw_find picks one and imports it
 *     device.h  a struct uw_device is an import: descriptors, configuration, claims, reset
 *     transfer.h, urb.h, queue.h   data, one call at a time or many at once
 *     serial.h  a struct uw_serial is a serial port of a device
 *     error.h, log.h, tap.h        what happened
 *     broker.h  one import for all programs of a user
 *     syslog.h  what a board logs
 *     capture.h                    the same for Wireshark
 *     monitor.h                    the same in other programs, live
 *     sim.h     a server with simulated devices, to try all of it
 */
#ifndef USBWIRE_USBWIRE_H
#define USBWIRE_USBWIRE_H

#include <usbwire/broker.h>
#include <usbwire/capture.h>
#include <usbwire/descriptor.h>
#include <usbwire/device.h>
#include <usbwire/discover.h>
#include <usbwire/error.h>
#include <usbwire/find.h>
#include <usbwire/log.h>
#include <usbwire/loop.h>
#include <usbwire/monitor.h>
#include <usbwire/queue.h>
#include <usbwire/serial.h>
#include <usbwire/server.h>
#include <usbwire/sim.h>
#include <usbwire/syslog.h>
#include <usbwire/tap.h>
#include <usbwire/transfer.h>
#include <usbwire/urb.h>
#include <usbwire/usec.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "MAJOR.MINOR.PATCH" of the library in use. Static. */
const char *uw_version(void);

#ifdef __cplusplus
}
#endif
#endif
