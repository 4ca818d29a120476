/*
 * log.h - writing a log line
 */
#ifndef UW_BASE_LOG_H
#define UW_BASE_LOG_H

#include <usbwire/log.h>

/* 1 when a line of this level would be written. `log` may be NULL. */
static inline int
uw_log_wants(const struct uw_log *log, int level)
{
    return log && log->write && level <= log->level;
}

void uw_log(const struct uw_log *log, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
