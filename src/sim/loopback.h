/*
 * loopback.h - what goes out at endpoints 0x01 (bulk), 0x02 (interrupt) and 0x03 (isochronous)
 * comes back at 0x81, 0x82 and 0x83, for the models that do so
 */
#ifndef UW_SIM_LOOPBACK_H
#define UW_SIM_LOOPBACK_H

#include "sim/device.h"

struct sim_iso_packet;

/* The first member of what a model keeps in device->own. */
struct sim_loopback {
    struct sim_fifo bulk, interrupt;
    struct sim_iso_packet *iso; /* a ring */
    uint32_t iso_head, iso_count;
    int32_t frame;
};

/* Zeroed memory becomes one. Errors: NO_MEMORY. */
int sim_loopback_init(struct sim_loopback *loopback);

/* Functions of struct sim_model. */
void sim_loopback_reset(struct sim_device *device);
void sim_loopback_destroy(struct sim_device *device);
void sim_loopback_transfer(struct sim_device *device, struct uw_request *request);

#endif
