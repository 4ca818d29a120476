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

static long left = -1;
static int failed, paused;

void
alloc_fail_at(long n)
{
    left = n;
    failed = paused = 0;
}

int
alloc_has_failed(void)
{
    return failed;
}

void
alloc_pause(void)
{
    paused++;
}

void
alloc_go_on(void)
{
    paused--;
}

static int
fails(void)
{
    if (paused || left < 0 || left-- > 0)
        return 0;
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
