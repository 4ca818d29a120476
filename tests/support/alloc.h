/*
 * alloc.h - an allocator that fails on command (linked with --wrap)
 */
#ifndef UW_TESTS_ALLOC_H
#define UW_TESTS_ALLOC_H

/* The nth allocation from now on fails, once; negative: none does. */
void alloc_fail_at(long n);

/* 1 when the planned failure has happened. */
int alloc_has_failed(void);

/* Between these, allocations neither fail nor count: for what belongs to the test itself. */
void alloc_pause(void);
void alloc_go_on(void);

#endif
