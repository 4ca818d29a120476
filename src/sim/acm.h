/*
 * acm.h - a CDC-ACM serial port, of a device that may have more than that
 *
 * Its interfaces are 0 and 1, its endpoints 0x83, 0x82 and 0x02, its string 2 is the device's.
 */
#ifndef UW_SIM_ACM_H
#define UW_SIM_ACM_H

#include "sim/uart.h"

/* The beginning of what device->own points to. */
struct sim_acm {
    uint8_t coding[7];
    int touchable;
    struct sim_uart uart;
};

/* Its part of a configuration. */
void sim_acm_describe(struct sim_config *config);

/* The port itself, in `device->own`. INVALID, NO_MEMORY. */
int sim_acm_create(struct sim_device *device);

/* As of a sim_model; what is not the port's is refused. */
void sim_acm_reset(struct sim_device *device);
int sim_acm_control(struct sim_device *device, const struct sim_setup *setup,
                    struct uw_request *request);

#endif
