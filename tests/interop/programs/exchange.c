/*
 * exchange - sends random bytes to a device that sends them back, and compares
 *
 *   exchange ADDRESS BUSID CONFIGURATION OUT IN BYTES MESSAGE PATIENCE
 *
 * One thread writes messages of up to MESSAGE bytes, each ended by a short or empty packet, while
 * another reads, with timeouts of up to PATIENCE microseconds (0: long ones).
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

struct exchange {
    struct peer peer;
    uint8_t out, in;
    size_t bytes, message, step; /* step: what a read asks for, in whole packets */
    uint8_t *sent;
};

static void *
write_all(void *data)
{
    struct exchange *x = data;
    struct uw_urb *urb;

    if (uw_urb_new(0, &urb) < 0)
        fail("out of memory");
    for (size_t done = 0, n; done < x->bytes; done += n) {
        n = x->bytes - done < x->message ? x->bytes - done : x->message;
        uw_urb_set_transfer(urb, x->peer.device, x->out, x->sent + done, n);
        uw_urb_set_flags(urb, UW_URB_ZERO_PACKET);
        uw_urb_set_timeout(urb, uw_msec(PATIENCE_MS));
        expect(uw_urb_run(urb), 0, "write");
        if (uw_urb_actual_length(urb) != n)
            fail("%zu of %zu bytes written", uw_urb_actual_length(urb), n);
    }
    uw_urb_free(urb);
    return NULL;
}

int
main(int argc, char **argv)
{
    struct exchange x;
    struct uw_fault fault;
    const struct uw_endpoint *endpoint;
    uint32_t random = 1, patience;
    uint8_t *got;
    size_t done = 0, n;
    pthread_t writer;
    int configuration;

    peer_open(&x.peer, argc, argv, 6, "CONFIGURATION OUT IN BYTES MESSAGE PATIENCE");
    configuration = (int)strtoul(argv[3], NULL, 0);
    x.out = (uint8_t)strtoul(argv[4], NULL, 0);
    x.in = (uint8_t)strtoul(argv[5], NULL, 0);
    x.bytes = strtoul(argv[6], NULL, 0);
    x.message = strtoul(argv[7], NULL, 0);
    patience = (uint32_t)strtoul(argv[8], NULL, 0);
    x.sent = malloc(x.bytes + x.message);
    if (!x.sent)
        fail("out of memory");
    for (size_t i = 0; i < x.bytes; i++)
        x.sent[i] = (uint8_t)next_random(&random);
    /* The one in force again would make the device start anew. */
    if (uw_device_configuration(x.peer.device) != configuration)
        expect(
            uw_device_set_configuration(x.peer.device, configuration, uw_msec(PATIENCE_MS), NULL),
            0, "set the configuration");
    endpoint = uw_device_endpoint(x.peer.device, x.in);
    if (!endpoint)
        fail("there is no endpoint 0x%02x", x.in);
    x.step = uw_endpoint_max_packet(endpoint);
    x.step *= (x.message + x.step - 1) / x.step;
    got = calloc(x.bytes + x.step, 1);
    if (!got)
        fail("out of memory");
    pthread_create(&writer, NULL, write_all, &x);
    for (struct uw_usec start = uw_now(); done < x.bytes; done += n) {
        struct uw_usec wait =
            patience ? uw_usec(next_random(&random) % patience + 1) : uw_msec(PATIENCE_MS);
        int r = uw_transfer(x.peer.device, x.in, got + done, x.step, wait, &n, &fault);
        if (r != 0 && (r != UW_ERROR_TIMEOUT || !patience || since(start) > PATIENCE_MS))
            fail("%zu of %zu bytes, then %s", done, x.bytes, uw_error_name(r));
    }
    pthread_join(writer, NULL);
    if (done != x.bytes || memcmp(x.sent, got, x.bytes) != 0)
        fail("%zu of %zu bytes came back, or others", done, x.bytes);
    free(x.sent);
    free(got);
    peer_close(&x.peer);
    return 0;
}
