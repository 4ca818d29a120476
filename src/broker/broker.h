/*
 * broker.h - a broker from inside
 *
 *     broker.c   the public face; the socket, who comes and who goes
 *     client.c   a connection: bytes between its socket and its session, URBs for its requests
 *     request.c  who may do what: control requests that mean something to others
 *
 * Everything runs under the loop's lock, called by it.
 */
#ifndef UW_BROKER_BROKER_H
#define UW_BROKER_BROKER_H

#include <usbwire/broker.h>

#include "client/listener.h"
#include "client/loop.h"
#include "export/session.h"
#include "transport/transport.h"
#include "usb/device.h"
#include "usb/held.h"
#include "wire/shared.h"

struct uw_broker {
    struct uw_grave grave;
    struct uw_device *device;
    struct uw_ending ending;   /* of its import */
    struct uw_setting setting; /* of it, of which clients are to hear */
    struct uw_loop *loop;
    struct uw_listener listener;
    struct uw_list clients; /* of struct broker_client */
    struct uw_budget budget;
    unsigned count;
    char address[UW_HELD_ADDRESS_MAX];
};

/* A connection. Its address stands for it as the owner of claims. */
struct broker_client {
    struct uw_grave grave;
    struct uw_list link;
    struct uw_broker *broker;
    struct uw_transport *transport;
    struct uw_source source;
    struct uw_session *session;
    struct uw_timer timer;  /* set when something is in `done`, or to be sent */
    struct uw_list running; /* of struct broker_job: at the device */
    struct uw_list done;    /* completed, to be answered */
    int imported;
    int closing;                /* waits for the end of its jobs */
    struct uw_request *waiting; /* UW_SHARED_STATE with wValue 1 */
    uint32_t afresh;            /* endpoints of which it does not know yet that they start afresh */
    uint8_t known[UW_SHARED_STATE_SIZE];
};

/* A request of a client as a URB at the device. */
struct broker_job {
    struct uw_list link;
    struct broker_client *client;
    struct uw_request *request;
    struct uw_urb *urb;
};

/* client.c */
void broker_client_new(struct uw_broker *broker, struct uw_transport *transport);
void broker_client_close(struct broker_client *client);
/* The device is gone: closed once it was told what became of its requests. */
void broker_client_dismiss(struct broker_client *client);
/* The broker's device was set: clients are to hear of it. */
void broker_device_set(struct uw_setting *setting, const struct uw_urb *urb, uint32_t endpoints);
/* Ends what other clients have under way on these endpoints. */
void broker_clients_make_way(struct broker_client *client, uint32_t endpoints);
/* Answers a request, soon. */
void broker_answer(struct broker_client *client, struct uw_request *request, int32_t status,
                   uint32_t actual);

/* request.c */

/* 1: the request goes to the device; 0: it was answered. */
int broker_admit(struct broker_client *client, struct uw_request *request);
/* What others have done is told to a client that waits for it. */
void broker_tell(struct broker_client *client);
/* A client leaves: nothing is claimed by it any more. */
void broker_release_all(struct broker_client *client);

#endif
