/*
 * fault.h - filling in a struct uw_fault
 *
 * All take fault == NULL and then do nothing. They return `code`, so that a failing function can
 * end in `return uw_fault_set(...)`. Bytes from a peer are made printable on the way in.
 */
#ifndef UW_BASE_FAULT_H
#define UW_BASE_FAULT_H

#include <usbwire/error.h>

/* Starts a fault: clears all, sets code and `tried`. */
int uw_fault_set(struct uw_fault *fault, int code, const char *tried_format, ...)
    __attribute__((format(printf, 3, 4)));

/* Set the other parts. */
void uw_fault_on(struct uw_fault *fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void uw_fault_came(struct uw_fault *fault, int raw, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void uw_fault_advice(struct uw_fault *fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Copies `s`, at most n bytes of it, into dst with everything unprintable as '?'. Returns dst. */
char *uw_printable(char *dst, size_t size, const void *s, size_t n);

#endif
