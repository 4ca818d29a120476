/*
 * boardlog.h - the log of the board that a command talks to: --syslog, and the command syslog
 */
#ifndef UW_CLI_BOARDLOG_H
#define UW_CLI_BOARDLOG_H

#include "cli.h"

/* Prepares for logs: on standard error, or with `json` as records on standard output. 0, or an exit
 * code after a message. */
int boardlog_open(struct cli *cli, int json);

/* One more board; `address` may lack the port. */
int boardlog_connect(struct cli *cli, const char *address);

/* Boards that send: "[ADDRESS:]PORT". */
int boardlog_listen(struct cli *cli, const char *where);

/* The host of the command's server, without port, in brackets if it needs them. 0, or an exit code
 * after a message. */
int boardlog_host(const struct cli *cli, char *host, size_t size);

/* --syslog, if it is given: connects, and waits a moment for it, so that what the command does is
 * seen in the log. */
int boardlog_start(struct cli *cli);

/* 1 when nobody reads it any more. */
int boardlog_is_broken(const struct cli *cli);

/* Ends it; `linger` is how long to wait for what is under way. */
void boardlog_close(struct cli *cli, struct uw_usec linger);

#endif
