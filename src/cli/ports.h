/*
 * ports.h - serial ports that are open, each with its face
 */
#ifndef UW_CLI_PORTS_H
#define UW_CLI_PORTS_H

#include "bridge.h"

struct ports {
    struct cli *cli;
    const struct face *face;
    const char *argument; /* the face's; NULL: none */
    struct uw_serial_config config;
    struct bridge *bridges; /* of BRIDGES_MAX */
    unsigned count;
    int made_folder; /* which --all has its links in: it goes with them */
};

/* Makes room. 0, or an exit code after a message. */
int ports_init(struct ports *ports);

/* Closes all. */
void ports_free(struct ports *ports);

/* Opens a port of a device; `several`: the name that stays says which of the device's it is. 0, or
 * an exit code after a message. */
int ports_open(struct ports *ports, struct uw_device *device, int interface, int several);

/* All ports of a device, as far as there is room. */
int ports_open_all(struct ports *ports, struct uw_device *device);

/* Opens the faces of all that are open. */
int ports_show(struct ports *ports);

/* On standard error: which options choose which. */
void ports_print_choices(const struct ports *ports);

#endif
