/*
 * Bulk and interrupt IN: parked reads, kept data, callers (src/engine/in.c). "Must n" is the number
 * in the list of what servers demand of a client.
 */
#include <string.h>

#include <usbwire/urb.h>

#include "support/peer.h"

static struct peer p;

static int
start(void **state)
{
    (void)state;
    peer_start(&p, "linux");
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    peer_stop(&p);
    return 0;
}

static void
read_bulk(struct job *j, size_t length, uint64_t timeout_us)
{
    assert_int_equal(peer_submit(&p, j, 0x81, UW_BULK, 64, length, timeout_us, 0), 0);
}

/* Must 1: the header of a read; number_of_packets and interval 0, the imported devid. */
static void
test_header(void **state)
{
    struct job j;
    struct peer_message *m;

    (void)state;
    read_bulk(&j, 100, 0);
    m = peer_message(&p, 0);
    assert_int_equal(m->pdu.command, UW_CMD_SUBMIT);
    assert_int_equal(m->pdu.devid, 0x10002);
    assert_int_equal(m->pdu.direction, UW_DIR_IN);
    assert_int_equal(m->pdu.ep, 1);
    assert_int_equal(m->pdu.packets, 0);
    assert_int_equal(m->pdu.interval, 0);
    assert_int_equal(m->pdu.seqnum & 1, 1); /* Must 2: the low bit is the direction */
    assert_int_equal(m->pdu.length, 128);   /* Must 12: whole packets */
    peer_answer(&p, 0, 0, counting(), 100);
    assert_done(&j, UW_OK, 100);
    assert_counts(&j, 100, 0);
    job_free(&j);
}

static void
test_interrupt_interval(void **state)
{
    struct job j;

    (void)state;
    assert_int_equal(peer_submit(&p, &j, 0x82, UW_INTERRUPT, 8, 8, 0, 0), 0);
    assert_int_equal(peer_message(&p, 0)->pdu.interval, 8);
    peer_answer(&p, 0, 0, counting(), 8);
    assert_done(&j, UW_OK, 8);
    job_free(&j);
    j.x.interval = 0;
    assert_int_equal(peer_submit(&p, &j, 0x82, UW_INTERRUPT, 0, 8, 0, 0), UW_ERROR_INVALID);
    job_free(&j);
}

static void
test_short_packet_ends(void **state)
{
    struct job j;

    (void)state;
    read_bulk(&j, 512, 0);
    peer_answer(&p, 0, 0, counting(), 10);
    assert_done(&j, UW_OK, 10);
    job_free(&j);
}

static void
test_short_not_ok(void **state)
{
    struct job j;

    (void)state;
    assert_int_equal(peer_submit(&p, &j, 0x81, UW_BULK, 64, 64, 0, UW_URB_SHORT_NOT_OK), 0);
    assert_int_equal(peer_message(&p, 0)->pdu.flags, 0);
    peer_answer(&p, 0, 0, counting(), 10);
    assert_done(&j, UW_ERROR_SHORT, 10);
    job_free(&j);
}

static void
test_zero_length_answer(void **state)
{
    struct job j;

    (void)state;
    read_bulk(&j, 64, 0);
    peer_answer(&p, 0, 0, NULL, 0);
    assert_done(&j, UW_OK, 0);
    job_free(&j);
}

/* A large read goes on until it is full, one post at a time. */
static void
test_large_read_is_split(void **state)
{
    struct job j;
    size_t part = 262144;

    (void)state;
    read_bulk(&j, part + 64, 0);
    assert_int_equal(peer_message(&p, 0)->pdu.length, (int)part);
    assert_int_equal(peer_take(&p), 1);
    peer_answer(&p, 0, 0, counting(), part);
    assert_int_equal(j.done, 0);
    assert_int_equal(peer_message(&p, 1)->pdu.length, 64);
    peer_answer(&p, 1, 0, counting(), 64);
    assert_done(&j, UW_OK, part + 64);
    assert_counts(&j, part, 0);
    job_free(&j);
}

/* Must 5: a read that times out stays posted and its data goes to the next read. */
static void
test_timeout_parks(void **state)
{
    struct job a, b;

    (void)state;
    read_bulk(&a, 64, 5000);
    peer_take(&p);
    assert_int_equal(uw_engine_deadline(p.engine).us, p.now.us + 5000);
    peer_wait(&p, 4999);
    assert_int_equal(a.done, 0);
    peer_wait(&p, 1);
    assert_done(&a, UW_ERROR_TIMEOUT, 0);
    assert_int_equal(peer_take(&p), 1); /* no CMD_UNLINK */
    assert_int_equal(peer_stats(&p).parked, 1);
    read_bulk(&b, 64, 5000);
    assert_int_equal(peer_take(&p), 1); /* adopted: nothing new is posted */
    peer_answer(&p, 0, 0, counting(), 64);
    assert_done(&b, UW_OK, 64);
    assert_counts(&b, 64, 0);
    assert_int_equal(peer_stats(&p).in_flight, 0);
    job_free(&a);
    job_free(&b);
}

/* What comes while nobody waits is kept for the next read. */
static void
test_late_data_is_kept(void **state)
{
    struct job a, b;

    (void)state;
    read_bulk(&a, 64, 1000);
    peer_take(&p);
    peer_wait(&p, 1000);
    peer_answer(&p, 0, 0, counting(), 20);
    assert_int_equal(peer_stats(&p).kept, 20);
    read_bulk(&b, 64, 1000);
    assert_done(&a, UW_ERROR_TIMEOUT, 0);
    peer_collect(&p);
    assert_done(&b, UW_OK, 20);
    assert_counts(&b, 20, 0);
    assert_int_equal(peer_take(&p), 1);
    job_free(&a);
    job_free(&b);
}

/* A parked read that was larger than the next callers': cut at packets, in order, ended where the
 * device ended it. */
static void
test_adopted_read_is_cut(void **state)
{
    struct job a, b, c, d;

    (void)state;
    read_bulk(&a, 512, 1000);
    peer_take(&p);
    peer_wait(&p, 1000);
    read_bulk(&b, 64, 0);
    read_bulk(&c, 64, 0);
    peer_answer(&p, 0, 0, counting(), 150);
    assert_done(&b, UW_OK, 64);
    assert_done(&c, UW_OK, 64);
    assert_counts(&c, 64, 64);
    read_bulk(&d, 64, 0);
    peer_collect(&p);
    assert_done(&d, UW_OK, 22); /* the short packet ends it */
    assert_counts(&d, 22, 128);
    job_free(&a);
    job_free(&b);
    job_free(&c);
    job_free(&d);
}

/* Whole packets and then a zero-length one: the zero-length one is a read of its own. */
static void
test_adopted_read_ends_with_zlp(void **state)
{
    struct job a, b, c;

    (void)state;
    read_bulk(&a, 512, 1000);
    peer_take(&p);
    peer_wait(&p, 1000);
    read_bulk(&b, 64, 0);
    peer_answer(&p, 0, 0, counting(), 64);
    assert_done(&b, UW_OK, 64);
    read_bulk(&c, 64, 0);
    peer_collect(&p);
    assert_done(&c, UW_OK, 0);
    job_free(&a);
    job_free(&b);
    job_free(&c);
}

/* Must 12: a packet that does not fit is an overflow; what follows it is kept. */
static void
test_overflow(void **state)
{
    struct job a, b, c;

    (void)state;
    read_bulk(&a, 512, 1000);
    peer_take(&p);
    peer_wait(&p, 1000);
    read_bulk(&b, 100, 0);
    peer_answer(&p, 0, 0, counting(), 200);
    assert_done(&b, UW_ERROR_OVERFLOW, 100);
    read_bulk(&c, 128, 0);
    peer_collect(&p);
    assert_done(&c, UW_OK, 72);
    assert_counts(&c, 72, 128);
    job_free(&a);
    job_free(&b);
    job_free(&c);
}

/* All that was asked for and an error besides: a device that babbles behind the last byte. Told
 * with the data, not to the read after it - adopted or not. */
static void
test_error_behind_the_last_byte(void **state)
{
    struct job a, b, c;

    (void)state;
    read_bulk(&a, 64, 0);
    peer_answer(&p, 0, -75, counting(), 64);
    assert_done(&a, UW_ERROR_OVERFLOW, 64);
    assert_int_equal(peer_stats(&p).kept, 0);
    read_bulk(&b, 64, 1000);
    peer_take(&p);
    peer_wait(&p, 1000);
    peer_answer(&p, 1, -75, counting(), 64);
    read_bulk(&c, 64, 0);
    peer_collect(&p);
    assert_done(&c, UW_ERROR_OVERFLOW, 64);
    assert_int_equal(peer_stats(&p).kept, 0);
    job_free(&a);
    job_free(&b);
    job_free(&c);
}

static void
test_overflow_of_own_read(void **state)
{
    struct job j;

    (void)state;
    read_bulk(&j, 10, 0);
    peer_answer(&p, 0, 0, counting(), 64);
    assert_done(&j, UW_ERROR_OVERFLOW, 10);
    assert_counts(&j, 10, 0);
    assert_int_equal(peer_stats(&p).kept, 0);
    job_free(&j);
}

/* Servers may send more than was asked for: those are the device's packets too. */
static void
test_overlong_answer(void **state)
{
    struct job a, b;

    (void)state;
    read_bulk(&a, 64, 0);
    peer_answer(&p, 0, 0, counting(), 128);
    assert_done(&a, UW_OK, 64);
    read_bulk(&b, 64, 0);
    peer_collect(&p);
    assert_done(&b, UW_OK, 64);
    assert_counts(&b, 64, 64);
    job_free(&a);
    job_free(&b);
}

/* An error that finds nobody is given once, in its place behind the data. */
static void
test_error_is_kept(void **state)
{
    struct job a, b, c, d, e;

    (void)state;
    read_bulk(&a, 64, 1000);
    read_bulk(&b, 64, 1000);
    peer_take(&p);
    peer_wait(&p, 1000);
    peer_answer(&p, 0, 0, counting(), 64);
    peer_answer(&p, 1, -32, NULL, 0);
    read_bulk(&c, 64, 0);
    read_bulk(&d, 64, 0);
    peer_collect(&p);
    assert_done(&c, UW_OK, 64);
    assert_done(&d, UW_ERROR_STALL, 0);
    assert_int_equal(d.x.raw_status, -32);
    read_bulk(&e, 64, 0);
    assert_int_equal(peer_take(&p), 3);
    peer_answer(&p, 2, 0, counting(), 1);
    assert_done(&e, UW_OK, 1);
    job_free(&a);
    job_free(&b);
    job_free(&c);
    job_free(&d);
    job_free(&e);
}

static void
test_order_of_callers(void **state)
{
    struct job j[8];

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        read_bulk(&j[i], 64, 0);
    assert_int_equal(peer_take(&p), 8);
    for (unsigned i = 0; i < 8; i++) {
        peer_answer(&p, i, 0, counting() + i, 64);
        assert_done(&j[i], UW_OK, 64);
        assert_counts(&j[i], 64, i);
        job_free(&j[i]);
    }
}

/* A caller leaves in the middle of its reply: it keeps what it has, the rest is the next one's. */
static void
test_timeout_in_mid_reply(void **state)
{
    struct job a, b;
    struct uw_pdu pdu = {.command = UW_RET_SUBMIT, .length = 512};
    uint8_t header[UW_PDU_SIZE];

    (void)state;
    for (int direct = 0; direct < 2; direct++) {
        unsigned n = p.count;

        p.rx_direct = direct;
        read_bulk(&a, 512, 1000);
        pdu.seqnum = peer_message(&p, n)->pdu.seqnum;
        uw_encode_pdu(header, &pdu);
        peer_feed(&p, header, sizeof(header));
        peer_feed(&p, counting(), 100);
        peer_wait(&p, 1000);
        assert_done(&a, UW_ERROR_TIMEOUT, 100);
        assert_counts(&a, 100, 0);
        peer_feed(&p, counting() + 100, 412);
        read_bulk(&b, 512, 1000);
        peer_collect(&p);
        assert_int_equal(b.x.actual, 412);
        peer_wait(&p, 1000);
        assert_done(&b, UW_ERROR_TIMEOUT, 412);
        assert_counts(&b, 412, 100);
        /* what b had left over is posted, and answered for the next round */
        peer_answer(&p, n + 1, 0, NULL, 0);
        job_free(&a);
        job_free(&b);
        assert_int_equal(peer_submit(&p, &a, 0x81, UW_BULK, 64, 64, 1000, 0), 0);
        peer_collect(&p);
        assert_done(&a, UW_OK, 0);
        job_free(&a);
    }
}

/* The bytes beyond actual_length are never written. */
static void
test_nothing_beyond_actual(void **state)
{
    struct job j;

    (void)state;
    read_bulk(&j, 64, 0);
    peer_answer(&p, 0, 0, counting(), 3);
    assert_done(&j, UW_OK, 3);
    for (size_t i = 3; i < 64; i++)
        assert_int_equal(j.copy[i], 0xee);
    job_free(&j);
}

/* Must 22: zero-length successes of a server that has nothing are asked again, ever more slowly. */
static void
test_empty_is_idle(void **state)
{
    struct job j;
    uint64_t expected[] = {1000, 2000, 4000, 8000, 16000, 20000, 20000};

    (void)state;
    peer_stop(&p);
    peer_start(&p, "esp-virtual");
    read_bulk(&j, 64, 0);
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(peer_take(&p), i + 1);
        peer_answer(&p, i, 0, NULL, 0);
        assert_int_equal(j.done, 0);
        assert_int_equal(peer_take(&p), i + 1);
        peer_wait(&p, expected[i] - 1);
        assert_int_equal(peer_take(&p), i + 1);
        peer_wait(&p, 1);
    }
    assert_int_equal(peer_take(&p), 8);
    peer_answer(&p, 7, 0, counting(), 5);
    assert_done(&j, UW_OK, 5);
    job_free(&j);
}

/* The server's own time-out is not the caller's: it goes on waiting. */
static void
test_server_timeout_is_asked_again(void **state)
{
    struct job j;

    (void)state;
    read_bulk(&j, 64, 100000);
    peer_take(&p);
    peer_answer(&p, 0, -110, NULL, 0);
    assert_int_equal(j.done, 0);
    peer_wait(&p, 1000);
    assert_int_equal(peer_take(&p), 2);
    peer_answer(&p, 1, 0, counting(), 5);
    assert_done(&j, UW_OK, 5);
    job_free(&j);
}

/* Nor are those that it ends together with the one that timed out, however long the silence. */
static void
test_siblings_of_a_timeout(void **state)
{
    struct job j;
    unsigned i = 0;

    (void)state;
    read_bulk(&j, 64, 0);
    for (; i < 200; i++) {
        assert_int_equal(peer_take(&p), i + 1);
        peer_answer(&p, i, i % 8 == 0 ? -110 : -104, NULL, 0);
        assert_int_equal(j.done, 0);
        peer_wait(&p, 20000);
    }
    /* Without a time-out that explains them there is an end to it. */
    for (; !j.done; i++) {
        assert_int_equal(peer_take(&p), i + 1);
        peer_answer(&p, i, -104, NULL, 0);
        peer_wait(&p, 20000);
    }
    assert_in_range(i, 240, 260);
    assert_done(&j, UW_ERROR_CANCELLED, 0);
    job_free(&j);
}

/* Kept data and parked reads have a bound. */
static void
test_parked_bytes_are_bounded(void **state)
{
    struct job j[16];
    unsigned unlinks = 0;

    (void)state;
    for (unsigned i = 0; i < 16; i++)
        read_bulk(&j[i], 262144, 1000);
    assert_int_equal(peer_take(&p), 16);
    peer_wait(&p, 1000);
    for (unsigned i = 16; i < peer_take(&p); i++)
        unlinks += peer_message(&p, i)->pdu.command == UW_CMD_UNLINK;
    assert_int_equal(unlinks, 12); /* 4 x 256 KiB stay */
    assert_int_equal(peer_stats(&p).parked, 4);
    for (unsigned i = 0; i < 16; i++)
        job_free(&j[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_header, start, stop),
        cmocka_unit_test_setup_teardown(test_interrupt_interval, start, stop),
        cmocka_unit_test_setup_teardown(test_short_packet_ends, start, stop),
        cmocka_unit_test_setup_teardown(test_short_not_ok, start, stop),
        cmocka_unit_test_setup_teardown(test_zero_length_answer, start, stop),
        cmocka_unit_test_setup_teardown(test_large_read_is_split, start, stop),
        cmocka_unit_test_setup_teardown(test_timeout_parks, start, stop),
        cmocka_unit_test_setup_teardown(test_late_data_is_kept, start, stop),
        cmocka_unit_test_setup_teardown(test_adopted_read_is_cut, start, stop),
        cmocka_unit_test_setup_teardown(test_adopted_read_ends_with_zlp, start, stop),
        cmocka_unit_test_setup_teardown(test_overflow, start, stop),
        cmocka_unit_test_setup_teardown(test_error_behind_the_last_byte, start, stop),
        cmocka_unit_test_setup_teardown(test_overflow_of_own_read, start, stop),
        cmocka_unit_test_setup_teardown(test_overlong_answer, start, stop),
        cmocka_unit_test_setup_teardown(test_error_is_kept, start, stop),
        cmocka_unit_test_setup_teardown(test_order_of_callers, start, stop),
        cmocka_unit_test_setup_teardown(test_timeout_in_mid_reply, start, stop),
        cmocka_unit_test_setup_teardown(test_nothing_beyond_actual, start, stop),
        cmocka_unit_test_setup_teardown(test_empty_is_idle, start, stop),
        cmocka_unit_test_setup_teardown(test_server_timeout_is_asked_again, start, stop),
        cmocka_unit_test_setup_teardown(test_siblings_of_a_timeout, start, stop),
        cmocka_unit_test_setup_teardown(test_parked_bytes_are_bounded, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
