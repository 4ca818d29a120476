/*
 * rig.h - the simulated bench in a thread, and ports on it
 */
#ifndef TEST_SERIAL_RIG_H
#define TEST_SERIAL_RIG_H

#include <pthread.h>

#include <usbwire/usbwire.h>

struct rig {
    struct uw_sim *sim;
    pthread_t thread;
    uint16_t port;
    struct uw_device_info info; /* of the device */
    struct uw_loop *loop;
    struct uw_server *server;
    pthread_mutex_t gate;    /* the bench stops at its next line of log while this is locked */
    _Atomic unsigned losses; /* of bytes from the wire, as the simulated chips log them */
    _Atomic unsigned hidden; /* of these: of so many that a running count does not show it */
    _Atomic unsigned moves;  /* of DTR and RTS, both at once or one */
    _Atomic unsigned breaks;
};

#define RIG_MODULUS 251u /* of the count that far=source sends */

#define SOON uw_msec(20000)

/* A bench with one device ("acm-echo:..."), behaving as `personality` (NULL: linux). */
struct rig *rig_new(const char *device, const char *personality);
/* The same, and every transfer is answered so much later. */
struct rig *rig_new_far(const char *device, struct uw_usec latency);
void rig_free(struct rig *rig);
/* The server goes away, and with it its connections. */
void rig_stop_server(struct rig *rig);

/* "usbip://127.0.0.1:PORT/BUSID?" and what is given; static. */
const char *rig_url(struct rig *rig, const char *query);

/* Opens such a URL; ends the test where that fails. */
struct uw_serial *rig_open(struct rig *rig, const char *query);

/* Writes a text and expects it back. */
void rig_echo(struct uw_serial *port, const char *text);

/* Expects a text. */
void rig_expect(struct uw_serial *port, const char *text);

/* A fault as the sentence a person sees; static. */
const char *rig_sentence(const struct uw_fault *fault);

#endif
