/*
 * log.h - libusb's messages: levels, LIBUSB_DEBUG, callbacks
 */
#ifndef UW_LIBUSB_LOG_H
#define UW_LIBUSB_LOG_H

#include "libusb/dropin.h"

/* A line for those who set a debug level. `ctx` may be NULL: the default level counts. */
void log_write(struct libusb_context *ctx, enum libusb_log_level level, const char *function,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

#define LOG_ERROR(ctx, ...)   log_write(ctx, LIBUSB_LOG_LEVEL_ERROR, __func__, __VA_ARGS__)
#define LOG_WARNING(ctx, ...) log_write(ctx, LIBUSB_LOG_LEVEL_WARNING, __func__, __VA_ARGS__)
#define LOG_INFO(ctx, ...)    log_write(ctx, LIBUSB_LOG_LEVEL_INFO, __func__, __VA_ARGS__)
#define LOG_DEBUG(ctx, ...)   log_write(ctx, LIBUSB_LOG_LEVEL_DEBUG, __func__, __VA_ARGS__)

/* A line on stderr whatever the level: why there are no devices is what a person must learn, and
 * programs print only that there are none. */
void log_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_fault(const struct uw_fault *fault);

/* The level of a new context. */
void log_init_context(struct libusb_context *ctx);

#endif
