/*
 * wall.c - the time of day
 */
#include <stdio.h>
#include <time.h>

#include "base/wall.h"

uint64_t
uw_wall_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

char *
uw_wall_text(uint64_t wall_us, char buf[UW_WALL_TEXT_SIZE])
{
    time_t seconds = (time_t)(wall_us / 1000000u);
    struct tm tm = {0};

    localtime_r(&seconds, &tm);
    /* The remainders tell the compiler what it cannot know: that it fits. */
    snprintf(buf, UW_WALL_TEXT_SIZE, "%02u:%02u:%02u.%03u", (unsigned)tm.tm_hour % 100u,
             (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u,
             (unsigned)(wall_us / 1000u % 1000u));
    return buf;
}
