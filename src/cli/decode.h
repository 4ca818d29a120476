/*
 * decode.h - what USB traffic means, in a few words
 *
 * Class requests and data are decoded by the class of their interface, which a decoder learns from
 * the configuration descriptors that pass by.
 */
#ifndef UW_CLI_DECODE_H
#define UW_CLI_DECODE_H

#include <stddef.h>
#include <stdint.h>

#define DECODE_MAX 160

/* The interfaces of one device. */
struct decoder {
    uint8_t interface_class[256]; /* by bInterfaceNumber; 0: not known */
    uint8_t endpoint_class[32];   /* of the interface an endpoint is in: OUT 0..15, IN 16..31 */
    uint8_t classes[8];           /* all there are, in order */
    unsigned num_classes;
};

/* The answer to a control request: of a configuration descriptor it learns the interfaces. */
void decode_learn(struct decoder *decoder, const uint8_t setup[8], const uint8_t *bytes,
                  size_t size);

/* A control request: "GET_DESCRIPTOR DEVICE". Returns dst. */
char *decode_request(const struct decoder *decoder, const uint8_t setup[8], char *dst, size_t size);

/* What its data says, or "": a line coding, a configuration's value. */
char *decode_answer(const struct decoder *decoder, const uint8_t setup[8], const uint8_t *bytes,
                    size_t count, char *dst, size_t size);

/* Data of another endpoint, or "": commands of a mass storage device and how they ended, changes of
 * a serial port's lines. */
char *decode_data(const struct decoder *decoder, uint8_t endpoint, const uint8_t *bytes,
                  size_t count, char *dst, size_t size);

#endif
