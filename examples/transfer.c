/*
 * transfer.c - synchronous transfers: a vendor request, then bulk data there and back
 *
 *     transfer [ADDRESS]      127.0.0.1:3240 when not given
 *
 * The device is the simulated board of `usbwire serve`, 303a:4004: its vendor request 1 stores
 * bytes and returns them, and what is written to endpoint 0x01 comes back from 0x81.
 */
#include <stdio.h>
#include <string.h>

#include <usbwire/usbwire.h>

#define TO_DEVICE   0x40 /* bmRequestType: vendor, device */
#define FROM_DEVICE 0xc0
#define STORE       1 /* bRequest */

static int
control(struct uw_device *device, struct uw_fault *fault)
{
    char sent[] = "stored by a control transfer", got[64] = "";
    size_t n = 0;
    int r;

    r = uw_control(device, TO_DEVICE, STORE, 0, 0, sent, (uint16_t)strlen(sent), uw_msec(1000),
                   NULL, fault);
    if (r >= 0)
        r = uw_control(device, FROM_DEVICE, STORE, 0, 0, got, sizeof(got) - 1, uw_msec(1000), &n,
                       fault);
    if (r >= 0)
        printf("control: %zu bytes, \"%s\"\n", n, got);
    return r;
}

static int
bulk(struct uw_device *device, struct uw_fault *fault)
{
    char sent[] = "there and back", got[64] = "";
    size_t n = 0;
    int r;

    r = uw_transfer(device, 0x01, sent, strlen(sent), uw_msec(1000), NULL, fault);
    if (r >= 0)
        r = uw_transfer(device, 0x81, got, sizeof(got), uw_msec(1000), &n, fault);
    if (r >= 0)
        printf("bulk: %zu bytes, \"%.*s\"\n", n, (int)n, got);
    return r;
}

static int
use(struct uw_device *device, struct uw_fault *fault)
{
    int r = control(device, fault);

    return r < 0 ? r : bulk(device, fault);
}

int
main(int argc, char **argv)
{
    const char *address = argc > 1 ? argv[1] : "127.0.0.1";
    struct uw_loop *loop = NULL;
    struct uw_server *server = NULL;
    struct uw_device *device = NULL;
    struct uw_choice choice;
    struct uw_fault fault;
    char text[UW_FAULT_TEXT_MAX];
    int r;

    uw_choice_init(&choice);
    choice.vid = 0x303a;
    choice.pid = 0x4004;
    if (uw_loop_new(NULL, &loop) < 0)
        return 1;
    r = uw_server_new(loop, address, UW_DEFAULT_PORT, &server, &fault);
    if (r >= 0)
        r = uw_find(server, &choice, uw_usec(0), uw_msec(5000), &device, NULL, &fault);
    if (r >= 0)
        r = use(device, &fault);
    if (r < 0)
        fprintf(stderr, "%s\n", uw_fault_text(&fault, text, sizeof(text)));
    uw_device_free(device);
    uw_server_free(server);
    uw_loop_free(loop);
    return r < 0;
}
