/*
 * telnet.h - a client of the RFC 2217 port: what it asks for, and what it is told
 */
#ifndef UW_CLI_TELNET_H
#define UW_CLI_TELNET_H

#include "netface.h"
#include "rfc2217.h"

/* Of the buffer to the client, what answers and notices may need while its bytes are read. */
#define TELNET_RESERVE (RFC2217_ANSWERS * BRIDGE_BUFFER + 512u)

struct telnet {
    struct netface net;
    struct rfc2217 codec;
    struct bridge *bridge;
    uint8_t line_mask, modem_mask;
    int breaking, announced;
    int dtr, rts;                   /* as they were when the client came */
    struct uw_usec held_until;      /* a DTR that waits for RTS; never: none does */
    struct uw_usec break_until;     /* likewise: a break that ends by itself */
    struct uw_serial_counts counts; /* as told last */
    unsigned lines;
};

void telnet_init(struct telnet *telnet, struct bridge *bridge);

/* A client came; it sent bytes; it went. */
void telnet_begin(struct telnet *telnet);
void telnet_feed(struct telnet *telnet, const uint8_t *bytes, size_t size);
void telnet_end(struct telnet *telnet);

/* Does what it does by itself; returns after how many ms again, -1: not. */
int telnet_work(struct telnet *telnet);

/* A modem input or an error count changed. */
void telnet_changed(struct telnet *telnet, const struct uw_serial_counts *now);

#endif
