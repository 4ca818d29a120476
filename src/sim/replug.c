/*
 * replug.c - devices that leave the bus by themselves and come back
 */
#include "sim/sim.h"

/* What a reset asked for is still answered; a hub takes a while to find a device. */
#define LEAVES_US 20000u
#define AWAY_US   200000u

#define ADDRESSES 127u

static int
is_taken(const struct uw_sim *sim, const struct sim_device *d, uint32_t devnum)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &sim->devices)
    {
        const struct sim_device *other = UW_CONTAINER(pos, struct sim_device, link);

        if (other != d && other->busnum == d->busnum && other->devnum == devnum)
            return 1;
    }
    return 0;
}

/* As Linux has it: the next address that is free. */
static void
take_address(struct sim_device *d)
{
    uint32_t devnum = d->devnum;

    do
        devnum = devnum % ADDRESSES + 1;
    while (is_taken(d->sim, d, devnum) && devnum != d->devnum);
    d->devnum = devnum;
}

static void
come_back(struct sim_timer *timer, struct uw_usec now)
{
    struct sim_device *d = UW_CONTAINER(timer, struct sim_device, replug);

    (void)now;
    take_address(d);
    d->back(d);
    d->gone = 0;
}

static void
leave(struct sim_timer *timer, struct uw_usec now)
{
    struct sim_device *d = UW_CONTAINER(timer, struct sim_device, replug);

    sim_unplug(d);
    timer->fire = come_back;
    sim_set_timer(d->sim, timer, uw_usec_add(now, uw_usec(AWAY_US)));
}

void
sim_replug(struct sim_device *d, void (*back)(struct sim_device *device))
{
    d->back = back;
    d->replug.fire = leave;
    sim_set_timer(d->sim, &d->replug, uw_usec_add(d->sim->now, uw_usec(LEAVES_US)));
}

void
sim_replug_stop(struct sim_device *d)
{
    sim_set_timer(d->sim, &d->replug, uw_never());
}
