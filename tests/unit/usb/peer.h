/*
 * peer.h - a USB/IP server that does what a test tells it
 *
 * Devices are vectors; standard requests are answered from them, everything else by a script. What
 * came in is logged and can be waited for. Runs in threads of its own on a free port of 127.0.0.1.
 */
#ifndef TEST_PEER_H
#define TEST_PEER_H

#include <pthread.h>

#include "vector.h"
#include "wire/cmd.h"
#include "wire/op.h"

#define PEER_MODELS      8
#define PEER_LOG         2048
#define PEER_CONNECTIONS 128 /* at a time */
#define PEER_HELD        64

struct peer_model {
    char busid[32];
    struct vector v;
    uint32_t speed;
    uint8_t configuration;  /* what GET_CONFIGURATION says; follows SET_CONFIGURATION */
    const char *strings[8]; /* ASCII, by index */
    int empty_record;       /* the import reply holds no ids */
    int busy;               /* enum uw_op_status of an import, 0: it is had */
    unsigned busy_times;    /* how many imports get that; 0: all */
    int hidden;             /* not in the list */
    const char *path;       /* NULL: as Linux has it */
};

struct peer_conn {
    struct peer *peer;
    struct peer_model *model; /* once imported */
    int fd;
    pthread_t thread;
    int over; /* its place is free as soon as its thread has ended */
};

struct peer_held {
    struct peer_conn *conn;
    struct uw_pdu pdu;
};

struct peer {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int listener;
    pthread_t thread;
    char address[32];
    struct peer_model models[PEER_MODELS];
    unsigned num_models;
    struct peer_conn conns[PEER_CONNECTIONS];
    unsigned num_conns;
    struct uw_pdu log[PEER_LOG]; /* CMD_SUBMIT and CMD_UNLINK */
    unsigned logged, lists, imports;
    unsigned stalled; /* of enum peer_stall */
    struct peer_held held[PEER_HELD];
    unsigned num_held;
    uint8_t out[4096]; /* what the last OUT transfer carried */
    size_t out_size;

    /* Looks at each URB first, with the lock held. 1: dealt with. NULL: nothing special. */
    int (*script)(struct peer_conn *conn, const struct uw_pdu *pdu, void *arg);
    void *arg;
};

struct peer *peer_new(void);
void peer_free(struct peer *peer);

/* Puts a device on offer. Before or while the server runs. */
struct peer_model *peer_add(struct peer *peer, const char *busid, const char *vector,
                            uint32_t speed);

void peer_script(struct peer *peer,
                 int (*script)(struct peer_conn *conn, const struct uw_pdu *pdu, void *arg),
                 void *arg);

/* ---- for scripts ---- */

/* RET_SUBMIT: data for IN, for OUT only the number counts. */
void peer_reply(struct peer_conn *conn, const struct uw_pdu *pdu, int status, const void *data,
                size_t size);
void peer_hang_up(struct peer_conn *conn);

/* The IN that waits as number `index` is answered, or will not be. With the lock held. */
void peer_forget_held(struct peer *peer, unsigned index);

/* 1 when it is that control request. */
int peer_is(const struct uw_pdu *pdu, uint8_t request_type, uint8_t request);

static inline uint16_t
peer_value(const struct uw_pdu *pdu)
{
    return (uint16_t)(pdu->setup[2] | pdu->setup[3] << 8);
}

/* ---- for tests ---- */

/* How many such control requests, or URBs of an endpoint, have come in. */
unsigned peer_requests(struct peer *peer, uint8_t request_type, uint8_t request);
unsigned peer_urbs(struct peer *peer, uint8_t endpoint);
unsigned peer_unlinks(struct peer *peer);
unsigned peer_imports(struct peer *peer);
unsigned peer_lists(struct peer *peer);

/* The last URB of an endpoint as it came in; ends the test where there is none. */
struct uw_pdu peer_last(struct peer *peer, uint8_t endpoint);

/* Position in the log of the last such request, -1: none. */
int peer_position(struct peer *peer, uint8_t request_type, uint8_t request);
int peer_urb_position(struct peer *peer, uint8_t endpoint);

/* Waits until so many URBs of the endpoint, or CMD_UNLINKs, have come in. */
void peer_wait_urbs(struct peer *peer, uint8_t endpoint, unsigned n);
void peer_wait_unlinks(struct peer *peer, unsigned n);

/* Answers the oldest IN of that endpoint that waits, waiting for one to come. */
void peer_give(struct peer *peer, uint8_t endpoint, int status, const void *data, size_t size);

/* From now on these are counted, and not answered before this is called without them. */
enum peer_stall { PEER_LISTS = 1, PEER_IMPORTS = 2 };
void peer_stall(struct peer *peer, unsigned stalled);

/* Closes every connection that carries a device. */
void peer_cut(struct peer *peer);

#endif
