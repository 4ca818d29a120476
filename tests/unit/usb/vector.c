/*
 * vector.c - descriptors of real devices: sections in brackets, bytes in hex, # to the end of line
 */
#include <ctype.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vector.h"

#define SECTION_MAX 65536u

static size_t
read_line(const char *line, uint8_t *bytes, size_t size)
{
    size_t n = 0;
    unsigned byte;
    int used;

    while (sscanf(line, "%2x%n", &byte, &used) == 1 && n < size) {
        bytes[n++] = (uint8_t)byte;
        line += used;
    }
    return n;
}

static void
keep(struct vector *v, const char *section, const uint8_t *bytes, size_t size)
{
    uint8_t *copy;

    if (strcmp(section, "device") == 0) {
        assert_int_equal(size, sizeof(v->device));
        memcpy(v->device, bytes, size);
        return;
    }
    if (!size)
        return;
    copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    if (strcmp(section, "BOS") == 0) {
        v->bos = copy;
        v->bos_size = size;
        return;
    }
    assert_in_range(v->num_configs, 0, VECTOR_CONFIGS - 1);
    v->configs[v->num_configs] = copy;
    v->sizes[v->num_configs++] = size;
}

static void
read_path(struct vector *v, const char *path)
{
    static uint8_t bytes[SECTION_MAX];
    char line[256], section[32] = "";
    const char *base = strrchr(path, '/') + 1;
    size_t size = 0;
    FILE *f = fopen(path, "r");

    if (!f)
        fail_msg("no %s", path);
    memset(v, 0, sizeof(*v));
    snprintf(v->name, sizeof(v->name), "%.*s", (int)strcspn(base, "."), base);
    while (fgets(line, sizeof(line), f)) {
        if (line[0] == '#')
            continue;
        if (line[0] != '[') {
            size += read_line(line, bytes + size, sizeof(bytes) - size);
            continue;
        }
        if (*section)
            keep(v, section, bytes, size);
        size = 0;
        snprintf(section, sizeof(section), "%.*s", (int)strcspn(line + 1, "]"), line + 1);
    }
    keep(v, section, bytes, size);
    fclose(f);
    assert_true(v->num_configs > 0);
}

void
vector_read(struct vector *v, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s.hex", VECTORS, name);
    read_path(v, path);
}

void
vector_free(struct vector *v)
{
    for (unsigned i = 0; i < v->num_configs; i++)
        free(v->configs[i]);
    free(v->bos);
    memset(v, 0, sizeof(*v));
}

unsigned
vector_each(void (*use)(const struct vector *v, void *arg), void *arg)
{
    glob_t found = {0};
    unsigned n;

    assert_int_equal(glob(VECTORS "/*.hex", 0, NULL, &found), 0);
    for (n = 0; n < found.gl_pathc; n++) {
        struct vector v;

        read_path(&v, found.gl_pathv[n]);
        use(&v, arg);
        vector_free(&v);
    }
    globfree(&found);
    return n;
}
