/*
 * ports.c - serial ports that are open, each with its face
 */
#include "ports.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
ports_init(struct ports *p)
{
    p->bridges = calloc(BRIDGES_MAX, sizeof(*p->bridges));
    return p->bridges ? 0 : cli_error("out of memory");
}

void
ports_free(struct ports *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        p->face->close(&p->bridges[i]);
        uw_serial_free(p->bridges[i].port);
    }
    free(p->bridges);
    p->bridges = NULL;
    p->count = 0;
}

/* A name that stays: the serial number, or else the place; and which of several ports. */
static void
label(struct bridge *b, struct uw_device *device, unsigned interface, int several)
{
    const char *name = uw_device_serial(device);

    if (!*name)
        name = uw_device_info(device)->busid;
    if (several)
        snprintf(b->label, sizeof(b->label), "%.47s-if%u", name, interface);
    else
        snprintf(b->label, sizeof(b->label), "%.47s", name);
    for (size_t n = 0; b->label[n]; n++)
        if (!isalnum((unsigned char)b->label[n]) && !strchr("-_.:", b->label[n]))
            b->label[n] = '_';
}

/* With --all: a file of its own in the directory, or the next TCP port. */
static void
place_for(const struct ports *p, const struct bridge *b, char *buf, size_t size)
{
    const char *colon = strrchr(p->argument, ':'), *port = colon ? colon + 1 : p->argument;
    unsigned long first = strtoul(port, NULL, 10);

    if (p->face == &face_pty)
        snprintf(buf, size, "%s/%s", p->argument, b->label);
    else
        snprintf(buf, size, "%.*s%lu", (int)(port - p->argument), p->argument,
                 first ? first + (unsigned)(b - p->bridges) : 0);
}

int
ports_open(struct ports *p, struct uw_device *device, int interface, int several)
{
    struct bridge *b = &p->bridges[p->count];
    struct uw_serial_config config = p->config;
    struct uw_serial_info info;
    struct uw_fault fault;
    char place[600];

    memset(b, 0, sizeof(*b));
    b->cli = p->cli;
    b->face = p->face;
    config.interface = interface;
    if (uw_serial_open_device(device, &config, &b->port, &fault) < 0)
        return cli_fault(&fault, CLI_CHOOSING);
    p->count++;
    uw_serial_info(b->port, &info);
    snprintf(b->name, sizeof(b->name), "%.80s, %s, interface %u", uw_device_name(device), info.chip,
             info.interface);
    if (!p->argument)
        return b->face->open(b, NULL);
    label(b, device, info.interface, several);
    if (!cli_has(p->cli, OPT_ALL))
        return b->face->open(b, p->argument);
    place_for(p, b, place, sizeof(place));
    return b->face->open(b, place);
}

int
ports_open_all(struct ports *p, struct uw_device *device)
{
    struct uw_serial_info info, second;
    int several = uw_serial_port_at(device, 1, &second), code = 0;

    for (unsigned i = 0; !code && p->count < BRIDGES_MAX; i++) {
        if (!uw_serial_port_at(device, i, &info))
            break;
        code = ports_open(p, device, (int)info.interface, several);
    }
    return code;
}
