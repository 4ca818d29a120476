/*
 * usec.c - the clock
 */
#include <time.h>

#include <usbwire/usec.h>

struct uw_usec
uw_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return uw_usec((uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u);
}
