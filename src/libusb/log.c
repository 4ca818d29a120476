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

static _Atomic(libusb_log_cb) global_cb;
static atomic_int default_level = -1; /* set_option(NULL, ...); -1: never */
static _Atomic(libusb_log_cb) default_cb;

/* LIBUSB_DEBUG, or -1. */
static int
environment_level(void)
{
    const char *s = secure_getenv("LIBUSB_DEBUG");
    char *end;
    long level;

    if (!s || !*s)
        return -1;
    level = strtol(s, &end, 10);
    if (*end || level < LIBUSB_LOG_LEVEL_NONE)
        return -1;
    return level > LIBUSB_LOG_LEVEL_DEBUG ? LIBUSB_LOG_LEVEL_DEBUG : (int)level;
}

void
log_init_context(struct libusb_context *ctx)
{
    int level = environment_level();

    ctx->debug_fixed = level >= 0;
    if (level < 0)
        level = default_level;
    ctx->debug = level < 0 ? LIBUSB_LOG_LEVEL_NONE : level;
    ctx->log_cb = default_cb;
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

void
log_write(struct libusb_context *ctx, enum libusb_log_level level, const char *function,
          const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    libusb_log_cb cb = global_cb;
    va_list args;
    size_t n;

    ctx = context_get(ctx);
    if (level_wanted(ctx) < (int)level)
        return;
    n = (size_t)snprintf(line, sizeof(line), "libusb: %s [%s] ", level_name(level), function);
    va_start(args, format);
    vsnprintf(line + n, sizeof(line) - n - 1, format, args);
    va_end(args);
    n = strlen(line);
    line[n] = '\n';
    line[n + 1] = '\0';
    fputs(line, stderr);
    if (ctx && ctx->log_cb)
        ctx->log_cb(ctx, level, line);
    if (cb)
        cb(ctx, level, line);
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

void LIBUSB_CALL
libusb_set_debug(libusb_context *ctx, int level)
{
    (void)set_level(ctx, level < LIBUSB_LOG_LEVEL_NONE    ? LIBUSB_LOG_LEVEL_NONE
                         : level > LIBUSB_LOG_LEVEL_DEBUG ? LIBUSB_LOG_LEVEL_DEBUG
                                                          : level);
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
    case OPTION_NO_DEVICE_DISCOVERY:
        if (ctx)
            ctx->no_discovery = 1;
        r = LIBUSB_SUCCESS;
        break;
    case OPTION_LOG_CB: {
        libusb_log_cb cb = va_arg(args, libusb_log_cb);

        if (!ctx)
            default_cb = cb;
        libusb_set_log_cb(ctx, cb, LIBUSB_LOG_CB_CONTEXT);
        r = LIBUSB_SUCCESS;
        break;
    }
    default: break;
    }
    va_end(args);
    return r;
}
