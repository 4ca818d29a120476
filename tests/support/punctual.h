/*
 * punctual.h - that something takes as long as it is to, on a machine that does other things, too
 */
#ifndef TEST_PUNCTUAL_H
#define TEST_PUNCTUAL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* `run` never takes less than so many microseconds, and hardly more: what else runs can only make
 * it later, so the least of many times counts, beside the least of as many sleeps of that length.
 */
void assert_punctual(uint64_t us, void (*run)(void *arg), void *arg);

#endif
