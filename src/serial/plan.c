/*
 * plan.c - control requests in a row
 */
#include <assert.h>
#include <string.h>

#include "serial/plan.h"

struct serial_request *
serial_plan_add(struct serial_plan *plan, uint8_t type, uint8_t request, uint16_t value,
                uint16_t index)
{
    struct serial_request *r;

    assert(plan->count < SERIAL_PLAN_MAX);
    r = &plan->requests[plan->count++];
    memset(r, 0, sizeof(*r));
    r->type = type;
    r->request = request;
    r->value = value;
    r->index = index;
    return r;
}

void
serial_plan_send(struct serial_plan *plan, uint8_t type, uint8_t request, uint16_t value,
                 uint16_t index, const void *data, uint16_t length)
{
    struct serial_request *r = serial_plan_add(plan, type, request, value, index);

    assert(length <= SERIAL_DATA_MAX);
    memcpy(r->data, data, length);
    r->length = length;
}

void
serial_plan_ask(struct serial_plan *plan, uint8_t type, uint8_t request, uint16_t value,
                uint16_t index, uint16_t length)
{
    assert(length <= SERIAL_DATA_MAX);
    serial_plan_add(plan, type, request, value, index)->length = length;
}
