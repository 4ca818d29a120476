/*
 * move.h - moving data: one URB at a time or several, until done, failed, or Ctrl-C
 */
#ifndef UW_CLI_MOVE_H
#define UW_CLI_MOVE_H

#include <stddef.h>
#include <stdint.h>

#include "cli.h"

/*
 * Submits a URB and waits until it completed. Ctrl-C cancels it. Returns its status, or why it
 * could not be submitted; *ret_fault is filled in on failure.
 */
int move_run(struct uw_queue *queue, struct uw_urb *urb, struct uw_fault *ret_fault);

/* Reports a failed transfer, or that Ctrl-C ended it; returns the exit code. */
int move_failed(struct cli *cli, const struct uw_fault *fault);

/* Whether --endpoint is an address, and of direction `in`, as `command` needs it; before anything
 * is connected. 0, or an exit code after a message. */
int move_check_endpoint(const struct cli *cli, const char *command, int in);

/* The endpoint of --endpoint, after --alt was selected. 0, or an exit code after a message. */
int move_endpoint(struct cli *cli, const struct uw_endpoint **ret_endpoint);

/* "bulk" ... */
const char *move_type_name(const struct uw_endpoint *endpoint);

/* Gives a URB its data: a plain transfer, or one in packets of the endpoint's size. */
void move_fill(struct cli *cli, struct uw_urb *urb, const struct uw_endpoint *endpoint,
               uint8_t *data, size_t size);

/* Packets of an isochronous transfer, at most: Linux's bound. */
#define MOVE_PACKETS_MAX 1024u

/* How many packets an isochronous transfer of `size` bytes needs; 0 for other endpoints. */
unsigned move_packets(const struct uw_endpoint *endpoint, size_t size);

#endif
