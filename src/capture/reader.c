/*
 * reader.c - who takes the blocks waits here
 *
 * A reader that was woken for every block would cost more than the block. So it takes what there
 * is, then lets blocks collect for a moment or until there are many.
 */
#include <time.h>

#include "base/log.h"
#include "capture/capture.h"

#define MANY      65536u
#define MOMENT_US 2000u

void
uw_reader_wake_locked(struct uw_capture *c)
{
    if (!c->wanted || (uw_ring_used(&c->ring) < c->wanted && !c->closed))
        return;
    c->wanted = 0;
    pthread_cond_signal(&c->some);
}

static void
wait_for(struct uw_capture *c, size_t bytes, struct uw_usec until)
{
    struct timespec ts = {.tv_sec = (time_t)(until.us / 1000000u),
                          .tv_nsec = (long)(until.us % 1000000u) * 1000};

    c->wanted = bytes;
    while (c->wanted && !c->closed) {
        if (uw_is_never(until))
            pthread_cond_wait(&c->some, &c->lock);
        else if (pthread_cond_timedwait(&c->some, &c->lock, &ts) != 0)
            break;
    }
    c->wanted = 0;
}

int
uw_reader_wait_locked(struct uw_capture *c, struct uw_usec until)
{
    if (!uw_ring_used(&c->ring) && !c->closed)
        wait_for(c, 1, until);
    if (uw_ring_used(&c->ring) && uw_ring_used(&c->ring) < MANY && !c->closed)
        wait_for(c, MANY, uw_usec_add(uw_now(), uw_usec(MOMENT_US)));
    return uw_ring_used(&c->ring) > 0;
}

size_t
uw_reader_peek_locked(struct uw_capture *c, const uint8_t **ret_bytes)
{
    return uw_ring_peek(&c->ring, ret_bytes);
}

void
uw_reader_give_back_locked(struct uw_capture *c, size_t n)
{
    uw_ring_give_back(&c->ring, n);
    c->stats.bytes += n;
    pthread_cond_broadcast(&c->room);
}

static void
count_lost(struct uw_capture *c, const uint8_t *bytes, size_t size)
{
    struct uw_reader r = uw_reader(bytes, size);

    while (r.left >= UW_EPB_HEADER) {
        struct uw_reader block = r;
        uint32_t type = uw_rd_le32(&block), length = uw_rd_le32(&block),
                 interface = uw_rd_le32(&block);

        if (type == UW_BLOCK_PACKET) {
            c->stats.dropped++;
            c->interfaces[interface].dropped++;
        }
        (void)uw_rd_take(&r, length);
    }
}

void
uw_reader_gone_locked(struct uw_capture *c)
{
    const uint8_t *bytes;
    size_t n;

    c->absent = 1;
    while ((n = uw_ring_peek(&c->ring, &bytes)) > 0) {
        count_lost(c, bytes, n);
        uw_ring_give_back(&c->ring, n);
    }
    uw_ring_clear(&c->ring);
    pthread_cond_broadcast(&c->room);
}

size_t
uw_reader_whole_blocks(const uint8_t *bytes, size_t size)
{
    size_t n = 0;

    while (size - n >= 8) {
        struct uw_reader r = uw_reader(bytes + n + 4, 4);
        size_t block = uw_rd_le32(&r);

        if (block > size - n)
            break;
        n += block;
    }
    return n;
}

long
uw_capture_pull(struct uw_capture *c, void *buffer, size_t size, struct uw_usec timeout)
{
    struct uw_usec until = uw_usec_add(uw_now(), timeout);
    const uint8_t *bytes;
    long r = UW_ERROR_TIMEOUT;
    size_t n;

    if (c->writer || size < UW_CAPTURE_BLOCK_MAX)
        return UW_ERROR_INVALID;
    pthread_mutex_lock(&c->lock);
    if (uw_reader_wait_locked(c, until)) {
        n = uw_reader_peek_locked(c, &bytes);
        n = uw_reader_whole_blocks(bytes, n < size ? n : size);
        memcpy(buffer, bytes, n);
        uw_reader_give_back_locked(c, n);
        r = (long)n;
    } else if (c->closed) {
        r = 0;
    }
    pthread_mutex_unlock(&c->lock);
    return r;
}
