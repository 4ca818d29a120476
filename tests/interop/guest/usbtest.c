/*
 * usbtest - runs test cases of the kernel's driver of that name on one device
 *
 *   usbtest FILE INTERFACE ITERATIONS LENGTH CASE...
 *
 * FILE is the device's in /dev/bus/usb. Prints "CASE: ok", "CASE: skipped" or what went wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>

/* The argument of drivers/usb/misc/usbtest.c's only request; it has no public header. */
struct parameters {
    unsigned test_number, iterations, length, vary, sglen;
    struct timeval duration;
};

#define USBTEST_REQUEST _IOWR('U', 100, struct parameters)

int
main(int argc, char **argv)
{
    int fd = argc > 5 ? open(argv[1], O_RDWR) : -1, status = 0;

    if (fd < 0) {
        perror(argc > 1 ? argv[1] : "usage");
        return 2;
    }
    for (int i = 5; i < argc; i++) {
        struct parameters p = {.test_number = (unsigned)strtoul(argv[i], NULL, 10),
                               .iterations = (unsigned)strtoul(argv[3], NULL, 10),
                               .length = (unsigned)strtoul(argv[4], NULL, 10),
                               .vary = 64,
                               .sglen = 8};
        struct usbdevfs_ioctl request = {.ifno = (int)strtoul(argv[2], NULL, 10),
                                         .ioctl_code = (int)USBTEST_REQUEST,
                                         .data = &p};
        if (ioctl(fd, USBDEVFS_IOCTL, &request) >= 0) {
            printf("%s: ok\n", argv[i]);
        } else if (errno == EOPNOTSUPP) {
            printf("%s: skipped\n", argv[i]);
        } else {
            printf("%s: %s\n", argv[i], strerror(errno));
            status = 1;
        }
        fflush(stdout);
    }
    return status;
}
