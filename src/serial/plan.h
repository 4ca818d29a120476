/*
 * plan.h - control requests in a row, made by a driver and run by the port
 *
 * A driver does no I/O: it says which requests bring the chip into a state, and is told what they
 * brought. So every request that it can make is seen by a plain unit test.
 */
#ifndef UW_SERIAL_PLAN_H
#define UW_SERIAL_PLAN_H

#include <stddef.h>
#include <stdint.h>

#define SERIAL_PLAN_MAX 40u
#define SERIAL_DATA_MAX 24u

struct serial_request {
    uint8_t type, request;
    uint16_t value, index, length;
    uint8_t optional; /* that it fails is no failure */
    uint8_t data[SERIAL_DATA_MAX];
};

struct serial_plan {
    unsigned count;
    struct serial_request requests[SERIAL_PLAN_MAX];
};

/* The next request of a plan, zeroed but for what is given. */
struct serial_request *serial_plan_add(struct serial_plan *plan, uint8_t type, uint8_t request,
                                       uint16_t value, uint16_t index);
/* With data to send. */
void serial_plan_send(struct serial_plan *plan, uint8_t type, uint8_t request, uint16_t value,
                      uint16_t index, const void *data, uint16_t length);
/* That asks for data. */
void serial_plan_ask(struct serial_plan *plan, uint8_t type, uint8_t request, uint16_t value,
                     uint16_t index, uint16_t length);

#endif
