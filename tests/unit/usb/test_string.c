/*
 * String descriptors: two reads, UTF-16LE in, UTF-8 out.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

#define SOON uw_msec(20000)

/* What the device answers for string 1. */
struct answer {
    const uint8_t *bytes;
    size_t size;
};

static int
give_string(struct peer_conn *c, const struct uw_pdu *pdu, void *arg)
{
    const struct answer *a = (const struct answer *)arg;

    if (!peer_is(pdu, 0x80, 0x06) || peer_value(pdu) != 0x0301)
        return 0;
    peer_reply(c, pdu, 0, a->bytes, a->size);
    return 1;
}

static int
read_as(struct rig *r, const uint8_t *bytes, size_t size, char *buf, size_t room)
{
    struct answer a = {bytes, size};
    int n;

    peer_script(r->peer, give_string, &a);
    n = uw_device_string(r->device, 1, 0, buf, room, SOON, NULL);
    peer_script(r->peer, NULL, NULL);
    return n;
}

static void
test_reads(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_pdu pdu;
    char buf[64];
    unsigned before = peer_requests(r->peer, 0x80, 0x06);

    r->model->strings[2] = "Keyboard";
    assert_int_equal(uw_device_string(r->device, 2, 0, buf, sizeof(buf), SOON, NULL), 8);
    assert_string_equal(buf, "Keyboard");
    assert_int_equal(peer_requests(r->peer, 0x80, 0x06), before + 2);
    pthread_mutex_lock(&r->peer->lock);
    assert_int_equal(r->peer->log[r->peer->logged - 2].length,
                     4); /* languages, as all devices can */
    pthread_mutex_unlock(&r->peer->lock);
    pdu = peer_last(r->peer, 0x80);
    assert_int_equal(pdu.length, 255);
    assert_int_equal(pdu.setup[4] | pdu.setup[5] << 8, 0x0409);
    /* A language that is named is not asked for. */
    assert_int_equal(uw_device_string(r->device, 2, 0x0407, buf, sizeof(buf), SOON, NULL), 8);
    assert_int_equal(peer_requests(r->peer, 0x80, 0x06), before + 3);
    assert_int_equal(peer_last(r->peer, 0x80).setup[4], 0x07);
}

static void
test_utf8(void **state)
{
    struct rig *r = (struct rig *)*state;
    /* U+0041 U+00E9 U+20AC U+1F600 */
    static const uint8_t s[] = {12, 3, 0x41, 0, 0xe9, 0, 0xac, 0x20, 0x3d, 0xd8, 0x00, 0xde};
    static const char expected[] = "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    char buf[64];

    assert_int_equal(read_as(r, s, sizeof(s), buf, sizeof(buf)), 10);
    assert_string_equal(buf, expected);
    /* A buffer that is too small ends between characters. */
    for (size_t room = 1; room <= sizeof(expected); room++) {
        static const size_t fits[] = {0, 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};

        memset(buf, 'x', sizeof(buf));
        assert_int_equal(read_as(r, s, sizeof(s), buf, room), fits[room]);
        assert_int_equal(buf[fits[room]], '\0');
        assert_memory_equal(buf, expected, fits[room]);
        assert_int_equal(buf[room], 'x');
    }
}

static void
test_broken_surrogates(void **state)
{
    struct rig *r = (struct rig *)*state;
    static const uint8_t lone_low[] = {6, 3, 0x00, 0xde, 'a', 0};
    static const uint8_t lone_high[] = {6, 3, 0x3d, 0xd8, 'a', 0};
    static const uint8_t high_at_end[] = {6, 3, 'a', 0, 0x3d, 0xd8};
    static const uint8_t odd[] = {5, 3, 'a', 0, 'b'};
    static const uint8_t with_nul[] = {8, 3, 'a', 0, 0, 0, 'b', 0};
    char buf[64];

    assert_int_equal(read_as(r, lone_low, sizeof(lone_low), buf, sizeof(buf)), 4);
    assert_string_equal(buf, "\xef\xbf\xbd"
                             "a");
    assert_int_equal(read_as(r, lone_high, sizeof(lone_high), buf, sizeof(buf)), 4);
    assert_string_equal(buf, "\xef\xbf\xbd"
                             "a");
    assert_int_equal(read_as(r, high_at_end, sizeof(high_at_end), buf, sizeof(buf)), 4);
    assert_string_equal(buf, "a\xef\xbf\xbd");
    assert_int_equal(read_as(r, odd, sizeof(odd), buf, sizeof(buf)), 1);
    assert_string_equal(buf, "a");
    assert_int_equal(read_as(r, with_nul, sizeof(with_nul), buf, sizeof(buf)), 1);
}

static void
test_malformed(void **state)
{
    struct rig *r = (struct rig *)*state;
    static const uint8_t rows[][5] = {{0}, {4, 2, 'a', 0}, {1, 3, 'a', 0}, {8, 3, 'a', 0}};
    char buf[64];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(read_as(r, rows[i], 4, buf, sizeof(buf)), UW_ERROR_PROTOCOL);
    assert_int_equal(read_as(r, rows[0], 0, buf, sizeof(buf)), UW_ERROR_PROTOCOL);
    assert_int_equal(read_as(r, (const uint8_t[]){2, 3}, 1, buf, sizeof(buf)), UW_ERROR_PROTOCOL);
    /* Longer than it says is fine. */
    assert_int_equal(read_as(r, (const uint8_t[]){4, 3, 'a', 0, 'b', 0}, 6, buf, sizeof(buf)), 1);
    assert_string_equal(buf, "a");
    assert_int_equal(read_as(r, (const uint8_t[]){2, 3}, 2, buf, sizeof(buf)), 0);
    assert_string_equal(buf, "");
}

static void
test_invalid(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;
    char buf[4] = "xyz";

    assert_int_equal(uw_device_string(r->device, 0, 0, buf, 4, SOON, &fault), UW_ERROR_INVALID);
    assert_non_null(strstr(rig_sentence(&fault), "numbered from 1"));
    assert_int_equal(uw_device_string(r->device, 1, 0, buf, 0, SOON, NULL), UW_ERROR_INVALID);
    assert_int_equal(uw_device_string(r->device, 5, 0, buf, 4, SOON, &fault), UW_ERROR_STALL);
    assert_non_null(strstr(rig_sentence(&fault), "control IN 80 06 wValue 0305"));
    assert_string_equal(buf, "xyz");
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, rig_set_up_imported, rig_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_reads),     ROW(test_utf8),    ROW(test_broken_surrogates),
        ROW(test_malformed), ROW(test_invalid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
