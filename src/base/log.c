/*
 * log.c - writing a log line
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"

void
uw_log(const struct uw_log *log, int level, const char *format, ...)
{
    char line[512];
    va_list ap;

    if (!uw_log_wants(log, level))
        return;
    va_start(ap, format);
    vsnprintf(line, sizeof(line), format, ap);
    va_end(ap);
    log->write(log->data, level, line);
}
