/*
 * libusbclient.c - libusb under load, whichever libusb the dynamic linker finds
 *
 *     libusbclient ctrl|in|out SIZE DEPTH SECONDS
 *
 * DEPTH 0: synchronous calls, one after the other; else that many asynchronous transfers under way
 * on the first device there is. Prints the keys of uwclient that are about transfers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <libusb.h>

struct bench {
    libusb_context *ctx;
    libusb_device_handle *handle;
    char mode;
    int size;
    unsigned depth, under_way;
    unsigned long done;
    double until;
};

static void
die(const char *what)
{
    fprintf(stderr, "libusbclient: %s failed\n", what);
    exit(1);
}

static double
cpu_seconds(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
open_first(struct bench *b)
{
    libusb_device **list;

    if (libusb_init(&b->ctx) < 0)
        die("libusb_init");
    if (libusb_get_device_list(b->ctx, &list) < 1)
        die("finding a device");
    if (libusb_open(list[0], &b->handle) < 0)
        die("libusb_open");
    libusb_free_device_list(list, 1);
}

static void
run_sync(struct bench *b, unsigned char *buffer)
{
    while (now() < b->until) {
        int moved = b->size, r;

        if (b->mode == 'c')
            r = libusb_get_descriptor(b->handle, LIBUSB_DT_DEVICE, 0, buffer, 18) == 18 ? 0 : -1;
        else
            r = libusb_bulk_transfer(b->handle, b->mode == 'i' ? 0x81 : 0x01, buffer, b->size,
                                     &moved, 10000);
        if (r < 0 || moved != b->size)
            die("a transfer");
        b->done++;
    }
}

static void LIBUSB_CALL
again(struct libusb_transfer *t)
{
    struct bench *b = t->user_data;

    if (t->status != LIBUSB_TRANSFER_COMPLETED)
        die("a transfer");
    b->done++;
    if (now() < b->until) {
        if (libusb_submit_transfer(t) < 0)
            die("libusb_submit_transfer");
        return;
    }
    b->under_way--;
    libusb_free_transfer(t);
}

static void
run_async(struct bench *b, unsigned char *buffers)
{
    for (unsigned i = 0; i < b->depth; i++) {
        struct libusb_transfer *t = libusb_alloc_transfer(0);
        unsigned char *buffer = buffers + i * ((unsigned)b->size + 8u);

        if (!t)
            die("libusb_alloc_transfer");
        if (b->mode == 'c') {
            libusb_fill_control_setup(buffer, 0x80, 6, 0x0100, 0, 18);
            libusb_fill_control_transfer(t, b->handle, buffer, again, b, 10000);
        } else {
            libusb_fill_bulk_transfer(t, b->handle, b->mode == 'i' ? 0x81 : 0x01, buffer, b->size,
                                      again, b, 10000);
        }
        if (libusb_submit_transfer(t) < 0)
            die("libusb_submit_transfer");
        b->under_way++;
    }
    while (b->under_way)
        if (libusb_handle_events(b->ctx) < 0)
            die("libusb_handle_events");
}

int
main(int argc, char **argv)
{
    struct bench b = {.ctx = NULL};
    unsigned char *buffers;
    double start, cpu;
    size_t room;

    if (argc != 5)
        return 2;
    b.mode = argv[1][0];
    b.size = b.mode == 'c' ? 18 : (int)strtol(argv[2], NULL, 10);
    b.depth = (unsigned)strtoul(argv[3], NULL, 10);
    room = (b.depth + 1u) * ((size_t)b.size + 8u);
    buffers = calloc(1, room);
    if (!buffers)
        die("malloc");
    memset(buffers, 0x5a, room);
    open_first(&b);
    cpu = cpu_seconds();
    start = now();
    b.until = start + strtod(argv[4], NULL);
    if (b.depth)
        run_async(&b, buffers);
    else
        run_sync(&b, buffers);
    start = now() - start;
    cpu = cpu_seconds() - cpu;
    printf("{\"urbs_per_s\": %.1f, \"mb_per_s\": %.3f, \"cpu_us_per_urb\": %.3f}\n",
           (double)b.done / start, (double)b.done * b.size / start / 1e6,
           cpu * 1e6 / (double)b.done);
    libusb_close(b.handle);
    libusb_exit(b.ctx);
    free(buffers);
    return 0;
}
