/*
 * vector.h - descriptors of real devices, from tests/vectors/descriptors
 */
#ifndef TEST_VECTOR_H
#define TEST_VECTOR_H

#include <stddef.h>
#include <stdint.h>

#define VECTOR_CONFIGS 4

struct vector {
    char name[64];
    uint8_t device[18];
    uint8_t *configs[VECTOR_CONFIGS];
    size_t sizes[VECTOR_CONFIGS];
    unsigned num_configs;
    uint8_t *bos;
    size_t bos_size;
};

/* Reads NAME.hex of the vectors' folder. Ends the test where that is not possible. */
void vector_read(struct vector *v, const char *name);
void vector_free(struct vector *v);

/* Calls use(vector, arg) with each one there is; returns how many. */
unsigned vector_each(void (*use)(const struct vector *v, void *arg), void *arg);

#endif
