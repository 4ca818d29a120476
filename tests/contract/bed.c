#include "bed.h"

#include <stdio.h>

char bed_epoll[] = "epoll", bed_poll[] = "poll";

#define PATIENCE uw_msec(30000) /* until something that must happen counts as not happening */

void
bed_start(struct bed *bed, void **state, const char *const devices[], const char *fault)
{
    struct uw_loop_options options = {.size = sizeof(options), .backend = (const char *)*state};
    char address[32];

    *bed = (struct bed){0};
    stand_new(&bed->stand, "linux");
    for (unsigned i = 0; devices[i]; i++)
        stand_add(&bed->stand, devices[i]);
    if (fault)
        stand_fail(&bed->stand, fault);
    stand_run(&bed->stand);
    snprintf(address, sizeof(address), "127.0.0.1:%u", bed->stand.port);
    assert_int_equal(uw_loop_new(&options, &bed->loop), 0);
    assert_int_equal(uw_server_new(bed->loop, address, 0, &bed->server, NULL), 0);
    assert_int_equal(uw_queue_new(bed->loop, &bed->queue), 0);
}

void
bed_take(struct bed *bed, void **state, const char *device, const char *fault)
{
    const char *const devices[] = {device, NULL};
    struct uw_choice choice;

    bed_start(bed, state, devices, fault);
    uw_choice_init(&choice);
    assert_int_equal(uw_find(bed->server, &choice, uw_usec(0), PATIENCE, &bed->device, NULL, NULL),
                     0);
}

void
bed_stop(struct bed *bed)
{
    uw_device_free(bed->device);
    uw_queue_free(bed->queue);
    uw_server_free(bed->server);
    uw_loop_free(bed->loop);
    stand_end(&bed->stand);
}

struct uw_urb *
bed_submit(struct bed *bed, uint8_t endpoint, void *data, size_t length, struct uw_usec timeout)
{
    struct uw_urb *urb;

    assert_int_equal(uw_urb_new(0, &urb), 0);
    uw_urb_set_transfer(urb, bed->device, endpoint, data, length);
    uw_urb_set_timeout(urb, timeout);
    assert_int_equal(uw_urb_submit(urb, bed->queue), 0);
    return urb;
}

int
bed_collect(struct bed *bed, struct uw_urb *urb)
{
    assert_int_equal(uw_queue_wait(bed->queue, PATIENCE), 1);
    assert_ptr_equal(uw_queue_pop(bed->queue), urb);
    return uw_urb_status(urb);
}

uint64_t
bed_since(struct uw_usec start)
{
    return uw_usec_sub(uw_now(), start).us;
}
