/*
 * uwclient.c - the library's asynchronous interface under load, and nothing else
 *
 *     uwclient PORT ctrl|in|out|port SIZE DEPTH SECONDS [DEVICES]
 *
 * "port" is "in" on a simulated serial chip, which is set up as a port first.
 * Keeps DEPTH URBs under way on each of DEVICES devices (1-1, 1-2 ... of 127.0.0.1) in one loop and
 * prints one line of JSON: the keys of `usbwire bench --json`, and bytes_per_device, the memory
 * that importing added. SIZE may be larger than a server takes in one URB: the library splits it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <usbwire/usbwire.h>

struct bench {
    struct uw_loop *loop;
    struct uw_server *server;
    struct uw_queue *queue;
    struct uw_device **devices;
    struct uw_urb **urbs;
    unsigned long device_count, depth, size, done;
    int over;
    char mode;
    unsigned char *buffers;
};

static void
die(const char *what, const struct uw_fault *fault)
{
    char text[UW_FAULT_TEXT_MAX];

    fprintf(stderr, "uwclient: %s: %s\n", what,
            fault ? uw_fault_text(fault, text, sizeof(text)) : "failed");
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

/* Bytes of memory that the process has resident. */
static double
resident(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long pages = 0, page_size = sysconf(_SC_PAGESIZE);

    if (!f || fscanf(f, "%*d %ld", &pages) != 1)
        die("/proc/self/statm", NULL);
    fclose(f);
    return (double)pages * (double)page_size;
}

/* Imports all devices. Returns the memory that took, per device. */
static double
import_all(struct bench *b)
{
    struct uw_fault fault;
    double before = resident();

    for (unsigned long i = 0; i < b->device_count; i++) {
        char busid[32];

        snprintf(busid, sizeof(busid), "1-%lu", i + 1);
        if (uw_device_import(b->server, busid, uw_msec(10000), &b->devices[i], &fault) < 0)
            die(busid, &fault);
    }
    return (resident() - before) / (double)b->device_count;
}

static void
complete(struct uw_urb *urb, void *data)
{
    struct bench *b = (struct bench *)data;

    if (uw_urb_status(urb) != UW_OK) {
        struct uw_fault fault;
        uw_urb_fault(urb, &fault);
        die("urb", &fault);
    }
    b->done++;
    if (!b->over && uw_urb_submit(urb, b->queue) < 0)
        die("submit", NULL);
}

/* A port that was closed leaves its lines as they are. */
static void
set_up_port(struct uw_device *device)
{
    struct uw_serial_config config;
    struct uw_serial *port;
    struct uw_fault fault;

    uw_serial_config_init(&config);
    config.baud = 3000000;
    config.dtr = 1;
    config.hang_up = 0;
    if (uw_serial_open_device(device, &config, &port, &fault) < 0)
        die("port", &fault);
    uw_serial_free(port);
}

static void
prepare_urb(struct bench *b, unsigned long i)
{
    struct uw_device *device = b->devices[i / b->depth];
    unsigned char *buffer = b->buffers + i * b->size;

    if (uw_urb_new(0, &b->urbs[i]) < 0)
        die("urb", NULL);
    if (b->mode == 'c')
        uw_urb_set_control(b->urbs[i], device, 0x80, 6, 0x0100, 0, buffer, 18);
    else
        uw_urb_set_transfer(b->urbs[i], device, b->mode == 'o' ? 0x01 : 0x81, buffer, b->size);
    uw_urb_set_callback(b->urbs[i], complete, b);
    if (uw_urb_submit(b->urbs[i], b->queue) < 0)
        die("submit", NULL);
}

/* Runs for `limit` seconds at least; returns how many URBs completed and how long it took. */
static unsigned long
run(struct bench *b, double limit, double *ret_took)
{
    struct uw_usec start = uw_now(), took;

    for (unsigned long i = 0; i < b->device_count * b->depth; i++)
        prepare_urb(b, i);
    while (!b->over) {
        if (uw_queue_wait(b->queue, uw_msec(10000)) != 1)
            die("no completion in ten seconds", NULL);
        took = uw_usec_sub(uw_now(), start);
        b->over = (double)took.us > limit * 1e6;
        uw_queue_dispatch(b->queue);
    }
    *ret_took = (double)took.us / 1e6;
    return b->done;
}

static void
finish(struct bench *b)
{
    for (unsigned long i = 0; i < b->device_count; i++)
        uw_device_free(b->devices[i]);
    while (uw_queue_pop(b->queue))
        ;
    for (unsigned long i = 0; i < b->device_count * b->depth; i++)
        uw_urb_free(b->urbs[i]);
    uw_queue_free(b->queue);
    uw_server_free(b->server);
    uw_loop_free(b->loop);
    free(b->devices);
    free(b->urbs);
    free(b->buffers);
}

int
main(int argc, char **argv)
{
    struct bench b = {.device_count = 1};
    struct uw_fault fault;
    unsigned long done, urbs, port;
    double took, cpu, memory;

    if (argc < 6 || argc > 7)
        return 2;
    port = strtoul(argv[1], NULL, 10);
    b.mode = argv[2][0];
    b.size = b.mode == 'c' ? 18 : strtoul(argv[3], NULL, 10);
    b.depth = strtoul(argv[4], NULL, 10);
    if (argc == 7)
        b.device_count = strtoul(argv[6], NULL, 10);
    urbs = b.device_count * b.depth;
    b.devices = calloc(b.device_count, sizeof(*b.devices));
    b.urbs = calloc(urbs, sizeof(*b.urbs));
    b.buffers = malloc(urbs * b.size);
    if (!b.devices || !b.urbs || !b.buffers)
        die("memory", NULL);
    memset(b.buffers, 0x5a, urbs * b.size);
    if (uw_loop_new(NULL, &b.loop) < 0 || uw_queue_new(b.loop, &b.queue) < 0)
        die("loop", NULL);
    if (uw_server_new(b.loop, "127.0.0.1", (uint16_t)port, &b.server, &fault) < 0)
        die("server", &fault);
    memory = import_all(&b);
    if (b.mode == 'p')
        set_up_port(b.devices[0]);

    cpu = cpu_seconds();
    done = run(&b, strtod(argv[5], NULL), &took);
    cpu = cpu_seconds() - cpu;
    printf("{\"urbs_per_s\": %.1f, \"mb_per_s\": %.3f, \"cpu_us_per_urb\": %.3f, "
           "\"bytes_per_device\": %.0f}\n",
           (double)done / took, (double)done * (double)b.size / took / 1e6,
           cpu * 1e6 / (double)done, memory);
    finish(&b);
    return 0;
}
