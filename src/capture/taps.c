/*
 * taps.c - the folder in which monitors and programs meet
 */
#include <stdio.h>
#include <unistd.h>

#include "base/folder.h"
#include "capture/taps.h"

int
uw_taps_folder(char *dst, size_t size)
{
    return uw_own_folder_in("taps", dst, size);
}

int
uw_taps_address(int folder, const char *name, struct sockaddr_un *ret_address)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int n = snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s", folder, name);

    if (n < 0 || (size_t)n >= sizeof(a.sun_path))
        return 0;
    *ret_address = a;
    return 1;
}

int
uw_taps_is_own(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}
