/*
 * device.h - an imported device as the usb layer sees it
 *
 * What is read at import never changes; the rest is guarded by the loop's lock.
 */
#ifndef UW_USB_DEVICE_H
#define UW_USB_DEVICE_H

#include <usbwire/device.h>
#include <usbwire/transfer.h>
#include <usbwire/urb.h>

#include "client/import.h"

#define UW_CONFIGS_MAX    32u
#define UW_INTERFACES_MAX 256u

#define UW_DEVICE_DESCRIPTOR_SIZE 18u

/* How long an import goes on asking for a device in use, and how often: a server needs a moment to
 * take back what its last client gave up. Linux resets the device first (0.3 s, seen with 6.1). */
#define UW_BUSY_GRACE_US 600000u
#define UW_BUSY_PAUSE_US 50000u

/* bRequest, USB 2.0 table 9-4 */
#define UW_CLEAR_FEATURE     0x01
#define UW_SET_FEATURE       0x03
#define UW_GET_DESCRIPTOR    0x06
#define UW_GET_CONFIGURATION 0x08
#define UW_SET_CONFIGURATION 0x09
#define UW_SET_INTERFACE     0x0b

/* USB 2.0 11.24.2.13: SET_FEATURE(PORT_RESET) to a hub. Linux's server catches exactly this one and
 * resets the device (drivers/usb/usbip/stub_rx.c). */
#define UW_HUB_PORT   0x23
#define UW_PORT_RESET 4

struct uw_raw_config {
    uint8_t index; /* in GET_DESCRIPTOR */
    uint8_t *bytes;
    size_t size;
    struct uw_config *parsed; /* NULL where the bytes make no sense */
};

struct uw_shared;
struct uw_stranger;

struct uw_device {
    unsigned refs;
    struct uw_loop *loop;
    struct uw_import *import;
    struct uw_server *origin; /* whose device a broker holds; NULL: its import's own */
    struct uw_device_info info;
    struct uw_interface_class *interfaces;
    char name[400];
    uint8_t descriptor_bytes[UW_DEVICE_DESCRIPTOR_SIZE];
    struct uw_device_descriptor descriptor;
    struct uw_raw_config configs[UW_CONFIGS_MAX];
    unsigned num_configs;
    char serial[128]; /* UTF-8; "" when it has none or it was not readable */

    int value; /* bConfigurationValue in force; 0: none */
    const struct uw_config *active;
    uint8_t altsettings[UW_INTERFACES_MAX];  /* by bInterfaceNumber */
    const void *owners[UW_INTERFACES_MAX];   /* claims, by bInterfaceNumber */
    unsigned claimed_in[UW_INTERFACES_MAX];  /* the loop's forks then */
    const struct uw_endpoint *endpoints[32]; /* in force: OUT 0..15, IN 16..31 */
    struct uw_stranger *strangers;           /* again.c: what turned out not to be its successor */
    unsigned num_strangers;
    char heir_of[32];         /* again.c: where the one was whose successor this is; "": of none */
    struct uw_usec looked_at; /* instant; uw_device_look */
    struct uw_shared *shared; /* behind a broker; NULL: the import is ours alone */

    struct uw_list settings; /* of struct uw_setting */
    int shared_out;          /* by a broker of this process */
};

/* Who is told, under the lock, that what is in force was set, and which endpoints start afresh by
 * that (UW_ALL_ENDPOINTS: so does the whole device); by which URB (NULL: by another program, or
 * the connection was replaced). Must not submit. Taken off with uw_list_remove(&setting->link). */
struct uw_setting {
    struct uw_list link;
    void (*was_set)(struct uw_setting *setting, const struct uw_urb *urb, uint32_t endpoints);
};

/* uw_device_import, but never from a broker. */
int uw_device_import_own(struct uw_server *server, const char *busid, struct uw_usec timeout,
                         struct uw_device **ret_device, struct uw_fault *fault);

/* The altsetting in force of an interface of the active configuration, or NULL. */
const struct uw_altsetting *uw_device_altsetting_locked(const struct uw_device *device,
                                                        unsigned interface_number);
/* An altsetting of the active configuration, or NULL. */
const struct uw_altsetting *uw_device_find_altsetting_locked(const struct uw_device *device,
                                                             unsigned interface_number,
                                                             unsigned altsetting);

/* The endpoint of that address in force, or NULL. */
const struct uw_endpoint *uw_device_endpoint_locked(const struct uw_device *device,
                                                    uint8_t address);

/* uw_urb_submit and uw_urb_fault under the lock. With queue NULL the URB tells its end by its
 * ended_locked, or by completed_locked alone, which is to be set after uw_urb_set_...; neither must
 * submit. */
int uw_device_submit_locked(struct uw_urb *urb, struct uw_queue *queue);
void uw_urb_fault_locked(const struct uw_urb *urb, struct uw_fault *ret_fault);

/* Follow what the device was told; 0 unconfigures. */
void uw_device_now_configured_locked(struct uw_device *device, int value);
void uw_device_now_altsetting_locked(struct uw_device *device, unsigned interface_number,
                                     unsigned altsetting);

/* The endpoints that an interface has in force, as uw_engine_flush takes them. */
uint32_t uw_device_interface_endpoints_locked(const struct uw_device *device,
                                              unsigned interface_number);

/* Drops parked reads of an interface's endpoints. */
void uw_device_flush_interface_locked(struct uw_device *device, unsigned interface_number);

/* Tells of it. */
void uw_device_tell_set_locked(struct uw_device *device, const struct uw_urb *urb,
                               uint32_t endpoints);

/* A control transfer below all bookkeeping: for what is done before a device is one. */
int uw_import_control(struct uw_import *import, uint8_t request_type, uint8_t request,
                      uint16_t value, uint16_t index, void *data, uint16_t length,
                      struct uw_usec timeout, size_t *ret_actual, struct uw_fault *fault);

/* GET_DESCRIPTOR, likewise. A server that answers with more than was asked for is forgiven. */
int uw_import_descriptor(struct uw_import *import, uint8_t type, uint8_t index, uint16_t language,
                         void *buf, uint16_t size, struct uw_usec timeout, size_t *ret_actual,
                         struct uw_fault *fault);

/* The string `index` in the device's first language, or "" - never an error. */
void uw_device_try_string(struct uw_device *device, uint8_t index, char *buf, size_t size,
                          struct uw_usec timeout);

/* Configures a freshly imported device as a kernel would, until the instant `until`. */
void uw_device_configure(struct uw_device *device, struct uw_usec until);

/* The connection was replaced (arg: the device): puts back what was in force. */
void uw_device_reapply_locked(void *arg);

/* What is left until an instant, at most `ms` milliseconds. */
static inline struct uw_usec
uw_device_time_left(struct uw_usec until, uint32_t ms)
{
    return uw_usec_min(uw_usec_sub(until, uw_now()), uw_msec(ms));
}

static inline unsigned
uw_endpoint_slot(uint8_t address)
{
    return (address & 0x0fu) | (address & 0x80 ? 16u : 0u);
}

static inline uint32_t
uw_endpoint_bit(uint8_t address)
{
    return UINT32_C(1) << uw_endpoint_slot(address);
}

#endif
