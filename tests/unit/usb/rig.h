/*
 * rig.h - a peer, a loop, a server and mostly a device: what nearly every test needs
 */
#ifndef TEST_RIG_H
#define TEST_RIG_H

#include <usbwire/usbwire.h>

#include "peer.h"

struct rig {
    struct peer *peer;
    struct peer_model *model; /* busid 1-1 */
    struct uw_loop *loop;
    struct uw_server *server;
    struct uw_device *device; /* NULL until rig_import */
    char log[4096];           /* what the library said */
};

/* cmocka fixtures: a rig with an HID gadget at 1-1 (interface 0: interrupt IN 0x81 and OUT 0x01),
 * imported or not yet. */
int rig_set_up(void **state);
int rig_set_up_imported(void **state);
int rig_tear_down(void **state);

/* Puts another device in the place of 1-1. */
void rig_replace(struct rig *r, const char *vector, uint32_t speed);

/* Imports 1-1; ends the test where that fails. */
void rig_import(struct rig *r);

/* The library's log has such a line. */
int rig_said(struct rig *r, const char *text);

/* A fault as the sentence a person sees; static. */
const char *rig_sentence(const struct uw_fault *fault);

#endif
