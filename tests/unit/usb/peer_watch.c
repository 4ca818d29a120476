/*
 * peer_watch.c - what came in at the scripted server: counted, waited for, answered
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "peer.h"

#define PATIENCE_S 20 /* of a loaded machine, before a wait is a failure */

static int
is_urb(const struct uw_pdu *pdu, uint8_t endpoint)
{
    return pdu->command == UW_CMD_SUBMIT && pdu->ep == (endpoint & 0x0fu) &&
           pdu->direction == (endpoint & 0x80 ? UW_DIR_IN : UW_DIR_OUT);
}

static unsigned
count_urbs(const struct peer *p, uint8_t endpoint)
{
    unsigned n = 0;

    for (unsigned i = 0; i < p->logged; i++)
        n += is_urb(&p->log[i], endpoint) ? 1u : 0u;
    return n;
}

static unsigned
count_unlinks(const struct peer *p, uint8_t endpoint)
{
    unsigned n = 0;

    (void)endpoint;
    for (unsigned i = 0; i < p->logged; i++)
        n += p->log[i].command == UW_CMD_UNLINK;
    return n;
}

unsigned
peer_requests(struct peer *p, uint8_t request_type, uint8_t request)
{
    unsigned n = 0;

    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->logged; i++)
        n += peer_is(&p->log[i], request_type, request) ? 1u : 0u;
    pthread_mutex_unlock(&p->lock);
    return n;
}

unsigned
peer_urbs(struct peer *p, uint8_t endpoint)
{
    unsigned n;

    pthread_mutex_lock(&p->lock);
    n = count_urbs(p, endpoint);
    pthread_mutex_unlock(&p->lock);
    return n;
}

unsigned
peer_unlinks(struct peer *p)
{
    unsigned n;

    pthread_mutex_lock(&p->lock);
    n = count_unlinks(p, 0);
    pthread_mutex_unlock(&p->lock);
    return n;
}

unsigned
peer_imports(struct peer *p)
{
    unsigned n;

    pthread_mutex_lock(&p->lock);
    n = p->imports;
    pthread_mutex_unlock(&p->lock);
    return n;
}

unsigned
peer_lists(struct peer *p)
{
    unsigned n;

    pthread_mutex_lock(&p->lock);
    n = p->lists;
    pthread_mutex_unlock(&p->lock);
    return n;
}

int
peer_urb_position(struct peer *p, uint8_t endpoint)
{
    int at = -1;

    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->logged; i++)
        if (is_urb(&p->log[i], endpoint))
            at = (int)i;
    pthread_mutex_unlock(&p->lock);
    return at;
}

int
peer_position(struct peer *p, uint8_t request_type, uint8_t request)
{
    int at = -1;

    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->logged; i++)
        if (peer_is(&p->log[i], request_type, request))
            at = (int)i;
    pthread_mutex_unlock(&p->lock);
    return at;
}

struct uw_pdu
peer_last(struct peer *p, uint8_t endpoint)
{
    int at = peer_urb_position(p, endpoint);
    struct uw_pdu pdu;

    assert_true(at >= 0);
    pthread_mutex_lock(&p->lock);
    pdu = p->log[at];
    pthread_mutex_unlock(&p->lock);
    return pdu;
}

static void
wait_for(struct peer *p, unsigned (*count)(const struct peer *p, uint8_t endpoint),
         uint8_t endpoint, unsigned n)
{
    struct timespec until;
    int r = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&p->lock);
    while (r == 0 && count(p, endpoint) < n)
        r = pthread_cond_timedwait(&p->changed, &p->lock, &until);
    pthread_mutex_unlock(&p->lock);
    if (r != 0)
        fail_msg("waited in vain for endpoint 0x%02x", endpoint);
}

void
peer_wait_urbs(struct peer *p, uint8_t endpoint, unsigned n)
{
    wait_for(p, count_urbs, endpoint, n);
}

void
peer_wait_unlinks(struct peer *p, unsigned n)
{
    wait_for(p, count_unlinks, 0, n);
}

static unsigned
count_held(const struct peer *p, uint8_t endpoint)
{
    unsigned n = 0;

    for (unsigned i = 0; i < p->num_held; i++)
        n += is_urb(&p->held[i].pdu, endpoint) ? 1u : 0u;
    return n;
}

void
peer_give(struct peer *p, uint8_t endpoint, int status, const void *data, size_t size)
{
    wait_for(p, count_held, endpoint, 1);
    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->num_held; i++)
        if (is_urb(&p->held[i].pdu, endpoint)) {
            struct peer_held h = p->held[i];

            peer_forget_held(p, i);
            peer_reply(h.conn, &h.pdu, status, data, size);
            break;
        }
    pthread_mutex_unlock(&p->lock);
}
