/*
 * gate.c - a limit that several engines share
 */
#include <string.h>

#include "engine/gate.h"
#include "engine/internal.h"

void
uw_gate_init(struct uw_gate *gate, uint32_t limit)
{
    memset(gate, 0, sizeof(*gate));
    gate->limit = limit;
    uw_list_init(&gate->waiting);
}

struct uw_engine *
uw_gate_next(struct uw_gate *gate)
{
    struct uw_engine *e = uw_list_first(&gate->waiting, struct uw_engine, gate_link);

    if (!e || (gate->limit && gate->inside >= gate->limit))
        return NULL;
    uw_list_remove(&e->gate_link);
    e->granted = 1;
    return e;
}
