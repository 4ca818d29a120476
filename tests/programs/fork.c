/*
 * fork - what programs do that become daemons, or start others, with a simulated loopback open
 *
 *   fork daemon     opens, leaves the terminal as daemons do, and goes on there
 *   fork children   children come and go, in several ways, while the parent's transfers are under
 * way fork sharers    likewise, and one uses the device itself, which takes a broker
 *
 * Prints "fine" at the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libusb.h>

#include "fail.h"

#define TIMEOUT_MS 60000
#define ROUNDS     20

static libusb_context *ctx;
static libusb_device_handle *h;

static void
echo(unsigned char value)
{
    unsigned char out[100], in[512];
    int moved, r;

    memset(out, value, sizeof(out));
    r = libusb_bulk_transfer(h, 0x01, out, sizeof(out), &moved, TIMEOUT_MS);
    if (r != 0 || moved != (int)sizeof(out))
        fail("write %u: %s", value, libusb_error_name(r));
    r = libusb_bulk_transfer(h, 0x81, in, sizeof(in), &moved, TIMEOUT_MS);
    if (r != 0 || moved != (int)sizeof(out) || memcmp(in, out, sizeof(out)) != 0)
        fail("read %u: %s, %d bytes", value, libusb_error_name(r), moved);
}

static void
open_it(void)
{
    int r = libusb_init(&ctx);

    if (r != 0)
        fail("init: %s", libusb_error_name(r));
    h = libusb_open_device_with_vid_pid(ctx, 0x1209, 0x0003);
    if (!h)
        fail("no loopback");
    r = libusb_claim_interface(h, 0);
    if (r != 0)
        fail("claim: %s", libusb_error_name(r));
}

static void
close_it(void)
{
    libusb_close(h);
    libusb_exit(ctx);
}

/* The parent ends at once, with all that the libraries do at the end; the child goes on when it
 * has. */
static void
leave_parent(void)
{
    int gone[2];
    char c;
    pid_t pid;

    if (pipe(gone) != 0)
        fail("no pipe");
    pid = fork();
    if (pid < 0)
        fail("no child");
    if (pid > 0)
        exit(0);
    close(gone[1]);
    if (read(gone[0], &c, 1) != 0)
        fail("the parent said something");
    close(gone[0]);
}

static void
become_daemon(void)
{
    open_it();
    echo(0);
    leave_parent();
    setsid();
    leave_parent();
    for (unsigned char i = 1; i < ROUNDS; i++)
        echo(i);
    close_it();
    open_it();
    echo(ROUNDS);
    close_it();
}

/* ---- children ---- */

static void
child_exits(void)
{
}

static void
child_closes(void)
{
    close_it();
}

static void
child_opens(void)
{
    unsigned char raw[18];

    close_it();
    if (libusb_init(&ctx) != 0 || !(h = libusb_open_device_with_vid_pid(ctx, 0x1209, 0x0003)))
        fail("the child cannot open");
    if (libusb_get_descriptor(h, LIBUSB_DT_DEVICE, 0, raw, sizeof(raw)) != sizeof(raw))
        fail("the child's device does not answer");
    close_it();
}

static void
child_executes(void)
{
    execlp("true", "true", (char *)NULL);
    fail("cannot execute");
}

static void LIBUSB_CALL
note(struct libusb_transfer *t)
{
    int *status = (int *)t->user_data;

    *status = (int)t->status;
}

static void
try_child(void (*act)(void), unsigned char value)
{
    struct libusb_transfer *t = libusb_alloc_transfer(0);
    unsigned char in[64], out[10];
    int over = -1, status, r, moved;
    pid_t pid;

    libusb_fill_interrupt_transfer(t, h, 0x82, in, sizeof(in), note, &over, 0);
    r = libusb_submit_transfer(t);
    if (r != 0)
        fail("submit: %s", libusb_error_name(r));
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        act();
        exit(0);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0)
        fail("child %u ended with status %d", value, status);
    echo(value);
    if (over >= 0)
        fail("child %u: the transfer has ended with %d", value, over);
    memset(out, value, sizeof(out));
    r = libusb_interrupt_transfer(h, 0x02, out, sizeof(out), &moved, TIMEOUT_MS);
    if (r != 0)
        fail("child %u: write: %s", value, libusb_error_name(r));
    while (over < 0)
        if ((r = libusb_handle_events(ctx)) != 0)
            fail("child %u: events: %s", value, libusb_error_name(r));
    if (over != LIBUSB_TRANSFER_COMPLETED || t->actual_length != (int)sizeof(out) ||
        memcmp(in, out, sizeof(out)) != 0)
        fail("child %u: status %d", value, over);
    libusb_free_transfer(t);
}

static void
have_children(void)
{
    open_it();
    try_child(child_exits, 1);
    try_child(child_closes, 2);
    try_child(child_executes, 3);
    close_it();
}

static void
have_sharers(void)
{
    open_it();
    try_child(child_opens, 4);
    close_it();
    have_children();
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } acts[] = {{"daemon", become_daemon}, {"children", have_children}, {"sharers", have_sharers}};

    for (size_t i = 0; argc > 1 && i < sizeof(acts) / sizeof(acts[0]); i++) {
        if (strcmp(argv[1], acts[i].name) != 0)
            continue;
        acts[i].run();
        puts("fine");
        return 0;
    }
    fail("usage: %s daemon|children|sharers", argv[0]);
}
