/*
 * rig.c - a simulated bench in a thread
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

static struct uw_sim *sim;
static pthread_t thread;

static void *
serve(void *arg)
{
    (void)arg;
    uw_sim_run(sim);
    return NULL;
}

void
rig_start(const char *personality, const char *devices, const char *chosen)
{
    char copy[256], address[64], *rest = copy, *word;
    struct uw_fault fault;
    uint16_t port;

    if (uw_sim_new(NULL, &sim) < 0 || uw_sim_set_personality(sim, personality) < 0)
        abort();
    snprintf(copy, sizeof(copy), "%s", devices);
    while ((word = strtok_r(rest, " ", &rest)))
        if (uw_sim_add(sim, word, &fault) < 0)
            abort();
    if (uw_sim_listen(sim, NULL, 0, &port, &fault) < 0)
        abort();
    snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    setenv("USBWIRE_SERVERS", address, 1);
    setenv("USBWIRE_DEVICES", chosen, 1);
    pthread_create(&thread, NULL, serve, NULL);
}

void
rig_stop(void)
{
    uw_sim_stop(sim);
    pthread_join(thread, NULL);
    uw_sim_free(sim);
}

libusb_device_handle *
rig_open(libusb_context *ctx, uint16_t pid)
{
    libusb_device_handle *h = libusb_open_device_with_vid_pid(ctx, RIG_VID, pid);

    assert_non_null(h);
    assert_int_equal(libusb_claim_interface(h, 0), 0);
    return h;
}

int
rig_ask(libusb_device_handle *h, uint8_t ret_raw[18])
{
    return libusb_control_transfer(h, LIBUSB_ENDPOINT_IN, LIBUSB_REQUEST_GET_DESCRIPTOR,
                                   LIBUSB_DT_DEVICE << 8, 0, ret_raw, 18, RIG_SOON);
}
