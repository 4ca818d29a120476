/*
 * log.c - libusb's messages: levels, LIBUSB_DEBUG, callbacks
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libusb/context.h"
#include "libusb/log.h"

#define LINE_MAX_BYTES 1400

/* What libusb's readers, people and scripts, know. */
#define HEADER "[timestamp] [threadID] facility level [function call] <message>"
#define RULE                                                                                       \
    "----------------------------------------"                                                     \
    "----------------------------------------"

static _Atomic(libusb_log_cb) global_cb;
static atomic_uint_least64_t origin; /* of the times of messages, in microseconds */
static atomic_int headed;

/* What set_option(NULL, ...) said last. */
static atomic_int default_level = -1; /* -1: never */
static _Atomic(libusb_log_cb) default_cb;
static atomic_int default_no_discovery;

static int
within_bounds(long level)
{
    return level < LIBUSB_LOG_LEVEL_NONE    ? LIBUSB_LOG_LEVEL_NONE
           : level > LIBUSB_LOG_LEVEL_DEBUG ? LIBUSB_LOG_LEVEL_DEBUG
                                            : (int)level;
}

/* LIBUSB_DEBUG as libusb reads it: what is no number is 0. -1: not set. */
static int
environment_level(void)
{
    const char *s = secure_getenv("LIBUSB_DEBUG");

    return s ? within_bounds(strtol(s, NULL, 10)) : -1;
}

void
log_init_context(struct libusb_context *ctx)
{
    int level = environment_level();
    uint_least64_t never = 0;

    (void)atomic_compare_exchange_strong(&origin, &never, uw_now().us);
    ctx->debug_fixed = level >= 0;
    if (level < 0)
        level = default_level;
    ctx->debug = level < 0 ? LIBUSB_LOG_LEVEL_NONE : level;
    ctx->log_cb = default_cb;
    ctx->no_discovery = default_no_discovery;
}

static const char *
level_name(enum libusb_log_level level)
{
    static const char *const names[] = {"unknown", "error", "warning", "info", "debug"};

    return (unsigned)level < sizeof(names) / sizeof(names[0]) ? names[level] : names[0];
}

static int
level_wanted(const struct libusb_context *ctx)
{
    int level;

    if (ctx)
        return ctx->debug;
    level = environment_level();
    return level < 0 ? default_level : level;
}

/* To the program's callback for all contexts, or to the person in front of it. */
static void
publish(enum libusb_log_level level, const char *line)
{
    libusb_log_cb cb = global_cb;

    if (cb)
        cb(NULL, level, line);
    else
        fputs(line, stderr);
}

/* Messages of those who want to know everything say when and on which thread. */
static size_t
begin_line(char *line, size_t size, int timed, enum libusb_log_level level, const char *function)
{
    uint64_t us = uw_now().us - origin;
    size_t n = 0;

    if (timed && !atomic_exchange(&headed, 1)) {
        publish(LIBUSB_LOG_LEVEL_DEBUG, HEADER "\n");
        publish(LIBUSB_LOG_LEVEL_DEBUG, RULE "\n");
    }
    if (timed)
        n = (size_t)snprintf(line, size, "[%2lu.%06lu] [%08x] ", (unsigned long)(us / 1000000u),
                             (unsigned long)(us % 1000000u), (unsigned)gettid());
    return n +
           (size_t)snprintf(line + n, size - n, "libusb: %s [%s] ", level_name(level), function);
}

void
log_write(struct libusb_context *ctx, enum libusb_log_level level, const char *function,
          const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    int wanted;
    size_t n;

    ctx = context_get(ctx);
    wanted = level_wanted(ctx);
    if (wanted < (int)level)
        return;
    n = begin_line(line, sizeof(line), wanted == LIBUSB_LOG_LEVEL_DEBUG, level, function);
    va_start(args, format);
    vsnprintf(line + n, sizeof(line) - n - 1, format, args);
    va_end(args);
    n = strlen(line);
    line[n] = '\n';
    line[n + 1] = '\0';
    publish(level, line);
    if (ctx && ctx->log_cb)
        ctx->log_cb(ctx, level, line);
}

void
log_tell(const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    fprintf(stderr, "usbwire: %s\n", line);
}

void
log_fault(const struct uw_fault *fault)
{
    char text[UW_FAULT_TEXT_MAX];

    log_tell("%s", uw_fault_text(fault, text, sizeof(text)));
}

/* ---- the public face ---- */

void LIBUSB_CALL
libusb_set_log_cb(libusb_context *ctx, libusb_log_cb cb, int mode)
{
    if (mode & LIBUSB_LOG_CB_GLOBAL)
        global_cb = cb;
    if (mode & LIBUSB_LOG_CB_CONTEXT) {
        ctx = context_get(ctx);
        if (ctx)
            ctx->log_cb = cb;
    }
}

static int
set_level(struct libusb_context *ctx, int level)
{
    if (level < LIBUSB_LOG_LEVEL_NONE || level > LIBUSB_LOG_LEVEL_DEBUG)
        return LIBUSB_ERROR_INVALID_PARAM;
    if (!ctx)
        default_level = level;
    ctx = context_get(ctx);
    if (ctx && !ctx->debug_fixed)
        ctx->debug = level;
    return LIBUSB_SUCCESS;
}

/* Of the context; with NULL of all, and of those to come. */
static int
set_callback(struct libusb_context *ctx, libusb_log_cb cb)
{
    if (!ctx)
        default_cb = cb;
    libusb_set_log_cb(ctx, cb,
                      ctx ? LIBUSB_LOG_CB_CONTEXT : LIBUSB_LOG_CB_CONTEXT | LIBUSB_LOG_CB_GLOBAL);
    return LIBUSB_SUCCESS;
}

/* For the context, and with NULL for those to come, too. */
static int
forgo_discovery(struct libusb_context *ctx)
{
    if (!ctx)
        default_no_discovery = 1;
    ctx = context_get(ctx);
    if (ctx)
        ctx->no_discovery = 1;
    return LIBUSB_SUCCESS;
}

void LIBUSB_CALL
libusb_set_debug(libusb_context *ctx, int level)
{
    (void)set_level(ctx, within_bounds(level));
}

int
libusb_set_option(libusb_context *ctx, enum libusb_option option, ...)
{
    int r = LIBUSB_ERROR_INVALID_PARAM;
    va_list args;

    va_start(args, option);
    switch ((int)option) {
    case LIBUSB_OPTION_LOG_LEVEL: r = set_level(ctx, va_arg(args, int)); break;
    case LIBUSB_OPTION_USE_USBDK: r = LIBUSB_ERROR_NOT_SUPPORTED; break;
    case OPTION_NO_DEVICE_DISCOVERY: r = forgo_discovery(ctx); break;
    case OPTION_LOG_CB: r = set_callback(ctx, va_arg(args, libusb_log_cb)); break;
    default: break;
    }
    va_end(args);
    return r;
}
