/*
 * test_unlink.c - requests taken back, by the protocol and by the habits of servers
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <usbwire/error.h>

#include "offer.h"

static void
test_unlink_pending(void **state)
{
    static const uint8_t reply[48] = {0, 0, 0, 4, 0, 0, 0, 21, [20] = 0xff, 0xff, 0xff, 0x98};
    struct offer *o = offer_start_imported(0);

    (void)state;
    assert_int_equal(offer_feed_read(o, 20, 64), 0);
    assert_int_equal(offer_feed_unlink(o, 21, 20), 0);
    assert_int_equal(o->unlinks, 1);
    offer_expect(o, reply, sizeof(reply)); /* -104, with the CMD_UNLINK's number; no RET_SUBMIT */
    offer_end(o);
}

static void
test_unlink_too_late(void **state)
{
    struct offer *o = offer_start_imported(0);
    size_t at = 0;
    struct uw_pdu pdu;

    (void)state;
    assert_int_equal(offer_feed_read(o, 20, 4), 0);
    offer_answer(o, o->requests[0]); /* not sent yet: it counts as answered all the same */
    assert_int_equal(offer_feed_unlink(o, 21, 20), 0);
    assert_int_equal(o->unlinks, 0);
    offer_drain(o, SIZE_MAX);
    pdu = offer_next_reply(o, &at);
    assert_int_equal(pdu.command, UW_RET_SUBMIT);
    at += 4;
    pdu = offer_next_reply(o, &at);
    assert_int_equal(pdu.command, UW_RET_UNLINK);
    assert_int_equal(pdu.status, 0);
    assert_int_equal(at, o->size);
    offer_end(o);
}

static void
test_unlink_of_nothing(void **state)
{
    static const uint8_t reply[48] = {0, 0, 0, 4, 0, 0, 0, 21};
    struct offer *o = offer_start_imported(0);

    (void)state;
    assert_int_equal(offer_feed_unlink(o, 21, 12345), 0);
    offer_expect(o, reply, sizeof(reply));
    offer_end(o);
}

static void
test_unlink_kept(void **state)
{
    struct offer *o = offer_start_imported(0);
    size_t at = 0;

    (void)state;
    o->keeps = 1;
    assert_int_equal(offer_feed_read(o, 20, 4), 0);
    assert_int_equal(offer_feed_unlink(o, 21, 20), 0);
    offer_answer(o, o->requests[0]);
    offer_drain(o, SIZE_MAX);
    assert_int_equal(offer_next_reply(o, &at).status, 0);
    assert_int_equal(offer_next_reply(o, &at).seqnum, 20);
    offer_end(o);
}

static void
test_forgotten(void **state)
{
    struct offer *o = offer_start_imported(UW_HABIT_ONE_AT_A_TIME);
    size_t at = 0;

    (void)state;
    assert_int_equal(offer_feed_read(o, 20, 4), 0);
    assert_int_equal(offer_feed_read(o, 22, 4), 0);
    assert_int_equal(o->count, 1);
    uw_session_forget(o->session, o->requests[0]);
    assert_int_equal(uw_session_resume(o->session), 0);
    assert_int_equal(o->count, 2); /* it holds up nobody */
    uw_session_forget(o->session, o->requests[1]);
    assert_int_equal(offer_feed_unlink(o, 23, 20), 0);
    offer_drain(o, SIZE_MAX);
    assert_int_equal(offer_next_reply(o, &at).status, 0);
    assert_int_equal(at, o->size);
    offer_end(o);
}

struct unlink_row {
    struct uw_habits habits;
    const char *replies; /* in this order: S is RET_SUBMIT, U is RET_UNLINK */
    int32_t submit_status, unlink_status;
    int stays; /* the request can still be answered */
};

static void
check_unlink(const struct unlink_row *row)
{
    struct offer *o = offer_start_imported_as(&row->habits);
    size_t at = 0;

    assert_int_equal(offer_feed_read(o, 20, 4), 0);
    assert_int_equal(offer_feed_unlink(o, 21, 20), 0);
    offer_drain(o, SIZE_MAX);
    for (const char *c = row->replies; *c; c++) {
        struct uw_pdu pdu = offer_next_reply(o, &at);

        assert_int_equal(pdu.command, *c == 'S' ? UW_RET_SUBMIT : UW_RET_UNLINK);
        assert_int_equal(pdu.seqnum, *c == 'S' ? 20 : 21);
        assert_int_equal(pdu.status, *c == 'S' ? row->submit_status : row->unlink_status);
    }
    assert_int_equal(at, o->size);
    if (row->stays) {
        offer_answer(o, o->requests[0]);
        offer_drain(o, SIZE_MAX);
        assert_int_equal(offer_next_reply(o, &at).seqnum, 20);
    }
    offer_end(o);
}

static void
test_unlink_habits(void **state)
{
    static const struct unlink_row rows[] = {
        {{.flags = UW_HABIT_UNLINK_SILENT, .unlinked = -3}, "S", -3, 0, 0},
        {{.flags = UW_HABIT_UNLINK_USELESS}, "U", 0, 0, 1},
        {{.flags = UW_HABIT_UNLINK_USELESS | UW_HABIT_UNLINK_SILENT}, "", 0, 0, 1},
        {{.flags = UW_HABIT_UNLINK_LOSES}, "U", 0, 0, 0},
        {{.flags = UW_HABIT_UNLINK_EARLY, .unlinked = -104}, "US", -104, 0, 0},
        {{.flags = UW_HABIT_UNLINK_EARLY}, "US", 0, 0, 0},
        {{.flags = UW_HABIT_UNLINK_EPERM}, "U", 0, -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_unlink(&rows[i]);
}

/* Taking back takes its time: one answer when it worked, and both, the data first, when not. */
static void
test_unlink_begun(void **state)
{
    struct offer *o = offer_start_imported(0);
    size_t at = 0;
    struct uw_pdu pdu;

    (void)state;
    o->begins = 1;
    assert_int_equal(offer_feed_read(o, 20, 8), 0);
    assert_int_equal(offer_feed_read(o, 21, 8), 0);
    assert_int_equal(offer_feed_unlink(o, 22, 20), 0);
    assert_int_equal(offer_feed_unlink(o, 23, 21), 0);
    assert_int_equal(uw_session_unsent(o->session), 0);
    uw_session_reply(o->session, o->requests[0], -104, 0);
    offer_drain(o, SIZE_MAX);
    pdu = offer_next_reply(o, &at);
    assert_int_equal(pdu.command, UW_RET_UNLINK);
    assert_int_equal(pdu.seqnum, 22);
    assert_int_equal(pdu.status, -104);
    assert_int_equal(at, o->size);
    uw_session_reply(o->session, o->requests[1], 0, 8);
    offer_drain(o, SIZE_MAX);
    pdu = offer_next_reply(o, &at);
    assert_int_equal(pdu.command, UW_RET_SUBMIT);
    assert_int_equal(pdu.seqnum, 21);
    at += 8;
    pdu = offer_next_reply(o, &at);
    assert_int_equal(pdu.command, UW_RET_UNLINK);
    assert_int_equal(pdu.seqnum, 23);
    assert_int_equal(pdu.status, 0);
    assert_int_equal(at, o->size);
    offer_end(o);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unlink_pending),    cmocka_unit_test(test_unlink_too_late),
        cmocka_unit_test(test_unlink_of_nothing), cmocka_unit_test(test_unlink_kept),
        cmocka_unit_test(test_forgotten),         cmocka_unit_test(test_unlink_habits),
        cmocka_unit_test(test_unlink_begun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
