/*
 * alloc.h - an allocator that fails on command (linked with --wrap)
 */
#ifndef UW_TESTS_ALLOC_H
#define UW_TESTS_ALLOC_H

/* The nth allocation from now on (0: the next) of this thread fails, once. */
void alloc_fail_at(unsigned n);

/* No more failures. 1 when the one asked for has happened. */
int alloc_end(void);

#endif
