/*
 * extcap_folder.h - putting usbwire where Wireshark looks for capture programs
 */
#ifndef UW_CLI_EXTCAP_FOLDER_H
#define UW_CLI_EXTCAP_FOLDER_H

#include "cli.h"

/* Into the user's own extcap folders, of older and newer Wiresharks; out of them. Exit codes. */
int extcap_install(const struct cli *cli);
int extcap_uninstall(const struct cli *cli);

#endif
