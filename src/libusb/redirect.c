/*
 * redirect.c - preloaded beside the drop-in: a dlopen that gives it to whoever asks for libusb-1.0
 *
 * Programs that open another libusb by an absolute path would otherwise run half of each, since
 * libusb calls its own functions through the dynamic linker. Every other name goes on to the real
 * dlopen by a jump, not a call: it looks at its return address to find the caller's RUNPATH.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define LIBUSB "libusb-1.0.so"

#if defined(__has_attribute)
#if __has_attribute(musttail)
#define JUMP __attribute__((musttail)) return
#endif
#endif
#ifndef JUMP
#define JUMP return
#endif

/* gcc turns a call in this place into a jump when told to, and no sanitizer adds anything behind.
 */
#if defined(__clang__)
#define JUMPS __attribute__((no_sanitize("address", "thread", "undefined")))
#else
#define JUMPS                                                                                      \
    __attribute__((no_sanitize("address", "thread", "undefined"), optimize("O2"),                  \
                   optimize("optimize-sibling-calls")))
#endif

static void *(*real_dlopen)(const char *file, int mode);
static char drop_in[PATH_MAX];

/* The drop-in lies beside this file. */
__attribute__((constructor)) static void
find(void)
{
    Dl_info info;
    const char *slash;
    void *next = dlsym(RTLD_NEXT, "dlopen");

    real_dlopen = (void *(*)(const char *, int))(uintptr_t)next;
    if (!dladdr(drop_in, &info))
        return;
    slash = strrchr(info.dli_fname, '/');
    if (slash)
        snprintf(drop_in, sizeof(drop_in), "%.*s/%s.0", (int)(slash - info.dli_fname),
                 info.dli_fname, LIBUSB);
}

static const char *
redirected(const char *file)
{
    const char *name = file ? strrchr(file, '/') : NULL;

    name = name ? name + 1 : file;
    if (name && drop_in[0] && strncmp(name, LIBUSB, sizeof(LIBUSB) - 1) == 0)
        return drop_in;
    return file;
}

JUMPS void *
dlopen(const char *file, int mode)
{
    if (!real_dlopen)
        find();
    file = redirected(file);
    JUMP real_dlopen(file, mode);
}
