/*
 * gate.h - a limit on URBs in flight that several engines share
 *
 * Made by whoever owns the scope: one a server for UW_SCOPE_SERVER. An engine that finds it shut
 * queues up; when a place is free the gate names the next engine, in order of arrival, and the
 * owner has to pump its output (uw_gate_next).
 */
#ifndef UW_ENGINE_GATE_H
#define UW_ENGINE_GATE_H

#include <stdint.h>

#include "base/list.h"

struct uw_engine;

struct uw_gate {
    uint32_t limit; /* 0: always open */
    uint32_t inside;
    struct uw_list waiting; /* of struct uw_engine, in order of arrival */
    char holder[96];        /* what holds the last place, for messages */
};

void uw_gate_init(struct uw_gate *gate, uint32_t limit);

/* The next engine for which there is a place now, taken off the queue; NULL when there is none. The
 * caller is to send its output. */
struct uw_engine *uw_gate_next(struct uw_gate *gate);

#endif
