/*
 * target.h - the program that `usbwire run` starts: where it is, and whether preloading reaches it
 */
#ifndef UW_CLI_TARGET_H
#define UW_CLI_TARGET_H

#include <limits.h>

/* As shells and env(1) have them. */
enum {
    TARGET_WRAPPER_FAILED = 125, /* usbwire itself failed */
    TARGET_CANNOT_RUN = 126,     /* the program is there and cannot be used */
    TARGET_NOT_FOUND = 127
};

/* Finds `name` as a shell would and looks whether the dynamic linker will load what is preloaded
 * into it. 0 and its path, or one of the codes above after a message. */
int target_find(const char *name, char path[PATH_MAX]);

#endif
