/*
 * folder.c - where the processes of one user meet
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"

static int
own(const char *path)
{
    struct stat st;

    if ((mkdir(path, 0700) < 0 && errno != EEXIST) || lstat(path, &st) < 0)
        return 0;
    if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077))
        return 1;
    errno = EPERM;
    return 0;
}

int
uw_own_folder(char *dst, size_t size)
{
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
    int n;

    if (runtime && *runtime == '/')
        n = snprintf(dst, size, "%s/usbwire", runtime);
    else
        n = snprintf(dst, size, "/tmp/usbwire-%u", (unsigned)getuid());
    if (n < 0 || (size_t)n >= size) {
        errno = ENAMETOOLONG;
        return 0;
    }
    return own(dst);
}

int
uw_own_folder_in(const char *name, char *dst, size_t size)
{
    size_t n;

    if (!uw_own_folder(dst, size))
        return 0;
    n = strlen(dst);
    if (n + strlen(name) + 2 > size) {
        errno = ENAMETOOLONG;
        return 0;
    }
    snprintf(dst + n, size - n, "/%s", name);
    return own(dst);
}
