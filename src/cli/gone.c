/*
 * gone.c - what a lost connection was: the server's end, or only the device's
 *
 * Linux's usbip-host closes a device's connection when the device is unplugged, often without
 * having answered what was in flight. On the wire that is the same as a server that ends.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* How long a server that hides devices in use may take to list one again that has come back. */
#define RETURN_MS 1000u
#define PAUSE_MS  100u

/* 1 when the server answers, and has not had the device for RETURN_MS. */
static int
is_gone(struct cli *cli, const char *busid)
{
    struct uw_usec end = uw_usec_add(uw_now(), uw_msec(RETURN_MS));

    do {
        struct uw_device_list *list = NULL;
        int there;

        if (uw_find_list(cli->server, uw_msec(RETURN_MS), &list, NULL) < 0)
            return 0;
        there = uw_device_list_find(list, busid) != NULL;
        uw_device_list_free(list);
        if (there)
            return 0;
        cli_pause(cli, uw_msec(PAUSE_MS));
    } while (uw_now().us < end.us && !cli_interrupted());
    return 1;
}

int
cli_device_fault(struct cli *cli, struct uw_device *device, const struct uw_fault *fault)
{
    struct uw_fault gone = *fault;

    if (fault->code != UW_ERROR_CONNECTION_LOST || !is_gone(cli, uw_device_info(device)->busid))
        return cli_fault(fault, CLI_USING);
    gone.code = UW_ERROR_NO_DEVICE;
    snprintf(gone.came, sizeof(gone.came),
             "the server closed its connection and no longer lists it");
    snprintf(gone.advice, sizeof(gone.advice),
             "it was unplugged, reset or turned off; --wait waits until it is back");
    return cli_fault(&gone, CLI_USING);
}
