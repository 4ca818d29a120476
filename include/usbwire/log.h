/*
 * log.h - what the library says while it works
 *
 * The library prints nothing by itself. A struct uw_log given to a loop (loop.h) receives lines:
 * ready for a person, without a newline. The function is called under the loop's lock, from
 * whichever thread drives the loop: it must not block for long and must not call the library.
 */
#ifndef USBWIRE_LOG_H
#define USBWIRE_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

enum uw_log_level {
    UW_LOG_ERROR = 0,   /* something was lost or given up */
    UW_LOG_WARNING = 1, /* the peer misbehaved and it was put right */
    UW_LOG_INFO = 2,    /* connections, imports, profiles recognised */
    UW_LOG_DEBUG = 3    /* decisions of the engine */
};

struct uw_log {
    int level; /* the highest enum uw_log_level wanted; -1: none */
    void (*write)(void *data, int level, const char *line);
    void *data;
};

#ifdef __cplusplus
}
#endif
#endif
