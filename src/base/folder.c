/*
 * folder.c - where the processes of one user meet
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"

int
uw_own_folder(char *dst, size_t size)
{
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
    struct stat st;
    int n;

    if (runtime && *runtime == '/')
        n = snprintf(dst, size, "%s/usbwire", runtime);
    else
        n = snprintf(dst, size, "/tmp/usbwire-%u", (unsigned)getuid());
    if (n < 0 || (size_t)n >= size) {
        errno = ENAMETOOLONG;
        return 0;
    }
    if ((mkdir(dst, 0700) < 0 && errno != EEXIST) || lstat(dst, &st) < 0)
        return 0;
    if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077))
        return 1;
    errno = EPERM;
    return 0;
}
