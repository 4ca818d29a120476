/*
 * usec.h - time, in a type of its own
 *
 * A struct uw_usec is either a duration or an instant of CLOCK_MONOTONIC, in microseconds; which of
 * the two is said where it is used. Being a struct it cannot be mixed up with milliseconds or with
 * a plain number. UW_NEVER is "no limit" for a duration and "not planned" for an instant.
 */
#ifndef USBWIRE_USEC_H
#define USBWIRE_USEC_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uw_usec {
    uint64_t us;
};

static inline struct uw_usec
uw_usec(uint64_t us)
{
    struct uw_usec t;
    t.us = us;
    return t;
}

static inline struct uw_usec
uw_msec(uint32_t ms)
{
    return uw_usec((uint64_t)ms * 1000u);
}

/* No limit (duration) or not planned (instant). */
static inline struct uw_usec
uw_never(void)
{
    return uw_usec(UINT64_MAX);
}

static inline int
uw_is_never(struct uw_usec t)
{
    return t.us == UINT64_MAX;
}

/* a + b, where "never" stays "never" and nothing wraps. */
static inline struct uw_usec
uw_usec_add(struct uw_usec a, struct uw_usec b)
{
    return a.us > UINT64_MAX - b.us ? uw_never() : uw_usec(a.us + b.us);
}

/* a - b, or zero when b is later. */
static inline struct uw_usec
uw_usec_sub(struct uw_usec a, struct uw_usec b)
{
    if (uw_is_never(a))
        return a;
    return a.us > b.us ? uw_usec(a.us - b.us) : uw_usec(0);
}

static inline struct uw_usec
uw_usec_min(struct uw_usec a, struct uw_usec b)
{
    return a.us < b.us ? a : b;
}

/* The present instant of CLOCK_MONOTONIC. */
struct uw_usec uw_now(void);

#ifdef __cplusplus
}
#endif
#endif
