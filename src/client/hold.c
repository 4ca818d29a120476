/*
 * hold.c - a lock file in the folder where a user's processes meet
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/folder.h"
#include "client/hold.h"

static void
add_name(char *dst, size_t size, const char *s)
{
    size_t n = strlen(dst);

    for (; *s && n + 1 < size; s++)
        dst[n++] = *s == '/' ? '_' : *s;
    dst[n] = '\0';
}

int
uw_hold_take(const char *server, const char *busid, int alone, struct uw_fault *fault)
{
    char path[PATH_MAX], name[400] = "", pid[32] = "";
    int fd, n;

    if (!uw_own_folder(path, sizeof(path) - sizeof(name)))
        return UW_ERROR_NOT_SUPPORTED;
    add_name(name, sizeof(name), "hold ");
    add_name(name, sizeof(name), server);
    add_name(name, sizeof(name), " ");
    add_name(name, sizeof(name), alone ? "" : busid);
    snprintf(path + strlen(path), sizeof(name) + 1, "/%s", name);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return UW_ERROR_NOT_SUPPORTED;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        ssize_t got = read(fd, pid, sizeof(pid) - 1);

        pid[got > 0 ? got : 0] = '\0';
        close(fd);
        uw_fault_set(fault, UW_ERROR_BUSY, "import %s", busid);
        uw_fault_on(fault, "%s", server);
        uw_fault_came(fault, 0, "process %s of this machine has %s", *pid ? pid : "?",
                      alone ? "a device of this server" : "it");
        uw_fault_advice(fault, "end that program first: this server would let both in, and they "
                               "would spoil each other's transfers");
        return UW_ERROR_BUSY;
    }
    n = snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    if (ftruncate(fd, 0) < 0 || write(fd, pid, (size_t)n) != n)
        pid[0] = '\0'; /* the lock counts, not the number in it */
    return fd;
}
