/*
 * Cancelling, time-outs, and every race of an unlink in every order. What servers answer to
 * CMD_UNLINK differs more than anything else.
 */
#include <string.h>

#include "support/peer.h"

static struct peer p;

enum step {
    END,
    ANSWER,       /* RET_SUBMIT 0 with data */
    ANSWER_RESET, /* RET_SUBMIT -104 */
    ANSWER_STALL, /* RET_SUBMIT -32, as an older usbipd-win */
    UNLINKED_RESET,
    UNLINKED_0,
    UNLINKED_NOENT,
    UNLINKED_STALL,
    UNLINKED_PERM,
    GRACE /* time goes by until nobody waits any more */
};

struct race {
    const char *name;
    enum step steps[4];
    int status; /* expected */
    size_t actual;
    uint64_t late; /* answers that found nobody */
};

/* A cancelled read: what the server may do, and what its caller is told. */
static const struct race read_races[] = {
    {"taken back", {UNLINKED_RESET}, UW_ERROR_CANCELLED, 0, 0},
    {"data before", {ANSWER, UNLINKED_0}, UW_OK, 64, 0},
    {"data behind", {UNLINKED_0, ANSWER}, UW_OK, 64, 0},
    {"completed while unlinking: no answer", {UNLINKED_0, GRACE}, UW_ERROR_CANCELLED, 0, 0},
    {"late reset (forks of the bridge)", {UNLINKED_0, ANSWER_RESET}, UW_ERROR_CANCELLED, 0, 0},
    {"reset answered too late", {UNLINKED_0, GRACE, ANSWER_RESET}, UW_ERROR_CANCELLED, 0, 1},
    {"stall and 0 (usbipd-win up to 2.4.1)", {ANSWER_STALL, UNLINKED_0}, UW_ERROR_CANCELLED, 0, 0},
    {"-2", {UNLINKED_NOENT}, UW_ERROR_CANCELLED, 0, 0},
    {"-32 (usbipdcpp)", {UNLINKED_STALL}, UW_ERROR_CANCELLED, 0, 0},
    {"-1 (dap)", {UNLINKED_PERM}, UW_ERROR_CANCELLED, 0, 0},
    {"no answer at all", {GRACE}, UW_ERROR_CANCELLED, 0, 0},
    {"no answer until long after", {GRACE, ANSWER}, UW_ERROR_CANCELLED, 0, 1},
    {"both, long after", {GRACE, UNLINKED_0, ANSWER}, UW_ERROR_CANCELLED, 0, 1},
    {"taken back, long after", {GRACE, UNLINKED_RESET}, UW_ERROR_CANCELLED, 0, 0},
    {"taken back, and data all the same", {UNLINKED_RESET, ANSWER}, UW_ERROR_CANCELLED, 0, 1},
    {"answered twice", {ANSWER, ANSWER}, UW_OK, 64, 1},
};

static void
do_step(enum step step, size_t in_size)
{
    switch (step) {
    case ANSWER:
        if (in_size)
            peer_answer(&p, 0, 0, counting(), in_size);
        else
            peer_acknowledge(&p, 0, 0, 64);
        break;
    case ANSWER_RESET: peer_acknowledge(&p, 0, -104, 0); break;
    case ANSWER_STALL: peer_acknowledge(&p, 0, -32, 0); break;
    case UNLINKED_RESET: peer_unlinked(&p, 1, -104); break;
    case UNLINKED_0: peer_unlinked(&p, 1, 0); break;
    case UNLINKED_NOENT: peer_unlinked(&p, 1, -2); break;
    case UNLINKED_STALL: peer_unlinked(&p, 1, -32); break;
    case UNLINKED_PERM: peer_unlinked(&p, 1, -1); break;
    case GRACE: peer_wait(&p, UW_UNLINK_PATIENCE_US); break;
    case END: break;
    }
}

/* Whatever happened: the connection is good, and the next transfer works. */
static void
check_afterwards(const struct race *race, uint8_t endpoint)
{
    struct job j;
    unsigned n = peer_take(&p);

    if (p.rx_error)
        fail_msg("%s: the connection was given up", race->name);
    if (peer_stats(&p).late != race->late)
        fail_msg("%s: %d late answers", race->name, (int)peer_stats(&p).late);
    assert_int_equal(peer_submit(&p, &j, endpoint, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_take(&p), n + 1);
    if (endpoint & 0x80)
        peer_answer(&p, n, 0, counting() + 7, 64);
    else
        peer_acknowledge(&p, n, 0, 64);
    assert_done(&j, UW_OK, 64);
    if (endpoint & 0x80)
        assert_counts(&j, 64, 7);
    job_free(&j);
}

static void
run_race(const struct race *race, uint8_t endpoint, int by_timeout)
{
    struct job j;
    int expected = race->status;

    peer_start(&p, "linux");
    assert_int_equal(peer_submit(&p, &j, endpoint, UW_BULK, 64, 64, by_timeout ? 1000 : 0, 0), 0);
    assert_int_equal(peer_take(&p), 1);
    if (by_timeout) {
        peer_wait(&p, 1000);
        if (expected == UW_ERROR_CANCELLED)
            expected = UW_ERROR_TIMEOUT;
    } else {
        peer_cancel(&p, &j);
    }
    assert_int_equal(peer_take(&p), 2);
    assert_int_equal(peer_message(&p, 1)->pdu.command, UW_CMD_UNLINK);
    assert_int_equal(peer_message(&p, 1)->pdu.devid, 0x10002); /* Must 1 */
    assert_int_equal(peer_message(&p, 1)->pdu.target, peer_message(&p, 0)->pdu.seqnum);
    for (unsigned i = 0; i < 4 && race->steps[i] != END; i++)
        do_step(race->steps[i], endpoint & 0x80 ? 64 : 0);
    if (!j.done)
        fail_msg("%s: not done", race->name);
    if (j.x.status != expected || j.x.actual != race->actual)
        fail_msg("%s: %s with %zu bytes", race->name, uw_error_name(j.x.status), j.x.actual);
    job_free(&j);
    check_afterwards(race, endpoint);
    peer_stop(&p);
}

/* Must 3, 7: reads. */
static void
test_cancelled_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(read_races) / sizeof(read_races[0]); i++)
        run_race(&read_races[i], 0x81, 0);
}

/* The same for writes, cancelled and timed out: the answer says whether they went through. */
static void
test_cancelled_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(read_races) / sizeof(read_races[0]); i++) {
        run_race(&read_races[i], 0x01, 0);
        run_race(&read_races[i], 0x01, 1);
    }
}

/* A time-out of a write is exact, whatever the server does. */
static void
test_write_timeout_is_exact(void **state)
{
    struct job j;

    (void)state;
    peer_start(&p, "linux");
    assert_int_equal(peer_submit(&p, &j, 0x01, UW_BULK, 64, 64, 50000, 0), 0);
    peer_take(&p);
    peer_wait(&p, 50000);
    assert_int_equal(j.done, 0);
    peer_wait(&p, UW_UNLINK_GRACE_US);
    assert_done(&j, UW_ERROR_TIMEOUT, 0);
    job_free(&j);
    peer_stop(&p);
}

/* Idea 5: after a cancel no more reads stay posted than callers wait; the newest goes. */
static void
test_cancel_one_of_several(void **state)
{
    struct job a, b, c;

    (void)state;
    peer_start(&p, "linux");
    assert_int_equal(peer_submit(&p, &a, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_submit(&p, &b, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_submit(&p, &c, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    peer_take(&p);
    peer_cancel(&p, &a);
    assert_int_equal(peer_take(&p), 4);
    assert_int_equal(peer_message(&p, 3)->pdu.target, peer_message(&p, 2)->pdu.seqnum);
    peer_unlinked(&p, 3, -104);
    assert_done(&a, UW_ERROR_CANCELLED, 0);
    peer_answer(&p, 0, 0, counting(), 64);
    assert_done(&b, UW_OK, 64);
    peer_answer(&p, 1, 0, counting(), 64);
    assert_done(&c, UW_OK, 64);
    assert_int_equal(peer_stats(&p).in_flight, 0);
    job_free(&a);
    job_free(&b);
    job_free(&c);
    peer_stop(&p);
}

/* The cancelled one is served after all; the post that was taken back for it points nowhere. */
static void
test_cancelled_but_served(void **state)
{
    struct job a, b;

    (void)state;
    peer_start(&p, "linux");
    assert_int_equal(peer_submit(&p, &a, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_submit(&p, &b, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    peer_take(&p);
    peer_cancel(&p, &a);
    peer_take(&p);
    peer_answer(&p, 0, 0, counting(), 64);
    assert_done(&a, UW_OK, 64);
    job_free(&a);
    memset(&a, 0xdd, sizeof(a));
    peer_unlinked(&p, 2, -104);
    assert_int_equal(peer_take(&p), 4); /* b is posted anew */
    peer_answer(&p, 3, 0, counting(), 64);
    assert_done(&b, UW_OK, 64);
    job_free(&b);
    peer_stop(&p);
}

static void
test_cancel_twice(void **state)
{
    struct job j;

    (void)state;
    peer_start(&p, "linux");
    assert_int_equal(peer_submit(&p, &j, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    peer_take(&p);
    peer_cancel(&p, &j);
    assert_int_equal(uw_engine_cancel(p.engine, &j.x, p.now), UW_ERROR_NOT_FOUND);
    peer_unlinked(&p, peer_take(&p) - 1, -104);
    assert_int_equal(uw_engine_cancel(p.engine, &j.x, p.now), UW_ERROR_NOT_FOUND);
    job_free(&j);
    peer_stop(&p);
}

static void
test_cancel_before_sent(void **state)
{
    struct job j;

    (void)state;
    peer_start(&p, "linux");
    for (int in = 0; in < 2; in++) {
        assert_int_equal(peer_submit(&p, &j, in ? 0x81 : 0x01, UW_BULK, 64, 64, 0, 0), 0);
        peer_cancel(&p, &j);
        assert_done(&j, UW_ERROR_CANCELLED, 0);
        assert_int_equal(peer_take(&p), 0);
        job_free(&j);
    }
    peer_stop(&p);
}

/* Servers for which an unlink changes nothing are not sent one; those that never answer one take
 * the transfer back all the same. */
static void
test_unlink_by_profile(void **state)
{
    struct job j;

    (void)state;
    peer_start(&p, "jiegec");
    assert_int_equal(peer_submit(&p, &j, 0x01, UW_BULK, 64, 64, 0, 0), 0);
    peer_take(&p);
    peer_cancel(&p, &j);
    assert_done(&j, UW_ERROR_CANCELLED, 0);
    assert_int_equal(peer_take(&p), 1);
    assert_int_equal(peer_stats(&p).tombstones, 1);
    peer_acknowledge(&p, 0, 0, 64);
    assert_int_equal(peer_stats(&p).tombstones, 0);
    job_free(&j);
    peer_stop(&p);
    peer_start(&p, "pyusbip");
    assert_int_equal(peer_submit(&p, &j, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    peer_take(&p);
    peer_cancel(&p, &j);
    assert_int_equal(peer_take(&p), 2);
    peer_acknowledge(&p, 0, -3, 0); /* LIBUSB_TRANSFER_CANCELLED */
    assert_done(&j, UW_ERROR_CANCELLED, 0);
    job_free(&j);
    peer_stop(&p);
}

/* Flush: callers are cancelled, parked reads taken back, kept data dropped. */
static void
test_flush(void **state)
{
    struct job a, b, c;

    (void)state;
    peer_start(&p, "linux");
    assert_int_equal(peer_submit(&p, &a, 0x81, UW_BULK, 64, 64, 1000, 0), 0);
    assert_int_equal(peer_submit(&p, &b, 0x81, UW_BULK, 64, 64, 1000, 0), 0);
    peer_take(&p);
    peer_wait(&p, 1000);
    peer_answer(&p, 0, 0, counting(), 64);
    assert_int_equal(peer_stats(&p).kept, 64);
    uw_engine_flush(p.engine, UINT32_C(1) << 17, p.now);
    assert_int_equal(peer_stats(&p).kept, 0);
    assert_int_equal(peer_stats(&p).parked, 0);
    assert_int_equal(peer_message(&p, 2)->pdu.target, peer_message(&p, 1)->pdu.seqnum);
    assert_int_equal(peer_submit(&p, &c, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_take(&p), 4);
    peer_answer(&p, 1, 0, counting() + 9, 64); /* the old one, late: drained */
    assert_int_equal(c.done, 0);
    peer_answer(&p, 3, 0, counting() + 5, 64);
    assert_done(&c, UW_OK, 64);
    assert_counts(&c, 64, 5);
    job_free(&a);
    job_free(&b);
    job_free(&c);
    peer_stop(&p);
}

/* Only what was kept is dropped: the read that is posted still serves the next caller. */
static void
test_drop_kept(void **state)
{
    struct job a, b, c;

    (void)state;
    peer_start(&p, "linux");
    assert_int_equal(peer_submit(&p, &a, 0x81, UW_BULK, 64, 64, 1000, 0), 0);
    assert_int_equal(peer_submit(&p, &b, 0x81, UW_BULK, 64, 64, 1000, 0), 0);
    peer_take(&p);
    peer_wait(&p, 1000);
    peer_answer(&p, 0, 0, counting(), 64);
    uw_engine_drop_kept(p.engine, ~(UINT32_C(1) << 17));
    assert_int_equal(peer_stats(&p).kept, 64);
    uw_engine_drop_kept(p.engine, UINT32_C(1) << 17);
    assert_int_equal(peer_stats(&p).kept, 0);
    assert_int_equal(peer_stats(&p).parked, 1);
    assert_int_equal(peer_submit(&p, &c, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_take(&p), 2);
    peer_answer(&p, 1, 0, counting() + 5, 64);
    assert_done(&c, UW_OK, 64);
    assert_counts(&c, 64, 5);
    job_free(&a);
    job_free(&b);
    job_free(&c);
    peer_stop(&p);
}

/* Must 17: before a deliberate close everything is taken back, nobody waits. */
static void
test_close(void **state)
{
    struct job a, b;

    (void)state;
    peer_start(&p, "linux");
    assert_int_equal(peer_submit(&p, &a, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_submit(&p, &b, 0x01, UW_BULK, 64, 64, 0, 0), 0);
    peer_take(&p);
    uw_engine_close(p.engine, p.now);
    peer_collect(&p);
    assert_done(&a, UW_ERROR_CANCELLED, 0);
    assert_done(&b, UW_ERROR_CANCELLED, 0);
    assert_int_equal(peer_take(&p), 4);
    assert_int_equal(peer_message(&p, 2)->pdu.command, UW_CMD_UNLINK);
    assert_int_equal(peer_message(&p, 3)->pdu.command, UW_CMD_UNLINK);
    job_free(&a);
    job_free(&b);
    peer_stop(&p);
}

/* Must 2, 3: answers nobody asked for are drained, and echoed fields mean nothing. */
static void
test_unknown_answers(void **state)
{
    struct uw_pdu pdu = {.command = UW_RET_SUBMIT, .seqnum = 4711, .length = 100};
    uint8_t bytes[UW_PDU_SIZE + 100] = {0};
    struct job j;

    (void)state;
    peer_start(&p, "linux");
    uw_encode_pdu(bytes, &pdu); /* odd: IN, with payload */
    peer_feed(&p, bytes, sizeof(bytes));
    pdu.seqnum = 4712; /* even: OUT, without */
    uw_encode_pdu(bytes, &pdu);
    peer_feed(&p, bytes, UW_PDU_SIZE);
    pdu.command = UW_RET_UNLINK;
    uw_encode_pdu(bytes, &pdu);
    peer_feed(&p, bytes, UW_PDU_SIZE);
    assert_int_equal(p.rx_error, 0);
    assert_int_equal(peer_stats(&p).late, 2);
    assert_int_equal(peer_submit(&p, &j, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    pdu = (struct uw_pdu){.command = UW_RET_SUBMIT,
                          .seqnum = peer_message(&p, 0)->pdu.seqnum,
                          .devid = 0xffffffff,
                          .direction = 0,
                          .ep = 13,
                          .packets = -1,
                          .start_frame = -1,
                          .length = 3};
    uw_encode_pdu(bytes, &pdu);
    peer_feed(&p, bytes, UW_PDU_SIZE + 3);
    assert_done(&j, UW_OK, 3);
    job_free(&j);
    peer_stop(&p);
}

/* A stream that makes no sense ends the connection with PROTOCOL, and every transfer once. */
static void
test_nonsense(void **state)
{
    const struct uw_pdu bad[] = {
        {.command = UW_RET_SUBMIT, .length = -1},
        {.command = UW_RET_SUBMIT, .length = INT32_MAX},
        {.command = UW_CMD_SUBMIT},
        {.command = 0xdeadbeef},
    };
    uint8_t bytes[UW_PDU_SIZE];
    struct job j;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct uw_pdu pdu = bad[i];

        peer_start(&p, "linux");
        assert_int_equal(peer_submit(&p, &j, 0x81, UW_BULK, 64, 64, 0, 0), 0);
        pdu.seqnum = peer_message(&p, 0)->pdu.seqnum;
        uw_encode_pdu(bytes, &pdu);
        peer_feed(&p, bytes, sizeof(bytes));
        assert_int_equal(p.rx_error, UW_ERROR_PROTOCOL);
        assert_done(&j, UW_ERROR_PROTOCOL, 0);
        job_free(&j);
        peer_stop(&p);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancelled_read),
        cmocka_unit_test(test_cancelled_write),
        cmocka_unit_test(test_write_timeout_is_exact),
        cmocka_unit_test(test_cancel_one_of_several),
        cmocka_unit_test(test_cancelled_but_served),
        cmocka_unit_test(test_cancel_twice),
        cmocka_unit_test(test_cancel_before_sent),
        cmocka_unit_test(test_unlink_by_profile),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_drop_kept),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_unknown_answers),
        cmocka_unit_test(test_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
