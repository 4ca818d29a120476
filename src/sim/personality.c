/*
 * personality.c - how known servers behave: the table, and their dialects
 */
#include <string.h>

#include "sim/sim.h"

/* pyusbip passes on libusb's numbers, but on endpoint 0. */
static int32_t
status_libusb(int32_t status, uint8_t endpoint)
{
    static const struct {
        int32_t linux_status, libusb;
    } rows[] = {
        {SIM_STALL, -4}, {SIM_RESET, -3}, {SIM_SHUTDOWN, -5}, {SIM_NODEV, -5}, {SIM_OVERFLOW, -6}};

    if ((endpoint & 0x0f) == 0)
        return status;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].linux_status == status)
            return rows[i].libusb;
    return status;
}

static int32_t
status_positive(int32_t status, uint8_t endpoint)
{
    (void)endpoint;
    return status < 0 ? -status : status;
}

static int32_t
status_stall(int32_t status, uint8_t endpoint)
{
    (void)endpoint;
    return status == SIM_SHUTDOWN || status == SIM_RESET || status == 0 ? status : SIM_STALL;
}

static int32_t
status_nodev(int32_t status, uint8_t endpoint)
{
    (void)endpoint;
    return status == SIM_SHUTDOWN ? SIM_NODEV : status;
}

/* Every failure is -ETIME, in the byte order of the host that sent it. */
static int32_t
status_swapped(int32_t status, uint8_t endpoint)
{
    uint32_t v = status < 0 ? (uint32_t)-62 : 0;

    (void)endpoint;
    return (int32_t)(v << 24 | (v & 0xff00u) << 8 | (v >> 8 & 0xff00u) | v >> 24);
}

static const struct sim_personality personalities[] = {
#define SIM_PERSONALITY_X(a_name, a_text, ...) {.name = a_name, .text = a_text, __VA_ARGS__},
#include "sim/personality.def"
#undef SIM_PERSONALITY_X
};

#define COUNT (sizeof(personalities) / sizeof(personalities[0]))

const struct sim_personality *
sim_personality_find(const char *name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(personalities[i].name, name) == 0)
            return &personalities[i];
    return NULL;
}

const char *
uw_sim_personality_name(unsigned index)
{
    return index < COUNT ? personalities[index].name : NULL;
}

const char *
uw_sim_personality_text(unsigned index)
{
    return index < COUNT ? personalities[index].text : NULL;
}
