/*
 * isochronous - packets of all sizes out, and the same ones back in
 *
 *   isochronous ADDRESS BUSID
 *
 * Of the simulated loopback device, whose interface 1 has the endpoints in alternate setting 1. The
 * packets of one URB lie behind one another here, but on the wire a server leaves out what did not
 * come, so each has to arrive with its own length and place.
 */
#include <string.h>

#include "peer.h"

#define OUT     0x03
#define IN      0x83
#define PACKETS 64u
#define ROOM    1024u
#define ROUNDS  8u
#define MANY    1500u /* more than the kernel takes at a time, */
#define LITTLE  150u  /* of so few bytes each that it is their number that counts */
#define ALL     (ROUNDS * PACKETS + MANY)

struct packet {
    uint32_t size;
    uint8_t bytes[ROOM];
};

static struct packet sent[ALL];

static void
make_packets(void)
{
    uint32_t random = 5;

    for (unsigned i = 0; i < ALL; i++) {
        unsigned room = i < ROUNDS * PACKETS ? ROOM : LITTLE;

        sent[i].size = i % 9 == 0 ? room : next_random(&random) % room + 1;
        for (unsigned k = 0; k < sent[i].size; k++)
            sent[i].bytes[k] = (uint8_t)next_random(&random);
    }
}

static void
write_packets(struct peer *peer, struct uw_urb *urb, const struct packet *packets, unsigned count)
{
    static uint8_t data[MANY * LITTLE];
    size_t size = 0;

    expect(uw_urb_set_iso_lengths(urb, count, 0), 0, "packets");
    for (unsigned i = 0; i < count; i++) {
        expect(uw_urb_set_iso_length(urb, i, packets[i].size), 0, "packet");
        memcpy(data + size, packets[i].bytes, packets[i].size);
        size += packets[i].size;
    }
    uw_urb_set_transfer(urb, peer->device, OUT, data, size);
    expect(uw_urb_run(urb), 0, "isochronous OUT");
    if (uw_urb_error_count(urb) != 0 || uw_urb_actual_length(urb) != size)
        fail("%d packets failed, %zu of %zu bytes written", uw_urb_error_count(urb),
             uw_urb_actual_length(urb), size);
}

/* Reads packets; those that are not empty have to be the next of what was sent. */
static unsigned
read_packets(struct peer *peer, struct uw_urb *urb, unsigned next, unsigned count)
{
    static uint8_t data[MANY * LITTLE];
    unsigned room = count == MANY ? LITTLE : ROOM;

    memset(data, 0, sizeof(data));
    expect(uw_urb_set_iso_lengths(urb, count, room), 0, "packets");
    uw_urb_set_transfer(urb, peer->device, IN, data, count * room);
    expect(uw_urb_run(urb), 0, "isochronous IN");
    for (unsigned i = 0; i < count; i++) {
        const struct uw_iso_packet *p = uw_urb_iso_packet(urb, i);
        expect(p->status, 0, "a packet");
        if (p->actual == 0)
            continue;
        if (next == ALL || p->actual != sent[next].size ||
            memcmp(data + p->offset, sent[next].bytes, p->actual) != 0)
            fail("packet %u: %u other bytes", next, p->actual);
        next++;
    }
    return next;
}

int
main(int argc, char **argv)
{
    struct peer peer;
    struct uw_urb *urb;
    unsigned next = 0;

    peer_open(&peer, argc, argv, 0, "");
    if (uw_urb_new(MANY, &urb) < 0)
        fail("out of memory");
    expect(uw_device_set_altsetting(peer.device, 1, 1, uw_msec(PATIENCE_MS), NULL), 0,
           "set the alternate setting");
    make_packets();
    for (unsigned i = 0; i < ROUNDS; i++) {
        write_packets(&peer, urb, sent + i * PACKETS, PACKETS);
        next = read_packets(&peer, urb, next, PACKETS);
    }
    for (unsigned i = 0; i < ROUNDS && next < ROUNDS * PACKETS; i++)
        next = read_packets(&peer, urb, next, PACKETS);
    write_packets(&peer, urb, sent + ROUNDS * PACKETS, MANY);
    for (unsigned i = 0; i < ROUNDS && next < ALL; i++)
        next = read_packets(&peer, urb, next, MANY);
    if (next != ALL)
        fail("%u of %u packets came back", next, ALL);
    uw_urb_free(urb);
    peer_close(&peer);
    return 0;
}
