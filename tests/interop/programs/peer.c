#include "peer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

void
expect(int r, int wanted, const char *what)
{
    if (r != wanted)
        fail("%s: %s instead of %s", what, uw_error_name(r), uw_error_name(wanted));
}

static void
find_endpoints(struct peer *peer)
{
    for (unsigned address = 0x8f; address > 0; address--) {
        const struct uw_endpoint *e = uw_device_endpoint(peer->device, (uint8_t)address);
        if (e && uw_endpoint_type(e) == UW_BULK)
            *(address & 0x80 ? &peer->in : &peer->out) = (uint8_t)address;
        if (e && uw_endpoint_type(e) == UW_INTERRUPT && address & 0x80)
            peer->interrupt_in = (uint8_t)address;
    }
}

void
peer_open(struct peer *peer, int argc, char **argv, int arguments, const char *usage)
{
    struct uw_choice choice;
    struct uw_fault fault;
    char text[UW_FAULT_TEXT_MAX];

    if (argc != 3 + arguments)
        fail("usage: %s ADDRESS BUSID %s", argv[0], usage);
    *peer = (struct peer){.loop = NULL};
    uw_choice_init(&choice);
    choice.busid = argv[2];
    if (uw_loop_new(NULL, &peer->loop) < 0 ||
        uw_server_new(peer->loop, argv[1], 0, &peer->server, &fault) < 0 ||
        uw_queue_new(peer->loop, &peer->queue) < 0)
        fail("no server");
    /* A device that was given back a moment ago is still being reset. */
    if (uw_find(peer->server, &choice, uw_msec(PATIENCE_MS), uw_msec(PATIENCE_MS), &peer->device,
                NULL, &fault) < 0)
        fail("%s", uw_fault_text(&fault, text, sizeof(text)));
    find_endpoints(peer);
}

void
peer_close(struct peer *peer)
{
    uw_device_free(peer->device);
    uw_queue_free(peer->queue);
    uw_server_free(peer->server);
    uw_loop_free(peer->loop);
}

void
ffs_request(struct peer *peer, uint8_t request, uint16_t value, uint16_t index)
{
    struct uw_fault fault;
    char text[UW_FAULT_TEXT_MAX];

    if (uw_control(peer->device, 0x40, request, value, index, NULL, 0, uw_msec(PATIENCE_MS), NULL,
                   &fault) < 0)
        fail("%s", uw_fault_text(&fault, text, sizeof(text)));
}

unsigned
since(struct uw_usec start)
{
    return (unsigned)(uw_usec_sub(uw_now(), start).us / 1000u);
}

uint32_t
next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}
