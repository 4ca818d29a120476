/*
 * stage.h - a server on a real socket whose every connection is a function of the test
 *
 * Each connection is served in a thread of its own by the test's function, which reads and writes
 * whole messages with the calls below. When it returns the connection is closed. The functions give
 * up quietly when the client has gone: a test checks what its client saw.
 */
#ifndef UW_TESTS_STAGE_H
#define UW_TESTS_STAGE_H

#include <stddef.h>
#include <stdint.h>

#include "wire/cmd.h"
#include "wire/op.h"

struct stage;

/* What a connection is served by. `number` counts connections from 0. */
typedef void stage_act(struct stage *stage, int fd, unsigned number);

/* Listens on a free port of 127.0.0.1 (of ::1 with stage_new6) and serves until stage_free, which
 * ends connections that are still open and waits for their functions. */
struct stage *stage_new(stage_act *act, void *arg);
struct stage *stage_new6(stage_act *act, void *arg);
void stage_free(struct stage *stage);
void *stage_arg(struct stage *stage);
const char *stage_address(const struct stage *stage); /* HOST:PORT */
uint16_t stage_port(const struct stage *stage);
unsigned stage_connections(struct stage *stage);

/* A counter that acts and tests meet at: waits until it is at least n (30 s, then the test ends).
 */
void stage_reach(struct stage *stage, unsigned n);
void stage_await(struct stage *stage, unsigned n);

/* 1 when all was read or written, 0 when the client is gone. */
int stage_read(int fd, void *bytes, size_t size);
int stage_write(int fd, const void *bytes, size_t size);
/* Waits until the client closes. */
void stage_drain(int fd);
/* Ends the connection with a reset. */
void stage_reset(int fd);

/* The request of a new connection: UW_OP_REQ_..., and the busid; 0 when the client is gone. */
uint16_t stage_request(int fd, char busid[UW_OP_BUSID_SIZE]);
/* OP_REP_IMPORT with a record of 1209:0001, devid 0x10002; `path` NULL: as Linux has it. */
int stage_accept_import(int fd, const char *path, const char *busid);
int stage_refuse_import(int fd, uint32_t status);
/* Both: request and acceptance. 1 unless the client is gone. */
int stage_import(int fd, const char *path);

/* The next CMD_SUBMIT or CMD_UNLINK and its payload (thrown away where `payload` is NULL). */
int stage_command(int fd, struct uw_pdu *ret_pdu, uint8_t *payload, size_t room);
/* RET_SUBMIT with data for IN, `size` as actual_length; RET_UNLINK. */
int stage_reply(int fd, const struct uw_pdu *pdu, int32_t status, const void *data, size_t size);
int stage_unlinked(int fd, const struct uw_pdu *pdu, int32_t status);
/* Echoes: IN is answered with as many zeroes as asked (64 KiB at most), OUT is accepted, unlinks
 * with -104, until the client goes. */
void stage_serve(int fd);

#endif
