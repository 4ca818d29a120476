/*
 * worker - what stands behind the gadget functions that are files
 *
 *   worker echo FILE [SIZE]   writes back what it reads; SIZE: bytes a report
 *   worker count FILE         writes 32-bit numbers from 0, little endian, as fast as they go
 *   worker mouse FILE         writes a 4-byte mouse report about every 100 ms
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define BLOCK 4096

static const char *path;
static int file;

/* Hosts come and go: a terminal that was hung up has to be opened anew, and at once: the next
 * host's data may be on its way, and what comes before the terminal is raw is lost. */
static void
open_again(void)
{
    struct termios t;

    if (file >= 0)
        close(file);
    while ((file = open(path, O_RDWR | O_NOCTTY)) < 0)
        usleep(20000);
    if (tcgetattr(file, &t) == 0) {
        cfmakeraw(&t);
        t.c_cflag |= CLOCAL;
        tcsetattr(file, TCSANOW, &t);
    }
}

static void
write_all(const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(file, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            open_again();
            return;
        }
        data += n;
        size -= (size_t)n;
    }
}

static void
echo(size_t size)
{
    static uint8_t block[BLOCK];

    for (;;) {
        ssize_t n = read(file, block, size);
        if (n > 0) {
            write_all(block, (size_t)n);
        } else {
            open_again();
        }
    }
}

static void
count(void)
{
    uint32_t numbers[BLOCK / 4], next = 0;

    for (;;) {
        for (size_t i = 0; i < BLOCK / 4; i++)
            numbers[i] = next++; /* the guests are little endian */
        write_all((const uint8_t *)numbers, sizeof(numbers));
    }
}

static void
mouse(void)
{
    static const uint8_t right[4] = {0, 1, 0, 0}, left[4] = {0, 0xff, 0, 0};

    for (;;) {
        write_all(right, 4);
        usleep(100000);
        write_all(left, 4);
        usleep(100000);
    }
}

int
main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    path = argv[2];
    file = -1;
    open_again();
    if (strcmp(argv[1], "echo") == 0)
        echo(argc > 3 ? strtoul(argv[3], NULL, 10) : BLOCK);
    if (strcmp(argv[1], "count") == 0)
        count();
    if (strcmp(argv[1], "mouse") == 0)
        mouse();
    return 2;
}
