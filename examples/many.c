/*
 * many.c - many transfers at once, in a loop of the program's own
 *
 *     many [ADDRESS [SECONDS]]      127.0.0.1:3240 and 1 second when not given
 *
 * The program's poll(2) loop waits for two things: its own clock, and the library. 32 reads are in
 * flight on the source of `usbwire serve`, 1209:0002, whose bytes count up, so that a lost or
 * doubled one is seen. Each read is submitted again from its own callback until the time is up.
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <usbwire/usbwire.h>

#define READS 32
#define SIZE  4096

struct app {
    struct uw_loop *loop;
    struct uw_server *server;
    struct uw_device *device;
    struct uw_queue *queue;
    struct uw_urb *urbs[READS];
    uint8_t buffers[READS][SIZE];
    unsigned in_flight;
    uint64_t bytes;
    int ending, failed;
};

static int
fail(struct app *app, const struct uw_fault *fault)
{
    char text[UW_FAULT_TEXT_MAX];

    fprintf(stderr, "%s\n", uw_fault_text(fault, text, sizeof(text)));
    app->ending = app->failed = 1;
    return -1;
}

static void
submit(struct app *app, unsigned i)
{
    struct uw_fault fault;

    uw_urb_set_transfer(app->urbs[i], app->device, 0x81, app->buffers[i], SIZE);
    if (uw_urb_submit(app->urbs[i], app->queue) >= 0) {
        app->in_flight++;
        return;
    }
    uw_urb_fault(app->urbs[i], &fault);
    fail(app, &fault);
}

/* Runs in uw_queue_dispatch; reads of one endpoint complete in the order of their submission. */
static void
complete(struct uw_urb *urb, void *data)
{
    struct app *app = (struct app *)data;
    unsigned i = 0;

    while (app->urbs[i] != urb)
        i++;
    app->in_flight--;
    if (uw_urb_status(urb) < 0 && !app->ending) {
        struct uw_fault fault;
        uw_urb_fault(urb, &fault);
        fail(app, &fault);
    }
    for (size_t k = 0; k < uw_urb_actual_length(urb) && !app->ending; k++) {
        if (app->buffers[i][k] != (uint8_t)app->bytes++) {
            fprintf(stderr, "byte %llu is wrong\n", (unsigned long long)app->bytes - 1);
            app->ending = app->failed = 1;
        }
    }
    if (!app->ending)
        submit(app, i);
}

static int
start(struct app *app, const char *address)
{
    struct uw_choice choice;
    struct uw_fault fault;

    uw_choice_init(&choice);
    choice.vid = 0x1209;
    choice.pid = 0x0002;
    if (uw_loop_new(NULL, &app->loop) < 0 || uw_queue_new(app->loop, &app->queue) < 0)
        return -1;
    if (uw_server_new(app->loop, address, UW_DEFAULT_PORT, &app->server, &fault) < 0 ||
        uw_find(app->server, &choice, uw_usec(0), uw_msec(5000), &app->device, NULL, &fault) < 0)
        return fail(app, &fault);
    for (unsigned i = 0; i < READS; i++) {
        if (uw_urb_new(0, &app->urbs[i]) < 0)
            return -1;
        uw_urb_set_callback(app->urbs[i], complete, app);
    }
    for (unsigned i = 0; i < READS && !app->failed; i++)
        submit(app, i);
    return app->failed ? -1 : 0;
}

static void
stop(struct app *app)
{
    app->ending = 1;
    for (unsigned i = 0; i < READS; i++)
        uw_urb_cancel(app->urbs[i]); /* it still comes out of the queue */
}

static void
run(struct app *app, double seconds)
{
    struct uw_usec start = uw_now(), end = uw_usec_add(start, uw_usec((uint64_t)(seconds * 1e6)));
    double megabytes, took;

    while (app->in_flight) {
        struct pollfd fds[] = {
            /* ... the program's own descriptors would stand here ... */
            {.fd = uw_loop_fd(app->loop), .events = (short)uw_loop_events(app->loop)},
        };

        poll(fds, sizeof(fds) / sizeof(fds[0]), app->ending ? -1 : 10);
        uw_loop_step(app->loop);
        uw_queue_dispatch(app->queue);
        if (!app->ending && uw_now().us >= end.us)
            stop(app);
    }
    took = (double)uw_usec_sub(uw_now(), start).us / 1e6;
    megabytes = (double)app->bytes / 1e6;
    if (!app->failed)
        printf("%.1f MB, every byte in its place, %.0f MB/s\n", megabytes, megabytes / took);
}

int
main(int argc, char **argv)
{
    struct app *app = calloc(1, sizeof(*app));
    int failed = 1;

    if (!app)
        return 1;
    if (start(app, argc > 1 ? argv[1] : "127.0.0.1") == 0) {
        run(app, argc > 2 ? strtod(argv[2], NULL) : 1);
        failed = app->failed;
    }
    uw_device_free(app->device); /* ends what is in flight: it comes out of the queue, cancelled */
    while (app->queue && uw_queue_pop(app->queue))
        continue;
    for (unsigned i = 0; i < READS; i++)
        uw_urb_free(app->urbs[i]);
    uw_queue_free(app->queue);
    uw_server_free(app->server);
    uw_loop_free(app->loop);
    free(app);
    return failed;
}
