/*
 * url.h - usbip://HOST[:PORT][/BUSID][?KEY=VALUE&...] taken apart
 */
#ifndef UW_SERIAL_URL_H
#define UW_SERIAL_URL_H

#include <usbwire/find.h>
#include <usbwire/serial.h>

#define SERIAL_URL_MAX 512u

struct serial_url {
    char address[SERIAL_URL_MAX]; /* up to the question mark */
    char serial[128];             /* choice.serial points here when it was given */
    struct uw_choice choice;      /* all but the busid, which is in the address */
    struct uw_usec wait;
    struct uw_serial_config config; /* -1 where the URL says nothing */
};

/* INVALID, with a fault that shows what is accepted. `ret_url` is then anything. */
int serial_url_parse(const char *url, struct serial_url *ret_url, struct uw_fault *fault);

#endif
