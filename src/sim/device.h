/*
 * device.h - the model of one simulated device
 *
 * A device is a table of descriptors, an answer to class and vendor requests, and something that
 * happens at its endpoints. Standard requests (chapter 9), halts and waiting IN transfers are the
 * same for all and done outside of it. One model a file; devices.def lists them.
 */
#ifndef UW_SIM_DEVICE_H
#define UW_SIM_DEVICE_H

#include <usbwire/sim.h>

#include "base/heap.h"
#include "base/list.h"
#include "export/session.h"

#define SIM_CONFIGS_MAX 2u
#define SIM_CONFIG_SIZE 512u
#define SIM_STRINGS_MAX 8u
#define SIM_SLOTS       32u /* OUT 0..15, IN 16..31 */
#define SIM_FIFO_MAX    (4u * 1024u * 1024u)
#define SIM_UARTS_MAX   4u

/* Statuses as a Linux server sends them; a personality translates. */
#define SIM_STALL    (-32)
#define SIM_OVERFLOW (-75)
#define SIM_NODEV    (-19)
#define SIM_SHUTDOWN (-108)
#define SIM_RESET    (-104)

/* What a control handler returns besides a length and a status: it answers later, or never. */
#define SIM_LATER (-100000)

enum sim_speed { SIM_LOW = 1, SIM_FULL = 2, SIM_HIGH = 3, SIM_SUPER = 5 };

struct sim_device;
struct sim_conn;
struct sim_uart;

struct sim_timer {
    struct uw_heap_node node;
    void (*fire)(struct sim_timer *timer, struct uw_usec now);
};

/* The setup packet of a control request, read. */
struct sim_setup {
    uint8_t type, request;
    uint16_t value, index, length;
};

/* "NAME:KEY=VALUE,..." taken apart. */
struct sim_option {
    char key[16];
    char value[128];
};

struct sim_model {
    const char *name, *text;
    int is_default;
    const char *keys; /* of its own, comma-separated; NULL: none */
    enum sim_speed speed;
    /* Fills in descriptors; private memory in device->own; reset follows. NO_MEMORY, INVALID. */
    int (*create)(struct sim_device *device);
    void (*destroy)(struct sim_device *device); /* may be NULL, as the rest */
    /* A bus reset, a new configuration or a release: back to how it was made. */
    void (*reset)(struct sim_device *device);
    /* Behind that, of the three only a bus reset or a release. */
    void (*bus_reset)(struct sim_device *device);
    /* A class or vendor request. IN: fills request->buffer and returns how much. OUT: 0. A negative
     * status; SIM_LATER. */
    int (*control)(struct sim_device *device, const struct sim_setup *setup,
                   struct uw_request *request);
    /* A URB on another endpoint: answered with sim_reply, or left to wait with sim_wait. */
    void (*transfer)(struct sim_device *device, struct uw_request *request);
    void (*altsetting)(struct sim_device *device, unsigned interface_number, unsigned altsetting);
};

/* Packets on their way from the device to the host. */
struct sim_fifo {
    struct uw_list messages;
    size_t bytes;
};

struct sim_device {
    const struct sim_model *model;
    struct uw_sim *sim;
    struct uw_list link;
    void *own;

    uint32_t busnum, devnum;
    enum sim_speed speed;
    char busid[32], path[128], serial[64];
    struct sim_option options[8];
    unsigned option_count;

    uint8_t device[18];
    uint8_t configs[SIM_CONFIGS_MAX][SIM_CONFIG_SIZE];
    size_t config_size[SIM_CONFIGS_MAX];
    unsigned config_count;
    const char *strings[SIM_STRINGS_MAX]; /* by index, from 1 */

    uint8_t configuration;
    uint8_t altsettings[8];
    uint32_t halted;                   /* by slot */
    struct uw_list waiting[SIM_SLOTS]; /* of struct uw_request */
    struct sim_conn *user;
    int gone;    /* unplugged */
    int stalled; /* has ever stalled: some servers never recover from that */
    struct sim_uart *uarts[SIM_UARTS_MAX]; /* serial ports (uart.h) */
    unsigned uart_count;
    struct sim_timer timer;
    struct sim_timer replug; /* see sim_replug */
    void (*back)(struct sim_device *device);
};

static inline unsigned
sim_slot(uint8_t endpoint)
{
    return (endpoint & 0x0fu) | (endpoint & 0x80 ? 16u : 0u);
}

/* The models there are, one a file; bench.c has the table. */
#define SIM_MODEL_X(name) extern const struct sim_model name;
#include "sim/devices.def"
#undef SIM_MODEL_X

/* ---- for models ---- */

/* Answers a request; forgets it. */
void sim_reply(struct sim_device *device, struct uw_request *request, int32_t status,
               uint32_t actual);

/* Leaves a request waiting at its endpoint (NAK). */
void sim_wait(struct sim_device *device, struct uw_request *request);

/* The request that has waited longest at an endpoint, or NULL. */
struct uw_request *sim_waiting(struct sim_device *device, uint8_t endpoint);

/* Answers all that waits at a slot. */
void sim_fail_waiting(struct sim_device *device, unsigned slot, int32_t status);

void sim_halt(struct sim_device *device, uint8_t endpoint);

/* Unplugs it: everything waiting fails, it leaves the list. */
void sim_unplug(struct sim_device *device);

/* In a moment it leaves the bus by itself, and a while later it is back, as another device of the
 * same place; `back` is called in between, and may make another product of it. */
void sim_replug(struct sim_device *device, void (*back)(struct sim_device *device));
/* Not any more. */
void sim_replug_stop(struct sim_device *device);

/* Plans device->timer; "never" stops it. */
void sim_plan(struct sim_device *device, struct uw_usec delay);

/* The value of an option, or NULL. */
const char *sim_option(const struct sim_device *device, const char *key);

/* ---- fifo.c ---- */

void sim_fifo_init(struct sim_fifo *fifo);
void sim_fifo_clear(struct sim_fifo *fifo);
/* One transfer of the device's. 0 when it does not fit. */
int sim_fifo_put(struct sim_fifo *fifo, const void *bytes, size_t size);
/* Answers the reads that wait at an endpoint as far as there are packets. */
void sim_fifo_serve(struct sim_fifo *fifo, struct sim_device *device, uint8_t endpoint);

/* ---- descriptors.c: making descriptors ---- */

struct sim_config {
    struct sim_device *device;
    uint8_t *bytes;
    size_t size;
};

void sim_device_descriptor(struct sim_device *device, uint16_t vid, uint16_t pid, uint16_t bcd,
                           uint8_t device_class, uint8_t subclass, uint8_t protocol);
struct sim_config sim_config_begin(struct sim_device *device, uint8_t value);
void sim_config_interface(struct sim_config *config, uint8_t number, uint8_t altsetting,
                          uint8_t endpoints, uint8_t interface_class, uint8_t subclass,
                          uint8_t protocol, uint8_t string);
/* max_packet 0: the largest that a bulk endpoint of this speed has. */
void sim_config_endpoint(struct sim_config *config, uint8_t address, uint8_t attributes,
                         uint16_t max_packet, uint8_t interval);
void sim_config_raw(struct sim_config *config, const uint8_t *bytes, size_t size);
void sim_config_end(struct sim_config *config, uint8_t interfaces);
/* USB 2.0 9.6.4: a high-speed device's configuration as it would be at full speed, into bytes of
 * SIM_CONFIG_SIZE. Returns its size. */
size_t sim_other_speed(const struct sim_device *device, unsigned index, uint8_t *bytes);
uint16_t sim_bulk_packet(const struct sim_device *device);
/* The descriptor of an endpoint in force, or NULL. */
const uint8_t *sim_endpoint(const struct sim_device *device, uint8_t address);
/* wMaxPacketSize bits 10..0 of an endpoint in force; 0: there is none. */
unsigned sim_max_packet(const struct sim_device *device, uint8_t endpoint);

/* ---- chapter9.c ---- */

/* A control request: standard ones are answered, others go to the model. */
void sim_control(struct sim_device *device, struct uw_request *request);
/* Back to the state after a bus reset. */
void sim_device_reset(struct sim_device *device);

#endif
