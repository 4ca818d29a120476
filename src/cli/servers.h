/*
 * servers.h - servers that make themselves known, for people and for programs
 */
#ifndef UW_CLI_SERVERS_H
#define UW_CLI_SERVERS_H

#include <stdio.h>

#include <jansson.h>

#include "cli.h"

/* When looking ends before its time. */
enum servers_until {
    SERVERS_ALL,   /* not */
    SERVERS_FIRST, /* with the first server */
    SERVERS_ONLY   /* a moment after the first one: another one would have answered by then */
};

/* Looks for servers for at most `wait`; with `board_id` not NULL for that board alone, which is
 * enough when it is there. Gives an array of records, which may be empty. 0, or an exit code after
 * a message. The loop must be open. */
int servers_find(struct cli *cli, const char *board_id, enum servers_until until,
                 struct uw_usec wait, json_t **ret_servers);

/* The record of a server; NULL when there is no memory. */
json_t *servers_record(const struct uw_discovered *server);

/* One line about it. */
void servers_print(const json_t *server, FILE *file);

/* The address of the server of --host auto or --board-id: the only one there is. 0, or an exit code
 * after a message, which lists the choice there is. */
int servers_choose(struct cli *cli, char *address, size_t size);

#endif
