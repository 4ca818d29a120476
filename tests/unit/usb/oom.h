/*
 * oom.h - memory runs out, at the n-th allocation of this program and the library linked into it
 *
 * Needs the linker's --wrap for malloc, calloc and realloc.
 */
#ifndef TEST_OOM_H
#define TEST_OOM_H

/* The n-th allocation from now on (0: the next) of this thread fails, once. */
void oom_after(unsigned n);

/* No more failures. 1 when the one asked for has happened. */
int oom_end(void);

#endif
