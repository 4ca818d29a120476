/*
 * keeper.h - a server that keeps a client waiting until it is told not to
 */
#ifndef UW_TESTS_KEEPER_H
#define UW_TESTS_KEEPER_H

#include "support/client.h"

/* A read of endpoint 0x8f is kept until keeper_let_go lets one go, or the next to come; the stage
 * is reached by as many as are kept. IN of others is answered with counting bytes of that endpoint,
 * everything else accepted. */
void keeper_act(struct stage *stage, int fd, unsigned number);

/* A thread (client_thread) that waits in such a read; returns its status. */
void *keeper_read(void *client);

int keeper_let_go(struct client *c);

#endif
