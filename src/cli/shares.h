/*
 * shares.h - devices that this process holds and other programs use
 */
#ifndef UW_CLI_SHARES_H
#define UW_CLI_SHARES_H

#include "cli.h"

struct shares; /* a list of devices, each with its broker */

/* None yet. NULL: out of memory. */
struct shares *shares_new(void);

/* Gives all devices back. NULL is fine. */
void shares_free(struct shares *shares);

/*
 * Imports the device and shares it; where a process of the same user shares it already, that one is
 * used. `wait` is how long to wait for a device that is absent or busy. 0, or an exit code after a
 * message; with `leniently` a device that cannot be had is only remarked upon.
 */
int shares_add(struct shares *shares, struct cli *cli, const char *busid, int leniently);

/* Waits a while, and finds again what was enumerated anew: its successor is shared under the same
 * address. Comes back at once after a signal. */
void shares_tend(struct shares *shares, struct cli *cli);

unsigned shares_count(const struct shares *shares);

/* Does a program use one of those that this process holds? */
int shares_are_used(const struct shares *shares);

/* By index from 0; borrowed. */
struct uw_device *shares_device(const struct shares *shares, unsigned index);

/* The addresses of all, as USBWIRE_SERVERS takes them; free with free(). NULL: out of memory. */
char *shares_addresses(const struct shares *shares);

#endif
