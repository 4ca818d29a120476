/*
 * What a tap is told (include/usbwire/tap.h is the contract)
 */
#include <string.h>

#include "support/peer.h"

static struct peer p;

static void
test_submit_and_complete(void **state)
{
    struct job in, out;

    (void)state;
    peer_start(&p, "linux");
    peer_tap(&p);
    assert_int_equal(peer_submit(&p, &in, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(p.event_count, 0); /* not before it is handed to the transport */
    assert_int_equal(peer_submit(&p, &out, 0x01, UW_BULK, 64, 100, 0, 0), 0);
    peer_take(&p);
    assert_int_equal(p.event_count, 2);
    assert_int_equal(p.events[0].kind, UW_TAP_SUBMIT);
    assert_int_equal(p.events[0].endpoint, 0x81);
    assert_int_equal(p.events[0].length, 64);
    assert_int_equal(p.events[0].id >> 32, 7);
    assert_int_equal(p.events[1].data, 100);
    peer_answer(&p, 0, 0, counting(), 30);
    assert_int_equal(p.events[2].kind, UW_TAP_COMPLETE);
    assert_int_equal(p.events[2].id, p.events[0].id);
    assert_int_equal(p.events[2].data, 30);
    peer_acknowledge(&p, 1, 0, 0); /* told as it was said */
    assert_int_equal(p.events[3].length, 0);
    assert_int_equal(out.x.actual, 100);
    job_free(&in);
    job_free(&out);
    peer_stop(&p);
}

static void
test_unlink(void **state)
{
    struct job j;

    (void)state;
    peer_start(&p, "linux");
    peer_tap(&p);
    assert_int_equal(peer_submit(&p, &j, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    peer_take(&p);
    peer_cancel(&p, &j);
    peer_take(&p);
    peer_unlinked(&p, 1, -104);
    assert_int_equal(p.event_count, 4);
    assert_int_equal(p.events[1].kind, UW_TAP_UNLINK);
    assert_int_equal(p.events[1].target, p.events[0].id);
    assert_int_equal(p.events[2].kind, UW_TAP_UNLINKED);
    assert_int_equal(p.events[2].target, p.events[0].id);
    assert_int_equal(p.events[3].kind, UW_TAP_COMPLETE);
    assert_int_equal(p.events[3].local, 1);
    assert_int_equal(p.events[3].status, -104);
    assert_int_equal(p.events[3].id, p.events[0].id);
    job_free(&j);
    peer_stop(&p);
}

static void
test_lost(void **state)
{
    struct job j;

    (void)state;
    peer_start(&p, "linux");
    peer_tap(&p);
    assert_int_equal(peer_submit(&p, &j, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    peer_take(&p);
    uw_engine_abort(p.engine, UW_ERROR_CONNECTION_LOST, p.now);
    peer_collect(&p);
    assert_int_equal(p.event_count, 2);
    assert_int_equal(p.events[1].status, -108);
    assert_int_equal(p.events[1].local, 1);
    job_free(&j);
    peer_stop(&p);
}

/* A late answer is told whole, though nobody gets its data. */
static void
test_late(void **state)
{
    struct job j;

    (void)state;
    peer_start(&p, "linux");
    peer_tap(&p);
    assert_int_equal(peer_control(&p, &j, 0x80, 6, 0x100, 0, 18, 1000), 0);
    peer_take(&p);
    peer_wait(&p, 1000);
    peer_wait(&p, UW_UNLINK_GRACE_US);
    assert_done(&j, UW_ERROR_TIMEOUT, 0);
    peer_take(&p);
    peer_answer(&p, 0, 0, counting(), 18);
    assert_int_equal(p.events[p.event_count - 1].kind, UW_TAP_COMPLETE);
    assert_int_equal(p.events[p.event_count - 1].late, 1);
    assert_int_equal(p.events[p.event_count - 1].data, 18);
    job_free(&j);
    peer_stop(&p);
}

/* A reply of which one part went to a caller who left, and the rest to memory of ours: told whole.
 */
static void
test_divided_reply(void **state)
{
    struct job j;
    struct uw_pdu pdu = {.command = UW_RET_SUBMIT, .length = 64};
    uint8_t header[UW_PDU_SIZE];

    (void)state;
    peer_start(&p, "linux");
    peer_tap(&p);
    assert_int_equal(peer_submit(&p, &j, 0x81, UW_BULK, 64, 64, 1000, 0), 0);
    pdu.seqnum = peer_message(&p, 0)->pdu.seqnum;
    uw_encode_pdu(header, &pdu);
    peer_feed(&p, header, sizeof(header));
    peer_feed(&p, counting(), 20);
    peer_wait(&p, 1000);
    assert_done(&j, UW_ERROR_TIMEOUT, 20);
    peer_feed(&p, counting() + 20, 44);
    assert_int_equal(p.events[1].kind, UW_TAP_COMPLETE);
    assert_int_equal(p.events[1].data, 64);
    job_free(&j);
    peer_stop(&p);
}

static void
test_refused(void **state)
{
    struct job j;

    (void)state;
    peer_start(&p, "esp-bridge");
    peer_tap(&p);
    assert_int_equal(peer_iso(&p, &j, 0x83, 1, 100), UW_ERROR_NOT_SUPPORTED);
    assert_int_equal(p.event_count, 1);
    assert_int_equal(p.events[0].kind, UW_TAP_REFUSED);
    assert_int_equal(p.events[0].status, UW_ERROR_NOT_SUPPORTED);
    job_free(&j);
    peer_stop(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_submit_and_complete),
        cmocka_unit_test(test_unlink),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_divided_reply),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
