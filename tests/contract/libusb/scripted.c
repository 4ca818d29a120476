/*
 * scripted.c - a server that does what the test tells it
 */
#include <stdlib.h>

#include "scripted.h"

#define VECTOR "functionfs-vendor-echo-high"
#define OTHER  "hid-vendor-echo-mouse-hid-high"

struct peer *peer;
struct peer_model *model;
struct peer_model *spare;

void
hide(struct peer_model *m, int hidden)
{
    pthread_mutex_lock(&peer->lock);
    m->hidden = hidden;
    pthread_mutex_unlock(&peer->lock);
}

static void
find_endpoints(struct fixture *f)
{
    struct libusb_config_descriptor *c;
    const struct libusb_interface_descriptor *a;

    assert_int_equal(libusb_get_active_config_descriptor(f->dev, &c), 0);
    a = c->interface[0].altsetting;
    for (int i = 0; i < a->bNumEndpoints; i++) {
        if (a->endpoint[i].bEndpointAddress & 0x80)
            f->in = a->endpoint[i].bEndpointAddress;
        else
            f->out = a->endpoint[i].bEndpointAddress;
    }
    libusb_free_config_descriptor(c);
    assert_true(f->in && f->out);
}

int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    libusb_device **list;

    *state = f;
    assert_int_equal(libusb_init(&f->ctx), 0);
    assert_int_equal(libusb_get_device_list(f->ctx, &list), 1);
    f->dev = libusb_ref_device(list[0]);
    libusb_free_device_list(list, 1);
    assert_int_equal(libusb_open(f->dev, &f->h), 0);
    assert_int_equal(libusb_claim_interface(f->h, 0), 0);
    find_endpoints(f);
    return 0;
}

int
tear_down(void **state)
{
    struct fixture *f = *state;

    libusb_close(f->h);
    libusb_unref_device(f->dev);
    libusb_exit(f->ctx);
    peer_script(peer, NULL, NULL);
    free(f);
    return 0;
}

int
count_devices(libusb_context *ctx)
{
    libusb_device **list;
    int n = (int)libusb_get_device_list(ctx, &list);

    libusb_free_device_list(list, 1);
    return n;
}

void
scripted_start(void)
{
    peer = peer_new();
    model = peer_add(peer, "1-1", VECTOR, 3);
    spare = peer_add(peer, "1-2", OTHER, 3);
    spare->hidden = 1;
    setenv("USBWIRE_SERVERS", peer->address, 1);
    setenv("USBWIRE_DEVICES", "all", 1);
}

void
scripted_stop(void)
{
    peer_free(peer);
}
