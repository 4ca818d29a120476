/*
 * all - every device of a server at once, in one loop
 *
 *   all ADDRESS ROUNDS
 *
 * Imports all, then keeps a control transfer on each and a read on each interrupt endpoint.
 */
#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define MOST 32u

struct user {
    struct uw_device *device;
    struct uw_urb *control, *read;
    uint8_t descriptor[18], data[64];
    unsigned rounds;
};

static void
open_all(struct peer *peer, const char *address, struct user *users, unsigned *ret_count)
{
    struct uw_device_list *list;
    struct uw_fault fault;
    char text[UW_FAULT_TEXT_MAX];

    if (uw_loop_new(NULL, &peer->loop) < 0 || uw_queue_new(peer->loop, &peer->queue) < 0 ||
        uw_server_new(peer->loop, address, 0, &peer->server, &fault) < 0)
        fail("no server");
    expect(uw_server_list(peer->server, uw_msec(PATIENCE_MS), &list, NULL), 0, "list");
    *ret_count = uw_device_list_count(list);
    if (*ret_count > MOST)
        fail("%u devices", *ret_count);
    for (unsigned i = 0; i < *ret_count; i++) {
        struct uw_choice choice;
        uw_choice_init(&choice);
        choice.busid = uw_device_list_get(list, i)->busid;
        if (uw_find(peer->server, &choice, uw_msec(PATIENCE_MS), uw_msec(PATIENCE_MS),
                    &users[i].device, NULL, &fault) < 0)
            fail("%s", uw_fault_text(&fault, text, sizeof(text)));
    }
    uw_device_list_free(list);
}

static void
ask(struct peer *peer, struct user *u)
{
    memset(u->descriptor, 0, sizeof(u->descriptor));
    uw_urb_set_control(u->control, u->device, 0x80, 6, 0x0100, 0, u->descriptor, 18);
    expect(uw_urb_submit(u->control, peer->queue), 0, "submit");
}

static void
start(struct peer *peer, struct user *u)
{
    if (uw_urb_new(0, &u->control) < 0 || uw_urb_new(0, &u->read) < 0)
        fail("out of memory");
    for (unsigned address = 0x81; address < 0x90; address++) {
        const struct uw_endpoint *e = uw_device_endpoint(u->device, (uint8_t)address);
        if (!e || uw_endpoint_type(e) != UW_INTERRUPT)
            continue;
        uw_urb_set_transfer(u->read, u->device, (uint8_t)address, u->data,
                            uw_endpoint_max_packet(e));
        if (uw_urb_submit(u->read, peer->queue) == 0)
            break;
    }
    ask(peer, u);
}

/* A completion; whether it was the last of its user's. */
static int
take(struct peer *peer, struct user *users, unsigned count, struct uw_urb *urb, unsigned rounds)
{
    for (unsigned i = 0; i < count; i++) {
        struct user *u = &users[i];
        if (urb == u->read)
            return 0; /* a report, or the end */
        if (urb != u->control)
            continue;
        expect(uw_urb_status(urb), 0, uw_device_name(u->device));
        if (uw_urb_actual_length(urb) != 18 ||
            (u->descriptor[8] | u->descriptor[9] << 8) != uw_device_info(u->device)->vid ||
            (u->descriptor[10] | u->descriptor[11] << 8) != uw_device_info(u->device)->pid)
            fail("%s: the descriptor of another device", uw_device_name(u->device));
        if (++u->rounds == rounds)
            return 1;
        ask(peer, u);
        return 0;
    }
    fail("a completion of nobody's");
}

int
main(int argc, char **argv)
{
    static struct user users[MOST];
    struct peer peer;
    struct uw_urb *urb;
    unsigned count, rounds, finished = 0;

    if (argc != 3)
        fail("usage: %s ADDRESS ROUNDS", argv[0]);
    rounds = (unsigned)strtoul(argv[2], NULL, 0);
    open_all(&peer, argv[1], users, &count);
    for (unsigned i = 0; i < count; i++)
        start(&peer, &users[i]);
    while (finished < count) {
        if (uw_queue_wait(peer.queue, uw_msec(PATIENCE_MS)) != 1)
            fail("nothing more comes, with %u of %u done", finished, count);
        while ((urb = uw_queue_pop(peer.queue)) != NULL)
            finished += (unsigned)take(&peer, users, count, urb, rounds);
    }
    for (unsigned i = 0; i < count; i++)
        uw_device_free(users[i].device);
    while (uw_queue_pop(peer.queue)) {
    }
    for (unsigned i = 0; i < count; i++) {
        uw_urb_free(users[i].control);
        uw_urb_free(users[i].read);
    }
    uw_queue_free(peer.queue);
    uw_server_free(peer.server);
    uw_loop_free(peer.loop);
    return 0;
}
