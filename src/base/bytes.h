/*
 * bytes.h - the one way to touch bytes: bounds-checked reader and writer with a sticky error
 *
 * After the first access that does not fit, every further read gives 0 and every write does
 * nothing; check `failed` once at the end. USB/IP headers are big-endian, USB structures
 * little-endian: the two families are be and le.
 */
#ifndef UW_BASE_BYTES_H
#define UW_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct uw_reader {
    const uint8_t *p;
    size_t left;
    int failed;
};

static inline struct uw_reader
uw_reader(const void *bytes, size_t size)
{
    struct uw_reader r = {(const uint8_t *)bytes, size, 0};
    return r;
}

/* The next n bytes, or NULL when there are fewer. */
static inline const uint8_t *
uw_rd_take(struct uw_reader *r, size_t n)
{
    const uint8_t *p = r->p;

    if (r->failed || n > r->left) {
        r->failed = 1;
        return NULL;
    }
    r->p += n;
    r->left -= n;
    return p;
}

static inline uint8_t
uw_rd_u8(struct uw_reader *r)
{
    const uint8_t *p = uw_rd_take(r, 1);
    return p ? p[0] : 0;
}

static inline uint16_t
uw_rd_be16(struct uw_reader *r)
{
    const uint8_t *p = uw_rd_take(r, 2);
    return (uint16_t)(p ? p[0] << 8 | p[1] : 0);
}

static inline uint32_t
uw_rd_be32(struct uw_reader *r)
{
    const uint8_t *p = uw_rd_take(r, 4);
    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline uint16_t
uw_rd_le16(struct uw_reader *r)
{
    const uint8_t *p = uw_rd_take(r, 2);
    return (uint16_t)(p ? p[1] << 8 | p[0] : 0);
}

static inline uint32_t
uw_rd_le32(struct uw_reader *r)
{
    const uint8_t *p = uw_rd_take(r, 4);
    return p ? (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0] : 0;
}

/* Copies n bytes out; zeroes when there are fewer. */
static inline void
uw_rd_bytes(struct uw_reader *r, void *dst, size_t n)
{
    const uint8_t *p = uw_rd_take(r, n);

    if (p)
        memcpy(dst, p, n);
    else
        memset(dst, 0, n);
}

struct uw_writer {
    uint8_t *p;
    size_t size;
    size_t len;
    int failed;
};

static inline struct uw_writer
uw_writer(void *bytes, size_t size)
{
    struct uw_writer w = {(uint8_t *)bytes, size, 0, 0};
    return w;
}

/* Room for n bytes, or NULL when it does not fit. */
static inline uint8_t *
uw_wr_room(struct uw_writer *w, size_t n)
{
    uint8_t *p = w->p + w->len;

    if (w->failed || n > w->size - w->len) {
        w->failed = 1;
        return NULL;
    }
    w->len += n;
    return p;
}

static inline void
uw_wr_u8(struct uw_writer *w, uint8_t v)
{
    uint8_t *p = uw_wr_room(w, 1);
    if (p)
        p[0] = v;
}

static inline void
uw_wr_be16(struct uw_writer *w, uint16_t v)
{
    uint8_t *p = uw_wr_room(w, 2);
    if (p) {
        p[0] = (uint8_t)(v >> 8);
        p[1] = (uint8_t)v;
    }
}

static inline void
uw_wr_be32(struct uw_writer *w, uint32_t v)
{
    uint8_t *p = uw_wr_room(w, 4);
    if (p) {
        p[0] = (uint8_t)(v >> 24);
        p[1] = (uint8_t)(v >> 16);
        p[2] = (uint8_t)(v >> 8);
        p[3] = (uint8_t)v;
    }
}

static inline void
uw_wr_le16(struct uw_writer *w, uint16_t v)
{
    uint8_t *p = uw_wr_room(w, 2);
    if (p) {
        p[0] = (uint8_t)v;
        p[1] = (uint8_t)(v >> 8);
    }
}

static inline void
uw_wr_le32(struct uw_writer *w, uint32_t v)
{
    uint8_t *p = uw_wr_room(w, 4);
    if (p) {
        p[0] = (uint8_t)v;
        p[1] = (uint8_t)(v >> 8);
        p[2] = (uint8_t)(v >> 16);
        p[3] = (uint8_t)(v >> 24);
    }
}

static inline void
uw_wr_bytes(struct uw_writer *w, const void *src, size_t n)
{
    uint8_t *p = uw_wr_room(w, n);
    if (p && n)
        memcpy(p, src, n);
}

/* A string into a field of n bytes, cut so that a NUL remains, padded with zeroes. */
static inline void
uw_wr_string(struct uw_writer *w, const char *s, size_t n)
{
    uint8_t *p = uw_wr_room(w, n);
    size_t len = strlen(s);

    if (!p)
        return;
    memset(p, 0, n);
    memcpy(p, s, len < n ? len : n - 1);
}

#endif
