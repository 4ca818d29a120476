/*
 * rfc2217.h - the telnet side of a serial port (RFC 854, 856, 858, 2217), without I/O
 *
 * Bytes of the client in, events out; whatever the bytes, none of it blocks or grows. The server
 * offers binary transmission, suppressed go-ahead, echo (so that a person's telnet sends characters
 * as they are typed), and COM-PORT-OPTION.
 */
#ifndef UW_CLI_RFC2217_H
#define UW_CLI_RFC2217_H

#include <stddef.h>
#include <stdint.h>

/* Commands of the client; the answer's is 100 more. */
enum rfc2217_command {
    RFC2217_SIGNATURE = 0,
    RFC2217_SET_BAUDRATE = 1,
    RFC2217_SET_DATASIZE = 2,
    RFC2217_SET_PARITY = 3,
    RFC2217_SET_STOPSIZE = 4,
    RFC2217_SET_CONTROL = 5,
    RFC2217_NOTIFY_LINESTATE = 6,
    RFC2217_NOTIFY_MODEMSTATE = 7,
    RFC2217_FLOWCONTROL_SUSPEND = 8,
    RFC2217_FLOWCONTROL_RESUME = 9,
    RFC2217_SET_LINESTATE_MASK = 10,
    RFC2217_SET_MODEMSTATE_MASK = 11,
    RFC2217_PURGE_DATA = 12
};

struct rfc2217;

struct rfc2217_ops {
    /* Bytes for the port. */
    void (*data)(struct rfc2217 *telnet, const uint8_t *bytes, size_t size);
    /* A command of COM-PORT-OPTION with its value. */
    void (*command)(struct rfc2217 *telnet, unsigned command, const uint8_t *value, size_t size);
    /* Telnet's own break, which has no end of its own. */
    void (*send_break)(struct rfc2217 *telnet);
    /* Bytes for the client, complete as they are. */
    void (*send)(struct rfc2217 *telnet, const uint8_t *bytes, size_t size);
};

#define RFC2217_VALUE_MAX 64u /* longer values are cut */

struct rfc2217 {
    const struct rfc2217_ops *ops;
    unsigned state, verb;
    uint8_t ours[4], theirs[4]; /* options in force, by their place in the table */
    int after_cr;
    uint8_t value[RFC2217_VALUE_MAX];
    size_t value_size;
};

/* Begins with a client: sends the offers. */
void rfc2217_begin(struct rfc2217 *telnet, const struct rfc2217_ops *ops);

/* What the client sent. */
void rfc2217_feed(struct rfc2217 *telnet, const uint8_t *bytes, size_t size);

/* 1 once the client speaks COM-PORT-OPTION. */
int rfc2217_is_com_port(const struct rfc2217 *telnet);

/* A command to the client: `value` of up to RFC2217_VALUE_MAX bytes. */
void rfc2217_tell(struct rfc2217 *telnet, unsigned command, const uint8_t *value, size_t size);

/* The most bytes that those of a client are answered with: so many for each of them. */
#define RFC2217_ANSWERS 3u

/* Bytes of the port for the client: escapes up to `size` of them into buf (room of 2 * size);
 * returns the bytes there. */
size_t rfc2217_escape(const struct rfc2217 *telnet, const uint8_t *bytes, size_t size,
                      uint8_t *buf);

#endif
