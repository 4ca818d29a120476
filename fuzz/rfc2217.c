/*
 * rfc2217.c - a telnet client that sends anything
 *
 * Any split of the bytes gives the same data and commands, no more data than was sent, and an
 * answer of at most three bytes for every three.
 */
#include <string.h>

#include "rfc2217.h"

#include "fuzz.h"

#define SEEN_MAX 65536u

struct seen {
    struct rfc2217 codec;
    size_t data, sent, size;
    size_t commands; /* bytes that they took at least */
    uint8_t bytes[SEEN_MAX];
};

static void
note(struct seen *s, const uint8_t *bytes, size_t size)
{
    if (size > SEEN_MAX - s->size)
        size = SEEN_MAX - s->size;
    memcpy(s->bytes + s->size, bytes, size);
    s->size += size;
}

static void
data(struct rfc2217 *t, const uint8_t *bytes, size_t size)
{
    struct seen *s = (struct seen *)(void *)t;

    s->data += size;
    note(s, bytes, size);
}

static void
command(struct rfc2217 *t, unsigned number, const uint8_t *value, size_t size)
{
    struct seen *s = (struct seen *)(void *)t;
    uint8_t byte = (uint8_t)number;

    FUZZ_CHECK(number < 256 && size <= RFC2217_VALUE_MAX);
    s->commands += 6;
    note(s, &byte, 1);
    note(s, value, size);
    if (size < 8)
        rfc2217_tell(t, number, value, size);
}

static void
send_break(struct rfc2217 *t)
{
    struct seen *s = (struct seen *)(void *)t;

    s->commands += 2;
    note(s, (const uint8_t *)"break", 5);
}

static void
send_client(struct rfc2217 *t, const uint8_t *bytes, size_t size)
{
    struct seen *s = (struct seen *)(void *)t;

    FUZZ_CHECK(size >= 3 && bytes[0] == 255);
    s->sent += size;
}

static const struct rfc2217_ops ops = {
    .data = data, .command = command, .send_break = send_break, .send = send_client};

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct seen whole, split;
    size_t offers;

    memset(&whole, 0, sizeof(whole));
    memset(&split, 0, sizeof(split));
    rfc2217_begin(&whole.codec, &ops);
    rfc2217_begin(&split.codec, &ops);
    offers = whole.sent;
    rfc2217_feed(&whole.codec, bytes, size);
    for (size_t i = 0; i < size; i++)
        rfc2217_feed(&split.codec, bytes + i, 1);
    FUZZ_CHECK(whole.data == split.data && whole.commands == split.commands);
    FUZZ_CHECK(whole.size == split.size && memcmp(whole.bytes, split.bytes, whole.size) == 0);
    FUZZ_CHECK(whole.sent == split.sent);
    FUZZ_CHECK(whole.data <= size && whole.commands <= size);
    FUZZ_CHECK(whole.sent - offers <= 4 * size);
    return 0;
}
