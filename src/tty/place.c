/*
 * place.c - where the socket of a pseudo-terminal lies
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "base/folder.h"
#include "tty/place.h"

#define PTY_SLAVE_MAJOR 136 /* Linux, Documentation/admin-guide/devices.txt; 20 bits of minor */

int
tty_number(const struct stat *st)
{
    if (!S_ISCHR(st->st_mode) || major(st->st_rdev) != PTY_SLAVE_MAJOR)
        return -1;
    return (int)minor(st->st_rdev);
}

int
tty_folder(char *dst, size_t size)
{
    return uw_own_folder_in("tty", dst, size);
}

int
tty_address(const char *folder, int number, struct sockaddr_un *ret)
{
    char digits[12];
    size_t n = strlen(folder), count = 0;
    int left = number;

    do {
        digits[count++] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (n + 1 + count >= sizeof(ret->sun_path))
        return 0;
    memset(ret, 0, sizeof(*ret));
    ret->sun_family = AF_UNIX;
    memcpy(ret->sun_path, folder, n);
    ret->sun_path[n++] = '/';
    while (count > 0)
        ret->sun_path[n++] = digits[--count];
    return 1;
}
