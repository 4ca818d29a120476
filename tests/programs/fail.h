/*
 * fail.h - the end of a test program that found something wrong
 */
#ifndef TESTS_PROGRAMS_FAIL_H
#define TESTS_PROGRAMS_FAIL_H

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* Says why, and ends at once: other threads may be in the middle of something. */
__attribute__((format(printf, 1, 2), noreturn)) static inline void
fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    _exit(1);
}

#endif
