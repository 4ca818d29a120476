/*
 * address.h - the ways to name a server
 */
#ifndef UW_CLIENT_ADDRESS_H
#define UW_CLIENT_ADDRESS_H

#include <stdint.h>

#include <usbwire/error.h>

struct uw_address {
    char host[256]; /* name or numeric address; empty for a Unix socket */
    char path[108]; /* Unix socket */
    uint16_t port;
    char busid[32]; /* of a URL; empty: none */
    char name[280]; /* as messages show it: "HOST:PORT", "[V6]:PORT", "unix:/PATH" */
};

/* INVALID with a fault that shows the accepted forms. */
int uw_address_parse(const char *text, uint16_t port, struct uw_address *ret_address,
                     struct uw_fault *fault);

#endif
