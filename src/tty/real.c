/*
 * real.c - the functions that those of this library stand before
 */
#include <dlfcn.h>
#include <string.h>

#include "tty/real.h"

static struct tty_real real;

/* Before the program, since dlsym may not be called from a signal handler. */
__attribute__((constructor)) static void
find(void)
{
    void *found;

#define NAME(type, name, parameters)                                                               \
    found = dlsym(RTLD_NEXT, #name);                                                               \
    memcpy(&real.name, &found, sizeof(found));
    TTY_REAL
#undef NAME
}

/* Constructors of other libraries may come first. */
const struct tty_real *
tty_real(void)
{
    if (!real.ioctl)
        find();
    return &real;
}
