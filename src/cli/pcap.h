/*
 * pcap.h - the capture that --pcap or USBWIRE_PCAP asks for
 */
#ifndef UW_CLI_PCAP_H
#define UW_CLI_PCAP_H

#include "cli.h"

/* Opens it, if one is asked for, and attaches it to the loop; declares the server once there is
 * one. 0, or an exit code after a message. */
int pcap_start(struct cli *cli);
int pcap_add_server(struct cli *cli);

/* The command is done: from here on Ctrl-C ends the waiting for a reader. */
void pcap_ending(const struct cli *cli);

/* Ends it. 0, or an exit code after a message when it could not be written. */
int pcap_stop(struct cli *cli);

#endif
