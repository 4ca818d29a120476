/*
 * wall.h - the time of day, for people and for files; never for waiting (usec.h)
 */
#ifndef UW_BASE_WALL_H
#define UW_BASE_WALL_H

#include <stdint.h>

#define UW_WALL_TEXT_SIZE 16

/* Microseconds since 1970-01-01 UTC. */
uint64_t uw_wall_now(void);

/* "HH:MM:SS.mmm" of the local time zone. Returns buf. */
char *uw_wall_text(uint64_t wall_us, char buf[UW_WALL_TEXT_SIZE]);

#endif
