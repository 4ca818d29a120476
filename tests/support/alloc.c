/*
 * alloc.c - an allocator that fails on command
 */
#include <stddef.h>

#include "support/alloc.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static _Thread_local unsigned left;
static _Thread_local int armed, failed;

void
alloc_fail_at(unsigned n)
{
    left = n;
    failed = 0;
    armed = 1;
}

int
alloc_end(void)
{
    armed = 0;
    return failed;
}

static int
fails(void)
{
    if (!armed || left-- > 0)
        return 0;
    armed = 0;
    failed = 1;
    return 1;
}

void *
__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}
