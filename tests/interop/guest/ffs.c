/*
 * ffs - a vendor device in user space, by FunctionFS: interface 0 with bulk OUT 1, bulk IN 2 and
 * interrupt IN 3
 *
 *   ffs MOUNTPOINT
 *
 * Vendor requests of endpoint 0, whatever the recipient:
 *   1 OUT, IN  stores up to 4096 bytes; returns them
 *   2          is refused with a stall
 *   3 IN       answers "delayed" after wValue ms
 *   4 OUT      halts bulk IN (wValue 0), or bulk OUT once the next message has come (wValue 1)
 *   5 OUT      sends wValue messages of wIndex bytes on bulk IN; byte i of message m is m + i
 * Each message that ends on bulk OUT is sent back on bulk IN. Interrupt IN counts: 8 bytes, little
 * endian, about ten a second.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/usb/functionfs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX 65536
#define STORE_MAX   4096

enum requests { STORE = 1, STALL, DELAY, HALT, SEND };

struct bytes {
    uint8_t data[512];
    size_t size;
};

static int control, bulk_out, bulk_in, interrupt_in;
static atomic_int
    halt_out; /* asked for; the thread that reads does it, for a read holds the file */

static void
put(struct bytes *b, unsigned value, int count)
{
    for (int i = 0; i < count; i++, value >>= 8)
        b->data[b->size++] = (uint8_t)value;
}

static void
put_endpoint(struct bytes *b, unsigned address, unsigned type, unsigned packet, unsigned interval,
             int super)
{
    put(b, 7, 1);
    put(b, USB_DT_ENDPOINT, 1);
    put(b, address, 1);
    put(b, type, 1);
    put(b, packet, 2);
    put(b, interval, 1);
    if (super) {
        put(b, 6, 1);
        put(b, USB_DT_SS_ENDPOINT_COMP, 1);
        put(b, 0, 2); /* no burst, no streams */
        put(b, type == 3 ? packet : 0, 2);
    }
}

/* The interface at one speed. */
static void
put_interface(struct bytes *b, unsigned packet, unsigned interval, int super)
{
    put(b, 9, 1);
    put(b, USB_DT_INTERFACE, 1);
    put(b, 0, 2); /* number, alternate setting */
    put(b, 3, 1); /* endpoints */
    put(b, 0xff, 1);
    put(b, 0, 2);
    put(b, 1, 1); /* iInterface */
    put_endpoint(b, 1, 2, packet, 0, super);
    put_endpoint(b, 0x82, 2, packet, 0, super);
    put_endpoint(b, 0x83, 3, 8, interval, super);
}

static void
put_length(struct bytes *b)
{
    size_t size = b->size;

    b->size = 4;
    put(b, (unsigned)size, 4);
    b->size = size;
}

static int
describe(void)
{
    static const char name[] = "interop FunctionFS";
    struct bytes d = {.size = 0}, s = {.size = 0};

    put(&d, FUNCTIONFS_DESCRIPTORS_MAGIC_V2, 4);
    put(&d, 0, 4); /* length, below */
    put(&d,
        FUNCTIONFS_HAS_FS_DESC | FUNCTIONFS_HAS_HS_DESC | FUNCTIONFS_HAS_SS_DESC |
            FUNCTIONFS_ALL_CTRL_RECIP,
        4);
    put(&d, 4, 4); /* descriptors a speed */
    put(&d, 4, 4);
    put(&d, 7, 4);
    put_interface(&d, 64, 10, 0);
    put_interface(&d, 512, 8, 0);
    put_interface(&d, 1024, 8, 1);
    put_length(&d);

    put(&s, FUNCTIONFS_STRINGS_MAGIC, 4);
    put(&s, 0, 4);
    put(&s, 1, 4); /* strings */
    put(&s, 1, 4); /* languages */
    put(&s, 0x0409, 2);
    for (size_t i = 0; i < sizeof(name); i++)
        put(&s, (uint8_t)name[i], 1);
    put_length(&s);

    return write(control, d.data, d.size) < 0 || write(control, s.data, s.size) < 0 ? -1 : 0;
}

static int
open_file(const char *folder, const char *name)
{
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_RDWR);
    if (fd < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

/* Endpoint files fail while no host has configured the device: wait for the next one. */
static ssize_t
again(ssize_t n)
{
    if (n < 0)
        usleep(5000);
    return n;
}

/* FunctionFS halts an endpoint whose file is used in the wrong direction. */
static void
halt(int fd)
{
    char byte = 0;

    (void)!(fd == bulk_in ? read(fd, &byte, 1) : write(fd, &byte, 1));
}

static void *
echo(void *unused)
{
    static uint8_t message[MESSAGE_MAX];

    (void)unused;
    for (;;) {
        ssize_t n = again(read(bulk_out, message, sizeof(message)));
        if (n >= 0 && halt_out)
            halt(bulk_out);
        else if (n >= 0)
            again(write(bulk_in, message, (size_t)n));
        halt_out = 0;
    }
    return NULL;
}

static void *
count(void *unused)
{
    uint8_t counter[8] = {0};

    (void)unused;
    for (;;) {
        if (again(write(interrupt_in, counter, sizeof(counter))) < 0)
            continue;
        for (int i = 0; i < 8 && ++counter[i] == 0; i++) {
        }
        usleep(100000);
    }
    return NULL;
}

struct sending {
    unsigned count, size;
};

static void *
send_messages(void *data)
{
    static uint8_t message[MESSAGE_MAX];
    struct sending *sending = data;

    for (unsigned m = 0; m < sending->count; m++) {
        for (unsigned i = 0; i < sending->size; i++)
            message[i] = (uint8_t)(m + i);
        if (write(bulk_in, message, sending->size) < 0)
            break;
    }
    free(sending);
    return NULL;
}

static void
start(void *(*function)(void *), void *data)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, function, data) != 0)
        exit(1);
    pthread_detach(thread);
}

/* FunctionFS stalls when a file is used in the wrong direction. */
static void
stall(int in)
{
    (void)!(in ? read(control, NULL, 0) : write(control, NULL, 0));
}

static ssize_t
acknowledge(void)
{
    return read(control, NULL, 0);
}

static ssize_t
setup(const struct usb_ctrlrequest *request)
{
    static uint8_t store[STORE_MAX];
    static size_t stored;
    int in = (request->bRequestType & USB_DIR_IN) != 0;
    unsigned value = request->wValue, index = request->wIndex;
    size_t length = request->wLength;
    struct sending *sending;

    if ((request->bRequestType & USB_TYPE_MASK) != USB_TYPE_VENDOR) {
        stall(in);
    } else if (request->bRequest == STORE && in) {
        return write(control, store, stored < length ? stored : length);
    } else if (request->bRequest == STORE && length <= STORE_MAX) {
        stored = length;
        return length ? read(control, store, length) : acknowledge();
    } else if (request->bRequest == DELAY && in) {
        usleep(value * 1000);
        return write(control, "delayed", length < 7 ? length : 7);
    } else if (request->bRequest == HALT && !in) {
        if (value)
            halt_out = 1;
        else
            halt(bulk_in);
        return acknowledge();
    } else if (request->bRequest == SEND && !in) {
        sending = malloc(sizeof(*sending));
        if (sending) {
            *sending = (struct sending){value, index};
            start(send_messages, sending);
        }
        return acknowledge();
    } else {
        stall(in);
    }
    return 0;
}

int
main(int argc, char **argv)
{
    struct usb_functionfs_event event;
    int started = 0;

    if (argc != 2)
        return 2;
    control = open_file(argv[1], "ep0");
    if (describe() < 0) {
        perror("descriptors");
        return 1;
    }
    bulk_out = open_file(argv[1], "ep1");
    bulk_in = open_file(argv[1], "ep2");
    interrupt_in = open_file(argv[1], "ep3");
    puts("ready");
    fflush(stdout);
    for (;;) {
        if (again(read(control, &event, sizeof(event))) < (ssize_t)sizeof(event))
            continue;
        if (event.type == FUNCTIONFS_ENABLE && !started) {
            started = 1;
            start(echo, NULL);
            start(count, NULL);
        }
        if (event.type == FUNCTIONFS_SETUP && setup(&event.u.setup) < 0)
            fprintf(stderr, "request %u: %s\n", event.u.setup.bRequest, strerror(errno));
    }
}
